"""A screenplay on the wall clock has the conversation that it has on virtual time."""

from __future__ import annotations

import asyncio

import pytest

from piopiy_lab import Caller, events, simulate, start_call
from piopiy_lab.errors import ArgumentError


def test_the_same_call_in_real_time(booking):
    caller = Caller().hears_greeting().says("a table for two tomorrow at seven").hears_reply()
    call = start_call(booking(), caller, call_id="live")
    while call.state == "starting":  # the call answers within two seconds
        call.events.now()
        try:
            call.join(0.05)
        except TimeoutError:
            assert call.duration < 5
    with pytest.raises(ArgumentError, match="stop_sec"):
        call.tune(stop_sec=0.3)
    call.tune(stop_secs=0.25)
    assert call.agent is not None
    assert set(call.services) == {"stt", "llm", "tts"}
    call.join(40)
    call.raise_for_error()
    simulated = asyncio.run(simulate(booking(), caller))
    assert [(e.role, e.text) for e in call.transcript] == [
        (e.role, e.text) for e in simulated.transcript
    ]
    assert {e.stop_secs for e in call.events.of(events.UserSpeechStopped)} == {0.25}
