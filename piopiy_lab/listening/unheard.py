"""What a scripted caller said and the detector heard nothing of, and why.

Only a scripted caller's log says what was really said. Pure: events in, events out; the times at
which something is decided are asked for with ``due_at``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

from piopiy_lab import events
from piopiy_lab.events.values import UnheardCause

#: Seconds, beside the detector's own ``start_secs``, after which nothing comes of a sound: neither
#: does the detector hear it, nor does a recogniser that listens all the time give words for it.
LATE_SECS = 1.0
#: Volumes below this are silence.
SILENT_VOLUME = 0.05

#: Returns the detector's judgements between two seconds of the call's clock.
Samples = Callable[[float, float], Sequence[events.VADSampled]]


class UnheardSpeech:
    """Follows what the scripted caller says and what the detector hears of it."""

    def __init__(self, samples: Samples, late: Callable[[], float] = lambda: 0.0) -> None:
        """Begin with silence.

        Args:
            samples: Looks the detector's judgements up.
            late: Returns the seconds by which a phone line brings what the caller says.
        """
        self._samples = samples
        self._late = late
        self._detects = False  # whether there is a detector
        self._params: dict[str, float] = {}  # its settings
        self._hears = False  # it hears a voice now
        self._heard_to = -math.inf  # seconds: until when it last heard one
        self._muted = False  # the caller's side is closed
        self._muted_to = -math.inf  # seconds: until when it last was
        self._open: list[events.CallerSpoke] = []  # said, and not heard yet

    def note(self, event: events.Event) -> None:
        """Take an event of the call's log."""
        match event:
            case events.PipelineStarted():
                self._detects, self._params = event.vad is not None, dict(event.vad_params)
            case events.SettingsChanged():
                self._params.update(event.new)
            case events.UserSpeechStarted():
                self._hears = True
                self._open.clear()
            case events.UserSpeechStopped():
                self._hears, self._heard_to = False, event.at
            case events.UserTurnStarted() | events.UserTurnAdded() | events.BackchannelHeard():
                self._open.clear()  # words can begin a turn, too
            case events.UserMuted():
                if self._muted and not event.muted:
                    self._muted_to = event.at
                self._muted = event.muted
            case events.CallerSpoke() if self._detects and event.wants_floor:
                if not self._hears and self._heard_to < event.at:
                    self._open.append(event)
            case _:
                pass

    def due_at(self) -> float:
        """Return the call's seconds at which something is decided next; ``inf`` for never."""
        return self._open[0].end + self._waits if self._open else math.inf

    def tell(self, now: float, given_up: bool) -> Iterator[events.TurnLost]:
        """Give what was lost as of ``now``; ``given_up``: the caller waits no longer."""
        for spoke in list(self._open):
            if given_up or now >= spoke.end + self._waits:
                self._open.remove(spoke)
                yield self._unheard(spoke, now)

    @property
    def _waits(self) -> float:
        return self._start_secs + LATE_SECS + self._late()

    @property
    def _start_secs(self) -> float:
        return self._params.get("start_secs", 0.2)

    def _unheard(self, spoke: events.CallerSpoke, now: float) -> events.SpeechUnheard:
        if self._muted or self._muted_to > spoke.at:
            cause, why, remedy = _MUTED
        else:
            late = self._late()
            samples = self._samples(spoke.at + late, spoke.end + late + LATE_SECS)
            cause, why, remedy = why_unheard(samples, self._params)
        what = "the caller's sound" if spoke.text is None else repr(spoke.text)
        return events.SpeechUnheard(
            at=now,
            message=f"the detector heard nothing of {what} at {spoke.at:.1f} s: {why}",
            remedy=remedy,
            text=spoke.text,
            start=spoke.at,
            end=spoke.end,
            cause=cause,
        )


_Why = tuple[UnheardCause, str, str]
_MUTED: _Why = (
    "muted",
    "the caller's side was muted",
    "let the caller speak when the agent is done (hears_greeting() or hears_reply() first), or "
    "change what mutes it: mute_strategies, or call.mute()",
)


def why_unheard(samples: Sequence[events.VADSampled], params: dict[str, float]) -> _Why:
    """Return why a detector took nothing of a sound for speech: the cause, in words, the remedy.

    Args:
        samples: Its judgements while the sound was heard.
        params: Its settings; what isn't there is pipecat's default.
    """
    sure, loud = params.get("confidence", 0.7), params.get("min_volume", 0.6)
    start_secs = params.get("start_secs", 0.2)
    if not samples:
        return "unknown", "it gave no judgement", "check the detector that vad= was given"
    voiced = [sample for sample in samples if sample.confidence >= sure]
    loudest = max((1.0 if s.volume is None else s.volume) for s in voiced or samples)
    longest = _longest_run(samples, sure, loud)
    if loudest < SILENT_VOLUME:
        return "quiet", "it is silence", "check the sound, and the file's channel"
    if loudest < loud:
        why = f"it is too quiet (volume {loudest:.2f} at most, and min_volume is {loud:g})"
        lower = f"vad={{'min_volume': {max(0.0, math.floor(loudest * 10 - 0.5) / 10):g}}}"
        return "quiet", why, f"make the sound louder, or the detector more sensitive: {lower}"
    if not voiced:
        most = max(sample.confidence for sample in samples)
        why = f"it was sure of a voice to {most:.2f} at most, and confidence is {sure:g}"
        return "unclear", why, "give a clearer sound, or lower the confidence in vad={...}"
    if longest < start_secs:
        why = f"it was sure of a voice for {longest:.2f} s on end, and start_secs is {start_secs:g}"
        shorter = max(0.05, math.floor(longest * 20) / 20)
        remedy = f"let short answers count with vad={{'start_secs': {shorter:g}}}, or say more"
        return "short", why, remedy
    return "unknown", "it had begun to hear a voice", "check the detector that vad= was given"


def _longest_run(samples: Sequence[events.VADSampled], sure: float, loud: float) -> float:
    """Return the seconds of the longest run of windows that are a voice for the detector."""
    window = (samples[-1].at - samples[0].at) / max(1, len(samples) - 1)
    longest = run = 0
    for sample in samples:
        voice = sample.confidence >= sure and (sample.volume is None or sample.volume >= loud)
        run = run + 1 if voice else 0
        longest = max(longest, run)
    return longest * window
