"""What the end-of-turn model takes in virtual time: nothing, what is given, or what was measured.

Pure.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence, Sized

from piopiy_lab import events as ev

#: pipecat's job that runs the end-of-turn model.
TURN_JOB = "_process_speech_segment"
#: Seconds that a verdict's way to the log adds at the most to what the model measured of itself:
#: on a full machine its thread waits for its turn.
MOST_BESIDE_SECS = 0.5


class TurnModelSecs:
    """The seconds that each run of the model takes, asked for as the job is submitted.

    What was measured comes one after the other, and when there is no more of it its mean. A run
    on nothing at all, which ends an incomplete turn, takes no time: there is nothing to judge.
    """

    def __init__(self, secs: Sequence[float]) -> None:
        """Take seconds; none is no time."""
        self._left = list(secs)
        self._mean = statistics.mean(secs) if secs else 0.0

    def __call__(self, audio: object = None, *_: object) -> float:
        """Return the seconds of the next run.

        Args:
            audio: What the model is given: pipecat's buffer of frames.
        """
        if isinstance(audio, Sized) and not len(audio):
            return 0.0
        return self._left.pop(0) if self._left else self._mean


def measured_in(events: Iterable[ev.Event]) -> list[float]:
    """Return the seconds that each of a live call's verdicts took, from the detector's stop on.

    The model's own measure leaves out its thread's; where the stop that it judged stands just
    before it in the log, the time from there on is taken.
    """
    found: list[float] = []
    stopped: float | None = None
    for event in events:
        match event:
            case ev.UserSpeechStopped():
                stopped = event.at
            case ev.TurnPredicted(inference_secs=own, early=True) if own:
                found.append(own)
            case ev.TurnPredicted(inference_secs=own) if own:
                began = stopped if event.asked_at is None else event.asked_at
                since = own if began is None else event.at - began
                found.append(since if own <= since <= own + MOST_BESIDE_SECS else own)
                stopped = None
            case _:
                pass
    return found
