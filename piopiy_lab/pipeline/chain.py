"""The pipeline of one run: a chain of processors, and the worker that drives it.

Runs on the session's loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from pipecat.audio.vad.vad_analyzer import VADAnalyzer
from pipecat.clocks.base_clock import BaseClock
from pipecat.frames.frames import (
    ControlFrame,
    Frame,
    InputAudioRawFrame,
    InterruptionFrame,
    LLMMessagesAppendFrame,
)
from pipecat.observers.base_observer import BaseObserver
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams
from pipecat.processors.aggregators.dtmf_aggregator import DTMFAggregator
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import (
    LLMAssistantAggregator,
    LLMContextAggregatorPair,
    LLMUserAggregator,
    LLMUserAggregatorParams,
)
from pipecat.processors.frame_processor import FrameCallback, FrameDirection, FrameProcessor
from pipecat.turns.user_turn_strategies import UserTurnStrategies

from piopiy_lab import events
from piopiy_lab.errors import ArgumentTypeError
from piopiy_lab.pipeline import seams
from piopiy_lab.pipeline.ahead_sound import VoiceDoor, VoiceGate
from piopiy_lab.pipeline.parts import Parts
from piopiy_lab.pipeline.worker import CallWorker
from piopiy_lab.session.session import Session
from piopiy_lab.session.transport import CallTransport

#: Puts a frame at a pipeline's beginning.
QueueFrame = Callable[[Frame], Coroutine[object, object, None]]

#: Seconds that services may take to get ready (pipecat: 20), and that a cancelled pipeline may
#: take to fall silent (pipecat: 20): a hung provider must not hold a call up.
READY_SECS = 10.0
CANCEL_SECS = 1.0
#: Seconds that the caller's turn waits at most for the interruption that it made.
CUT_SECS = 0.5


class CallClock(BaseClock):
    """The pipeline's clock: nanoseconds of the call's own clock."""

    def __init__(self, now: Callable[[], float]) -> None:
        """Read the time from ``now``, in seconds."""
        self._now = now

    def get_time(self) -> int:
        """Return the call's time in nanoseconds."""
        return round(self._now() * 1e9)

    def start(self) -> None:
        """The call's clock runs already."""


@dataclass
class RealtimeMessageFrame(ControlFrame):
    """A message for a realtime model to answer, on its way past the user's aggregator."""

    interruptible: bool = field(default=False, init=False)
    message: Any = None


class RealtimeMessages(FrameProcessor):
    """Lets messages in to a realtime model.

    Such a model keeps the conversation itself and takes in what reaches it as an append, which
    the user's aggregator would keep to itself. The assistant's aggregator, behind the model,
    writes the message down and asks for the answer.
    """

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Make an append of a message; pass every other frame on."""
        await super().process_frame(frame, direction)
        if isinstance(frame, RealtimeMessageFrame):
            frame = LLMMessagesAppendFrame(messages=[frame.message], run_llm=True)
        await self.push_frame(frame, direction)


class Keypad(DTMFAggregator):
    """pipecat's aggregator of keys, which the caller's audio does not pass through.

    It does nothing with audio, and each piece would wait in its queue for its task.
    """

    async def queue_frame(
        self,
        frame: Frame,
        direction: FrameDirection = FrameDirection.DOWNSTREAM,
        callback: FrameCallback | None = None,
    ) -> None:
        """Take a frame, or hand the caller's audio to the next processor."""
        after = self.next
        if after is not None and isinstance(frame, InputAudioRawFrame):
            await after.queue_frame(frame, direction, callback)
        else:
            await super().queue_frame(frame, direction, callback)


class LastListener(LLMUserAggregator):
    """The user's side of a cascaded pipeline's context, where the caller's audio ends.

    Nothing behind it listens: the audio would travel through four more processors to be dropped at
    the end, and that is a third of a quiet call's CPU time.

    A turn that late words begin is over at once. What the agent had said by then must be in the
    context before it: the interruption has to have reached the assistant's side.
    """

    #: Told of what is about to go to the LLM; by lend_ears(), before the pipeline starts.
    before_push: Callable[[Frame], Awaitable[None]] | None = None
    _cut: asyncio.Event | None = None  # set when the last interruption was carried out

    async def broadcast_interruption(self) -> None:
        """Interrupt the agent."""
        self._cut = asyncio.Event()
        await super().broadcast_interruption()

    def cut(self) -> None:
        """Take note that what was heard of the agent's words is in the context."""
        if self._cut is not None:
            self._cut.set()

    async def push_aggregation(self) -> str:
        """Write the turn to the context, after what the agent had said before it."""
        if self._cut is not None:
            with suppress(TimeoutError):  # a service that hangs in its interruption
                await asyncio.wait_for(self._cut.wait(), CUT_SECS)
            self._cut = None
        return await super().push_aggregation()

    async def push_frame(
        self, frame: Frame, direction: FrameDirection = FrameDirection.DOWNSTREAM
    ) -> None:
        """Push a frame on, but for the caller's audio."""
        if isinstance(frame, InputAudioRawFrame):
            return
        if self.before_push is not None and direction is FrameDirection.DOWNSTREAM:
            await self.before_push(frame)
        await super().push_frame(frame, direction)


