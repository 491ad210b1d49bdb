"""The end of a turn, where the turn model looks before the detector is sure of the silence.

The detector's windows say when: about 0.1 s of them are below its threshold, and the model looks,
beside everything else. When the detector is sure, and nothing was said since, an early "complete"
counts; an early "incomplete" is looked at again. One window of voice voids the look.

A voice over the agent's words is judged if it began a turn, and not else: most are none. One that
the agent was silent for is judged in any case, so that the words that begin its turn, where only
words do, find a verdict.

Runs on the session's loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from pipecat.audio.turn.base_turn_analyzer import BaseTurnAnalyzer
from pipecat.frames.frames import (
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    Frame,
    InputAudioRawFrame,
    MetricsFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.metrics.metrics import MetricsData
from pipecat.turns.types import ProcessFrameResult
from pipecat.turns.user_stop import TurnAnalyzerUserTurnStopStrategy

from piopiy_lab import events
from piopiy_lab.checks.threads import SameThread
from piopiy_lab.listening import seams
from piopiy_lab.listening.early_looks import LOOK_SECS, EarlyLooks, Look
from piopiy_lab.listening.turn_stop import OVER_SECS, SAME_VOICE_SECS


@dataclass(frozen=True, kw_only=True)
class _Beside:
    """A voice that began no turn; its words may still."""

    over_at: float  # seconds of the loop's clock: when the detector was sure
    words_by: float  # when its words are all there, at the latest
    complete: bool  # whether it sounded so, or was not judged


@dataclass(frozen=True, kw_only=True)
class Ears:
    """What the strategy needs of the call.

    Attributes:
        now: Returns the seconds of the call's clock.
        notice: Tells the user something, once.
        log: Takes an event.
        trusts_interims: Returns whether what the recogniser has of a sentence are words.
        window_secs: Returns the length of the detector's windows.
        stop_secs: Returns how much silence makes the detector sure.
        answering: Returns whether the LLM is at work on an answer that is owed already.
    """

    now: Callable[[], float]
    notice: Callable[[str], None]
    log: Callable[[events.Event], None]
    trusts_interims: Callable[[], bool]
    window_secs: Callable[[], float]
    stop_secs: Callable[[], float]
    answering: Callable[[], bool]


class EarlyStop(TurnAnalyzerUserTurnStopStrategy):
    """Ends turns as pipecat's strategy does, with a verdict that is there in time.

    Without ears, and with a model that does its own looking, the look is at the stop.
    """

    def __init__(
        self,
        *,
        turn_analyzer: BaseTurnAnalyzer,
        silent_secs: Callable[[], float] = lambda: 0.0,
    ) -> None:
        """Make the strategy.

        Args:
            turn_analyzer: The turn model.
            silent_secs: Returns for how long no voice was heard, the detector's volume gate aside;
                0 where nobody knows.
        """
        self._silent_secs = silent_secs
        self._ears: Ears | None = None  # by listen(): before the pipeline starts
        looks = EarlyLooks(turn_analyzer, now=self._now, tell=self._tell)
        super().__init__(turn_analyzer=looks)
        self._looks = looks
        self._can_look = seams.can_look(turn_analyzer)
        self._here = SameThread()
        self._heard: list[bool] = []  # whether each new window is a voice; by heard()
        self._any_window = False  # whether the detector shows its windows; by heard()
        self._silent = 0  # windows of silence on end; by _follow()
        self._agent_speaks = False  # by process_frame()
        self._over_agent = False  # whether the last voice began over the agent's words
        self._turn = False  # whether there is one
        self._beside: _Beside | None = None  # what is known of a voice that began no turn
        self._said: set[str] = set()  # notices that were given

    def listen(self, ears: Ears) -> None:
        """Take what is heard of the call."""
        self._ears = ears

    def heard(self, voice: bool) -> None:
        """Take the detector's judgement of a window, before the sound that it is of."""
        self._heard.append(voice)
        self._any_window = True

    async def process_frame(self, frame: Frame) -> ProcessFrameResult:
        """Follow the silence behind each piece of the caller's sound; on the session's loop."""
        assert self._here(), "only on the session's loop"
        match frame:
            case BotStartedSpeakingFrame() | BotStoppedSpeakingFrame():
                self._agent_speaks = isinstance(frame, BotStartedSpeakingFrame)
            case VADUserStartedSpeakingFrame():
                self._over_agent, self._beside = self._agent_speaks, None
            case VADUserStoppedSpeakingFrame():
                self._check(frame.stop_secs)
            case _:
                pass
        result = await super().process_frame(frame)
        if isinstance(frame, InputAudioRawFrame):
            voice = any(self._heard)
            self._follow()
            if voice:
                await self._spoke_on()
        return result

    async def _spoke_on(self) -> None:
        """The caller goes on, or never paused."""

    def _looks_now(self, look: Look) -> None:
        """The model looks early."""

    async def handle_user_turn_started(self) -> None:
        """Wait for the turn's end.

        Late words, whose voice is over already, end theirs when they are all there; if the voice
        sounded incomplete it goes on.
        """
        await super().handle_user_turn_started()
        self._turn = True
        beside, self._beside = self._beside, None
        now = asyncio.get_running_loop().time()
        silent = self._silent_secs()
        if beside is None and OVER_SECS <= silent <= SAME_VOICE_SECS:  # too low for the detector
            words_by = now + max(0.0, self._stt_timeout - silent)
            beside = _Beside(over_at=now, words_by=words_by, complete=True)
        if beside is None or self._vad_user_speaking or now - beside.over_at > SAME_VOICE_SECS:
            return
        self._vad_stopped, self._turn_complete = True, beside.complete
        self._timeout_task = self.task_manager.create_task(
            self._timeout_handler(max(0.0, beside.words_by - now)), f"{self}::_timeout_handler"
        )

    async def handle_user_turn_stopped(self) -> None:
        """The turn is over."""
        self._turn = False
        await super().handle_user_turn_stopped()

    async def _handle_vad_user_stopped_speaking(self, frame: VADUserStoppedSpeakingFrame) -> None:
        turn, complete = self._turn, True
        if turn or not self._over_agent:
            await super()._handle_vad_user_stopped_speaking(frame)
            complete = self._turn_complete
        else:
            self._vad_user_speaking = False
            self._looks.clear()
        if not turn:
            now = asyncio.get_running_loop().time()
            words_by = now - frame.stop_secs + self._stt_timeout
            self._beside = _Beside(over_at=now, words_by=words_by, complete=complete)

    def _follow(self) -> None:
        """Look when it is time; a voice voids that."""
        ears = self._ears
        for voice in self._heard:
            self._silent = 0 if voice else self._silent + 1
            if voice:
                self._looks.void()
        self._heard.clear()
        if ears is None or not self._can_look:
            return
        secs = ears.window_secs()
        self._looks.silence_secs = self._silent * secs
        judged = self._turn or not self._over_agent
        waits = judged and self._vad_user_speaking
        if waits and _first(secs) <= self._silent < _windows(ears.stop_secs(), secs):
            look = self._looks.look_if_due()
            if look is not None:
                self._looks_now(look)

    def _check(self, stop_secs: float) -> None:
        """Say once why the model doesn't look early."""
        ears = self._ears
        if ears is None or not self._can_look:
            return
        if not self._any_window:
            self._looks.silence_secs = stop_secs
            why = "this call's detector shows no windows"
        elif _windows(stop_secs, ears.window_secs()) <= _first(ears.window_secs()):
            why = f"the detector's stop_secs ({stop_secs:g}) is no longer than its first look"
        else:
            return
        if why not in self._said:
            self._said.add(why)
            ears.notice(
                f"the turn model looks when the detector is sure of the silence, and not "
                f"{LOOK_SECS:g} s into it: {why}"
            )

    def _now(self) -> float:
        return self._ears.now() if self._ears is not None else 0.0

    async def _tell(self, data: MetricsData) -> None:
        await self.push_frame(MetricsFrame(data=[data]))


def _windows(stop_secs: float, window_secs: float) -> int:
    """Return after how many windows of silence the detector is sure, as pipecat counts them."""
    return round(stop_secs / window_secs)


def _first(window_secs: float) -> int:
    """Return after how many the model looks."""
    return max(1, round(LOOK_SECS / window_secs))
