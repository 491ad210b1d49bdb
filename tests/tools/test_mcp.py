"""MCP: real servers over stdio and streamable HTTP, beside the agent's own tools."""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from door_calls import KNOCK
from wait_until import wait_until

from piopiy_lab import Caller, VoiceAgent, calls_tool, events, offline_stack, simulate, start_call
from piopiy_lab.errors import ArgumentError, ArgumentTypeError, ServiceError
from piopiy_lab.session.session import current_session
from piopiy_lab.tools import mcp

try:
    from mcp import StdioServerParameters
    from mcp.client.session_group import StreamableHttpParameters
    from pipecat.services.mcp_service import MCPClient
except ImportError as error:
    if os.environ.get("PIOPIY_LAB_REQUIRE") == "all":
        raise
    pytest.skip(f"{error}: pip install 'piopiy-lab[mcp]'", allow_module_level=True)

SERVER = str(Path(__file__).parents[1] / "support" / "mcp_server.py")
ASK = {
    "what is the weather": calls_tool("weather", city="Chennai"),
    "break it": calls_tool("breaks"),
    "slow down": calls_tool("slow"),
    "die now": calls_tool("dies"),
}


def stdio(*more, **options):
    return MCPClient(
        StdioServerParameters(command=sys.executable, args=[SERVER, "stdio", *more]), **options
    )


@pytest.fixture(scope="module")
def url():
    """A streamable-HTTP server of its own process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, SERVER, "http", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:

        def answers():
            assert server.poll() is None, "the server ended"
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", port), 0.2).close()
                return True
            return False

        wait_until(answers, 30, "the server does not listen")
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        server.terminate()
        server.wait(10)


def http(url):
    return MCPClient(StreamableHttpParameters(url=url))


def servers():
    """The processes of this test's stdio servers that are alive."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (entry / "cmdline").read_bytes().split(b"\0")
            stat = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            if SERVER.encode() in words and b"stdio" in words and int(stat[1]) == os.getpid():
                found.append((entry.name, stat[0]))
    return [pid for pid, state in found if state != "Z"]


def test_own_tools_and_mcp_tools_over_stdio(doors, run):
    async def open_door(room: str):
        """Open a door."""
        return f"The {room} door is open."

    caller = KNOCK.says("what is the weather").hears("it is sunny in Chennai").says(
        "slow down"
    ).hears("secs")  # fmt: skip

    async def create_session():
        await doors(open_door, mcp_tools=stdio(), replies=ASK)()

    call = run(create_session, caller)
    call.raise_for_error()
    assert [(t.name, t.status, t.result) for t in call.tool_calls] == [
        ("open_door", "returned", "The garden door is open."),
        ("weather", "returned", "It is sunny in Chennai."),
        ("slow", "returned", {"secs": 0.3}),
    ]
    assert call.events.of(events.ContextSent)[0].tools == [
        "open_door", "weather", "breaks", "dies", "slow",
    ]  # fmt: skip
    # The server took its time, and the call's clock stood still meanwhile.
    assert [t.secs for t in call.tool_calls] == [0.0, 0.0, 0.0]
    assert servers() == []


def test_over_streamable_http(doors, run, url):
    async def create_session():
        await doors(mcp_tools=http(url), replies=ASK)()

    caller = Caller().hears_greeting().says("what is the weather").hears("sunny in Chennai")
    call = run(create_session, caller)
    call.raise_for_error()
    assert [(t.name, t.result, t.secs) for t in call.tool_calls] == [
        ("weather", "It is sunny in Chennai.", 0.0)
    ]


def test_the_same_call_gives_the_same_events_every_time(doors, run, url):
    def once():
        async def create_session():
            clients = [stdio(tools_filter=["weather"]), MCPClient(
                StreamableHttpParameters(url=url), tools_filter=["breaks", "slow"])]  # fmt: skip
            await doors(mcp_tools=clients, replies=ASK)()

        call = run(
            create_session,
            Caller().hears_greeting().says("what is the weather").hears("sunny")
            .says("break it").hears("did not work"),
        )  # fmt: skip
        call.raise_for_error()
        return [event.to_json() for event in call.events]

    first = once()
    assert once() == first


