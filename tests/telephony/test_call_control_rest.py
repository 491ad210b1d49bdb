"""Call control over REST against a real HTTP server, and transfer_status data."""

from __future__ import annotations

import asyncio
import json

import pytest
from aiohttp import web
from telephony_servers import SignallingServer, invite, until

from piopiy_lab import events
from piopiy_lab.errors import ArgumentError, CallControlError
from piopiy_lab.events.log import EventLog
from piopiy_lab.session.session import Session, SessionSettings
from piopiy_lab.session.transferring import transfer
from piopiy_lab.sound.recorder import Recorder
from piopiy_lab.telephony.rest import RestApi, RestCallControl
from piopiy_lab.transports.transfer_status import (
    caller_left_in_transfer,
    outcome_of,
    read_transfer_status,
    take_transfer_status,
)


class RestServer:
    """Answers as the platform does; what it answers can be set."""

    def __init__(self):
        self.requests = []
        self.answer = (202, {"status": "initiated"})

    async def _take(self, request):
        body = await request.json() if request.can_read_body else None
        self.requests.append(
            (request.method, request.raw_path, request.headers["Authorization"], body)
        )
        status, told = self.answer
        if isinstance(told, str):
            return web.Response(status=status, text=told)
        return web.json_response(told, status=status)

    async def __aenter__(self):
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._take)
        self.runner = web.AppRunner(app)
        await self.runner.setup()
        await web.TCPSite(self.runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self.runner.addresses[0][1]}/v3"
        self.api = RestApi(self.url, "tok-secret-9")
        return self

    async def __aexit__(self, *_):
        await self.api.close()
        await self.runner.cleanup()


def session_with(control):
    return Session(
        log=EventLog(clock=lambda: 1.0),
        recorder=Recorder(24000),
        settings=SessionSettings(origin="room", open_transport=lambda *_: None, control=control),
    )


async def test_a_transfer_is_asked_for_and_its_outcome_comes_through_the_room():
    async with RestServer() as server:
        session = session_with(RestCallControl(server.api, "call/1"))
        task = asyncio.create_task(transfer(session, "+912222", "tool"))
        await until(lambda: server.requests)
        take_transfer_status(session, json.dumps({"type": "transfer_status", "status": "ringing"}))
        await asyncio.sleep(0.02)
        assert not task.done()
        take_transfer_status(session, json.dumps({"type": "transfer_status", "status": "answered"}))
        await task
    assert server.requests == [
        ("POST", "/v3/calls/call%2F1/actions/transfer", "Bearer tok-secret-9", {"to": "+912222"})
    ]
    (finished,) = session.log.of(events.TransferFinished)
    assert (finished.to, finished.status) == ("+912222", "transferred")
    assert session.reason == "agent_ended"
    assert session.handed_over


async def test_a_transfer_that_nobody_takes_fails_with_the_reason_and_the_call_goes_on():
    async with RestServer() as server:
        session = session_with(RestCallControl(server.api, "c"))
        task = asyncio.create_task(transfer(session, "204", "command"))
        await until(lambda: server.requests)
        take_transfer_status(session, json.dumps({"status": "no-answer", "reason": "rang 30 s"}))
        with pytest.raises(CallControlError, match="rang 30 s"):
            await task
    assert session.log.of(events.TransferFinished)[0].status == "failed"
    assert session.reason is None


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((401, {"message": "bad token"}), r"bad token \(HTTP 401\)"),
        ((409, {"error": {"code": "conflict", "message": "not answered"}}), "not answered"),
        ((500, "<html>oops</html>"), "HTTP 500 <html>oops"),
        ((200, {"status": "busy"}), r"busy \(HTTP 200\)"),
    ],
)
async def test_a_refused_transfer_says_why(answer, words):
    async with RestServer() as server:
        server.answer = answer
        with pytest.raises(CallControlError, match=words) as caught:
            await RestCallControl(server.api, "c").transfer("204")
    assert "tok-secret-9" not in str(caught.value)


