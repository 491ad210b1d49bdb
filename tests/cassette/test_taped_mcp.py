"""MCP servers and a cassette: recorded with a real one over stdio, played with none opened."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

import cloud_bots
import pytest
from pipecat.runner.types import RunnerArguments
from pipecat.runner.utils import create_transport
from pipecat.transports.base_transport import TransportParams
from taped import lines, run, sound

from piopiy_lab import Caller, VoiceAgent, calls_tool, offline_realtime, offline_stack
from piopiy_lab.errors import CassetteError, ServiceError

try:
    from mcp import StdioServerParameters
    from pipecat.services.mcp_service import MCPClient
except ImportError as error:
    if os.environ.get("PIOPIY_LAB_REQUIRE") == "all":
        raise
    pytest.skip(f"{error}: pip install 'piopiy-lab[mcp]'", allow_module_level=True)

SERVER = Path(__file__).parents[1] / "support" / "mcp_server.py"
TOKEN = "a-token-of-the-server-0123456789"
ASKS = {
    "what is the weather": calls_tool("weather", city="Chennai"),
    "break it": calls_tool("breaks"),
}
CALLER = (
    Caller()
    .hears_greeting()
    .says("what is the weather")
    .hears("it is sunny in Chennai")
    .hears_reply()
    .says("break it")
    .hears_reply()
)

SHORT = Caller().hears_greeting().says("what is the weather").hears("it is sunny")


class Weather:
    """An agent with the tools of a stdio server that counts how often it was started."""

    def __init__(self, folder, *, clients=1, own=False, realtime=False):
        self.starts = folder / "starts"
        self.starts.touch()
        code = (
            f"import runpy, sys; open({str(self.starts)!r}, 'a').write('x'); "
            f"sys.argv = ['mcp_server', 'stdio']; runpy.run_path({str(SERVER)!r}, "
            "run_name='__main__')"
        )
        self.server = StdioServerParameters(
            command=sys.executable, args=["-c", code], env={"SERVER_TOKEN": TOKEN}
        )
        self.clients, self.own, self.realtime = clients, own, realtime

    @property
    def started(self):
        return len(self.starts.read_text())

    async def create_session(self):
        filters = ["weather", "breaks"], ["slow"]
        clients = [MCPClient(self.server, tools_filter=f) for f in filters[: self.clients]]
        given = [await client.tools() for client in clients] if self.own else clients
        agent = VoiceAgent(instructions="Tell the weather.", greeting="Hello.")
        if self.realtime:
            parts = {"llm": offline_realtime(replies=ASKS)}
        else:
            parts = dict(zip(("stt", "llm", "tts"), offline_stack(replies=ASKS), strict=True))
        await agent.Action(**parts, vad=True, mcp_tools=given)
        await agent.start()


@pytest.mark.parametrize("own", [False, True], ids=["given", "opened-by-the-session"])
def test_a_server_is_not_started_when_its_tools_are_on_the_cassette(own, tmp_path):
    agent = Weather(tmp_path, own=own)
    recorded = run(agent.create_session, CALLER, cassette=tmp_path / "tape").raise_for_error()
    assert agent.started == 1
    for mode in ("none", "once"):
        played = run(agent.create_session, CALLER, cassette=tmp_path / "tape", record_mode=mode)
        assert played.error is None
        assert agent.started == 1
        assert [(tool.name, tool.status, tool.result) for tool in played.tool_calls] == [
            (tool.name, tool.status, tool.result) for tool in recorded.tool_calls
        ]
        assert sorted(lines(played)) == sorted(lines(recorded))
        assert sound(played) == sound(recorded)
    assert played.tool_calls[0].result == "It is sunny in Chennai."
    content = b"".join(path.read_bytes() for path in (tmp_path / "tape").iterdir())
    assert TOKEN.encode() not in content
    assert str(SERVER).encode() not in content


def test_a_bots_own_client_opens_nothing(tmp_path):
    weather = Weather(tmp_path)

    async def bot(runner_args: RunnerArguments) -> None:
        params = {
            "webrtc": lambda: TransportParams(audio_in_enabled=True, audio_out_enabled=True),
        }
        transport = await create_transport(runner_args, params)
        async with MCPClient(weather.server) as client:
            await cloud_bots.converse(transport, runner_args, tools=await client.tools())

    caller = Caller().hears_greeting().says("what is the weather").hears_reply().hangs_up()
    recorded, played = (
        run(bot, caller, replace=offline_stack(replies=ASKS), cassette=tmp_path / "tape")
        for _ in "12"
    )
    assert (recorded.error, played.error) == (None, None)
    assert weather.started == 1
    assert [tool.result for tool in recorded.tool_calls] == ["It is sunny in Chennai."]
    # not the end: a server that is closed by the bot's own code takes virtual time to go
    assert played.transcript == recorded.transcript
    assert [tool.result for tool in played.tool_calls] == ["It is sunny in Chennai."]


def test_beside_a_realtime_model_too(tmp_path):
    agent = Weather(tmp_path, realtime=True)
    recorded = run(agent.create_session, CALLER, cassette=tmp_path / "tape").raise_for_error()
    played = run(agent.create_session, CALLER, cassette=tmp_path / "tape").raise_for_error()
    assert agent.started == 1
    assert sound(played) == sound(recorded)


def test_several_servers_are_told_apart_and_one_more_is_named(tmp_path):
    two = Weather(tmp_path, clients=2)
    run(two.create_session, SHORT, cassette=tmp_path / "two").raise_for_error()
    run(two.create_session, SHORT, cassette=tmp_path / "two").raise_for_error()
    assert two.started == 2
    one = Weather(tmp_path)
    run(one.create_session, SHORT, cassette=tmp_path / "one").raise_for_error()
    call = run(two.create_session, SHORT, cassette=tmp_path / "one", record_mode="none")
    assert isinstance(call.error, CassetteError)
    assert "2 MCP servers or more, and on the cassette are the tools of 1" in str(call.error)


def test_new_episodes_asks_the_server(tmp_path):
    agent = Weather(tmp_path)
    run(agent.create_session, SHORT, cassette=tmp_path / "tape").raise_for_error()
    again = run(agent.create_session, SHORT, cassette=tmp_path / "tape", record_mode="new_episodes")
    assert again.error is None
    assert agent.started == 2
    text = (tmp_path / "tape" / "cassette.jsonl").read_text()
    listings = [json.loads(line) for line in text.splitlines() if '"kind": "mcp"' in line]
    assert [len(one["tools"]) for one in listings] == [2]


def test_a_cassette_without_listings_is_played_and_the_server_asked(tmp_path):
    agent = Weather(tmp_path)
    run(agent.create_session, SHORT, cassette=tmp_path / "tape").raise_for_error()
    path = tmp_path / "tape" / "cassette.jsonl"
    kept = [line for line in path.read_text().splitlines() if '"kind": "mcp"' not in line]
    path.write_text("\n".join(kept) + "\n")
    run(agent.create_session, SHORT, cassette=tmp_path / "tape").raise_for_error()
    assert agent.started == 2


def names(schema):
    return [tool.name for tool in schema.standard_tools]


def test_servers_that_are_asked_at_once_are_told_apart_by_the_order_of_the_asking(tmp_path):
    """The first one answers last: its tools are its own in the play, too."""
    weather = Weather(tmp_path)
    late = weather.server.model_copy(
        update={"args": ["-c", "import time; time.sleep(1.5); " + weather.server.args[1]]}
    )
    heard = []

    async def create_session():
        clients = MCPClient(late, tools_filter=["weather"]), MCPClient(weather.server)
        first, second = await asyncio.gather(*(client.tools() for client in clients))
        heard.append((names(first), names(second)))
        agent = VoiceAgent(instructions="Tell the weather.", greeting="Hello.")
        parts = dict(zip(("stt", "llm", "tts"), offline_stack(replies=ASKS), strict=True))
        await agent.Action(**parts, vad=True, mcp_tools=[first])
        await agent.start()

    for _ in ("recorded", "played"):
        call = run(create_session, SHORT, cassette=tmp_path / "tape").raise_for_error()
        assert [tool.result for tool in call.tool_calls] == ["It is sunny in Chennai."]
    assert weather.started == 2
    assert heard[0][0] == ["weather"]
    assert len(heard[0][1]) > 1
    assert heard[1] == heard[0]


@pytest.mark.parametrize("given", [False, True], ids=["opened-by-the-session", "given"])
def test_a_server_that_was_down_is_down_in_the_play(given, tmp_path):
    weather = Weather(tmp_path)
    down = StdioServerParameters(
        command=sys.executable, args=["-c", f"raise SystemExit({TOKEN!r})"]
    )
    failures = []

    async def create_session():
        agent = VoiceAgent(instructions="Tell the weather.", greeting="Hello.")
        parts = dict(zip(("stt", "llm", "tts"), offline_stack(replies=ASKS), strict=True))
        for server in (down, weather.server):
            client = MCPClient(server)
            try:
                tools = client if given else await client.tools()
                await agent.Action(**parts, vad=True, mcp_tools=[tools])
                break
            except ServiceError as error:
                failures.append(str(error))
        await agent.start()

    for _ in ("recorded", "played"):
        call = run(create_session, SHORT, cassette=tmp_path / "tape").raise_for_error()
        assert [tool.result for tool in call.tool_calls] == ["It is sunny in Chennai."]
    assert weather.started == 1
    assert len(failures) == 2
    assert "MCP server 1 of the agent failed when the cassette was recorded" in failures[1]
    assert TOKEN not in (tmp_path / "tape" / "cassette.jsonl").read_text()
