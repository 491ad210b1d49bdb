"""The moments of a call that a realtime model's doings are counted from.

Such a model hears the caller itself, so nobody asks it anything that could be looked up. What it
does hangs on what was last seen of the call: the caller's act, an edge of speech or of a turn, a
message, a tool's result. A moment's name has the utterance that it falls in and its number there,
so that one which is missing or more moves nothing behind that utterance.

Runs on the session's loop.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pipecat.frames import frames as f
from pipecat.processors.frame_processor import FrameDirection

from piopiy_lab.redaction import redact
from piopiy_lab.screenplay.spoken_words import Script
from piopiy_lab.services.frame_values import plain

#: Moments by the frame that the model is given. Those of ``_OF_CALL`` have nothing to do with
#: what the caller says just then, and are numbered through the call.
_KINDS: dict[type[f.Frame], str] = {
    f.StartFrame: "start",
    f.InputAudioRawFrame: "line",
    f.VADUserStartedSpeakingFrame: "speech_began",
    f.VADUserStoppedSpeakingFrame: "speech_ended",
    f.UserStartedSpeakingFrame: "turn_began",
    f.UserStoppedSpeakingFrame: "turn_ended",
    f.InterruptionFrame: "interruption",
    f.LLMContextFrame: "context",
    f.LLMMessagesAppendFrame: "message",
    f.InputTextRawFrame: "text",
}
_OF_CALL: tuple[str, ...] = ("setup", "start", "line", "context_again", "message", "text", "result")

#: Of an interruption: whether the agent was heard then, or everything had been said.
OVER, SILENT = "over the agent's words", "after them"

#: What a model with a detector of its own goes by: the pipeline's edges are no doing of the
#: caller's, and may be its own, come back.
_HEARD = ("setup", "start", "line", "utterance", "context_again", "message", "text", "result")


@dataclass
class Moment:
    """A moment of a call.

    Attributes:
        kind: "setup", "start", "line" (the first sound of the input), "utterance" (the caller's
            act), "speech_began", "speech_ended" (the detector's), "turn_began", "turn_ended",
            "interruption", "context", "context_again" (from the assistant's side), "message",
            "text", or "result" (a tool's).
        utterance: The caller's utterance that it falls in, from 1; 0 before, and of those that
            are numbered through the call.
        number: From 1, among those of its kind in the utterance.
        began: The pipeline's seconds.
        told: What came with it: the caller's words, a message, ``OVER`` or ``SILENT`` of an
            interruption; None if nothing did.
        answer: The number of its answer on a cassette; written by the recording.
    """

    kind: str
    utterance: int
    number: int
    began: float
    told: Any = None
    answer: int | None = None

    @property
    def key(self) -> list[str | int]:
        """Its name, as a cassette has it."""
        return [self.kind, self.utterance, self.number]


class Moments:
    """The moments of one realtime model's call so far."""

    def __init__(
        self, script: Script, now: Callable[[], float], call_now: Callable[[], float]
    ) -> None:
        """Follow a call.

        Args:
            script: The caller's own account of what is said.
            now: The pipeline's seconds.
            call_now: The call's seconds.
        """
        self._now, self._call_now = now, call_now
        self.told = False  # whether the caller tells of acts; written by _act()
        self._counts: dict[tuple[str, int], int] = {}
        self._over = False  # whether the agent is heard; written by see()
        self._line = False  # whether there was sound; written by see()
        self.utterance = 0  # the caller's latest
        self.utterance_began = 0.0  # the pipeline's seconds
        #: Whether the caller's own account is left aside; set by the player.
        self.by_detector = False
        self.on_moment: Callable[[Moment], object] = lambda moment: None  # set by the user
        script.sound_began.append(self._act)

    def see(self, frame: f.Frame, direction: FrameDirection) -> Moment | None:
        """Take a frame that the model is given; returns the moment that it is."""
        if isinstance(frame, f.BotStartedSpeakingFrame | f.BotStoppedSpeakingFrame):
            self._over = isinstance(frame, f.BotStartedSpeakingFrame)
        kind = _KINDS.get(type(frame))
        if kind is None or (kind == "line" and self._line):
            return None
        told: Any = None
        match frame:
            case f.InputAudioRawFrame():
                self._line = True
            case f.VADUserStartedSpeakingFrame() if not self.told:
                self._utter(self._now())
            case f.LLMContextFrame() if direction == FrameDirection.UPSTREAM:
                kind = "context_again"
            case f.LLMMessagesAppendFrame():
                told = redact(plain(frame.messages))
            case f.InterruptionFrame():
                told = OVER if self._over else SILENT
            case f.InputTextRawFrame():
                told = redact(frame.text)
            case _:
                pass
        return self.mark(kind, told=told)

    def result(self, frame: f.FunctionCallResultFrame) -> None:
        """Note a tool's result, which the model is told."""
        told = {"tool": frame.function_name, "result": redact(plain(frame.result))}
        self.mark("result", told=told)

    def mark(self, kind: str, *, began: float | None = None, told: Any = None) -> Moment:
        """Note a moment."""
        utterance = 0 if kind in _OF_CALL else self.utterance
        number = self._counts[kind, utterance] = self._counts.get((kind, utterance), 0) + 1
        at = self._now() if began is None else began
        moment = Moment(kind, utterance, number, at, told)
        self.on_moment(moment)
        return moment

    def counts(self, moment: Moment, *, own_detector: bool) -> bool:
        """Whether what a model does next is counted from a moment.

        Args:
            moment: The latest.
            own_detector: Whether the model finds the caller's turns itself.
        """
        if moment.kind == "context":  # the caller's turn is written down; it heard it itself
            return moment.key == ["context", 0, 1]
        if not own_detector or moment.kind in _HEARD:
            return True
        return moment.kind == "speech_began" and not self.told

    def _act(self, text: str | None, start: float) -> None:
        if self.by_detector:
            return
        if not self.told:  # what a detector has cut before is not the caller's account
            self.told, self.utterance = True, 0
        began = start + self._now() - self._call_now()
        self._utter(began)
        self.mark("utterance", began=began, told=text)

    def _utter(self, began: float) -> None:
        self.utterance += 1
        self.utterance_began = began
