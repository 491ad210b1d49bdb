"""Agent's signalling half: real Socket.IO and WebSocket servers, sessions without media."""

from __future__ import annotations

import asyncio
import logging

import pytest
from telephony_servers import JsonServer, SignallingServer, invite
from wait_until import until

from piopiy_lab import Agent
from piopiy_lab.agent import ROOM_CTX, TOKEN_CTX, URL_CTX
from piopiy_lab.errors import ArgumentError, ArgumentTypeError, SignalingError


@pytest.fixture(params=[SignallingServer, JsonServer])
def server_type(request):
    return request.param


async def no_session(call_id):
    pass


async def test_a_session_gets_what_the_invite_brought_and_its_context(
    server_type, make_agent, running_agent
):
    seen = []

    async def create_session(agent_id, call_id, from_number, to_number, metadata):
        told = (agent_id, call_id, from_number, to_number, metadata)
        seen.append((told, URL_CTX.get(), TOKEN_CTX.get(), ROOM_CTX.get()))

    async with server_type() as server:
        agent = make_agent(create_session, server.url)
        async with running_agent(agent):
            await server.emit(
                "join_room",
                invite(
                    call_id="c-1", from_number="+911", to_number="+912", metadata='{"vip": true}'
                ),
            )
            await until(lambda: seen and not agent.sessions.running)
    assert seen == [
        (
            ("agent-1", "c-1", "+911", "+912", {"vip": True}),
            "ws://127.0.0.1:1",
            "room-token",
            "room-1",
        )
    ]
    assert [context.get() for context in (URL_CTX, TOKEN_CTX, ROOM_CTX)] == [None] * 3
    (call,) = agent.calls
    assert (call.call_id, call.end_reason, call.meta["room"]) == ("c-1", "agent_ended", "room-1")
    assert "room-token" not in repr(call.meta)


async def test_only_supported_fields_are_passed_and_defaults_stand_for_absent_ones(
    make_agent, running_agent
):
    seen = []

    async def few(call_id, from_number="withheld"):
        seen.append((call_id, from_number))

    async def those_there_are(**fields):
        seen.append(fields)

    async def asked_for(metadata, **fields):
        seen.append({"metadata": metadata, **fields})

    async with SignallingServer() as server:
        for create_session in (few, those_there_are, asked_for):
            agent = make_agent(create_session, server.url)
            async with running_agent(agent):
                await server.emit("join_room", invite("r", to_number="+3"))
                await until(lambda a=agent: a.sessions.started and not a.sessions.running)
    assert seen == [
        ("r", "withheld"),
        {"agent_id": "agent-1", "call_id": "r", "to_number": "+3"},
        {"agent_id": "agent-1", "call_id": "r", "to_number": "+3", "metadata": None},
    ]


async def test_a_wrong_token_is_refused_with_the_servers_reason(server_type, make_agent):
    async with server_type() as server:
        agent = make_agent(no_session, server.url, token="wrong-secret")
        with pytest.raises(SignalingError) as caught:
            await agent.connect()
    reason = {SignallingServer: "Invalid agent token", JsonServer: "no such agent"}[server_type]
    assert reason in str(caught.value)
    assert caught.value.refused
    assert "wrong-secret" not in str(caught.value)
    assert agent.state == "stopped"


@pytest.mark.parametrize("scheme", ["http", "ws"])
async def test_no_server_raises_at_once_with_the_address(scheme, make_agent, unused_tcp_port):
    agent = make_agent(no_session, f"{scheme}://user:pass@127.0.0.1:{unused_tcp_port}/x?key=k1")
    with pytest.raises(SignalingError) as caught:
        async with asyncio.timeout(3):
            await agent.connect()
    assert f"{scheme}://127.0.0.1:{unused_tcp_port}/x" in str(caught.value)
    assert "pass" not in str(caught.value)
    assert "k1" not in str(caught.value)
    assert not caught.value.refused


async def test_a_server_that_takes_two_seconds_to_accept_is_waited_for(make_agent, running_agent):
    async with SignallingServer(accept_secs=2.0) as server:
        agent = make_agent(no_session, server.url)
        async with running_agent(agent):
            assert agent.state == "connected"


async def test_the_agent_reconnects_with_its_credentials_and_sessions_run_on(
    server_type, make_agent, running_agent
):
    release = asyncio.Event()
    ended = []

    async def create_session(call_id):
        await release.wait()
        ended.append(call_id)

    async with server_type() as server:
        agent = make_agent(create_session, server.url)
        async with running_agent(agent):
            await server.emit("join_room", invite("r1"))
            await until(lambda: agent.sessions.running == 1)
            await server.kick()
            await until(lambda: agent.state == "reconnecting")
            assert agent.sessions.running == 1
            await until(lambda: agent.state == "connected")
            assert len(server.auths) == 2
            assert server.auths[0] == server.auths[1]
            await server.emit("join_room", invite("r2"))
            await until(lambda: agent.sessions.running == 2)
            release.set()
            await until(lambda: not agent.sessions.running)
    assert ended == ["r1", "r2"]


