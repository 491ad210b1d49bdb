"""The one translation from pipecat frames to our events.

Everything the log knows of a pipeline comes through here (frames), through ``vad`` (the
detector's judgements, which are in no frame) and from the transports (what was played). The time
of an event is the time at which its frame was pushed.

Runs on the session's loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from pipecat.frames import frames as f
from pipecat.metrics import metrics as m
from pipecat.observers.base_observer import BaseObserver, FramePushed
from pipecat.processors.aggregators.dtmf_aggregator import DTMFAggregator
from pipecat.processors.aggregators.llm_response_universal import (
    LLMAssistantAggregator,
    LLMUserAggregator,
)
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.transports.base_output import BaseOutputTransport

from piopiy_lab import events
from piopiy_lab.checks.threads import SameThread
from piopiy_lab.events.log import EventLog
from piopiy_lab.events.values import InterruptionCause
from piopiy_lab.listening.early_looks import LookMetricsData
from piopiy_lab.services import error_texts
from piopiy_lab.services.frame_values import (
    is_timed,
    measured,
    notice_with,
    plain,
    readable_messages,
    tool_names,
    word_times,
)


class CallObserver(BaseObserver):
    """Writes a pipeline's frames into an event log."""

    def __init__(self, log: EventLog, *, deterministic: bool = False) -> None:
        """Observe for ``log``.

        Args:
            log: Where the events go.
            deterministic: Leave out what differs between two runs of one simulation
                (measured CPU time).
        """
        super().__init__(observe_every_push=False)
        self._log = log
        self._here = SameThread()
        self._deterministic = deterministic
        #: Nanoseconds of the call's clock at which the pipeline's own began; 0: they are one.
        self.began = 0
        self.next_cause: InterruptionCause | None = (
            None  # why the next interruption comes; set by commands
        )
        self.instructions: str | None = (
            None  # what the LLM is told besides its context; by AgentRun
        )
        self.active_at = 0.0  # seconds: when either side was last known to speak
        self._user_speaking = False
        self._user_turn = False
        self._agent_speaking = False
        self.silent = asyncio.Event()  # set while the agent isn't being heard
        self.silent.set()
        self.speaking = asyncio.Event()  # set while it is
        self._interrupted = False  # the agent is falling silent because it was interrupted
        #: Interruptions on their way to the output, by id: whether an answer was under way when
        #: they were pushed. One that has begun since, behind them, is not what they stop.
        self._on_their_way: dict[int, bool] = {}
        self._responding = False  # the LLM is giving an answer
        self._synthesising = False
        self._sounding: set[str] = set()  # audio contexts whose sound has reached the output
        self._audio_seen = False  # the current reply's first audio has left the synthesis
        self._tools: dict[str, int] = {}  # tool_call_id -> number
        self._handlers: dict[type, Callable[[Any, FramePushed, float], None] | None] = {}

    # --- pipecat's side ----------------------------------------------------------------------

    async def on_push_frame(self, data: FramePushed) -> None:
        """Take a frame that was pushed for the first time."""
        assert self._here(), "only on the session's loop"
        kind = type(data.frame)
        try:
            handler = self._handlers[kind]
        except KeyError:
            handler = self._handlers[kind] = self._find_handler(kind)
        if handler is not None:
            handler(data.frame, data, (data.timestamp + self.began) / 1e9)

    def watch_output(self, output: FrameProcessor) -> None:
        """Take the agent's words, and what stops them, at the output: when they are heard."""

        async def before_push(output: FrameProcessor, frame: f.Frame) -> None:
            if isinstance(frame, f.InterruptionFrame):
                self._interrupted_at_output(self._log.now(), frame)
            elif isinstance(frame, f.TTSTextFrame) and self._may_be_heard(frame):
                self._add(
                    events.WordSpoken,
                    self._log.now(),
                    text=frame.text.strip(),
                    timed=is_timed(frame),
                )

        async def before_process(output: FrameProcessor, frame: f.Frame) -> None:
            if isinstance(frame, f.TTSAudioRawFrame) and frame.context_id:
                self._sounding.add(frame.context_id)

        output.add_event_handler("on_before_push_frame", before_push)
        output.add_event_handler("on_before_process_frame", before_process)

    def _may_be_heard(self, frame: f.TTSTextFrame) -> bool:
        """Tell whether a text that reached the output can have been heard.

        When a synthesis fails, pipecat still passes on the text that should have been spoken.
        Words with times come from the provider, and may come before their sound.
        """
        return not frame.context_id or is_timed(frame) or frame.context_id in self._sounding

    def _find_handler(self, kind: type) -> Callable[[Any, FramePushed, float], None] | None:
        for base in kind.__mro__:
            if (method := _HANDLERS.get(base)) is not None:
                return method.__get__(self)
        return None

    def _add(self, kind: type[events.Event], at: float, **values: Any) -> None:
        self._log.append(kind(at=at, **values))

    # --- the user's side ---------------------------------------------------------------------

    def _vad_started(self, frame: f.VADUserStartedSpeakingFrame, _: FramePushed, at: float) -> None:
        self.active_at = at
        if not self._user_speaking:
            self._user_speaking = True
            self._add(events.UserSpeechStarted, at, cause="vad", start_secs=frame.start_secs)

    def _vad_stopped(self, frame: f.VADUserStoppedSpeakingFrame, _: FramePushed, at: float) -> None:
        self.active_at = at
        if self._user_speaking:
            self._user_speaking = False
            self._add(events.UserSpeechStopped, at, cause="vad", stop_secs=frame.stop_secs)

    def _turn_started(self, _: f.UserStartedSpeakingFrame, __: FramePushed, at: float) -> None:
        self.active_at = at
        if not self._user_turn:
            self._user_turn = True
            self._add(events.UserTurnStarted, at)

    def _turn_stopped(self, _: f.UserStoppedSpeakingFrame, __: FramePushed, at: float) -> None:
        if self._user_turn:
            self._user_turn = False
            self._add(events.UserTurnStopped, at)

    def _active(self, _: f.Frame, __: FramePushed, at: float) -> None:
        self.active_at = at

    def _interim(self, frame: f.InterimTranscriptionFrame, _: FramePushed, at: float) -> None:
        self.active_at = at
        self._add(events.InterimTranscribed, at, text=frame.text)

    def _final(self, frame: f.TranscriptionFrame, data: FramePushed, at: float) -> None:
        self.active_at = at
        if not isinstance(data.source, DTMFAggregator):
            self._add(events.Transcribed, at, text=frame.text, words=word_times(frame.result))
            if notice := notice_with(frame.result):
                self._add(events.NoticeGiven, at, message=notice)

    def _user_turn_added(self, frame: f.LLMContextUserTurnFrame, data: FramePushed, at: float):
        if data.direction == FrameDirection.DOWNSTREAM:
            self._add(events.UserTurnAdded, at, text=frame.text)

    def _dtmf(self, frame: f.InputDTMFFrame, _: FramePushed, at: float) -> None:
        self._add(events.DTMFReceived, at, digit=frame.button.value)

    def _muted(self, frame: f.Frame, data: FramePushed, at: float) -> None:
        if data.direction == FrameDirection.DOWNSTREAM:
            self._add(events.UserMuted, at, muted=isinstance(frame, f.UserMuteStartedFrame))

    # --- the LLM -----------------------------------------------------------------------------

    def _context(self, frame: f.LLMContextFrame, data: FramePushed, at: float) -> None:
        to_llm = (
            isinstance(data.source, LLMAssistantAggregator)
            and data.direction == FrameDirection.UPSTREAM
        ) or (
            not isinstance(data.source, LLMAssistantAggregator)
            and data.direction == FrameDirection.DOWNSTREAM
        )
        if to_llm:
            self._add(
                events.ContextSent,
                at,
                messages=[
                    *self._instructing(),
                    *readable_messages(frame.context),
                ],
                tools=tool_names(frame.context),
                speculative=frame.speculation,
            )

    def _instructing(self) -> list[dict[str, object]]:
        told = self.instructions
        return [] if told is None else [{"role": "system", "content": told}]

    def _response_started(self, _: f.Frame, __: FramePushed, at: float) -> None:
        self._responding = True
        self._add(events.LLMResponseStarted, at)

    def _llm_text(self, frame: f.LLMTextFrame, _: FramePushed, at: float) -> None:
        self._add(events.LLMTextGenerated, at, text=frame.text)

    def _response_stopped(self, _: f.Frame, __: FramePushed, at: float) -> None:
        self._responding = False
        self._add(events.LLMResponseStopped, at)

    # --- the agent's voice -------------------------------------------------------------------

    def _speak(self, frame: f.TTSSpeakFrame, _: FramePushed, at: float) -> None:
        self._add(events.SpeechRequested, at, text=frame.text)

    def _tts_started(self, _: f.Frame, __: FramePushed, at: float) -> None:
        self._synthesising, self._audio_seen = True, False
        self._add(events.SynthesisStarted, at)

    def _tts_audio(self, frame: f.TTSAudioRawFrame, data: FramePushed, at: float) -> None:
        from_voice = frame.audio and not isinstance(data.source, BaseOutputTransport)
        if from_voice and not self._audio_seen:
            self._audio_seen = True
            self._add(events.AudioSynthesized, at)

    def _tts_stopped(self, _: f.Frame, data: FramePushed, at: float) -> None:
        if self._synthesising:
            self._synthesising = False
            self._add(events.SynthesisStopped, at)

    def _agent_started(self, _: f.Frame, __: FramePushed, at: float) -> None:
        self.active_at = at
        if not self._agent_speaking:
            self._agent_speaking, self._interrupted = True, False
            self.silent.clear()
            self.speaking.set()
            self._add(events.AgentSpeechStarted, at)

    def _agent_stopped(self, _: f.Frame, __: FramePushed, at: float) -> None:
        self.active_at = at
        if self._agent_speaking:
            self._agent_speaking = False
            self.silent.set()
            self.speaking.clear()
            cause = "interrupted" if self._interrupted else "finished"
            self._add(events.AgentSpeechStopped, at, cause=cause)

    def _agent_turn_added(
        self, frame: f.LLMContextAssistantTurnFrame, data: FramePushed, at: float
    ) -> None:
        if data.direction == FrameDirection.DOWNSTREAM:
            self._add(events.AgentTurnAdded, at, text=frame.text)

    def _interruption(self, frame: f.InterruptionFrame, data: FramePushed, at: float) -> None:
        """Note who interrupts; what it stops is known when it reaches the output."""
        if data.direction != FrameDirection.DOWNSTREAM:
            return
        self._on_their_way[frame.id] = self._answering
        if isinstance(data.source, DTMFAggregator):
            self.next_cause = "keypad"
        elif isinstance(data.source, LLMUserAggregator):
            self.next_cause = "user"

    @property
    def _answering(self) -> bool:
        """Whether an answer is being made."""
        return self._responding or self._synthesising

    def _interrupted_at_output(self, at: float, frame: f.InterruptionFrame) -> None:
        """Take an interruption at the moment when the sound stops, so that no word comes after."""
        cause, self.next_cause = self.next_cause, None
        answering = self._on_their_way.pop(frame.id, self._answering)
        if self._agent_speaking or (answering and self._answering):
            self._interrupted = self._agent_speaking
            self._responding = self._synthesising = False
            self._add(
                events.AgentInterrupted,
                at,
                cause=cause or "command",
                speaking=self._agent_speaking,
            )

    # --- tools -------------------------------------------------------------------------------

    def _tool_called(self, frame: f.FunctionCallInProgressFrame, _: FramePushed, at: float) -> None:
        if frame.tool_call_id not in self._tools:
            number = self._tools[frame.tool_call_id] = len(self._tools) + 1
            self._add(
                events.ToolCalled,
                at,
                name=frame.function_name,
                arguments=plain(frame.arguments),
                number=number,
            )

    def _tool_returned(self, frame: f.FunctionCallResultFrame, data: FramePushed, at: float):
        final = frame.properties is None or frame.properties.is_final
        number = self._tools.get(frame.tool_call_id)
        if data.direction == FrameDirection.DOWNSTREAM and number is not None and final:
            self._add(
                events.ToolReturned,
                at,
                name=frame.function_name,
                number=number,
                result=plain(getattr(frame.result, "value", frame.result)),
                error=frame.error or getattr(frame.result, "error", None),
            )

    def _tool_cancelled(self, frame: f.FunctionCallCancelFrame, data: FramePushed, at: float):
        number = self._tools.get(frame.tool_call_id)
        if data.direction == FrameDirection.DOWNSTREAM and number is not None:
            self._add(
                events.ToolCancelled,
                at,
                name=frame.function_name,
                number=number,
                cause="timeout" if frame.run_llm else "interrupted",
            )

    # --- the rest ----------------------------------------------------------------------------

    def _metrics(self, frame: f.MetricsFrame, _: FramePushed, at: float) -> None:
        for data in frame.data:
            if isinstance(data, m.TurnMetricsData):
                secs = None if self._deterministic else data.e2e_processing_time_ms / 1000
                self._add(
                    events.TurnPredicted,
                    at,
                    complete=data.is_complete,
                    probability=round(data.probability, 6),
                    inference_secs=secs,
                    **(data.look() if isinstance(data, LookMetricsData) else {}),
                )
            for name, unit, value in measured(data):
                if value is not None and (value or unit != "s"):
                    self._add(
                        events.MetricsReported,
                        at,
                        service=data.processor.split("#")[0],
                        name=name,
                        value=round(value, 6),
                        unit=unit,
                    )

    def _error(self, frame: f.ErrorFrame, _: FramePushed, at: float) -> None:
        message, remedy = error_texts.explained(frame)
        source = type(frame.processor).__name__ if frame.processor else "pipeline"
        self._add(events.ErrorOccurred, at, message=message, source=source, remedy=remedy)