def test_several_clients_and_a_schema_at_once(doors, run, url):
    seen = []

    async def create_session():
        local = stdio(tools_filter=["weather"], tools_arguments={"weather": {"city": "Madurai"}})
        remote = MCPClient(StreamableHttpParameters(url=url), tools_filter=["breaks"])
        from piopiy_lab.session.session import current_session

        with current_session().settings.hold("the schema"):
            schema = await remote.tools()
        agent = VoiceAgent(instructions="x", greeting="Hello.")
        stt, llm, tts = offline_stack(replies={**ASK, "what is the weather": calls_tool("weather")})
        await agent.Action(stt=stt, llm=llm, tts=tts, vad=True, mcp_tools=[local, schema])
        seen.extend(agent._tools.offered().standard_tools)
        await agent.start()

    caller = (
        Caller().hears_greeting().says("what is the weather").hears("sunny in Madurai")
        .says("break it").hears("did not work")
    )  # fmt: skip
    call = run(create_session, caller)
    call.raise_for_error()
    assert [tool.name for tool in seen] == ["weather", "breaks"]
    assert seen[0].properties == {}  # the fixed argument is not the LLM's
    assert [t.status for t in call.tool_calls] == ["returned", "failed"]


def test_an_error_of_the_server_is_an_error_result_and_an_event(doors, run):
    async def create_session():
        await doors(mcp_tools=stdio(), replies=ASK)()

    call = run(create_session, Caller().hears_greeting().says("break it").hears("did not work"))
    call.raise_for_error()
    (tool,) = call.tool_calls
    assert (tool.status, tool.error) == ("failed", "Error executing tool breaks")
    assert any("breaks" in e.message for e in call.events.of(events.ErrorOccurred))


def test_a_server_that_dies_is_an_error_result_and_is_started_again(doors, run):
    async def create_session():
        await doors(mcp_tools=stdio(), replies=ASK)()

    caller = (
        Caller().hears_greeting().says("die now").hears("is gone", within=15)
        .says("what is the weather").hears("sunny", within=15)
    )  # fmt: skip
    call = run(create_session, caller)
    call.raise_for_error()
    dead, again = call.tool_calls
    assert (dead.name, dead.status) == ("dies", "failed")
    assert dead.error.startswith("the MCP server mcp_server.py is gone")
    assert any("is gone" in e.message for e in call.events.of(events.ErrorOccurred))
    assert (again.name, again.status) == ("weather", "returned")
    assert call.end_reason == "caller_hung_up"
    assert servers() == []


def test_a_server_that_is_gone_for_good(doors, run, tmp_path):
    script = tmp_path / "once.py"
    script.write_text(Path(SERVER).read_text())

    async def create_session():
        client = MCPClient(
            StdioServerParameters(command=sys.executable, args=[str(script), "stdio"])
        )
        agent = VoiceAgent(instructions="x", greeting="Hello.")
        stt, llm, tts = offline_stack(replies=ASK)
        await agent.Action(stt=stt, llm=llm, tts=tts, vad=True, mcp_tools=client)
        script.unlink()
        await agent.start()

    caller = (
        Caller().hears_greeting().says("die now").hears("is gone", within=15)
        .says("what is the weather").hears("did not work", within=15)
    )  # fmt: skip
    call = run(create_session, caller)
    call.raise_for_error()
    assert [t.status for t in call.tool_calls] == ["failed", "failed"]
    assert "the MCP server once.py did not run weather" in call.tool_calls[1].error


def test_a_server_that_is_slow_to_start_takes_no_virtual_time(doors, run):
    """A busy machine starts one in more than the three seconds that were held once."""
    late = f"import runpy, sys, time; time.sleep(4); sys.argv[:] = [{SERVER!r}, 'stdio']; "
    late += "runpy.run_path(sys.argv[0], run_name='__main__')"

    async def create_session():
        client = MCPClient(StdioServerParameters(command=sys.executable, args=["-c", late]))
        await doors(mcp_tools=client, replies=ASK)()

    call = run(create_session, Caller().hears_greeting())
    call.raise_for_error()
    assert call.events.of(events.PipelineStarted)[0].at == 0.0


