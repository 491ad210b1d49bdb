"""The end of a turn, with an answer that is begun when it is likely and held until it is sure.

pipecat's ``SpeculationGate``, which is in each of its LLM services, holds what the LLM says and
withdraws it where it wants a tool; here is decided when it is asked, and what becomes of it. The
use: a stop window of 0.5 s, which cuts fewer callers off, at the latency of 0.2.

Every way in which a speculation ends is told: a turn that is confirmed while nothing is on its way
any more would never be answered.

Runs on the session's loop.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable

from pipecat.audio.turn.base_turn_analyzer import BaseTurnAnalyzer
from pipecat.frames.frames import (
    EagerEndOfTurnCancelFrame,
    Frame,
    FunctionCallCancelFrame,
    FunctionCallResultFrame,
    FunctionCallsStartedFrame,
    InterimTranscriptionFrame,
    InterruptionFrame,
    LLMContextFrame,
    LLMMessagesAppendFrame,
    LLMMessagesTransformFrame,
    LLMMessagesUpdateFrame,
    LLMSetToolsFrame,
    SystemFrame,
    TranscriptionFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.turns.types import ProcessFrameResult, UserTurnSpeculation

from piopiy_lab import events
from piopiy_lab.events.values import SpeculationOutcome
from piopiy_lab.listening.ahead import Ahead
from piopiy_lab.listening.early_looks import Look
from piopiy_lab.listening.early_stop import EarlyStop


class AheadStop(EarlyStop):
    """Ends turns as ``EarlyStop`` does, and has the LLM asked at a likely end."""

    def __init__(
        self,
        *,
        turn_analyzer: BaseTurnAnalyzer,
        silent_secs: Callable[[], float] = lambda: 0.0,
    ) -> None:
        """Make the strategy; arguments as for ``EarlyStop``."""
        super().__init__(turn_analyzer=turn_analyzer, silent_secs=silent_secs)
        self._ahead = Ahead()
        self._tools: set[str] = set()  # calls that have no result yet
        self._waiting: asyncio.Task[None] | None = None  # until the words have stood
        self._over_at = 0.0  # when the detector was last sure of a silence
        self._over = False  # the call is; by cleanup()

    # --- what is said ------------------------------------------------------------------------

    async def process_frame(self, frame: Frame) -> ProcessFrameResult:
        """Follow words and tools; on the session's loop."""
        match frame:
            case InterimTranscriptionFrame() | TranscriptionFrame():
                await self._hear(frame.text, final=isinstance(frame, TranscriptionFrame))
            case FunctionCallsStartedFrame():
                self._tools |= {call.tool_call_id for call in frame.function_calls}
            case FunctionCallResultFrame() | FunctionCallCancelFrame():
                self._tools.discard(frame.tool_call_id)
            case EagerEndOfTurnCancelFrame():
                self._gone("tool")  # the LLM's service withdrew it
            case InterruptionFrame():
                self._gone("superseded")
            case (
                LLMMessagesAppendFrame()
                | LLMMessagesUpdateFrame()
                | LLMMessagesTransformFrame()
                | LLMSetToolsFrame()
            ):
                await self._withdraw("superseded")  # it was given another conversation
            case VADUserStartedSpeakingFrame():
                await self._withdraw("spoke_on")
            case VADUserStoppedSpeakingFrame():
                self._over_at = self._now()
            case _:
                pass
        result = await super().process_frame(frame)
        if isinstance(frame, InterimTranscriptionFrame | TranscriptionFrame):
            self._consider()
        return result

    async def passes(self, frame: Frame) -> None:
        """Withdraw the answer on its way before anything else goes to the LLM; on the loop.

        The gate would hold that with the answer, and drop it with it: what the agent was told to
        say, and another request.
        """
        ours = isinstance(frame, LLMContextFrame) and frame.speculation
        if not (ours or isinstance(frame, SystemFrame)) and frame.interruptible:
            await self._withdraw("superseded")

    async def _hear(self, text: str, *, final: bool) -> None:
        ears = self._ears
        if ears is None or not (final or ears.trusts_interims()):
            return
        self._ahead.hear(text, self._now(), final=final)
        if self._ahead.outdated:
            await self._withdraw("other_words")

    async def handle_user_turn_started(self) -> None:
        """Nothing of the new turn is said or begun yet."""
        self._ahead.begin_turn()
        await super().handle_user_turn_started()

    async def handle_user_turn_stopped(self) -> None:
        """The turn is over: what is still on its way answers nothing."""
        await self._withdraw("ended")
        self._stop_waiting()
        self._ahead.begin_turn()
        await super().handle_user_turn_stopped()

    async def cleanup(self) -> None:
        """Let go of the call."""
        self._over = True
        self._stop_waiting()
        self._gone("ended")
        await super().cleanup()

    async def _spoke_on(self) -> None:
        await self._withdraw("spoke_on")

    # --- the answer --------------------------------------------------------------------------

    def _looks_now(self, look: Look) -> None:
        look.verdict.add_done_callback(lambda _: self._consider())

    @property
    def _likely_since(self) -> float:
        """Since when the caller is done, as far as can be told; ``inf``: they aren't."""
        look, ears = self._looks.pending, self._ears
        if not self._turn or self._tools or self._over or ears is None or ears.answering():
            return math.inf  # behind another answer it would wait, and could not be withdrawn
        if look is not None:
            return look.asked.at if look.complete else math.inf
        over = self._turn_complete and not self._vad_user_speaking
        return self._over_at if over else math.inf

    def _consider(self) -> None:
        """Begin an answer when the words have stood, if the caller is likely to be done."""
        self._stop_waiting()
        due_at = self._ahead.due_at(self._likely_since)
        if due_at < math.inf:
            self._waiting = asyncio.get_running_loop().create_task(self._begin(due_at))

    async def _begin(self, due_at: float) -> None:
        left = due_at - self._now()
        if left > 1e-6:
            await asyncio.sleep(left)
        self._waiting = None
        since = self._likely_since
        if since == math.inf or self._ahead.begun is not None:
            return
        text = self._ahead.begin(since)
        self._log(events.AnswerSpeculated(at=self._now(), text=text))
        await self.trigger_user_turn_inference_triggered(speculation=UserTurnSpeculation(text=text))

    async def trigger_user_turn_stopped(
        self, *, enable_user_speaking_frames: bool | None = None
    ) -> None:
        """End the turn: the answer on its way is let go if it answers all that was said."""
        self._stop_waiting()
        text = self._ahead.confirm()
        if text is None:
            await self._withdraw("other_words")
            await super().trigger_user_turn_stopped(
                enable_user_speaking_frames=enable_user_speaking_frames
            )
            return
        self._settled(text, "confirmed")
        await self.trigger_user_turn_finalized(
            enable_user_speaking_frames=enable_user_speaking_frames, confirms_speculation=True
        )

    async def _withdraw(self, outcome: SpeculationOutcome) -> None:
        """Throw the answer on its way away, ahead of whatever comes next."""
        if self._gone(outcome):
            await self.trigger_user_turn_speculation_cancelled()

    def _gone(self, outcome: SpeculationOutcome) -> bool:
        """Note that nothing is on its way any more; return whether something was."""
        text = self._ahead.throw_away()
        if text is not None:
            self._settled(text, outcome)
        return text is not None

    def _settled(self, text: str, outcome: SpeculationOutcome) -> None:
        self._log(events.SpeculationSettled(at=self._now(), text=text, outcome=outcome))

    def _log(self, event: events.Event) -> None:
        if self._ears is not None:
            self._ears.log(event)

    def _stop_waiting(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None and waiting is not asyncio.current_task():
            waiting.cancel()
