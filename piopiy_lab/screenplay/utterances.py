"""Where in a call the caller made sounds: by the screenplay, or by the detector. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from piopiy_lab import events as ev

#: Seconds kept before the detector's onset, and after its end: what it needs to find them again.
BEFORE_SECS = 0.3
AFTER_SECS = 0.2
#: Seconds by which a voice over the agent's began before its sound was held, with half a window
#: more: that looks at the voice alone, and the detector at its volume too.
HELD_AFTER_SECS = 0.096 + 0.016
#: Seconds for which a phone line's filters, and its concealment of a lost packet, are heard before
#: and after what was said.
RINGS_BEFORE_SECS, RINGS_AFTER_SECS = 0.015, 0.1


@dataclass(frozen=True)
class Utterance:
    """A stretch of the caller's sound.

    Attributes:
        start: The call's seconds of its first sample.
        end: And after its last.
        text: Its words, as far as they are known.
        spoke: What a scripted caller's log says of it; None for a real caller.
        found: Whether a detector found it.
        said: Seconds from ``start`` on between which it was said, where a phone line brought it
            later.
        kept: What it was taken for if it began no turn: a listener's word over the agent's, or
            words to somebody else; None: it was the caller's turn, for all that is known.
    """

    start: float
    end: float
    text: str | None
    spoke: ev.CallerSpoke | None = None
    found: bool = False
    said: tuple[float, float] | None = None
    kept: Literal["backchannel", "aside"] | None = None

    @property
    def wants_floor(self) -> bool:
        """Whether it is the caller's turn, or a part of it; of a real caller that is supposed."""
        return self.kept is None if self.spoke is None else self.spoke.wants_floor


def utterances_of(
    events: Iterable[ev.Event], ended_at: float, late: float = 0.0
) -> list[Utterance]:
    """Return the caller's sounds in order, where they were heard.

    Those that a scripted caller made, exactly; on a call with a real caller those that the detector
    found, from its onset to its end, with what it takes to be found again.

    Args:
        events: The call's.
        ended_at: The call's seconds at its end, for a sound that went on till then.
        late: Seconds by which a phone line brings what a scripted caller says.
    """
    log = list(events)
    spoke = [e for e in log if isinstance(e, ev.CallerSpoke)]
    file = any(isinstance(e, ev.CallStarted) and e.origin == "file" for e in log)
    if file and all(e.text is None for e in spoke):
        spoke = []  # the file as a whole: what is said in it follows the agent
    if spoke:
        spoke.sort(key=lambda e: e.at)
        return list(_over_a_line(spoke, late)) if late else [_clean(e) for e in spoke]
    spans: list[tuple[float, float]] = []
    onset: float | None = None
    held = math.inf  # when a voice began that the agent's sound is held for
    for event in log:
        match event:
            case ev.AgentSpeechHeld() if onset is None and held == math.inf:
                held = event.at - HELD_AFTER_SECS
            case ev.AgentSpeechResumed():
                held = math.inf
            case ev.UserSpeechStarted() if onset is None:
                onset = max(0.0, min(held, event.at - event.start_secs - BEFORE_SECS))
                held = math.inf
            case ev.UserSpeechStopped() if onset is not None:
                end = min(ended_at, event.at - event.stop_secs + AFTER_SECS)
                _add(spans, onset, max(onset, end))
                onset = None
            case ev.BackchannelHeard():  # the detector need not have been sure of it
                _add(spans, max(0.0, event.start), min(ended_at, event.end + AFTER_SECS))
            case _:
                pass
    if onset is not None:
        _add(spans, onset, ended_at)
    finals = [e for e in log if isinstance(e, ev.Transcribed)]
    kept = [e for e in log if isinstance(e, ev.BackchannelHeard)]

    def found(start: float, end: float) -> Utterance:
        listener = next((one for one in kept if start < one.end and one.start < end), None)
        words = _words_in(finals, start, end)
        if listener is not None and not words:
            words = listener.text or None
        if listener is None:
            return Utterance(start, end, words, None, True)
        what = "aside" if listener.aside else "backchannel"
        return Utterance(start, end, words, None, True, kept=what)

    return [found(start, end) for start, end in spans]


def _clean(spoke: ev.CallerSpoke) -> Utterance:
    return Utterance(spoke.at, spoke.end, spoke.text, spoke, spoke.found)


def _over_a_line(spoke: list[ev.CallerSpoke], late: float) -> Iterator[Utterance]:
    """Yield what was said where it was heard, with what the line's filters make of its edges."""
    for one, following in zip(spoke, [*spoke[1:], None], strict=True):
        if one.found:  # where it was heard, in a replay of a real caller's call
            yield _clean(one)
            continue
        start, end = one.at + late - RINGS_BEFORE_SECS, one.end + late + RINGS_AFTER_SECS
        if following is not None:
            end = max(one.end + late, min(end, following.at + late - RINGS_BEFORE_SECS))
        yield Utterance(start, end, one.text, one, said=(one.at - start, one.end - start))


def _add(spans: list[tuple[float, float]], start: float, end: float) -> None:
    if spans and start <= spans[-1][1]:
        spans[-1] = (min(start, spans[-1][0]), max(end, spans[-1][1]))
    elif end > start:
        spans.append((start, end))


def _words_in(finals: list[ev.Transcribed], start: float, end: float) -> str | None:
    """Return the words that a recogniser with word times places there; None without any."""
    words = [
        str(text)
        for final in finals
        for text, begins, _ in final.words
        if start - 0.1 <= float(begins) < end
    ]
    return " ".join(words) or None