def test_a_connection_that_waits_by_a_timer_is_waited_for():
    """As mcp's client waits for the end of a server's process: held time alone would never end."""
    ends = []

    async def create_session():
        connections = mcp.MCPConnections(current_session(), connect_secs=0.1)
        ends.append(await connections._connected(asyncio.create_task(asyncio.sleep(0.5)), "x"))
        never = asyncio.create_task(asyncio.Event().wait())
        connections = mcp.MCPConnections(current_session(), connect_secs=0.1, failing_secs=0.2)
        ends.append(await connections._connected(never, "y"))
        never.cancel()

    asyncio.run(simulate(create_session, Caller().waits(3)))
    assert ends == [True, False]


def test_what_servers_say_is_kept_in_files_that_are_closed(monkeypatch):
    opened = []

    def new_file():
        opened.append(io.StringIO())
        return opened[-1]

    monkeypatch.setattr(mcp.mcp_stderr, "new_file", new_file)
    connections, client = mcp.MCPConnections(None), stdio()
    with connections._keeping_stderr(client):
        assert mcp.mcp_stderr.STDERR.get() is opened[0]
    asyncio.run(connections.close())
    with connections._keeping_stderr(client):  # a tool call that comes late
        assert mcp.mcp_stderr.STDERR.get() is None
    assert [file.closed for file in opened] == [True]
    monkeypatch.setattr(sys, "stderr", io.StringIO())  # as in a notebook
    assert mcp.mcp_stderr._default() is mcp.mcp_stderr._default()
    assert len(opened) == 1


# --- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("client", "words"),
    [
        (
            lambda: MCPClient(StdioServerParameters(command="no-such-command", args=["--x"])),
            "the MCP server 'no-such-command --x' can't be reached",
        ),
        (
            lambda: MCPClient(
                StdioServerParameters(command=sys.executable, args=["-c", "raise OSError('dark')"])
            ),
            r"can't be reached: .*\(it said: OSError: dark\)",
        ),
        (
            lambda: http("http://127.0.0.1:9/mcp?api_key=abc123secret"),
            r"the MCP server at http://127\.0\.0\.1:9/mcp can't be reached",
        ),
    ],
    ids=["no-command", "ends-at-once", "no-port"],
)
def test_a_server_that_is_not_there_is_named_at_action(doors, run, client, words):
    async def create_session():
        await doors(mcp_tools=client())()

    call = run(create_session, Caller().waits(1))
    assert call.end_reason == "error"
    with pytest.raises(ServiceError, match=words) as error:
        call.raise_for_error()
    assert "abc123secret" not in str(error.value)


@pytest.mark.parametrize(
    "params",
    [
        {"url": "http://a.invalid/mcp", "headers": {"Authorization": "Bearer abc123secret"}},
        {"url": "http://b.invalid/mcp?api_key=abc123secret"},
        {"url": "http://user:abc123secret@c.invalid/mcp"},
    ],
)
def test_what_goes_to_a_server_in_the_clear_is_warned_of(doors, run, caplog, params):
    async def create_session():
        await doors(mcp_tools=MCPClient(StreamableHttpParameters(**params)))()

    assert run(create_session, Caller().waits(1)).end_reason == "error"  # there is no such host
    (told,) = [r.getMessage() for r in caplog.records if "in the clear" in r.getMessage()]
    assert "an MCP server's headers or address" in told
    assert ".invalid" in told
    assert "abc123secret" not in told


def test_a_server_that_never_answers_is_given_up(no_leftovers):
    async def create_session():
        mute = [sys.executable, "-c", "import time; time.sleep(60)"]
        client = MCPClient(StdioServerParameters(command=mute[0], args=mute[1:]))
        await mcp.MCPConnections(current_session(), connect_secs=1.0).open(client)

    call = start_call(create_session, Caller().waits(1)).join(20)
    assert isinstance(call.error, ServiceError)
    assert "did not answer within 1 s" in str(call.error)


async def opened_by_tools(client, llm):
    return await client.tools()


async def opened_alone(client, llm):
    await client.start()
    return client


def session_that_opens(client, how=opened_by_tools):
    async def create_session():
        stt, llm, tts = offline_stack(phrases=list(ASK), replies=ASK)
        agent = VoiceAgent(instructions="x", greeting="Hello.")
        tools = await how(client(), llm)
        await agent.Action(stt=stt, llm=llm, tts=tts, vad=True, mcp_tools=tools)
        await agent.start()

    return create_session


