"""What was done to a call by hand (``call.say``, a switch, settings) is done again in a replay."""

from __future__ import annotations

import asyncio
import itertools

import pytest
from kinds_of_calls import desk

from piopiy_lab import Call, Caller, ServiceSwitcher, VoiceAgent, events, offline_stack, simulate
from piopiy_lab.offline import EspeakTTSService, booking_desk
from piopiy_lab.session import by_hand
from piopiy_lab.session.commands import Interrupt, Press, Say, SwitchService, Tune, UserSays
from piopiy_lab.session.session import current_session

TALK = (
    Caller()
    .hears_greeting()
    .says("a table for two tomorrow at seven")
    .hears_reply()
    .says("my name is anna")
    .hears_reply()
    .hangs_up()
)


STEPS = ("CallStarted", "CallerStep")


def run(coroutine):
    return asyncio.run(coroutine)


def acting(*acts, agent=desk):
    """Return a session in which somebody acts by hand, as ``Call.say`` and the others would."""

    def by_whom(session):
        for command in acts:
            running = session.agents[-1]
            session.by_hand.append(by_hand.told(command, session.now(), running.services))
            asyncio.get_running_loop().create_task(running.prepare(command)())

    async def go(session):
        by_whom(session)

    return agent(by_hand=(8.5, go)) if agent is desk else agent((8.5, go))


def two_voices(by_hand=None):
    """A desk with two voices to switch between."""
    spec = booking_desk()
    tasks = []

    async def create_session():
        stt, llm, tts = offline_stack()
        other = EspeakTTSService(voice="en-us+f3", name="other")
        agent = VoiceAgent(instructions=spec.instructions, greeting=spec.greeting)
        await agent.Action(stt=stt, llm=llm, tts_switcher=ServiceSwitcher([tts, other]), vad=True)
        if by_hand is not None:
            secs, act = by_hand
            session = current_session()

            def go():
                tasks.append(asyncio.ensure_future(act(session)))

            asyncio.get_running_loop().call_later(secs, go)
        await agent.start()

    return create_session


def are_the_same(again):
    was, now = (
        [e.to_json() for e in call.events if not type(e).__name__.startswith(STEPS)]
        for call in (again.original, again.call)
    )
    apart = [f"- {a}\n+ {b}" for a, b in itertools.zip_longest(was, now) if a != b]
    assert not apart, "\n".join(apart[:4])
    assert again.identical


@pytest.mark.parametrize(
    "act",
    [Say("One moment."), Interrupt(), Tune({"stop_secs": 0.4})],
    ids=["say", "interrupt", "tune"],
)
def test_it_is_done_again_where_it_was_done(act, tmp_path):
    call = run(simulate(acting(act), TALK))
    assert call.meta["by_hand"][0]["at"] == 8.5
    call.save(tmp_path / "call")
    again = run(Call.load(tmp_path / "call").replay(desk()))
    assert again.divergence is None, str(again)
    are_the_same(again)
    third = run(again.call.replay(desk()))
    assert third.identical


def test_a_switch_by_hand_is_done_again():
    call = run(simulate(acting(SwitchService("other"), agent=two_voices), TALK))
    (switched,) = call.events.of(events.ServiceSwitched)
    again = run(call.replay(two_voices()))
    (now,) = again.call.events.of(events.ServiceSwitched)
    assert (now.at, now.new) == (switched.at, "other")
    assert again.notes == ()


def test_what_the_agent_has_not_is_told_and_the_call_goes_on():
    call = run(simulate(acting(SwitchService("other"), agent=two_voices), TALK))
    again = run(call.replay(desk()))
    assert again.call.end_reason == "caller_hung_up"
    (note,) = again.notes
    assert "a service was switched (at 0:09.4), and not as often in this one" in note


def test_on_a_slower_agent_it_keeps_its_place():
    call = run(simulate(acting(Say("One moment.")), TALK))
    again = run(call.replay(desk(greeting="Hello, this is the booking desk. " * 3 + "What is it?")))
    later = again.call.meta["by_hand"][0]["at"] - 8.5
    heard = [call.events.of(events.AgentSpeechStopped)[0].at for call in (call, again.call)]
    assert later == pytest.approx(heard[1] - heard[0], abs=0.05)
    assert "One moment." in " ".join(entry.text for entry in again.call.transcript)


def test_records_are_what_was_asked_for():
    services = {"other": object()}
    told = by_hand.told(SwitchService(services["other"]), 1.25, services)
    assert told == {"at": 1.25, "does": "switch_service", "service": "other"}
    assert by_hand.command_of(told) == SwitchService("other")
    assert by_hand.told(UserSays("hello"), 1.0, {}) is None  # the log has the caller's own acts
    assert by_hand.told(Press("1"), 1.0, {}) is None


@pytest.mark.parametrize(
    "kept",
    [None, 3, [3], [{"at": "x", "does": "say"}], [{"at": 1.0, "does": "say", "text": ""}],
     [{"at": 1.0, "does": "fly"}], [{"at": 1.0, "does": "say", "words": "x"}]],
)  # fmt: skip
def test_a_broken_record_is_left_out(kept):
    assert by_hand.done_by_hand({"by_hand": kept}) == []
