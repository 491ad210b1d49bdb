"""A service that hears and answers by itself, as a realtime model does, with no model at all.

`RuleRealtimeService` stands where OpenAI Realtime or Gemini Live would stand in the pipeline. In it
are the offline recogniser, a `RuleBook`, and (when it speaks) the offline voice; towards the
pipeline it behaves as pipecat's realtime services do: the caller's audio comes to it, its
transcripts travel upstream, it is told nothing per turn, and it keeps to the turns and
interruptions that the pipeline decides (as OpenAI's does with its turn detection off).
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

from pipecat.adapters.llm.schemas.function_schema import FunctionSchema
from pipecat.frames.frames import (
    CancelFrame,
    EndFrame,
    ErrorFrame,
    Frame,
    InputAudioRawFrame,
    InterimTranscriptionFrame,
    InterruptionFrame,
    LLMContextFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    LLMMessagesAppendFrame,
    LLMServiceMetadataFrame,
    LLMTextFrame,
    MetricsFrame,
    StartFrame,
    TranscriptionFrame,
    TTSAudioRawFrame,
    TTSStartedFrame,
    TTSStoppedFrame,
    TTSTextFrame,
    UserStoppedSpeakingFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.frame_processor import FrameDirection, FrameProcessorSetup

from piopiy_lab.errors import ArgumentTypeError
from piopiy_lab.offline.history import history_of
from piopiy_lab.offline.llm import RuleLLMService
from piopiy_lab.offline.replies import Answer, Heard
from piopiy_lab.offline.rules import RuleBook
from piopiy_lab.offline.stt import PhraseSTTService
from piopiy_lab.offline.tts import EspeakTTSService
from piopiy_lab.services.realtime import requested_line
from piopiy_lab.sound.speech import Voice

_TOKEN = re.compile(r"\s*\S+")
_Push = Callable[[Frame, FrameDirection], Coroutine[object, object, None]]
#: What leaves the recogniser and the voice; all else is the pipeline's own, and passes once.
_HEARD = (TranscriptionFrame, InterimTranscriptionFrame, MetricsFrame, ErrorFrame)
_SAID = (
    LLMFullResponseStartFrame,
    LLMFullResponseEndFrame,
    TTSStartedFrame,
    TTSAudioRawFrame,
    TTSTextFrame,
    TTSStoppedFrame,
    MetricsFrame,
    ErrorFrame,
)


class _Ear(PhraseSTTService):
    """The recogniser, with nothing behind it."""

    def __init__(self, book: Any, out: _Push, name: str) -> None:
        super().__init__(book, name=name)
        self._out = out

    async def push_frame(
        self, frame: Frame, direction: FrameDirection = FrameDirection.DOWNSTREAM
    ) -> None:
        if isinstance(frame, _HEARD):
            await self._out(frame, direction)


class _Mouth(EspeakTTSService):
    """The voice, with nothing behind it."""

    def __init__(self, voice: Voice | str | None, out: _Push, name: str) -> None:
        super().__init__(voice=voice, name=name)
        self._out = out

    async def push_frame(
        self, frame: Frame, direction: FrameDirection = FrameDirection.DOWNSTREAM
    ) -> None:
        if isinstance(frame, _SAID):
            await self._out(frame, direction)


class RuleRealtimeService(RuleLLMService):
    """Hears, answers by rules, and speaks, in one service: this is NO realtime model.

    It recognises the phrases of its `RuleBook` and nothing else. Of instructions it follows only a
    VoiceAgent's requests to greet and to say a line. It ends no turns itself, so it needs voice
    activity detection (``Action(vad=True)``).

    One instance can serve several calls, one after the other; not two at once. Every method runs
    on the session's loop.

    Args:
        rules: What is listened for, and what is answered.
        tools: Tools of the rules' own; see `RuleLLMService`.
        speaks: Whether it gives audio (speech-to-speech), or text for a ``tts`` (hybrid).
        voice: The voice it speaks with; as for `EspeakTTSService`.
        **kwargs: For `RuleLLMService`: ``first_token_delay``, ``token_delay``, ...

    Raises:
        ArgumentTypeError: ``speaks`` is no bool.
        PhraseError: Words of the rules' phrases that the dictionary doesn't have.
        MissingExtraError: The "offline" extra isn't installed.
    """

    #: It can't tell where speech is: ``VoiceAgent.Action`` asks for a detector.
    needs_vad = True
    #: It stands in for a model that hears turns itself: where nothing was said of a detector, it
    #: brings its own.
    brings_vad = True
    #: It keeps nothing of a call, so it can serve one after another.
    reusable = True

    def __init__(
        self,
        rules: RuleBook,
        *,
        tools: Sequence[FunctionSchema] = (),
        speaks: bool = True,
        voice: Voice | str | None = None,
        **kwargs: Any,
    ) -> None:
        if not isinstance(speaks, bool):
            raise ArgumentTypeError(f"speaks={speaks!r}: give True (audio) or False (text)")
        super().__init__(rules, tools=tools, **kwargs)
        # Whether it gives audio; never changes.
        self.speaks = speaks
        self._voice = voice
        _Ear(
            rules.phrases, self._heard, self.name
        )  # refuses unknown words now, not when the call starts
        self._ear: _Ear | None = None  # from setup() to cleanup(); so is the voice
        self._mouth: _Mouth | None = None
        self._forget()

    def _forget(self) -> None:
        # The conversation; the pipeline's own object, written by its aggregators.
        self._conversation: LLMContext | None = None
        # What was heard since the last answer: the aggregator writes it down only when an answer
        # begins.
        self._unanswered: list[str] = []
        # Whether a message or a tool's result came that no answer has taken in.
        self._owed = False
        self._replying: asyncio.Task[None] | None = None
        self._open = False  # a response was begun and not ended

    def service_metadata_frame(self) -> LLMServiceMetadataFrame:
        """A realtime service, which leaves turns to the pipeline."""
        return LLMServiceMetadataFrame(service_name=self.name, is_realtime_service=True)

    async def setup(self, setup: FrameProcessorSetup) -> None:
        """Get the recogniser and the voice ready."""
        await super().setup(setup)
        self._forget()
        self._ear = _Ear(self.rules.phrases, self._heard, self.name)
        await self._ear.setup(setup)
        if self.speaks:
            self._mouth = _Mouth(self._voice, self._said, self.name)
            await self._mouth.setup(setup)

    async def cleanup(self) -> None:
        """Let go of the pipeline."""
        await self._stop_replying()
        for part in (self._ear, self._mouth):
            if part is not None:
                await part.cleanup()
        self._ear = self._mouth = None
        await super().cleanup()

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Hear the caller's audio, answer ended turns; pass every other frame on."""
        if isinstance(frame, InputAudioRawFrame):
            await self._let_hear(frame)
            return
        if isinstance(frame, LLMContextFrame):
            await self._take_context(frame.context, direction)
            return
        await super().process_frame(frame, direction)
        if isinstance(frame, StartFrame | EndFrame | CancelFrame):
            await self._let_hear(frame)
            if self._mouth is not None:
                await self._mouth.process_frame(frame, FrameDirection.DOWNSTREAM)
        elif isinstance(frame, VADUserStartedSpeakingFrame | VADUserStoppedSpeakingFrame):
            await self._let_hear(frame)
        elif isinstance(frame, UserStoppedSpeakingFrame):
            if self._unanswered:
                await self._reply()
        elif isinstance(frame, LLMMessagesAppendFrame):
            self._owed = True
        elif isinstance(frame, InterruptionFrame):
            await self._be_interrupted(frame)

    async def _let_hear(self, frame: Frame) -> None:
        if self._ear is not None:
            await self._ear.process_frame(frame, FrameDirection.DOWNSTREAM)

    async def _heard(self, frame: Frame, direction: FrameDirection) -> None:
        """Take what the recogniser gives: transcripts go upstream, to the user's aggregator."""
        if isinstance(frame, TranscriptionFrame):
            self._unanswered.append(frame.text)
        if isinstance(frame, TranscriptionFrame | InterimTranscriptionFrame):
            direction = FrameDirection.UPSTREAM
        await self.push_frame(frame, direction)

    async def _said(self, frame: Frame, direction: FrameDirection) -> None:
        await self.push_frame(frame, direction)

    async def _take_context(self, context: LLMContext, direction: FrameDirection) -> None:
        first, self._conversation = self._conversation is None, context
        self._sync_registered_tool_handlers(context.tools)
        if first or (direction == FrameDirection.UPSTREAM and self._owed):
            await self._reply()

    async def run_function_calls(self, function_calls: Any) -> None:
        """Run tools; the context comes back with their results, and is answered then."""
        self._owed = bool(function_calls) or self._owed
        await super().run_function_calls(function_calls)

    async def _be_interrupted(self, frame: Frame) -> None:
        await self._stop_replying()
        if self._mouth is not None:
            await self._mouth.process_frame(frame, FrameDirection.DOWNSTREAM)
        if self._open:
            self._open = False
            await self.push_frame(LLMFullResponseEndFrame())

    async def _stop_replying(self) -> None:
        task, self._replying = self._replying, None
        if task is not None and not task.done():
            await self.cancel_task(task)

    async def _reply(self) -> None:
        """Answer all that is unanswered, in a task: frames come in meanwhile."""
        await self._stop_replying()
        if self._conversation is None:  # nothing is known of the call yet
            return
        heard, self._unanswered = self._unanswered, []
        self._owed = False
        self._replying = self.create_task(self._answer(self._conversation, heard))

    async def _answer(self, context: LLMContext, heard: list[str]) -> None:
        await self.start_ttfb_metrics()
        await self.start_processing_metrics()
        answer = self._find_answer(context, heard)
        try:
            self._open = True
            await self._emit(LLMFullResponseStartFrame())
            if answer.text or answer.calls:
                await asyncio.sleep(self._first_token_delay)
                await self.stop_ttfb_metrics()
            for index, token in enumerate(_TOKEN.findall(answer.text)):
                await asyncio.sleep(self._token_delay if index else 0)
                await self._emit_token(token)
            # Before the tools: what was heard must be in the context when their calls get there.
            await self._emit(LLMFullResponseEndFrame())
            self._open = False
        except Exception as error:
            await self.push_error(error_msg=f"Error in a reply: {error}", exception=error)
        finally:
            await self.stop_processing_metrics()
        words = sum(len(text.split()) for text in heard)
        await self._report_usage(
            [Heard(" ".join(heard))] if words else [], len(answer.text.split())
        )
        await self._call_tools(context, answer)

    def _find_answer(self, context: LLMContext, heard: list[str]) -> Answer:
        messages = [m for m in context.get_messages() if isinstance(m, Mapping)]
        if not heard and messages:
            line = requested_line(messages[-1])
            if line is not None:
                return Answer(line)
        spoken = LLMContext(messages=[m for m in messages if requested_line(m) is None])  # type: ignore[arg-type]
        history = [*history_of(spoken), *map(Heard, heard)]
        return self.rules.answer(history)

    async def _emit(self, frame: Frame) -> None:
        """Send a frame of the answer out: through the voice, if there is one."""
        if self._mouth is None:
            await self.push_frame(frame)
        else:
            await self._mouth.process_frame(frame, FrameDirection.DOWNSTREAM)

    async def _emit_token(self, token: str) -> None:
        frame = LLMTextFrame(token)
        frame.append_to_context = self._mouth is None  # what is spoken is written down as heard
        await self.push_frame(frame)
        if self._mouth is not None:
            await self._mouth.process_frame(LLMTextFrame(token), FrameDirection.DOWNSTREAM)