async def test_a_server_that_is_killed_and_comes_back_is_found_again(make_agent, running_agent):
    release = asyncio.Event()

    async def create_session(call_id):
        await release.wait()

    server = SignallingServer()
    async with server:
        agent = make_agent(create_session, server.url)
        connecting = running_agent(agent)
        await connecting.__aenter__()
        await server.emit("join_room", invite("r1"))
        await until(lambda: agent.sessions.running == 1)
    await until(lambda: agent.state == "reconnecting")
    assert agent.sessions.running == 1
    async with SignallingServer(port=server.port) as again:
        await until(lambda: agent.state == "connected", 20)
        assert again.auths == [{"agent_id": "agent-1", "token": "tok-1"}]
        release.set()
        await until(lambda: not agent.sessions.running)
        await again.emit("join_room", invite("r2"))
        await until(lambda: agent.sessions.started == 2)
        await connecting.__aexit__(None, None, None)
    assert [call.end_reason for call in agent.calls] == ["agent_ended"] * 2


async def test_a_token_withdrawn_later_ends_connect_once_the_calls_are_over(
    make_agent, running_agent
):
    release = asyncio.Event()

    async def create_session(call_id):
        await release.wait()

    async with SignallingServer() as server:
        agent = make_agent(create_session, server.url)
        agent._first_pause_secs = 0.01
        task = asyncio.create_task(agent.connect())
        await until(lambda: agent.state == "connected")
        await server.emit("join_room", invite("r1"))
        await until(lambda: agent.sessions.running == 1)
        server.token = "another"
        await server.kick()
        await until(lambda: len(server.auths) == 6)
        await asyncio.sleep(0.05)
        assert agent.state == "draining"
        assert not task.done()
        release.set()
        with pytest.raises(SignalingError, match="Invalid agent token"):
            await task
    assert agent.calls[0].end_reason == "agent_ended"


# --- rooms -----------------------------------------------------------------------------------


async def test_a_room_invited_again_while_it_runs_is_ignored_and_later_starts_anew(
    make_agent, running_agent, caplog
):
    release = asyncio.Event()
    tokens = []

    async def create_session(call_id):
        tokens.append(TOKEN_CTX.get())
        await release.wait()

    async with SignallingServer() as server:
        agent = make_agent(create_session, server.url)
        async with running_agent(agent):
            await server.emit("join_room", invite("r1"))
            await until(lambda: len(tokens) == 1)
            await server.emit("join_room", invite("r1", token="second"))
            await until(lambda: "invited again" in caplog.text)
            assert agent.sessions.running == 1
            release.set()
            await until(lambda: not agent.sessions.running)
            await server.emit("join_room", invite("r1", token="third"))
            await until(lambda: len(tokens) == 2)
    assert tokens == ["room-token", "third"]


async def test_a_cancelled_room_ends_and_its_session_is_waited_for(make_agent, running_agent):
    cleaned = []

    async def create_session(call_id):
        try:
            await asyncio.Event().wait()
        finally:
            cleaned.append(call_id)

    async with SignallingServer() as server:
        agent = make_agent(create_session, server.url)
        async with running_agent(agent):
            await server.emit("join_room", invite("r1"))
            await until(lambda: agent.sessions.running == 1)
            await server.emit("cancel_room", {"room_name": "r1"})
            await until(lambda: not agent.sessions.running)
            assert cleaned == ["r1"]
    assert agent.calls[0].end_reason == "cancelled"


async def test_a_room_invited_again_while_its_cancelled_session_winds_down_starts_after_it(
    make_agent, running_agent
):
    story = []
    rounds = iter((True, False))

    async def create_session(call_id):
        first = next(rounds)
        story.append("begin")
        try:
            if first:
                await asyncio.Event().wait()
        finally:
            story.append("end")

    async with SignallingServer() as server:
        agent = make_agent(create_session, server.url)
        async with running_agent(agent):
            await server.emit("join_room", invite("r1"))
            await until(lambda: story == ["begin"])
            await server.emit("cancel_room", {"room_name": "r1"})
            await server.emit("join_room", invite("r1"))
            await until(lambda: len(story) == 4)
            await until(lambda: not agent.sessions.running)
    assert story == ["begin", "end", "begin", "end"]
    assert [call.end_reason for call in agent.calls] == ["cancelled", "agent_ended"]


