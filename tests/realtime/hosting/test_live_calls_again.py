"""A live call, replayed in virtual time: the same talk, verdicts and places."""

from __future__ import annotations

import pytest
from kinds_of_calls import BOOKING, desk

from piopiy_lab import Caller, events, start_call


async def test_a_live_calls_replay_is_the_same_talk(record_property):
    call = start_call(desk(), BOOKING)
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
