"""A live call, replayed in virtual time: the same talk, verdicts and places."""

from __future__ import annotations

import pytest
from kinds_of_calls import desk
from wait_until import until

from piopiy_lab import Caller, events, start_call

#: What is said over the agent has no gap that a detector could take for its end: where it has one
#: ("no make it friday") it is heard as two at 2 of 16 phases, and nobody knows a live call's phase.
WITHOUT_GAPS = (
    Caller()
    .hears_greeting()
    .says("a table for two tomorrow at seven")
    .interrupts("no my name is anna", after=1.2)
    .hears("for anna")
    .hears_reply()
    .says("yes please")
    .hears_reply()
    .hangs_up()
)


async def test_a_live_calls_replay_is_the_same_talk(record_property):
    call = start_call(desk(), WITHOUT_GAPS)
    await call.wait()
    call.raise_for_error()
    assert not call.meta["virtual"]
    again = await call.replay(desk())
    assert again.divergence is None, str(again)
    said = [(entry.role, entry.text) for entry in call.transcript]
    assert [(entry.role, entry.text) for entry in again.call.transcript] == said
    was, now = (c.events.of(events.TurnPredicted) for c in (call, again.call))
    assert [e.complete for e in now] == [e.complete for e in was]
    # To four digits nearly always; a busy computer's model may be asked a frame later.
    likely = [e.probability for e in was]
    assert [e.probability for e in now] == pytest.approx(likely, abs=0.05)
    places = zip(Caller.from_call(call).steps, Caller.from_call(again.call).steps, strict=True)
    for before, after in places:
        assert before.place == after.place  # in the detector's windows, and in its frame
        record_property("gap_ms", (1000 * before.gap, 1000 * after.gap))
        assert (before.what, before.after, before.nth) == (after.what, after.after, after.nth)
        assert after.gap == pytest.approx(before.gap, abs=0.08)
    for before, after in zip(call.turns, again.call.turns, strict=True):
        record_property("total_ms", (1000 * before.total, 1000 * after.total))


async def test_what_was_done_by_hand_is_done_again():
    call = start_call(desk(), Caller().hears_greeting().hears("one moment", within=20).hangs_up())
    await until(lambda: call.events.of(events.AgentSpeechStopped))
    call.say("One moment.")
    await call.wait()
    call.raise_for_error()
    (kept,) = call.meta["by_hand"]
    assert (kept["does"], kept["text"]) == ("say", "One moment.")
    again = await call.replay(desk())
    assert again.divergence is None, str(again)
    (done,) = again.call.meta["by_hand"]
    stops = [one.events.of(events.AgentSpeechStopped)[0].at for one in (call, again.call)]
    assert done["at"] - stops[1] == pytest.approx(kept["at"] - stops[0], abs=0.02)
    assert again.call.transcript[-1].text == call.transcript[-1].text
