"""The loopback platform under the vendor's own client of its REST API (PyPI ``piopiy-agent``)."""

from __future__ import annotations

import asyncio

import pytest
from clients import HandMadeAgent
from piopiy_agent import (
    TRANSFER_FAILURE_REASONS,
    PiopiyAPIError,
    PiopiyCallControl,
    parse_transfer_status,
)

from piopiy_lab import Caller
from piopiy_lab.loopback import LoopbackPlatform

NUMBER = "919876543210"


def with_the_vendors_client(act, outcomes=()):
    """Run ``act(control)`` while a call is answered; returns what it did, the call, the agent."""

    async def main():
        async with LoopbackPlatform() as platform, HandMadeAgent(platform) as agent:
            platform.transfer_outcomes.update(outcomes)
            caller = Caller().hears_greeting().waits(60)
            work = asyncio.create_task(platform.place_call("desk", caller, call_id="c1"))
            phone = await platform.wait_answered("c1")
            async with PiopiyCallControl(
                "c1", token=agent.token, api_url=platform.rest_url
            ) as control:
                done = await act(control)
                phone.call.hang_up()
                call = await work
                with pytest.raises(PiopiyAPIError, match="404 CALL_NOT_FOUND"):
                    await control.status()
            return done, call, agent

    return asyncio.run(main())


async def caller_gone(control):
    """Wait until the call is over: a transfer that has come out takes the caller away."""
    async with asyncio.timeout(10):
        while True:
            try:
                await control.status()
            except PiopiyAPIError:
                return
            await asyncio.sleep(0.05)


def test_a_warm_transfer_is_queued_and_completed():
    async def act(control):
        live = await control.status()
        result = await control.warm_transfer(
            to_number=NUMBER,
            caller_id="911203134087",
            timeout_sec=20,
            confirm=True,
            hold_audio=True,
            transfer_summary="Anna, about her order.",
            variables={"order": 7},
        )
        with pytest.raises(PiopiyAPIError) as second:
            await control.warm_transfer(to_number=NUMBER)
        before = await control.transfer_status(result.request_id)
        after = await control.wait_for_transfer(result.request_id, poll_sec=0.1, timeout_sec=5)
        await caller_gone(control)
        return live, result, second.value, before, after

    (live, result, second, before, after), call, agent = with_the_vendors_client(act)
    assert live["call_id"] == result.call_id == "c1"
    assert (second.status, second.error) == (409, "transfer_in_progress")
    assert second.request_id == result.request_id
    assert (before.status, before.settled) == ("queued", False)
    assert (after.status, after.reason) == ("completed", None)
    told = [parse_transfer_status(data) for topic, data in agent.data if topic == "transfer_status"]
    assert [(t.status, t.request_id, t.call_id) for t in told] == [
        ("started", result.request_id, "c1"),
        ("completed", result.request_id, "c1"),
    ]
    assert call.end_reason == "agent_ended"


def test_a_transfer_fails_for_each_of_the_vendors_reasons():
    async def act(control):
        settled = []
        for reason in TRANSFER_FAILURE_REASONS:
            result = await control.warm_transfer(sip_uri=f"sip:{reason}@pbx.example.com")
            settled.append(
                await control.wait_for_transfer(result.request_id, poll_sec=0.1, timeout_sec=5)
            )
        return settled

    outcomes = {f"sip:{reason}@pbx.example.com": reason for reason in TRANSFER_FAILURE_REASONS}
    settled, call, agent = with_the_vendors_client(act, outcomes)
    assert [(s.status, s.reason) for s in settled] == [
        ("failed", reason) for reason in TRANSFER_FAILURE_REASONS
    ]
    assert len([d for topic, d in agent.data if topic == "transfer_status"]) == 2 * len(settled)
    assert call.end_reason == "hung_up"  # by us: a transfer that fails changes nothing


@pytest.mark.parametrize(
    "arguments",
    [
        {"to_number": NUMBER, "caller_id": "911203134087"},
        {"pipeline": [{"action": "play", "file": "bye.wav"}]},
    ],
)
def test_a_blind_transfer_takes_the_caller_away(arguments):
    async def act(control):
        result = await control.blind_transfer(**arguments)
        state = await control.wait_for_transfer(result.request_id, poll_sec=0.05, timeout_sec=5)
        await caller_gone(control)
        return state

    state, call, agent = with_the_vendors_client(act)
    assert state.status == "completed"
    assert call.end_reason == "agent_ended"
    assert agent.left == ["sip_caller"]


def test_the_call_is_hung_up():
    async def act(control):
        return await control.hangup(cause="normal", reason="done")

    request_id, call, _ = with_the_vendors_client(act)
    assert request_id
    assert call.end_reason == "hung_up"
