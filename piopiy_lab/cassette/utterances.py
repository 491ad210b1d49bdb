"""What the caller says, as marks in time that recognition is counted from.

A scripted caller's acts are the same samples in every call, so what is recognised hangs on the
n-th act and the seconds into it. Where nobody tells of acts (a microphone) the detector's starts
stand in; those may be cut elsewhere in another call.

Runs on the session's loop.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pipecat.frames import frames as f

from piopiy_lab.screenplay.spoken_words import Script

#: Where speech and turns begin and end: some recognisers answer when they are told of one.
EDGES = (
    f.VADUserStartedSpeakingFrame,
    f.VADUserStoppedSpeakingFrame,
    f.UserStartedSpeakingFrame,
    f.UserStoppedSpeakingFrame,
)


@dataclass
class Mark:
    """A moment that recognition is counted from.

    Attributes:
        number: From 1 for what the caller said; 0 is the beginning of the line.
        began: The pipeline's seconds.
        act: Whether the caller told of it, and not the detector.
        text: The words, where they are known.
        answer: The number of its answer on a cassette; written by the recording.
    """

    number: int
    began: float
    act: bool
    text: str | None = None
    answer: int | None = None


class Utterances:
    """The marks of one recogniser's call so far."""

    def __init__(self, script: Script, now: Callable[[], float], call_now: Callable[[], float]):
        """Follow a caller.

        Args:
            script: The caller's own account of what is said.
            now: The pipeline's seconds.
            call_now: The call's seconds.
        """
        self._now, self._call_now = now, call_now
        self._told = False  # whether the caller tells of acts; written by _begun()
        self.heard = False  # whether there was audio; written by see()
        self.latest = Mark(0, 0.0, act=True)
        self.by_detector = (
            False  # whether the caller's own account is left aside; set by the player
        )
        self.on_mark: Callable[[Mark], object] = lambda mark: None  # set by the player
        script.sound_began.append(self._begun)

    def see(self, frame: f.Frame) -> None:
        """Take a frame that the recogniser gets."""
        if isinstance(frame, f.InputAudioRawFrame) and not self.heard:
            self.heard = True
            if self.latest.number == 0:
                self.latest.began = self._now()
                self.on_mark(self.latest)
        elif isinstance(frame, f.VADUserStartedSpeakingFrame) and not self._told:
            self._mark(Mark(self.latest.number + 1, self._now(), act=False))

    def _begun(self, text: str | None, start: float) -> None:
        if self.by_detector:
            return
        began = start + self._now() - self._call_now()
        number = self.latest.number + 1 if self._told else 1
        self._told = True
        self._mark(Mark(number, began, act=True, text=text))

    def _mark(self, mark: Mark) -> None:
        self.latest = mark
        self.on_mark(mark)