async def test_two_transfers_at_once_are_refused_and_one_after_the_other_is_not():
    async with RestServer() as server:
        control = RestCallControl(server.api, "c")
        first = asyncio.create_task(control.transfer("1234"))
        await until(lambda: server.requests)
        with pytest.raises(CallControlError, match="1234 is under way"):
            await control.transfer("5678")
        assert control.transfer_ended("busy")
        with pytest.raises(CallControlError, match="busy"):
            await first
        server.answer = (200, {"status": "transferred"})
        await control.transfer("5678")


async def test_a_caller_who_leaves_in_a_transfer_has_been_handed_over():
    async with RestServer() as server:
        session = session_with(RestCallControl(server.api, "c"))
        assert not caller_left_in_transfer(session)
        task = asyncio.create_task(transfer(session, "204", "tool"))
        await until(lambda: server.requests)
        assert caller_left_in_transfer(session)
        await task
    assert session.log.of(events.TransferFinished)[0].status == "transferred"


async def test_hanging_up_a_line_that_is_gone_is_no_error_and_a_refusal_is():
    async with RestServer() as server:
        control = RestCallControl(server.api, "c")
        for status in (200, 404, 410):
            server.answer = (status, {})
            await control.hang_up()
        server.answer = (403, {"error": "not yours"})
        with pytest.raises(CallControlError, match="not yours"):
            await control.hang_up()
        server.answer = (200, {"state": "in_call"})
        assert await control.state() == {"state": "in_call"}
    assert [request[0] for request in server.requests] == ["POST"] * 4 + ["GET"]


async def test_no_api_is_an_error_in_words(unused_tcp_port):
    api = RestApi(f"http://127.0.0.1:{unused_tcp_port}/v3", "tok")
    with pytest.raises(CallControlError, match="can't be reached"):
        await RestCallControl(api, "c").hang_up()
    await api.close()
    with pytest.raises(ArgumentError, match=r"http\(s\)://host/v3"):
        RestApi("rest.piopiy.com", "tok")


def test_statuses_are_read_and_nonsense_is_left():
    assert [outcome_of(s) for s in ("Answered", "no answer", "NO-ANSWER", "ringing", None, 7)] == [
        True,
        False,
        False,
        None,
        None,
        None,
    ]
    for text in ("", "[1]", '"x"', "{", '{"type": "other", "status": "answered"}', "[" * 9999):
        assert read_transfer_status(text) is None
    session = session_with(None)
    for text in ("{}", '{"status": {"a": 1}}', '{"status": []}'):
        take_transfer_status(session, text)
    assert not session.log.of(events.TransferFinished)
    take_transfer_status(session, '{"status": "completed", "to": "+91"}')  # begun elsewhere
    assert session.log.of(events.TransferFinished)[0].to == "+91"
    assert session.reason == "agent_ended"


async def test_the_agents_end_hangs_up_and_a_cancelled_room_does_not(make_agent, running_agent):
    async def create_session(call_id):
        if call_id == "waits":
            await asyncio.Event().wait()

    async with SignallingServer() as signalling, RestServer() as rest:
        agent = make_agent(create_session, signalling.url, rest_url=rest.url, rest_token="rt")
        async with running_agent(agent):
            await signalling.emit("join_room", invite("r1", call_id="ends"))
            await until(lambda: agent.sessions.started == 1 and not agent.sessions.running)
            await signalling.emit("join_room", invite("r2", call_id="waits"))
            await until(lambda: agent.sessions.running == 1)
            await signalling.emit("cancel_room", {"room_name": "r2"})
            await until(lambda: not agent.sessions.running)
            await signalling.emit("join_room", invite("r3"))  # no call id: nothing to ask for
            await until(lambda: agent.sessions.started == 3 and not agent.sessions.running)
    assert [(path, token) for _, path, token, _ in rest.requests] == [
        ("/v3/calls/ends/actions/hangup", "Bearer rt")
    ]