async def test_sessions_past_the_limit_are_refused(make_agent, running_agent, caplog):
    release = asyncio.Event()

    async def create_session(call_id):
        await release.wait()

    async with SignallingServer() as server:
        agent = make_agent(create_session, server.url, max_sessions=2)
        async with running_agent(agent):
            for room in ("a", "b", "c"):
                await server.emit("join_room", invite(room))
            await until(lambda: agent.sessions.refused == 1)
            assert agent.sessions.running == 2
            assert "room 'c' is refused: 2 sessions run, and max_sessions=2" in caplog.text
            release.set()
            await until(lambda: not agent.sessions.running)
            await server.emit("join_room", invite("c"))
            await until(lambda: agent.sessions.started == 3)


async def test_an_exit_in_on_session_error_harms_nobody(make_agent, running_agent, caplog):
    async def create_session(call_id):
        if call_id == "bad":
            raise RuntimeError("no config")
        await asyncio.sleep(30)

    def on_session_error(room, error):
        raise SystemExit(3)

    async with SignallingServer() as server:
        agent = make_agent(create_session, server.url, on_session_error=on_session_error)
        async with running_agent(agent):
            for room in ("good", "bad"):
                await server.emit("join_room", invite(room))
            await until(lambda: "room 'bad': on_session_error failed" in caplog.text)
            assert agent.sessions.running == 1


async def test_a_failing_session_is_logged_with_its_room_told_and_harms_nobody(
    make_agent, running_agent, caplog
):
    told = []
    release = asyncio.Event()

    async def create_session(call_id):
        if call_id == "bad":
            raise RuntimeError("no config for Bearer abcdef1234567890xyz")
        if call_id == "exit":
            raise SystemExit(3)
        await release.wait()

    async def on_session_error(room, error):
        told.append((room, type(error).__name__))
        raise ValueError("and the callback fails too")

    async with SignallingServer() as server:
        agent = make_agent(create_session, server.url, on_session_error=on_session_error)
        async with running_agent(agent):
            for room in ("good", "bad", "exit"):
                await server.emit("join_room", invite(room))
            await until(lambda: caplog.text.count("on_session_error failed") == 2)
            assert agent.sessions.running == 1
            release.set()
            await until(lambda: not agent.sessions.running)
    assert told == [("bad", "RuntimeError"), ("exit", "CallError")]
    assert "room 'bad': create_session failed" in caplog.text
    assert "in create_session" in caplog.text  # the user's own traceback
    assert "abcdef1234567890xyz" not in caplog.text
    by_name = {call.call_id: call for call in agent.calls}
    assert by_name["bad"].end_reason == "error"
    assert isinstance(by_name["bad"].error, RuntimeError)
    assert by_name["good"].end_reason == "agent_ended"


# --- the end ---------------------------------------------------------------------------------


async def test_shutdown_disconnects_and_ends_sessions(make_agent, running_agent):
    async def create_session(call_id):
        await asyncio.Event().wait()

    async with SignallingServer() as server:
        agent = make_agent(create_session, server.url)
        task = asyncio.create_task(agent.connect())
        await until(lambda: agent.state == "connected")
        await server.emit("join_room", invite("r1"))
        await until(lambda: agent.sessions.running == 1)
        await agent.shutdown()
        await task
        await until(lambda: not server.sids)
    assert agent.calls[0].end_reason == "cancelled"


async def test_shutdown_on_another_loop_is_refused_in_words(make_agent, running_agent):
    async with SignallingServer() as server:
        agent = make_agent(no_session, server.url)
        async with running_agent(agent):
            with pytest.raises(ArgumentError, match="connected on another event loop"):
                await asyncio.to_thread(asyncio.run, agent.shutdown())
            assert agent.state == "connected"
            with pytest.raises(AssertionError, match="only on the agent's loop"):
                await asyncio.to_thread(agent.sessions.cancel, "room-1")


async def test_shutdown_with_grace_lets_calls_drain_and_takes_no_new_ones(make_agent):
    release = asyncio.Event()

    async def create_session(call_id):
        await release.wait()

    async with SignallingServer() as server:
        agent = make_agent(create_session, server.url)
        task = asyncio.create_task(agent.connect())
        await until(lambda: agent.state == "connected")
        await server.emit("join_room", invite("r1"))
        await until(lambda: agent.sessions.running == 1)
        stopping = asyncio.create_task(agent.shutdown(grace=30))
        await until(lambda: not server.sids)
        assert agent.state == "draining"
        assert not stopping.done()
        release.set()
        async with asyncio.timeout(5):
            await asyncio.gather(stopping, task)
    assert agent.calls[0].end_reason == "agent_ended"


