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
            call = await work
            agent.ended = platform.calls[call_id].describe()
            return done, call, agent, await ask("GET", call_id)

    return asyncio.run(main())


async def settled(ask, request_id):
    """Return what the platform says of a transfer once that has come out."""
    async with asyncio.timeout(10):
        while True:
            answer = await ask("GET", f"../transfers/{request_id}")
            if answer[1]["status"] in ("failed", "completed"):
                return answer
            await asyncio.sleep(0.05)


def test_a_call_is_shown_and_hung_up():
    async def act(ask, call_id):
        return [
            await ask("GET", call_id),
            await ask("POST", f"{call_id}/actions/hangup"),
            await ask("POST", f"{call_id}/actions/hangup"),
        ]

    (shown, hung_up, again), call, agent, after = during_a_call(act)
    (status, record), ended = shown, agent.ended
    assert status == 200
    assert record["call_id"] == "the-call"
    assert record["agent_id"] == "desk"
    assert record["status"] == "answered"
    assert record["end_reason"] is None
    assert record["room_name"] == agent.invites[0]["room_name"]
    assert "token" not in json.dumps(record)
    assert hung_up[0] == 200
    assert set(hung_up[1]) == {"request_id", "call_id"}
    assert (again[0], again[1]["error"]) == (404, "CALL_NOT_FOUND")
    assert call.end_reason == "hung_up"
    assert agent.left == ["sip_caller"]
    assert (after[0], after[1]["error"]) == (404, "CALL_NOT_FOUND")  # a live call is shown only
    assert ended["status"] == "ended"
    assert ended["end_reason"] == "hung_up"
    assert ended["ended_at"] >= ended["answered_at"] >= ended["created_at"]


def test_a_transfer_that_is_answered_takes_the_caller_away():
    async def act(ask, call_id):
        to = json.dumps({"to_number": "442012345678", "caller_id": "15550100", "confirm": True})
        first = await ask("POST", f"{call_id}/actions/transfer", to)
        second = await ask("POST", f"{call_id}/actions/transfer", to)
        state = await ask("GET", f"../transfers/{first[1]['request_id']}")
        after = await settled(ask, first[1]["request_id"])
        async with asyncio.timeout(10):
            while (await ask("GET", call_id))[0] != 404:  # noqa: ASYNC110 - until the caller has gone
                await asyncio.sleep(0.05)
        return first, second, state, after

    (first, second, state, after), call, agent, _ = during_a_call(act)
    request_id = first[1]["request_id"]
    assert first == (202, {"request_id": request_id, "call_id": "the-call"})
    assert second[0] == 409
    assert (second[1]["error"], second[1]["request_id"]) == ("transfer_in_progress", request_id)
    about = {"request_id": request_id, "call_id": "the-call"}
    assert state == (200, {**about, "status": "queued"})
    assert after == (200, {**about, "status": "completed"})
    assert [(topic, json.loads(data)) for topic, data in agent.data] == [
        ("transfer_status", {"type": "transfer_status", **about, "status": status})
        for status in ("started", "completed")
    ]
    assert call.end_reason == "agent_ended"
    assert agent.left == ["sip_caller"]
    (started,) = call.events.of(events.TransferStarted)
    (finished,) = call.events.of(events.TransferFinished)
    assert (started.to, finished.to) == ("442012345678", "442012345678")
    assert finished.status == "transferred"


def test_a_transfer_that_fails_leaves_the_call_as_it_was():
    async def act(ask, call_id):
        body = json.dumps({"sip_uri": "sip:204@pbx.example.com", "sip_headers": {"X-Who": "me"}})
        _, first = await ask("POST", f"{call_id}/actions/transfer", body)
        state = await settled(ask, first["request_id"])
        again = await ask("POST", f"{call_id}/actions/transfer", '{"to_number": "442012345678"}')
        return (
            await ask("GET", call_id),
            state,
            again,
        )

    outcomes = {"sip:204@pbx.example.com": "busy", "+442012345678": "no_answer"}
    ((status, record), (_, state), again), call, agent, _ = during_a_call(act, outcomes)
    assert (status, record["status"]) == (200, "answered")
    assert [json.loads(data)["status"] for _, data in agent.data[:2]] == ["started", "failed"]
    assert json.loads(agent.data[1][1])["reason"] == "busy"
    assert (state["status"], state["reason"]) == ("failed", "busy")
    assert again[0] == 202  # one after the other is allowed
    assert call.end_reason == "hung_up"  # by us, not by the transfer
    finished, given_up = call.events.of(events.TransferFinished)
    assert (finished.status, finished.error) == ("failed", "busy")
    assert (given_up.status, given_up.error) == ("failed", "the caller hung up")


