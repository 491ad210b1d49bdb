"""The caller's sound of a call, with babble in place of what is to be left out of it. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from piopiy_lab import events as ev
from piopiy_lab.call.call import Call
from piopiy_lab.errors import ReplayError
from piopiy_lab.screenplay.utterances import Utterance, utterances_of
from piopiy_lab.simulation.scrubbing import Scrubber
from piopiy_lab.sound.babble import babble
from piopiy_lab.sound.heard import Heard

#: int16 peak that the babble has at least: quieter ones are no voice to a detector.
LEAST_PEAK = 3000
#: Seconds by which it begins before a word, and ends after it: word times are not exact.
MARGIN_SECS = 0.06

Word = tuple[str, float, float]


def sound_of(call: Call, scrubber: Scrubber) -> Heard:
    """Return what the pipeline heard, with babble in place of the words that are left out.

    Where nobody knows when such a word was said, it is in place of all that was said at once. The
    words themselves are there for the recogniser that follows the script, without what is left
    out: the script's, or else the call's recogniser's.

    Raises:
        ReplayError: The call hasn't kept what its agent heard.
    """
    heard = call.heard
    if heard is None:
        raise ReplayError(
            f"call {call.call_id} has not kept what its agent heard, so there is no sound for a "
            "test: leave sound=True out"
        )
    samples = heard.samples.copy()
    words: list[Word] = []
    sounds = utterances_of(call.events, call.duration, late=heard.frames.late)
    for one, following in zip(sounds, [*sounds[1:], None], strict=True):
        until = call.duration if following is None else following.start
        finals = [e.text for e in call.events.of(ev.Transcribed) if one.start <= e.at < until]
        spoken = list(_words_in(call, heard, one))
        said = [text for text, _, _ in spoken] or (one.text or " ".join(finals)).split()
        left = scrubber.text(" ".join(said)).split()
        spans = list(_apart(one, said, left, spoken))
        hidden = any(scrubber.text(text) != text for text in (*finals, one.text or ""))
        if not spans and (hidden or (scrubber.leaves_out and not said)):
            spans = [(one.start, one.end)]  # nobody knows when it was said, or what was said at all
        for start, end in spans:
            first, last = (heard.frames.sample_at(max(0.0, at)) for at in (start, end))
            was = samples[first:last]
            peak = max(LEAST_PEAK, int(np.abs(was.astype(np.int32)).max(initial=0)))
            samples[first:last] = babble(len(was), heard.sample_rate, min(peak, 32767))
        words += _placed(one, left, spoken)
    return Heard(replace(heard.frames, words=tuple(words)), samples)


def _words_in(call: Call, heard: Heard, one: Utterance) -> Iterator[Word]:
    """Yield the words of an utterance that have times: the script's, or the recogniser's."""
    times = heard.frames.words
    if not times:
        finals = call.events.of(ev.Transcribed)
        times = tuple((str(t), float(a), float(b)) for e in finals for t, a, b in e.words)
    for text, start, end in times:
        if one.start - MARGIN_SECS <= start < one.end:
            yield text, start, end


def _apart(
    one: Utterance, said: list[str], left: list[str], spoken: list[Word]
) -> Iterator[tuple[float, float]]:
    """Yield when something was said that is left out: seconds."""
    if said == left:
        return
    if not spoken:
        yield one.start, one.end
        return
    for kind, a, b, _, _ in difflib.SequenceMatcher(None, said, left, False).get_opcodes():
        if kind != "equal" and a < b:
            yield spoken[a][1] - MARGIN_SECS, spoken[b - 1][2] + MARGIN_SECS


def _placed(one: Utterance, left: list[str], spoken: list[Word]) -> list[Word]:
    """Return what is left of an utterance's words, with times."""
    if len(left) == len(spoken):
        return [(text, a, b) for text, (_, a, b) in zip(left, spoken, strict=True)]
    each = (one.end - one.start) / max(1, len(left))
    return [(text, one.start + n * each, one.start + (n + 1) * each) for n, text in enumerate(left)]