async def test_a_drain_ends_after_its_grace_and_a_second_shutdown_cuts_it_short(make_agent):
    async def create_session(call_id):
        await asyncio.Event().wait()

    async with SignallingServer() as server:
        for graces in ((0.1,), (60, 0)):
            agent = make_agent(create_session, server.url)
            task = asyncio.create_task(agent.connect())
            await until(lambda agent=agent: agent.state == "connected")
            await server.emit("join_room", invite("r1"))
            await until(lambda agent=agent: agent.sessions.running == 1)
            async with asyncio.timeout(6):
                await asyncio.gather(*(agent.shutdown(grace=grace) for grace in graces), task)
            assert agent.calls[0].end_reason == "cancelled"


async def test_a_session_may_shut_its_agent_down(make_agent):
    async def create_session(call_id):
        await agent.shutdown()

    async with SignallingServer() as server:
        agent = make_agent(create_session, server.url)
        task = asyncio.create_task(agent.connect())
        await until(lambda: agent.state == "connected")
        await server.emit("join_room", invite("r1"))
        async with asyncio.timeout(5):
            await task


async def test_cancelling_connect_ends_everything_and_it_can_connect_again(make_agent):
    async def create_session(call_id):
        await asyncio.Event().wait()

    async with SignallingServer() as server:
        agent = make_agent(create_session, server.url)
        for _ in range(2):
            task = asyncio.create_task(agent.connect())
            await until(lambda: agent.state == "connected")
            with pytest.raises(ArgumentError, match="connected already|is connected"):
                await agent.connect()
            await server.emit("join_room", invite("r1"))
            await until(lambda: agent.sessions.running == 1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert agent.state == "stopped"
            assert not agent.sessions.running
    assert [call.end_reason for call in agent.calls] == ["cancelled"] * 2


# --- arguments -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"agent_id": ""}, ArgumentError, "agent_id is empty"),
        ({"agent_token": " "}, ArgumentError, "agent_token is empty"),
        ({"agent_token": b"secret"}, ArgumentTypeError, "agent_token must be a text"),
        ({"create_session": lambda: None}, ArgumentTypeError, "not async"),
        ({"signaling_url": "signaling.piopiy.com"}, ArgumentError, r"http\(s\)://host"),
        ({"signaling_url": "ftp://x"}, ArgumentError, "ws"),
        ({"signaling_url": "http://x:notaport"}, ArgumentError, "no address"),
        ({"signaling_url": 7}, ArgumentTypeError, "signaling_url=7"),
        ({"max_sessions": 0}, ArgumentError, "1 or more"),
        ({"max_sessions": True}, ArgumentTypeError, "whole number"),
        ({"keep_calls": -1}, ArgumentError, "0 or more"),
        ({"on_session_error": 3}, ArgumentTypeError, "give a function"),
        ({"record": 3}, ArgumentTypeError, "record=3"),
        ({"warm_up": 3}, ArgumentTypeError, "warm_up=3: give a function"),
        ({"warm_up": print}, ArgumentError, r"https://signaling\.piopiy\.com is none; load your"),
        ({"warm_up": print, "signaling_url": "wss://x/y"}, ArgumentError, "wss://x/y is none"),
    ],
)
def test_bad_arguments_are_refused_in_words(change, error, words):
    arguments = {"agent_id": "a", "agent_token": "t", "create_session": no_session, **change}
    with pytest.raises(error, match=words) as caught:
        Agent(**arguments)
    assert "secret" not in str(caught.value)


async def test_the_token_is_in_no_repr_and_no_log(make_agent, running_agent, caplog):
    caplog.set_level(logging.DEBUG)
    async with SignallingServer(token="tok-very-secret-1") as server:
        agent = make_agent(no_session, server.url, token="tok-very-secret-1", debug=True)
        async with running_agent(agent):
            await server.emit("join_room", invite("r1", token="room-very-secret-2"))
            await until(lambda: agent.sessions.started == 1 and not agent.sessions.running)
            told = repr(agent) + repr(vars(agent)) + repr(agent.calls)
    own = "\n".join(r.getMessage() for r in caplog.records if r.name.startswith("piopiy_lab"))
    assert "session ended" in own  # there is something to look through
    assert "very-secret" not in told + own


def test_constructing_configures_no_logging():
    root = logging.getLogger()
    before = (list(root.handlers), root.level, logging.getLogger("asyncio").level)
    agent = Agent("a", "t", no_session, debug=True)
    assert (list(root.handlers), root.level, logging.getLogger("asyncio").level) == before
    assert repr(agent) == "<Agent 'a' at https://signaling.piopiy.com: stopped, 0 running>"
