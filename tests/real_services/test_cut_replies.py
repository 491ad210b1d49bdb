"""What the agent is recorded to have said ends at the word that was heard: Piper's, by Whisper."""

from __future__ import annotations

import asyncio

import pytest
from real_desk import SAID, desk_on
from word_errors import Judge

from piopiy_lab import Caller, simulate
from piopiy_lab.offline.wording import spoken_form

MARGIN = 0.2  # s of silence before and after
#: Models on a busy machine take their time.
pytestmark = pytest.mark.timeout(400)


@pytest.mark.parametrize("outside", ["freeze", "charge"])
@pytest.mark.parametrize("after", [0.8, 1.6])
def test_a_cut_reply_ends_at_the_word_that_was_heard(models, joe, outside, after):
    # long enough to be an interruption by itself: a busy machine's words come late
    caller = (
        Caller()
        .hears_greeting(timeout=60)
        .says(joe.says(SAID[0]))
        .interrupts(joe.says("no wait please make it friday instead"), after=after, timeout=60)
        .hears("friday", within=60)
    )
    call = asyncio.run(simulate(desk_on(models), caller, outside=outside)).raise_for_error()
    cut = next(entry for entry in call.transcript if entry.interrupted)
    agent, rate = call.recording.agent, call.recording.sample_rate
    begin = round((cut.start - MARGIN) * rate)
    heard = Judge(models).words(agent[begin : round((cut.end + MARGIN) * rate)], rate)
    said, heard = spoken_form(cut.text).split(), [word for word, _ in heard]
    shared = min(len(said), len(heard))
    assert shared >= 3
    assert abs(len(said) - len(heard)) <= 1, f"recorded {said}, heard {heard}"
    assert said[: shared - 1] == heard[: shared - 1], "but for the last, which may be half a word"