_HANDLERS: dict[type, Callable[..., None]] = {
    f.VADUserStartedSpeakingFrame: CallObserver._vad_started,
    f.VADUserStoppedSpeakingFrame: CallObserver._vad_stopped,
    f.UserStartedSpeakingFrame: CallObserver._turn_started,
    f.UserStoppedSpeakingFrame: CallObserver._turn_stopped,
    f.UserSpeakingFrame: CallObserver._active,
    f.BotSpeakingFrame: CallObserver._active,
    f.InterimTranscriptionFrame: CallObserver._interim,
    f.TranscriptionFrame: CallObserver._final,
    f.LLMContextUserTurnFrame: CallObserver._user_turn_added,
    f.InputDTMFFrame: CallObserver._dtmf,
    f.UserMuteStartedFrame: CallObserver._muted,
    f.UserMuteStoppedFrame: CallObserver._muted,
    f.LLMContextFrame: CallObserver._context,
    f.LLMFullResponseStartFrame: CallObserver._response_started,
    f.LLMTextFrame: CallObserver._llm_text,
    f.LLMFullResponseEndFrame: CallObserver._response_stopped,
    f.TTSSpeakFrame: CallObserver._speak,
    f.TTSStartedFrame: CallObserver._tts_started,
    f.TTSAudioRawFrame: CallObserver._tts_audio,
    f.TTSStoppedFrame: CallObserver._tts_stopped,
    f.BotStartedSpeakingFrame: CallObserver._agent_started,
    f.BotStoppedSpeakingFrame: CallObserver._agent_stopped,
    f.LLMContextAssistantTurnFrame: CallObserver._agent_turn_added,
    f.InterruptionFrame: CallObserver._interruption,
    f.FunctionCallInProgressFrame: CallObserver._tool_called,
    f.FunctionCallResultFrame: CallObserver._tool_returned,
    f.FunctionCallCancelFrame: CallObserver._tool_cancelled,
    f.MetricsFrame: CallObserver._metrics,
    f.ErrorFrame: CallObserver._error,
}
