"""Speech that was heard and that the recogniser gave no words for.

Pure: events in, events out; the times at which something is decided are asked for with ``due_at``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from piopiy_lab import events
from piopiy_lab.events.at_work import AtWork

#: Seconds of silence in which a recogniser must have given its words: then pipecat gives up, too.
WORDS_SECS = 5.0
#: Seconds that words may come after the turn was over.
AFTERWARDS_SECS = 1.0
#: Seconds on end of what the detector takes for speech that are too long for an answer.
ENDLESS_SECS = 8.0

_REMEDY = (
    "if it was speech, check the recogniser's language, model and key, and listen to "
    "call.recording; if it was a noise, raise confidence or min_volume in vad={...}"
)
_ENDLESS_REMEDY = (
    "words come at a pause: if there is a steady noise, raise confidence or min_volume in vad={...}"
)


class WordlessSpeech:
    """Follows what is heard as speech and the words that come of it."""

    def __init__(self, at_work: AtWork) -> None:
        """Begin with silence; ``at_work`` knows the call's services."""
        self._at_work = at_work
        self._detects = False  # whether there is a detector
        self._speaking = False  # the detector hears a voice now
        self._agent_speaks = False
        self._start: float | None = None  # seconds: where the speech without words began
        self._end = 0.0  # seconds: and where it ended
        self._counts = False  # it was no mere sound over the agent's speech
        self._quiet_at = 0.0  # seconds: when words could be waited for
        self._over_at = math.inf  # seconds: when the turn was over

    def note(self, event: events.Event) -> None:
        """Take an event of the call's log."""
        match event:
            case events.PipelineStarted():
                self._detects = event.vad is not None
            case events.UserSpeechStarted():
                self._speaking = True
                self._begin(event.at - event.start_secs)
            case events.UserSpeechStopped():
                self._speaking = False
                self._stop(event.at - event.stop_secs, event.at)
            case events.CallerSpoke() if not self._detects and event.wants_floor:  # words decide
                self._begin(event.at)
                self._stop(event.end, event.end)
            case events.UserTurnStarted():
                self._counts = True
            case events.UserTurnStopped():
                self._over_at = event.at
            case events.AgentSpeechStarted():
                self._agent_speaks = True
            case events.AgentSpeechStopped():
                self._agent_speaks = False
                self._counts = self._counts or self._speaking
            case events.InterimTranscribed() if event.text.strip():
                if not self._detects:
                    self._begin(event.at)
                    self._end = event.at
                self._quiet_at = event.at
            case events.Transcribed() if event.text.strip():
                self._start = None
            case events.BackchannelHeard():
                self._start = None  # it needs no words
            case events.ErrorOccurred() if event.source == self._source:
                self._start = None  # it says itself why there are none
            case events.UserMuted(muted=True):
                self._speaking, self._start = False, None
            case _:
                pass

    @property
    def _source(self) -> str | None:
        """The recogniser; None where the model hears the caller itself."""
        return self._at_work.get("stt")

    def _begin(self, start: float) -> None:
        if self._start is None or not self._counts:
            self._start, self._over_at = start, math.inf
            self._counts = not self._agent_speaks

    def _stop(self, end: float, at: float) -> None:
        self._end = max(end, self._start or 0.0)
        self._quiet_at = at

    def due_at(self) -> float:
        """Return the call's seconds at which something is decided next; ``inf`` for never."""
        if self._start is None or self._source is None or self._speaking:
            return math.inf
        over = max(self._over_at, self._quiet_at) + AFTERWARDS_SECS
        return min(self._quiet_at + WORDS_SECS, over)

    def tell(self, now: float, given_up: bool) -> Iterator[events.TurnLost]:
        """Give what was lost as of ``now``; ``given_up``: the caller waits no longer."""
        start, source = self._start, self._source
        if start is None or source is None:
            return
        if self._speaking:
            if given_up and now - start >= ENDLESS_SECS:
                self._start = None
                said = f"the detector takes the sound from {start:.1f} s on for speech without end"
                message = f"{said}, so {source} gave no words for it"
                yield self._lost(now, message, _ENDLESS_REMEDY, source, (start, now))
            return
        due = self._quiet_at + AFTERWARDS_SECS if given_up else self.due_at()
        if now < due:
            return
        self._start = None
        if self._counts:
            message = f"{source} gave no words for the speech from {start:.1f} to {self._end:.1f} s"
            yield self._lost(now, message, _REMEDY, source, (start, self._end))

    def _lost(
        self, now: float, message: str, remedy: str, source: str, span: tuple[float, float]
    ) -> events.NoWords:
        start, end = (round(secs, 6) for secs in span)
        return events.NoWords(
            at=now, message=message, remedy=remedy, source=source, start=start, end=end
        )
