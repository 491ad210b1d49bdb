"""Whisper and Piper at their own speed: a whole booking on the wall clock."""

from __future__ import annotations

import pytest
from real_desk import SAID, booking, desk_on, heard

from piopiy_lab import start_call

#: Models on a busy machine take their time.
pytestmark = pytest.mark.timeout(400)


def test_a_booking_in_real_time(models, joe):
    call = start_call(desk_on(models), booking(joe.says), call_id="live")
    call.join(110)
    call.raise_for_error()
    assert heard(call) == list(SAID)
    assert call.transcript[-1].text.startswith("Your table is booked. The reference is")
    for turn in call.turns:  # their computing is in it, 0.5 to 1 s of Whisper on a quiet machine
        assert turn.parts["tts"] > 0.01
        assert turn.total > 0.3
