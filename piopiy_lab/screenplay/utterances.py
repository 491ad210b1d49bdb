"""Where in a call the caller made sounds: by the screenplay, or by the detector. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from piopiy_lab import events as ev

#: Seconds kept before the detector's onset, and after its end: what it needs to find them again.
BEFORE_SECS = 0.3
AFTER_SECS = 0.2


@dataclass(frozen=True)
class Utterance:
    """A stretch of the caller's sound.

    Attributes:
        start: The call's seconds of its first sample.
        end: And after its last.
        text: Its words, as far as they are known.
        spoke: What a scripted caller's log says of it; None for a real caller.
        found: Whether a detector found it.
    """

    start: float
    end: float
    text: str | None
    spoke: ev.CallerSpoke | None = None
    found: bool = False

    @property
    def wants_floor(self) -> bool:
        """Whether it is the caller's turn, or a part of it; of a real caller that is supposed."""
        return self.spoke is None or self.spoke.wants_floor


def utterances_of(events: Iterable[ev.Event], ended_at: float) -> list[Utterance]:
    """Return the caller's sounds in order.

    Those that a scripted caller made, exactly; on a call with a real caller those that the detector
    found, from its onset to its end, with what it takes to be found again.

    Args:
        events: The call's.
        ended_at: The call's seconds at its end, for a sound that went on till then.
    """
    log = list(events)
    spoke = [e for e in log if isinstance(e, ev.CallerSpoke)]
    file = any(isinstance(e, ev.CallStarted) and e.origin == "file" for e in log)
    if file and all(e.text is None for e in spoke):
        spoke = []  # the file as a whole: what is said in it follows the agent
    if spoke:
        spoke.sort(key=lambda e: e.at)
        return [Utterance(e.at, e.end, e.text, e, e.found) for e in spoke]
    spans: list[tuple[float, float]] = []
    onset: float | None = None
    for event in log:
        match event:
            case ev.UserSpeechStarted() if onset is None:
                onset = max(0.0, event.at - event.start_secs - BEFORE_SECS)
            case ev.UserSpeechStopped() if onset is not None:
                end = min(ended_at, event.at - event.stop_secs + AFTER_SECS)
                _add(spans, onset, max(onset, end))
                onset = None
            case _:
                pass
    if onset is not None:
        _add(spans, onset, ended_at)
    finals = [e for e in log if isinstance(e, ev.Transcribed)]
    return [
        Utterance(start, end, _words_in(finals, start, end), None, True) for start, end in spans
    ]


def _add(spans: list[tuple[float, float]], start: float, end: float) -> None:
    if spans and start <= spans[-1][1]:
        spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
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
