"""The seam of each kind of service: where a switch neither cuts nor repeats a word.

- tts: what the old voice was given is heard to its end; what comes after waits, and is the new
  voice's. A mark that travels behind the old voice's audio says when it has been played. Of a voice
  that fails it is what it has said that is heard to its end: the next one says the rest after that.
- llm: the answer in progress is ended, with the tools that an interruption would cancel.
- stt: the caller's turn is ended.

Pure, see :mod:`piopiy_lab.pipeline.switch_state`.
"""

from __future__ import annotations

from pipecat.frames import frames as f
from pipecat.processors.frame_processor import FrameDirection

from piopiy_lab.events.values import ServiceKind
from piopiy_lab.pipeline.switch_state import (
    DOWN,
    UP,
    Give,
    Instructions,
    SwitchMark,
    SwitchState,
    Watch,
)
from piopiy_lab.pipeline.work_in_progress import UnsaidWords, Utterance


class RecogniserSwitch(SwitchState):
    """Recognisers: switched between two turns of the caller."""

    kind = "stt"
    output = (
        f.TranscriptionFrame,
        f.InterimTranscriptionFrame,
        f.TranslationFrame,
        f.EagerTranscriptionFrame,
        f.UserStartedSpeakingFrame,
        f.UserStoppedSpeakingFrame,
        f.ProposedUserStartedSpeakingFrame,
        f.ProposedUserStoppedSpeakingFrame,
    )

    def __init__(self, active: str) -> None:
        """Begin with nobody speaking."""
        super().__init__(active)
        self._utterance = Utterance()

    def stalls_in(self, now: float) -> float | None:
        """Return None: a turn ends by itself."""
        return None

    def _given(self, frame: f.Frame, direction: FrameDirection) -> None:
        self._utterance.heard(frame)

    def _begin(self) -> Instructions:
        return self._settle()

    def _work_went_in(self) -> Instructions:
        return self._settle()

    def _settle(self) -> Instructions:
        if self.wanted is not None and not self._utterance:
            yield from self._switch()

    def _resume(self, service: str) -> Instructions:
        """Give another recogniser the caller's utterance so far."""
        if not self._utterance:
            return
        for frame in self._utterance.audio:
            yield Give(service, frame)
        if self._utterance.speaking:
            yield Give(service, f.VADUserStartedSpeakingFrame())


class ModelSwitch(SwitchState):
    """Language models: switched between two answers."""

    kind = "llm"
    output = (
        f.LLMFullResponseStartFrame,
        f.LLMFullResponseEndFrame,
        f.LLMTextFrame,
        f.TTSAudioRawFrame,
        f.TTSTextFrame,
        f.TTSStartedFrame,
        f.TTSStoppedFrame,
    )

    def __init__(self, active: str) -> None:
        """Begin with no answer under way."""
        super().__init__(active)
        self._answering = False
        self._tools: set[str] = set()  # those that run and that an interruption ends, by call id
        self._unanswered: tuple[f.Frame, FrameDirection] | None = None  # a context, on its way
        self._drop_end = False  # the end of the failed one's answer is the other one's to give
        self._marked = False  # the mark has come out

    def is_late(self, frame: f.Frame) -> bool:
        """Whether a frame, coming from a model that is not at work, is to be dropped.

        The end of an answer that was begun is owed, unless another model answers instead.
        """
        owed = self._answering and not self._drop_end
        return super().is_late(frame) and not (
            owed and isinstance(frame, f.LLMFullResponseEndFrame)
        )

    def came_out(self, frame: f.Frame, direction: FrameDirection, now: float) -> Instructions:
        """A frame has left the models; the mark ends here."""
        if not isinstance(frame, SwitchMark) or frame.kind != self.kind:
            return super().came_out(frame, direction, now)
        self.moved_at = now
        self._marked = True
        return self._settle()

    def _given(self, frame: f.Frame, direction: FrameDirection) -> None:
        if isinstance(frame, f.LLMContextFrame):
            self._unanswered = (frame, direction)
            self._drop_end = False

    def _came(self, frame: f.Frame, direction: FrameDirection) -> None:
        match frame:
            case f.LLMFullResponseStartFrame():
                self._answering = True
            case f.LLMTextFrame() | f.FunctionCallsStartedFrame():
                self._unanswered = None
            case f.LLMFullResponseEndFrame():
                self._answering = False
            case f.FunctionCallInProgressFrame(tool_call_id=call):
                if frame.cancel_on_interruption:
                    self._tools.add(call)
            case f.FunctionCallCancelFrame(tool_call_id=call):
                self._tools.discard(call)
            case f.FunctionCallResultFrame(tool_call_id=call) if _is_final(frame):
                self._tools.discard(call)
            case _:
                pass

    def _holds(self, frame: f.Frame, direction: FrameDirection) -> bool:
        asks_again = direction == UP and isinstance(frame, f.LLMContextFrame)  # a tool's result
        return asks_again or super()._holds(frame, direction)

    def _begin(self) -> Instructions:
        self._marked = False
        return self._drain()

    def _work_came_out(self) -> Instructions:
        return self._settle()

    def _settle(self) -> Instructions:
        if self.wanted is not None and self._marked and not self._answering and not self._tools:
            yield from self._switch()

    def _interrupted(self) -> Instructions:
        self._answering = False
        self._unanswered = None
        yield from super()._interrupted()
        yield from self._settle()

    def _resume(self, service: str) -> Instructions:
        """Give another model the context that has no answer yet."""
        if self._unanswered is not None:
            self._drop_end = True
            yield Give(service, *self._unanswered)


