"""``piopiy-lab serve`` as a process: what it needs, what it shows, and how it ends."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest
from telephony_servers import SignallingServer, invite
from wait_until import until

from piopiy_lab import Caller, events
from piopiy_lab.cli.sessions import load_session
from piopiy_lab.errors import ArgumentError
from piopiy_lab.loopback import LoopbackPlatform

SUPPORT = Path(__file__).parents[1] / "support"  # serve_session


async def serve(*arguments, token="tok-1", **environment):
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "piopiy_lab.cli",
        "serve",
        *arguments,
        cwd=SUPPORT,
        env={
            **os.environ,
            "PIOPIY_AGENT_ID": "agent-1",
            "PIOPIY_AGENT_TOKEN": token,
            **environment,
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def read_until(stream, word):
    told = b""
    async with asyncio.timeout(20):
        while word.encode() not in told:
            line = await stream.readline()
            assert line, f"it ended without {word!r}: {told.decode()}"
            told += line
    return told.decode()


@pytest.mark.skipif(sys.platform == "win32", reason="SIGTERM can't be caught there")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
async def test_a_signal_drains_and_takes_no_new_call(name):
    async with SignallingServer() as server:
        process = await serve("serve_session:create_session", "--signaling-url", server.url)
        await until(lambda: server.sids, 30)
        await server.emit("join_room", invite("r1", call_id="call-1.5"))
        told = await read_until(process.stdout, "begin call-1.5")
        process.send_signal(signal.Signals[name])
        await until(lambda: not server.sids)
        assert process.returncode is None  # the call goes on
        async with asyncio.timeout(20):
            out, err = await process.communicate()
        told += out.decode()
    assert process.returncode == 0, err.decode()
    assert "done call-1.5" in told
    assert "draining 1 call(s)" in told
    assert "stopped: 1 call(s) served, 0 failed" in told
    assert "tok-1" not in told + err.decode()
    assert "room-token" not in told + err.decode()


@pytest.mark.skipif(sys.platform == "win32", reason="SIGTERM can't be caught there")
async def test_a_caller_who_is_on_the_line_at_sigterm_is_served_to_the_end():
    """A real call: what is said after the signal is still heard and answered."""
    line = "a table for two tomorrow at seven"
    caller = Caller().hears_reply().waits(2).says(line).hears_reply().hangs_up()
    async with LoopbackPlatform() as platform:
        process = await serve(
            "serve_session:desk",
            "--signaling-url",
            platform.signaling_url,
            token=platform.agent_token("agent-1"),
        )
        await until(lambda: platform.agents, 30)
        placed = asyncio.create_task(platform.place_call("agent-1", caller, call_id="call-a"))
        phone = await platform.wait_answered()
        await until(lambda: phone.call.events.of(events.CallerStepFinished), 20)  # greeted
        process.send_signal(signal.SIGTERM)
        await until(lambda: not platform.agents)
        assert not placed.done()
        heard = (await placed).raise_for_error()
        async with asyncio.timeout(20):
            out, err = await process.communicate()
    assert heard.end_reason == "caller_hung_up"
    assert len(heard.turns) == 1
    assert process.returncode == 0, err.decode()
    told = out.decode()
    assert told.index("draining 1 call(s)") < told.index("done call-a")
    assert "stopped: 1 call(s) served, 0 failed" in told


@pytest.mark.skipif(sys.platform == "win32", reason="SIGTERM can't be caught there")
@pytest.mark.parametrize("place", ["serve_session.py:desk", "serve_session.py:bot"])
async def test_a_worker_of_the_gateway_is_served_and_drained_by_sigterm(place):
    """By the vendor's own names in the environment; a session callback, or the vendor's bot."""
    caller = Caller().hears_reply().waits(1).hangs_up()
    async with LoopbackPlatform(accept_ms=5000) as platform:
        token = platform.agent_token("agent-1")
        process = await serve(
            place,
            token="",
            PIOPIY_TOKEN=token,
            PIOPIY_REGISTER=platform.gateway_url.removeprefix("grpc://"),
            PIOPIY_TLS="false",
            PIOPIY_INSTANCE_ID="worker-7",
        )
        await until(lambda: any(agent.takes_more for agent in platform.agents), 40)
        placed = asyncio.create_task(platform.place_call("agent-1", caller, call_id="call-a"))
        phone = await platform.wait_answered()
        await until(lambda: phone.call.events.of(events.CallerStepFinished), 20)  # greeted
        process.send_signal(signal.SIGTERM)
        await until(lambda: not platform.agents[0].serving)
        assert not placed.done()
        (await placed).raise_for_error()
        async with asyncio.timeout(20):
            out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    told = out.decode()
    assert "done call-a" in told
    assert "call(s) served, 0 failed" in told
    assert token not in told + err.decode()


@pytest.mark.skipif(sys.platform == "win32", reason="SIGTERM can't be caught there")
async def test_a_second_signal_ends_the_calls_now():
    async with SignallingServer() as server:
        process = await serve("serve_session:create_session", "--signaling-url", server.url)
        await until(lambda: server.sids, 30)
        await server.emit("join_room", invite("r1", call_id="call-600"))
        await read_until(process.stdout, "begin call-600")
        process.send_signal(signal.SIGTERM)
        await read_until(process.stdout, "draining")
        process.send_signal(signal.SIGINT)
        async with asyncio.timeout(20):
            out, _ = await process.communicate()
    assert process.returncode == 0
    assert "cancelled call-600" in out.decode()


async def test_a_wrong_token_is_told_with_the_servers_reason_and_exit_code_1():
    async with SignallingServer() as server:
        process = await serve(
            "serve_session.py:create_session", "--signaling-url", server.url, token="tok-wrong-5"
        )
        async with asyncio.timeout(30):
            out, err = await process.communicate()
    assert process.returncode == 1
    assert "refused agent 'agent-1': Invalid agent token" in err.decode()
    assert "tok-wrong-5" not in out.decode() + err.decode()


@pytest.mark.parametrize(
    ("code", "loaded"),
    [
        ("async def bot(runner_args): ...", "bot"),
        ("async def create_session(): ...", "create_session"),
        ("async def bot(runner_args): ...\nasync def create_session(): ...", "create_session"),
    ],
)
def test_a_file_alone_is_its_session_or_else_its_bot(code, loaded, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "agent_alone.py").write_text(code)
    assert load_session(str(tmp_path / "agent_alone.py")).__name__ == loaded


def test_a_file_with_neither_names_both(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "agent_alone.py").write_text("async def other(): ...")
    with pytest.raises(ArgumentError, match="has no 'create_session' and no 'bot'"):
        load_session(str(tmp_path / "agent_alone.py"))


@pytest.mark.parametrize(
    ("arguments", "environment", "words"),
    [
        (["serve_session:create_session"], {"PIOPIY_AGENT_TOKEN": ""}, "set PIOPIY_AGENT_TOKEN"),
        (["serve_session:create_session"], {"PIOPIY_AGENT_ID": ""}, "set PIOPIY_AGENT_ID"),
        (["serve_session:not_a_session"], {}, "not async"),
        (
            ["serve_session:create_session", "--token-file", "/no/such/file"],
            {},
            "/no/such/file can't be read",
        ),
    ],
)
async def test_what_is_missing_is_said_with_exit_code_2(arguments, environment, words):
    process = await serve(*arguments, **environment)
    async with asyncio.timeout(30):
        _, err = await process.communicate()
    assert process.returncode == 2
    assert words in err.decode()


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("nothing", "module:function"),
        ("no_such_module_x:f", "no module 'no_such_module_x'"),
        ("no_such_file.py:f", "no file"),
        ("json:no_such", "json has no 'no_such'"),
        ("json:dumps()", "module:function"),
    ],
)
def test_a_session_that_is_not_there(place, words):
    with pytest.raises(ArgumentError, match=words):
        load_session(place)


@pytest.mark.parametrize("code", ["", "0", "'no key'"])
@pytest.mark.parametrize("form", ["{}", "{}.py"])
def test_a_module_that_exits_when_it_is_imported_says_so(tmp_path, monkeypatch, code, form):
    """With sys.exit(0) the command would end as if it had done its work."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "my_script.py").write_text(f"import sys\nsys.exit({code})\n")
    where = form.format("my_script")
    words = rf"{where} exits when it is imported \(SystemExit.*my_script.py, line 2.*__main__"
    with pytest.raises(ArgumentError, match=words):
        load_session(f"{where}:create_session")
