"""An answer that is spoken before the turn is over, and held behind the voice until it is.

pipecat's ``SpeculationGate`` in the LLM's service holds an answer's text, and so hides the LLM's
time alone. For ``Action(speculate="sound")`` that gate lets the text through, marked, and goes on
keeping tools from running; a gate of the same kind behind the voice holds what is made of it. When
the answer is withdrawn the voice is stopped as an interruption would stop it, which the gate keeps
to itself: nobody behind it, the caller least, hears of any of it.

Runs on the session's loop.
"""

from __future__ import annotations

from dataclasses import replace

from pipecat.frames.frames import (
    EagerEndOfTurnCancelFrame,
    Frame,
    InterruptionFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    LLMTextFrame,
    TTSAudioRawFrame,
    TTSStartedFrame,
    TTSStoppedFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
)
from pipecat.observers.base_observer import FramePushed
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.turns.speculation_gate import SpeculationGate

from piopiy_lab.pipeline import seams


class VoiceWithdrawnFrame(InterruptionFrame):
    """What the voice speaks ahead is not wanted; from one side of it to the other."""


class VoiceDoor(FrameProcessor):
    """Stands before the voice, and stops it where what it speaks ahead was withdrawn."""

    def __init__(self) -> None:
        """Nothing is spoken ahead."""
        super().__init__(enable_direct_mode=True)
        self._ahead = False  # the voice has an answer to a turn that is not over

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Pass every frame on, and behind a withdrawn answer what stops the voice."""
        await super().process_frame(frame, direction)
        if direction is FrameDirection.DOWNSTREAM:
            match frame:
                case LLMFullResponseStartFrame():
                    self._ahead = seams.is_ahead(frame)
                case UserStoppedSpeakingFrame() | InterruptionFrame():
                    self._ahead = False
                case EagerEndOfTurnCancelFrame() if self._ahead:
                    self._ahead = False
                    await self.push_frame(VoiceWithdrawnFrame())
                case _:
                    pass
        await self.push_frame(frame, direction)


class VoiceGate(FrameProcessor):
    """Stands behind the voice, and holds what it speaks ahead until the turn is over."""

    def __init__(self) -> None:
        """Hold nothing."""
        super().__init__(enable_direct_mode=True)
        self._gate = SpeculationGate(name=str(self))
        self._sound_at: int | None = None  # ns: when sound of what is held came first
        self._moved = 0  # ns by which the reply's words are heard later than the voice meant

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Hold a frame, let what was held go, or pass it on."""
        await super().process_frame(frame, direction)
        downstream = direction is FrameDirection.DOWNSTREAM
        if downstream and isinstance(frame, LLMFullResponseStartFrame):
            self._gate.begin_speculation(seams.is_ahead(frame))
            self._sound_at, self._moved = None, 0
        told = self._gate.process(frame, direction)
        if downstream and isinstance(frame, InterruptionFrame):
            # Both sides of this have forgotten the answer: no rest of it comes to be dropped.
            self._gate = SpeculationGate(name=str(self))
            self._sound_at, self._moved = None, 0
        if not told and self._sound_at is None and isinstance(frame, TTSAudioRawFrame):
            self._sound_at = self.get_clock().get_time()
        elif len(told) > 1 and self._sound_at is not None:
            self._moved = self.get_clock().get_time() - self._sound_at
        for one, its_direction in told:
            if not isinstance(one, VoiceWithdrawnFrame):
                if its_direction is FrameDirection.DOWNSTREAM and one.pts:
                    one.pts += self._moved
                await self.push_frame(one, its_direction)


class TellLater:
    """Keeps what is to be told of an answer that is spoken ahead until it is let go.

    So the log has it when the turn is over, as if it had been made in no time; of one that was
    withdrawn it has nothing.
    """

    _KINDS = (
        LLMFullResponseStartFrame,
        LLMTextFrame,
        LLMFullResponseEndFrame,
        TTSStartedFrame,
        TTSAudioRawFrame,
        TTSStoppedFrame,
    )

    def __init__(self) -> None:
        """Nothing is spoken ahead."""
        self._kept: list[FramePushed] | None = None  # None: nothing is
        self._turn = False  # the caller has the turn, as far as was told

    def keeps(self, data: FramePushed) -> bool:
        """Whether a frame is of an answer that is spoken ahead, or ends one; then it isn't told."""
        frame = data.frame
        if isinstance(frame, VoiceWithdrawnFrame):
            self._kept = None
            return True
        if isinstance(frame, LLMFullResponseStartFrame):
            self._kept = [] if self._turn and seams.is_ahead(frame) else None
        if self._kept is None or not isinstance(frame, self._KINDS):
            return False
        self._kept.append(data)
        return True

    def let_go(self, data: FramePushed) -> list[FramePushed]:
        """Return what is to be told behind a frame, as of its time."""
        match data.frame:
            case UserStartedSpeakingFrame():
                self._turn = True
            case UserStoppedSpeakingFrame():
                kept, self._kept, self._turn = self._kept or [], None, False
                return [replace(one, timestamp=data.timestamp) for one in kept]
            case EagerEndOfTurnCancelFrame() | InterruptionFrame():
                self._kept = None
            case _:
                pass
        return []