class VoiceSwitch(SwitchState):
    """Voices: switched where the old one has been heard to the end of what it was given."""

    kind = "tts"
    output = (
        f.TTSAudioRawFrame,
        f.TTSTextFrame,
        f.TTSStartedFrame,
        f.TTSStoppedFrame,
        f.AggregatedTextFrame,
        f.LLMAssistantPushAggregationFrame,
    )

    def __init__(self, active: str) -> None:
        """Begin with nothing to say."""
        super().__init__(active)
        self._unsaid = UnsaidWords()
        self._failed = False  # the voice before failed, and what it left unsaid waits

    def failed_over(self, service: str) -> Instructions:
        """The voice at work failed: ``service`` goes on where what it said has been heard.

        At once, the times of the next voice's words would lie among those that are being played.
        """
        self.wanted, self._failed = service, True
        yield from self._drain()
        yield Watch()

    def _look_at(self, frame: f.Frame, direction: FrameDirection, now: float) -> None:
        if direction == UP and isinstance(frame, f.BotSpeakingFrame):
            self.moved_at = now

    def _given(self, frame: f.Frame, direction: FrameDirection) -> None:
        if direction == DOWN:
            self._unsaid.given(frame)

    def _came(self, frame: f.Frame, direction: FrameDirection) -> None:
        if direction == DOWN:
            self._unsaid.came(frame)

    def _begin(self) -> Instructions:
        return iter(()) if self._unsaid.in_reply else self._drain()

    def _work_went_in(self) -> Instructions:
        if self.held is None and not self._unsaid.in_reply:
            yield from self._drain()

    def _interrupted(self) -> Instructions:
        self._unsaid.forget()
        waited = self.held is not None
        yield from super()._interrupted()
        if not waited and self.wanted is not None:
            yield from self._drain()

    def _release(self) -> Instructions:
        if self._failed:
            self._failed = False
            yield from self._resume(self.active)
        yield from super()._release()

    def _resume(self, service: str) -> Instructions:
        """Let another voice say what the failed one was given and did not say."""
        unsaid = self._unsaid
        if not unsaid:
            return
        ended = not unsaid.in_reply
        yield Give(service, f.LLMFullResponseStartFrame())
        if unsaid.text:
            yield Give(service, f.LLMTextFrame(unsaid.text + ("" if ended else " ")))
        if ended:
            yield Give(service, f.LLMFullResponseEndFrame())


def _is_final(frame: f.FunctionCallResultFrame) -> bool:
    """Whether a result is its tool's last."""
    return frame.properties is None or frame.properties.is_final


#: The state of a switcher, by its kind.
STATES: dict[ServiceKind, type[SwitchState]] = {
    state.kind: state for state in (RecogniserSwitch, ModelSwitch, VoiceSwitch)
}
