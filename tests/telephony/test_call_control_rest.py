"""Call control over REST against a real HTTP server, and transfer_status data."""

from __future__ import annotations

import asyncio
import json
import re

import pytest
from aiohttp import web
from telephony_servers import SignallingServer, invite
from wait_until import until

from piopiy_lab import events
from piopiy_lab.errors import ArgumentError, CallControlError
from piopiy_lab.events.log import EventLog
from piopiy_lab.session.call_control import TransferNews
from piopiy_lab.session.session import Session, SessionSettings
from piopiy_lab.session.transfer_order import TransferOrder
from piopiy_lab.sound.recorder import Recorder
from piopiy_lab.telephony.rest import RestApi, RestCallControl
from piopiy_lab.transports.transfer_status import read_transfer_status

NUMBER = "+918012345678"


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


ACCEPTED = (202, {"request_id": "tr-1", "call_id": "c"})


def told(status, request_id="tr-1", **more):
    """What the room says, as the transport takes it."""
    record = {"type": "transfer_status", "status": status, "request_id": request_id, **more}
    return read_transfer_status(json.dumps(record))


async def test_a_transfer_is_asked_for_and_its_outcome_comes_through_the_room():
    async with RestServer() as server:
        server.answer = ACCEPTED
        session = session_with(RestCallControl(server.api, "call/1"))
        transfer = await session.transfers.begin(TransferOrder("+91 2222 333"), "tool")
        task = asyncio.create_task(session.transfers.wait(transfer))
        session.transfers.told(told("started"))
        session.transfers.told(told("queued"))
        await asyncio.sleep(0.02)
        assert not task.done()
        session.transfers.told(told("completed"))
        await task
    assert server.requests == [
        (
            "POST",
            "/v3/calls/call%2F1/actions/transfer",
            "Bearer tok-secret-9",
            {"to_number": "912222333"},
        )
    ]
    (started,) = session.log.of(events.TransferStarted)
    (finished,) = session.log.of(events.TransferFinished)
    assert (started.to, finished.to, finished.status) == (*["+912222333"] * 2, "transferred")
    assert session.reason == "agent_ended"
    assert session.handed_over


async def test_a_transfer_that_nobody_takes_fails_with_the_reason_and_the_call_goes_on():
    async with RestServer() as server:
        server.answer = ACCEPTED
        session = session_with(RestCallControl(server.api, "c"))
        transfer = await session.transfers.begin(TransferOrder(NUMBER), "command")
        session.transfers.told(told("failed", reason="no_answer"))
        with pytest.raises(CallControlError, match="no_answer"):
            await session.transfers.wait(transfer)
    assert session.log.of(events.TransferFinished)[0].error == "no_answer"
    assert session.reason is None


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((401, {"message": "bad token"}), r"bad token \(HTTP 401\)"),
        (
            (409, {"error": "transfer_in_progress", "request_id": "tr-7"}),
            r"transfer_in_progress \(HTTP 409, request tr-7\)",
        ),
        ((409, {"error": {"code": "conflict", "message": "not answered"}}), "not answered"),
        ((404, {"error": "CALL_NOT_FOUND", "message": "no call"}), "CALL_NOT_FOUND: no call"),
        ((500, "<html>oops</html>"), "HTTP 500 <html>oops"),
        ((200, {"status": "accepted"}), "without a request_id"),
        ((200, [1]), "without a request_id"),
    ],
)
async def test_a_refused_transfer_says_why(answer, words):
    async with RestServer() as server:
        server.answer = answer
        session = session_with(RestCallControl(server.api, "c"))
        with pytest.raises(CallControlError, match=words) as caught:
            await session.transfers.begin(TransferOrder(NUMBER), "tool")
    assert "tok-secret-9" not in str(caught.value)
    assert session.log.of(events.TransferFinished)[0].status == "failed"
    assert session.reason is None


async def test_two_transfers_at_once_are_refused_and_one_after_the_other_is_not():
    async with RestServer() as server:
        server.answer = ACCEPTED
        session = session_with(RestCallControl(server.api, "c"))
        first = await session.transfers.begin(TransferOrder(NUMBER), "tool")
        with pytest.raises(CallControlError, match=f"{re.escape(NUMBER)} is under way"):
            await session.transfers.begin(TransferOrder("+9155556666"), "tool")
        session.transfers.told(told("failed", reason="busy"))
        with pytest.raises(CallControlError, match="busy"):
            await session.transfers.wait(first)
        second = await session.transfers.begin(TransferOrder("sip:desk@example.com"), "tool")
        assert second.order.to == "sip:desk@example.com"
        await session.transfers.close()


async def test_what_the_room_did_not_tell_is_asked_for():
    async with RestServer() as server:
        server.answer = ACCEPTED
        session = session_with(RestCallControl(server.api, "c"))
        transfer = await session.transfers.begin(TransferOrder(NUMBER), "tool")
        server.answer = (200, {"request_id": "tr-1", "call_id": "c", "status": "completed"})
        assert session.transfers.caller_left()
        await session.transfers.wait(transfer)
    assert server.requests[-1][:2] == ("GET", "/v3/transfers/tr-1")
    assert session.log.of(events.TransferFinished)[0].status == "transferred"
    assert session.reason == "agent_ended"


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
    for text in ("", "[1]", '"x"', "{", '{"type": "other", "status": "failed"}', "[" * 9999):
        assert read_transfer_status(text) is None
    for text in ("{}", '{"status": {"a": 1}}', '{"status": []}', '{"status": null}'):
        assert read_transfer_status(text) is None
    news = read_transfer_status(json.dumps({"status": "Failed", "request_id": 7, "reason": ["x"]}))
    assert news == TransferNews("failed", "", "['x']")
    long = read_transfer_status(json.dumps({"status": "failed", "reason": "x" * 999}))
    assert len(long.reason) == 200
    session = session_with(None)
    session.transfers.told(TransferNews("initiated", "tr-1"))
    assert len(session.log.of(events.Event)) == 0


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
    assert [(path, token, body) for _, path, token, body in rest.requests] == [
        (
            "/v3/calls/ends/actions/hangup",
            "Bearer rt",
            {"cause": "normal", "reason": "agent_ended"},
        )
    ]


@pytest.mark.parametrize("hung_up", [False, True])
async def test_a_room_cancelled_while_on_call_start_runs_is_not_hung_up_on(
    make_agent, running_agent, hung_up
):
    """There is no session yet to note that the caller is somebody else's."""
    told, go_on, served = asyncio.Event(), asyncio.Event(), []

    async def on_call_start(call):
        if hung_up:
            call.hang_up()
        told.set()
        await go_on.wait()

    async def create_session(call_id):
        served.append(call_id)

    async with SignallingServer() as signalling, RestServer() as rest:
        agent = make_agent(
            create_session, signalling.url, rest_url=rest.url, on_call_start=on_call_start
        )
        async with running_agent(agent):
            await signalling.emit("join_room", invite("r1", call_id="c-1"))
            await told.wait()
            await signalling.emit("cancel_room", {"room_name": "r1"})
            await until(lambda: agent.sessions._rooms["r1"].cancelled)
            go_on.set()
            await until(lambda: not agent.sessions.running)
    assert [call.end_reason for call in agent.calls] == ["hung_up" if hung_up else "cancelled"]
    assert served == []
    assert rest.requests == []
