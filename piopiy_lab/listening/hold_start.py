"""The turn start strategy that holds the agent's sound before it decides. See ``holding``.

It sees the caller's audio behind the detector, so it looks at every window; the rule itself is
pure, and what it says is carried out here. Runs on the session's loop.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from pipecat.frames.frames import (
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    Frame,
    InputAudioRawFrame,
    InterimTranscriptionFrame,
    TranscriptionFrame,
    UserBackchannelFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.turns.types import ProcessFrameResult
from pipecat.utils.time import time_now_iso8601

from piopiy_lab import events
from piopiy_lab.events.log import EventLog
from piopiy_lab.events.values import HoldEnd, HoldMode, ResumeCause
from piopiy_lab.listening.hold_rules import HoldRules
from piopiy_lab.listening.holding import (
    Echoes,
    Forget,
    HearOut,
    Hold,
    Holding,
    Kept,
    Move,
    Resume,
    Yield,
)
from piopiy_lab.listening.own_level import power_of
from piopiy_lab.listening.tuning import VoiceOrWordsStart

#: How sure a recogniser's guesses are: whether what it has of a sentence so far may decide.
TrustsInterims = Callable[[], bool]

OWN_VOICE = (
    "hold_backchannels: the agent's sound was held again and again for a voice without a word, "
    "most likely its own in the caller's microphone. For now it is held less often, and only words "
    "interrupt it: cancel the echo (Microphone(echo_cancellation=True), "
    "BrowserMicrophone(echo_cancellation=True)), or wear headphones"
)


class HoldsSound(Protocol):
    """An output that can hold the agent's sound."""

    @property
    def held(self) -> bool:
        """Whether it is held."""
        ...

    @property
    def ended(self) -> HoldEnd:
        """How the last hold ended."""
        ...

    def hold(self, how: HoldMode) -> None:
        """Hold it so from now on."""
        ...

    def resume(self, cause: ResumeCause) -> None:
        """Let it go on."""
        ...


@dataclass(frozen=True, kw_only=True)
class Floor:
    """What the strategy needs of the call.

    Attributes:
        log: The call's events, and its clock.
        sound: What plays the agent's sound.
        asked_at: Returns the call's seconds at which the agent's last question was heard.
        trusts_interims: Returns whether the recogniser's interims are words.
        hear_out: Has a recogniser that waits for the detector look at what was just heard.
        tell: Takes a backchannel into the pipeline, at its beginning.
        notice: Says something that is worth knowing, once.
    """

    log: EventLog
    sound: HoldsSound
    asked_at: Callable[[], float]
    trusts_interims: TrustsInterims
    hear_out: Callable[[], None]
    tell: Callable[[Frame], Awaitable[None]]
    notice: Callable[[str], None]