class LastSpeaker(LLMAssistantAggregator):
    """The assistant's side of it, which says when an interruption has come through."""

    def __init__(self, context: LLMContext, *, on_cut: Callable[[], None]) -> None:
        """Make it; ``on_cut`` is called when the words that were heard are in the context."""
        super().__init__(context)
        self._on_cut = on_cut

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Aggregate the agent's words."""
        await super().process_frame(frame, direction)
        if isinstance(frame, InterruptionFrame):
            self._on_cut()


@dataclass(frozen=True)
class ContextAggregators:
    """Both sides of a call's context, as pipecat's ``LLMContextAggregatorPair`` gives them.

    ``user().context.get_messages()`` is the conversation, after the call too.
    """

    _user: LLMUserAggregator
    _assistant: LLMAssistantAggregator

    def user(self) -> LLMUserAggregator:
        """Return the user's side."""
        return self._user

    def assistant(self) -> LLMAssistantAggregator:
        """Return the assistant's side."""
        return self._assistant


@dataclass(frozen=True)
class Ends:
    """The two ends of any pipeline: the transport's input and output."""

    input: FrameProcessor
    output: FrameProcessor


@dataclass(frozen=True, kw_only=True)
class Chain:
    """The processors of a call, in order.

    Attributes:
        processors: From the transport's input to the assistant's side of the context.
        input: The transport's input, where the caller's audio comes from.
        output: The transport's output, which says what has been played.
        user: The user's side of the context.
        assistant: The assistant's side of the context, where tools' results are kept.
        analyzer: The detector at work, None where there is none or it doesn't show itself.
        heard: Functions that take its judgements; written to before the pipeline starts.
    """

    processors: list[FrameProcessor]
    input: FrameProcessor
    output: FrameProcessor
    user: LLMUserAggregator
    assistant: LLMAssistantAggregator
    analyzer: VADAnalyzer | None
    heard: list[Callable[[events.VADSampled], None]] = field(default_factory=list)


def build_chain(
    parts: Parts, context: LLMContext, transport: CallTransport, turns: UserTurnStrategies | None
) -> Chain:
    """Chain the parts up.

    Args:
        parts: What ``Action`` was given.
        context: The conversation that the LLM is given.
        transport: The call's transport.
        turns: pipecat's ``UserTurnStrategies``; None takes what a service recommends.

    Raises:
        ArgumentTypeError: An end of the transport is no processor of pipecat's.
    """
    source = _processor("input", transport.input())
    sink = _processor("output", transport.output())
    analyzer = parts.vad if isinstance(parts.vad, VADAnalyzer) else None
    params = LLMUserAggregatorParams(
        vad_analyzer=analyzer,
        user_turn_strategies=turns,
        user_mute_strategies=list(parts.mute_strategies),
    )
    if parts.mode == "cascaded":
        user = LastListener(context, params=params)
        assistant = LastSpeaker(context, on_cut=user.cut)
        _let_results_be_told(user)
    else:
        pair = LLMContextAggregatorPair(context, user_params=params)
        user, assistant = pair.user(), pair.assistant()
    chain: list[FrameProcessor | None] = [source]
    if isinstance(parts.vad, FrameProcessor):
        chain.append(parts.vad)
        analyzer = seams.analyzer_in(parts.vad)
    messages = None if parts.mode == "cascaded" else RealtimeMessages(enable_direct_mode=True)
    chain += [parts.stt, Keypad(), user, messages, parts.llm]
    if parts.turns.ahead == "sound":
        for llm in parts.llms:
            seams.let_through(llm)
        chain += [VoiceDoor(), parts.tts, VoiceGate()]
    else:
        chain.append(parts.tts)
    chain += [sink, assistant]
    return Chain(
        processors=[processor for processor in chain if processor is not None],
        input=source,
        output=sink,
        user=user,
        assistant=assistant,
        analyzer=analyzer,
    )


def _let_results_be_told(user: LLMUserAggregator) -> None:
    """Have the LLM told of a tool's result that came in a user turn in which nothing was said.

    pipecat holds the result back while the user speaks, for the turn's own run of the LLM. A turn
    without words, of a noise, brings none; whatever is appended then, be it nothing, lets it go.
    """

    async def on_stopped(aggregator: LLMUserAggregator, strategy: object, message: Any) -> None:
        if not message.content:
            await aggregator.push_frame(LLMMessagesAppendFrame(messages=[], run_llm=False))

    user.add_event_handler("on_user_turn_stopped", on_stopped)


def _processor(end: str, found: object) -> FrameProcessor:
    if not isinstance(found, FrameProcessor):
        raise ArgumentTypeError(
            f"the transport's {end}() gave {found!r}: it must return a FrameProcessor of pipecat's"
        )
    return found


def make_worker(chain: Chain, parts: Parts, session: Session, observer: BaseObserver) -> CallWorker:
    """Return the worker that drives a chain, on the call's own clock."""
    return CallWorker(
        Pipeline(chain.processors),
        observer=observer,
        params=PipelineParams(
            audio_in_sample_rate=parts.audio_in_sample_rate,
            audio_out_sample_rate=parts.audio_out_sample_rate,
            enable_metrics=parts.enable_metrics,
            enable_usage_metrics=parts.enable_usage_metrics,
        ),
        clock=CallClock(session.log.now),
        observers=[*parts.observers],
        enable_rtvi=session.settings.rtvi,
        enable_turn_tracking=False,
        idle_timeout_secs=None,  # the observer sees all that it needs: AgentRun._watch_idle()
        cancel_timeout_secs=CANCEL_SECS,
        setup_timeout_secs=READY_SECS,
        start_timeout_secs=READY_SECS,
    )