@pytest.mark.parametrize("how", [opened_by_tools, opened_alone])
def test_a_connection_that_the_session_opens_itself_holds_time(run, how, no_leftovers):
    caller = Caller().hears_greeting().says("what is the weather").hears_reply().waits(60)
    began = time.monotonic()
    call = run(session_that_opens(stdio, how), caller.hangs_up())
    assert call.error is None
    assert [tool.status for tool in call.tool_calls] == ["returned"]
    assert time.monotonic() - began < 0.7 * call.duration  # and not at real time's pace


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["/nowhere/server"], "can't be reached: FileNotFoundError"),
        ([sys.executable, "-c", ""], "can't be reached"),
        ([sys.executable, "-c", "import time; time.sleep(60)"], "did not answer within 10 s"),
    ],
)
def test_a_server_that_the_session_waits_for_in_vain_is_named(run, command, words, no_leftovers):
    def client():
        return MCPClient(StdioServerParameters(command=command[0], args=command[1:]))

    call = run(session_that_opens(client), Caller().hears_greeting().hangs_up())
    assert isinstance(call.error, ServiceError)
    assert words in str(call.error)


def test_a_name_that_two_have_is_refused(doors, run):
    async def weather() -> str:
        """Tell the weather."""
        return "rain"

    async def with_own():
        await doors(weather, mcp_tools=stdio())()

    async def with_another():
        await doors(mcp_tools=[stdio(), stdio()])()

    async def added_later():
        agent = VoiceAgent(instructions="x")
        stt, llm, tts = offline_stack()
        await agent.Action(stt=stt, llm=llm, tts=tts, vad=True, mcp_tools=stdio())
        agent.add_tool(weather)

    for create_session, words in (
        (with_own, "an MCP server has a tool 'weather', and so has the agent"),
        (with_another, "two MCP servers have a tool 'weather'"),
        (added_later, r"add_tool\('weather'\): an MCP server of this agent has a tool"),
    ):
        call = run(create_session, Caller().waits(1))
        with pytest.raises(ArgumentError, match=words):
            call.raise_for_error()
    assert servers() == []  # what was connected is closed, though start() never came


@pytest.mark.parametrize("given", ["http://x/mcp", 3, [lambda: 1], {"url": "x"}])
def test_what_is_no_mcp_server(doors, run, given):
    async def create_session():
        await doors(mcp_tools=given)()

    call = run(create_session, Caller().waits(1))
    with pytest.raises(ArgumentTypeError, match=r"Action\(mcp_tools=.*give an MCPClient"):
        call.raise_for_error()


def test_a_client_among_the_tools_is_sent_to_action():
    with pytest.raises(ArgumentTypeError, match=r"goes to Action\(mcp_tools=client\)"):
        VoiceAgent(instructions="x", tools=[stdio()])


def test_a_schema_without_handlers(doors, run):
    from pipecat.adapters.llm.schemas.function_schema import FunctionSchema
    from pipecat.adapters.llm.schemas.tools_schema import ToolsSchema

    async def create_session():
        await doors(mcp_tools=ToolsSchema([FunctionSchema("a", "b", {}, [])]))()

    call = run(create_session, Caller().waits(1))
    with pytest.raises(ArgumentError, match="the tool 'a' has no handler"):
        call.raise_for_error()


# --- in real time --------------------------------------------------------------------------------


def test_one_client_serves_two_calls_at_once(doors, no_leftovers):
    shared = []

    async def create_session():
        if not shared:
            shared.append(stdio())
        await doors(mcp_tools=shared[0], replies=ASK)()

    asks = Caller().hears_greeting().says("what is the weather").hears("sunny")
    first = start_call(create_session, asks)
    second = start_call(create_session, asks.waits(1).says("what is the weather").hears("sunny"))
    assert first.join(60).tool_calls[0].status == "returned"
    second.join(60).raise_for_error()
    assert [t.status for t in second.tool_calls] == ["returned", "returned"]  # not closed by first
    wait_until(lambda: servers() == [], 5, servers)


def test_a_client_of_another_loop_is_refused(doors):
    async def main():
        client = stdio()
        async with client:

            async def create_session():
                await doors(mcp_tools=client)()

            return await simulate(create_session, Caller().waits(1))

    call = asyncio.run(main())
    with pytest.raises(ServiceError, match="connected on another event loop"):
        call.raise_for_error()