class HoldStart(VoiceOrWordsStart):
    """Starts a turn as ``VoiceOrWordsStart`` does, and over the agent's words by the rule.

    On a floor that can't hold it is ``VoiceOrWordsStart``.
    """

    def __init__(self, *, voice: bool, rules: HoldRules) -> None:
        """Make the strategy.

        Args:
            voice: Whether there is a detector to start turns.
            rules: The limits.
        """
        super().__init__(voice=voice, enable_interruptions=True)
        self.rules = rules
        self._rule = Holding(rules)
        self._floor: Floor | None = None  # by take(): before the pipeline starts
        self._windows: list[float] = []  # since the last look; by heard()
        self._window_secs = 0.0
        self._ours = 0  # the id of the last backchannel's frame that is ours; by _tell()
        self._told = False  # a service has told of the voice that is judged; by process_frame()

    @property
    def silent_secs(self) -> float:
        """For how long no voice was heard; 0 while one is, and on a floor that can't be held."""
        return self._rule.silent_secs

    def take(self, floor: Floor) -> None:
        """Take the floor that is to be held."""
        self._floor = floor

    def heard(self, confidence: float, window_secs: float) -> None:
        """Take the detector's judgement of a window: 0..1, and its length in seconds."""
        self._windows.append(confidence)
        self._window_secs = window_secs

    def muted(self) -> None:
        """The caller's side was closed: nothing more is heard of a voice that it holds for."""
        if self._floor is not None and self._rule.holds and not self._rule.turn:
            self._floor.sound.resume("muted")
            self._rule.forget()

    async def handle_user_turn_started(self) -> None:
        """The caller has the turn."""
        self._rule.begin_turn()
        await super().handle_user_turn_started()

    async def handle_user_turn_stopped(self) -> None:
        """It is over."""
        self._rule.end_turn()
        await super().handle_user_turn_stopped()

    async def process_frame(self, frame: Frame) -> ProcessFrameResult:
        """Decide what ``frame`` changes; on the session's loop."""
        floor, rule = self._floor, self._rule
        if floor is None:
            return await super().process_frame(frame)
        rule.min_words, rule.asked_at = self.min_words, floor.asked_at()
        now = floor.log.now()
        if rule.holds and not floor.sound.held:
            self._let_go(now, floor.sound)
        moves: list[Move] | None = None
        match frame:
            case InputAudioRawFrame():
                heard, self._windows = self._windows, []
                rule.hear(heard, self._window_secs)
                if self.rules.aside_db is not None:
                    samples = np.frombuffer(frame.audio, np.int16)
                    rule.sounds(power_of(samples), frame.num_frames / frame.sample_rate)
                moves = rule.look(now)
            case InterimTranscriptionFrame():
                if self.rules.by_words and not floor.trusts_interims() and rule.decides:
                    return ProcessFrameResult.CONTINUE
                moves = self._words(now, frame.text, final=False)
            case TranscriptionFrame():
                moves = self._words(now, frame.text, final=True)
            case UserBackchannelFrame() if frame.id != self._ours:
                self._told = rule.listens = True
                moves = rule.words(now, frame.text, final=True)
                rule.listens = False
            case VADUserStartedSpeakingFrame():
                rule.detected = True
                if rule.agent_speaks:
                    moves = rule.look(now)
                elif rule.turn_away(now):
                    moves = []
                else:
                    await self._do(rule.close(), floor)
            case VADUserStoppedSpeakingFrame():
                rule.detected = False
                moves = rule.look(now)
            case BotStartedSpeakingFrame() | BotStoppedSpeakingFrame():
                rule.agent_speaks = isinstance(frame, BotStartedSpeakingFrame)
                if rule.agent_speaks and rule.holds:
                    floor.sound.hold(rule.how)  # it says more
            case _:
                pass
        if moves is None:
            return await super().process_frame(frame)
        return await self._do(moves, floor)

    def _let_go(self, now: float, sound: HoldsSound) -> None:
        """Take note that the sound isn't held any more, and not by a decision."""
        match sound.ended:
            case "resumed":  # it was held for too long
                self._rule.let_go(now)
            case "cut":  # by a command: what is heard of the voice now is another one
                self._rule.forget()
            case "over":  # what the voice was is decided all the same
                pass

    def _words(self, now: float, text: str, *, final: bool) -> list[Move] | None:
        if self.rules.by_words:
            return self._rule.words(now, text, final=final)
        return []  # a realtime model's come too late, beside its answer

    async def _do(self, moves: list[Move], floor: Floor) -> ProcessFrameResult:
        for move in moves:
            match move:
                case Hold(how):
                    floor.sound.hold(how)
                case Resume(cause):
                    floor.sound.resume(cause)
                case HearOut():
                    floor.hear_out()
                case Forget():
                    await self.trigger_reset_aggregation()
                case Kept():
                    await self._tell(floor, move)
                case Echoes():
                    floor.notice(OWN_VOICE)
                case Yield():
                    await self.trigger_user_turn_started()
                    return ProcessFrameResult.STOP
        return ProcessFrameResult.CONTINUE

    async def _tell(self, floor: Floor, kept: Kept) -> None:
        start, end, text = round(kept.start, 6), round(kept.end, 6), kept.text
        at, aside = floor.log.now(), kept.aside
        floor.log.append(
            events.BackchannelHeard(at=at, text=text, start=start, end=end, aside=aside)
        )
        by_service, self._told = self._told, False
        if not aside and not by_service:
            frame = UserBackchannelFrame(text=text, user_id="", timestamp=time_now_iso8601())
            self._ours = frame.id
            await floor.tell(frame)
