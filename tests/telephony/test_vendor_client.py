"""The platform's REST API as its own client speaks it: PyPI ``piopiy-agent``, beside ours.

The first half sends each order through both clients to one server and compares what arrived; the
second reads the vendor's answers and news with ours. Nothing here is taken from our own code.
"""

from __future__ import annotations

import json

import pytest
from aiohttp import web
from piopiy_agent import (
    TRANSFER_FAILURE_REASONS,
    PiopiyAPIError,
    PiopiyCallControl,
    parse_transfer_status,
)

from piopiy_lab.errors import CallControlError
from piopiy_lab.pipeline.transfer_lines import line_of
from piopiy_lab.session.transfer_order import TransferOrder
from piopiy_lab.telephony.rest import RestApi, RestCallControl
from piopiy_lab.transports.transfer_status import read_transfer_status


class Recorder:
    """Keeps requests, and answers as it is told to."""

    def __init__(self):
        self.requests = []
        self.answer = (200, {"request_id": "tr-1", "call_id": "c/1"})

    async def _take(self, request):
        body = await request.json() if request.can_read_body else None
        token = request.headers["Authorization"]
        self.requests.append((request.method, request.path, token, body))
        status, told = self.answer
        return web.json_response(told, status=status)

    async def __aenter__(self):
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._take)
        self.runner = web.AppRunner(app)
        await self.runner.setup()
        await web.TCPSite(self.runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{self.runner.addresses[0][1]}/v3"
        self.api = RestApi(url, "tok-1")
        self.ours = RestCallControl(self.api, "c1")
        self.theirs = PiopiyCallControl("c1", token="tok-1", api_url=url)
        return self

    async def __aexit__(self, *_):
        await self.theirs.close()
        await self.api.close()
        await self.runner.cleanup()


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ({"to": "+91 98765 43210"}, {"to_number": "919876543210"}),
        ({"to": "sip:204@pbx.example.com"}, {"sip_uri": "sip:204@pbx.example.com"}),
        (
            {
                "to": "919876543210",
                "caller_id": "+911203134087",
                "timeout_secs": 25,
                "confirm": True,
                "hold_audio": True,
                "summary": "Anna, about her order.",
                "variables": {"order": 7, "tags": ["late"]},
            },
            {
                "to_number": "919876543210",
                "caller_id": "911203134087",
                "timeout_sec": 25,
                "confirm": True,
                "hold_audio": True,
                "transfer_summary": "Anna, about her order.",
                "variables": {"order": 7, "tags": ["late"]},
            },
        ),
        (
            {
                "to": "sip:desk@pbx.example.com",
                "sip_headers": {"X-Order": "7"},
                "hold_audio": "https://example.com/wait.mp3",
                "confirm": False,
            },
            {
                "sip_uri": "sip:desk@pbx.example.com",
                "sip_headers": {"X-Order": "7"},
                "hold_audio": "https://example.com/wait.mp3",
                "confirm": False,
            },
        ),
    ],
)
async def test_a_warm_transfer_is_the_vendors_request(ours, theirs):
    async with Recorder() as server:
        assert await server.ours.transfer(TransferOrder(**ours)) == "tr-1"
        assert (await server.theirs.warm_transfer(**theirs)).request_id == "tr-1"
    mine, vendors = server.requests
    assert mine == vendors


@pytest.mark.parametrize("caller_id", [None, "911203134087"])
async def test_a_blind_transfer_is_the_vendors_request(caller_id):
    async with Recorder() as server:
        await server.ours.transfer(TransferOrder("+919876543210", blind=True, caller_id=caller_id))
        await server.theirs.blind_transfer(to_number="919876543210", caller_id=caller_id)
    mine, vendors = server.requests
    assert mine == vendors


async def test_hanging_up_and_asking_are_the_vendors_requests():
    async with Recorder() as server:
        server.answer = (200, {"request_id": "tr-1", "call_id": "c1", "status": "failed",
                               "reason": "busy"})  # fmt: skip
        await server.ours.hang_up("agent_ended")
        await server.theirs.hangup(reason="agent_ended")
        await server.ours.hang_up()
        await server.theirs.hangup()
        mine = await server.ours.transfer_state("tr-1")
        vendors = await server.theirs.transfer_status("tr-1")
        await server.ours.state()
        await server.theirs.status()
    assert (mine.request_id, mine.status, mine.reason) == (
        vendors.request_id,
        vendors.status,
        vendors.reason,
    )
    assert server.requests[::2] == server.requests[1::2]


@pytest.mark.parametrize(
    "answer",
    [
        (409, {"error": "transfer_in_progress", "request_id": "tr-7"}),
        (404, {"error": "CALL_NOT_FOUND"}),
        (401, {"message": "no such token"}),
    ],
)
async def test_a_refusal_has_the_words_that_the_vendors_client_finds(answer):
    async with Recorder() as server:
        server.answer = answer
        with pytest.raises(CallControlError) as mine:
            await server.ours.transfer(TransferOrder("919876543210"))
        with pytest.raises(PiopiyAPIError) as vendors:
            await server.theirs.warm_transfer(to_number="919876543210")
    assert vendors.value.error in str(mine.value)
    assert str(vendors.value.status) in str(mine.value)
    assert (vendors.value.request_id or "") in str(mine.value)


@pytest.mark.parametrize("status", ["started", "failed", "completed"])
@pytest.mark.parametrize("reason", [None, *TRANSFER_FAILURE_REASONS])
def test_news_is_what_the_vendors_client_reads(status, reason):
    told = {"type": "transfer_status", "status": status, "request_id": "tr-1", "call_id": "c1"}
    text = json.dumps(told if reason is None else {**told, "reason": reason})
    mine, vendors = read_transfer_status(text), parse_transfer_status(text.encode())
    assert (mine.status, mine.request_id, mine.reason) == (
        vendors.status,
        vendors.request_id,
        vendors.reason,
    )
    assert line_of(mine)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"type": "note", "status": "failed"}'])
def test_what_is_no_news_for_the_vendors_client_is_none_for_ours(text):
    assert read_transfer_status(text) is parse_transfer_status(text.encode()) is None
