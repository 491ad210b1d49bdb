"""The REST v3 endpoints, and what a transfer says in the room."""

from __future__ import annotations

import asyncio
import json

import aiohttp
from clients import HandMadeAgent

from piopiy_lab import Caller, events
from piopiy_lab.loopback import LoopbackPlatform

NEVER = Caller().hears_greeting().waits(60)


def during_a_call(act, outcomes=()):
    """Run ``act(post_or_get, call_id)`` while a call is answered; returns what it did, and all."""

    async def main():
        async with (
            LoopbackPlatform() as platform,
            HandMadeAgent(platform) as agent,
            aiohttp.ClientSession() as http,
        ):
            platform.transfer_outcomes.update(outcomes)
            call_id = "the-call"
            work = asyncio.create_task(platform.place_call("desk", NEVER, call_id=call_id))
            await platform.wait_answered(call_id)

            async def ask(method, path="", body=None, token=agent.token):
                url = f"{platform.rest_url}/calls/{path}"
                headers = {"Authorization": f"Bearer {token}"} if token else {}
                async with http.request(method, url, headers=headers, data=body) as answer:
                    return answer.status, await answer.json()

            done = await act(ask, call_id)
            platform.calls[call_id].call.hang_up()
            return done, await work, agent, await ask("GET", call_id)

    return asyncio.run(main())


def test_a_call_is_shown_and_hung_up():
    async def act(ask, call_id):
        return [
            await ask("GET", call_id),
            await ask("POST", f"{call_id}/actions/hangup"),
            await ask("POST", f"{call_id}/actions/hangup"),
        ]

    (shown, hung_up, again), call, agent, after = during_a_call(act)
    status, record = shown
    assert status == 200
    assert record["call_id"] == "the-call"
    assert record["agent_id"] == "desk"
    assert record["status"] == "answered"
    assert record["end_reason"] is None
    assert record["room_name"] == agent.invites[0]["room_name"]
    assert "token" not in json.dumps(record)
    assert hung_up == (200, {"call_id": "the-call", "action": "hangup", "status": "accepted"})
    assert again[0] == 410
    assert again[1]["error"]["code"] == "call_ended"
    assert call.end_reason == "hung_up"
    assert agent.left == ["sip_caller"]
    assert after[1]["status"] == "ended"
    assert after[1]["end_reason"] == "hung_up"
    assert after[1]["ended_at"] >= after[1]["answered_at"] >= after[1]["created_at"]


def test_a_transfer_that_is_answered_takes_the_caller_away():
    async def act(ask, call_id):
        to = json.dumps({"to": "+44 20 1234 5678"})
        first = await ask("POST", f"{call_id}/actions/transfer", to)
        second = await ask("POST", f"{call_id}/actions/transfer", to)
        await asyncio.sleep(0.8)
        return first, second

    (first, second), call, agent, _ = during_a_call(act)
    assert first == (202, {"call_id": "the-call", "action": "transfer", "to": "+442012345678",
                           "status": "accepted"})  # fmt: skip
    assert second[0] == 409
    told = {"type": "transfer_status", "call_id": "the-call", "to": "+442012345678",
            "status": "answered"}  # fmt: skip
    assert [(topic, json.loads(data)) for topic, data in agent.data] == [("transfer_status", told)]
    assert call.end_reason == "agent_ended"
    assert agent.left == ["sip_caller"]
    (finished,) = call.events.of(events.TransferFinished)
    assert finished.status == "transferred"


def test_a_transfer_that_fails_leaves_the_call_as_it_was():
    async def act(ask, call_id):
        await ask("POST", f"{call_id}/actions/transfer", json.dumps({"to": "204"}))
        await asyncio.sleep(0.8)
        return await ask("GET", call_id)

    (status, record), call, agent, _ = during_a_call(act, {"204": "busy"})
    assert (status, record["status"]) == (200, "answered")
    assert json.loads(agent.data[0][1])["status"] == "busy"
    assert call.end_reason == "hung_up"  # by us, not by the transfer
    (finished,) = call.events.of(events.TransferFinished)
    assert (finished.status, finished.error) == ("failed", "busy")


def test_bad_requests_are_answered_in_words():
    transfer = "the-call/actions/transfer"
    asked = [
        (401, "unauthorized", ("GET", "the-call", None, "")),
        (401, "unauthorized", ("GET", "the-call", None, "wrong")),
        (401, "unauthorized", ("GET", "no-call", None, "wrong")),
        (404, "not_found", ("GET", "no-call")),
        (404, "not_found", ("POST", "no-call/actions/hangup")),
        (400, "bad_request", ("POST", transfer)),
        (400, "bad_request", ("POST", transfer, "{")),
        (400, "bad_request", ("POST", transfer, "[" * 5000)),
        (400, "bad_request", ("POST", transfer, "[]")),
        (400, "bad_request", ("POST", transfer, "{}")),
        (400, "bad_request", ("POST", transfer, '{"to": 7}')),
        (400, "bad_request", ("POST", transfer, '{"to": "my friend"}')),
        (413, "too_large", ("POST", transfer, "x" * 70_000)),
    ]

    async def act(ask, call_id):
        return [await ask(*arguments) for _, _, arguments in asked]

    answers, call, agent, _ = during_a_call(act)
    for (status, code, arguments), answer in zip(asked, answers, strict=True):
        assert answer[0] == status, arguments
        assert answer[1]["error"]["code"] == code, arguments
        assert answer[1]["error"]["message"]
        assert agent.token not in json.dumps(answer)
    assert not call.events.of(events.TransferRequested)


def test_an_ended_call_is_not_transferred():
    async def act(ask, call_id):
        await ask("POST", f"{call_id}/actions/hangup")
        return await ask("POST", f"{call_id}/actions/transfer", '{"to": "204"}')

    (status, answer), *_ = during_a_call(act)
    assert (status, answer["error"]["code"]) == (410, "call_ended")