def test_a_blind_transfer_takes_the_caller_away_at_once():
    step = {"action": "connect", "params": {"caller_id": "15550100"},
            "endpoints": [{"type": "pstn", "number": "442012345678"}]}  # fmt: skip

    async def act(ask, call_id):
        body = json.dumps({"pipeline": [step]})
        answer = await ask("POST", f"{call_id}/actions/transfer", body)
        return answer, await settled(ask, answer[1]["request_id"])

    (answer, state), call, *_ = during_a_call(act, {"442012345678": "busy"})
    assert answer[0] == 202
    assert (state[1]["status"], state[1]["reason"]) == ("failed", "busy")
    assert call.end_reason == "agent_ended"  # the agent is gone, whoever answers


NUMBER = {"to_number": "442012345678"}
BAD_TRANSFERS = [
    {"to": "442012345678"},
    {"to_number": "+442012345678"},
    {"to_number": "204"},
    {"to_number": 442012345678},
    {**NUMBER, "sip_uri": "sip:a@b"},
    {**NUMBER, "sip_headers": {"X-Who": "me"}},
    {**NUMBER, "caller_id": "+15550100"},
    {**NUMBER, "timeout_sec": 2.5},
    {**NUMBER, "confirm": "yes"},
    {**NUMBER, "summary": "a caller"},
    {"sip_uri": "desk"},
    {"pipeline": "connect"},
    {"pipeline": [{"params": {}}]},
    {"pipeline": [{"action": "connect", "params": {}, "endpoints": []}]},
    {"pipeline": [{"action": "connect", "endpoints": [{"type": "pstn", "number": "204"}]}]},
    {"pipeline": [{"action": "play"}], "confirm": True},
]


def test_bad_requests_are_answered_in_words():
    transfer = "the-call/actions/transfer"
    asked = [
        (401, "unauthorized", ("GET", "the-call", None, "")),
        (401, "unauthorized", ("GET", "the-call", None, "wrong")),
        (401, "unauthorized", ("GET", "no-call", None, "wrong")),
        (404, "CALL_NOT_FOUND", ("GET", "no-call")),
        (404, "CALL_NOT_FOUND", ("POST", "no-call/actions/hangup")),
        (400, "bad_request", ("POST", transfer)),
        (400, "bad_request", ("POST", transfer, "{")),
        (400, "bad_request", ("POST", transfer, "[" * 5000)),
        (400, "bad_request", ("POST", transfer, "[]")),
        (400, "bad_request", ("POST", transfer, "{}")),
        (404, "TRANSFER_NOT_FOUND", ("GET", "../transfers/tr-9")),
        (401, "unauthorized", ("GET", "../transfers/tr-9", None, "wrong")),
        (400, "bad_request", ("POST", "the-call/actions/hangup", '{"cause": 7}')),
        *((400, "bad_request", ("POST", transfer, json.dumps(body))) for body in BAD_TRANSFERS),
        (413, "too_large", ("POST", transfer, "x" * 70_000)),
    ]

    async def act(ask, call_id):
        return [await ask(*arguments) for _, _, arguments in asked]

    answers, call, agent, _ = during_a_call(act)
    for (status, code, arguments), answer in zip(asked, answers, strict=True):
        assert answer[0] == status, arguments
        assert answer[1]["error"] == code, arguments
        assert answer[1]["message"]
        assert agent.token not in json.dumps(answer)
    assert not call.events.of(events.TransferRequested)


def test_an_ended_call_is_not_transferred():
    async def act(ask, call_id):
        await ask("POST", f"{call_id}/actions/hangup")
        return await ask("POST", f"{call_id}/actions/transfer", '{"to_number": "442012345678"}')

    (status, answer), *_ = during_a_call(act)
    assert (status, answer["error"]) == (404, "CALL_NOT_FOUND")
