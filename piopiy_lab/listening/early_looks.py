"""A turn model that has looked before it is asked.

pipecat asks the model when the detector is sure of the silence, 0.2 s into it, and the caller waits
for the answer. Here it is asked 0.1 s into it, on a thread of its own, and the answer is there when
it is wanted. An early "complete" stands (54 of 54 human pauses, 61 of 63 of synthetic voices were
still complete at 0.2 s); an early "incomplete" does not (one in eight was complete by then), so the
model looks again: never later than it used to, and earlier where the detector waits longer.

Where ``ANCHORED``, what it is given ends a fixed time behind the last sample of the voice (see
``sound_end``), so that it says the same of the same words.

Runs on the session's loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from logging import Logger
from typing import Any

from pipecat.audio.turn.base_turn_analyzer import (
    BaseTurnAnalyzer,
    BaseTurnParams,
    EndOfTurnState,
)
from pipecat.metrics.metrics import MetricsData, TurnMetricsData

from piopiy_lab.checks.texts import described
from piopiy_lab.events.values import LookOutcome
from piopiy_lab.listening import seams
from piopiy_lab.listening.sound_end import silence_of, with_silence
from piopiy_lab.logs import safe_logger

#: Seconds of silence into which the model looks first: three windows of Silero's.
LOOK_SECS = 0.1
#: Whether it is given sound that ends a fixed time behind the voice; else what there is. In digital
#: silence its verdicts no longer move with the detector's windows then, but in noise it takes more
#: whole turns for unfinished ones: see benchmarks/README.md, "The end of a turn".
ANCHORED = False
#: Seconds of silence that it is given then, or that the detector hears: early (three windows, or
#: one or two later), and for its last word, as much as when the usual detector is sure.
EARLY_SILENCE_SECS, SURE_SILENCE_SECS = 0.12, 0.19
#: Below this the level finds no silence where the detector hears one: there is a noise. Then the
#: detector's silence counts, which begins later.
NO_SILENCE_SECS, HEARD_SHARE = 0.03, 0.75

log: Logger = safe_logger("piopiy_lab.call")


class LookMetricsData(TurnMetricsData):
    """A verdict of the turn model, when it was asked for, and what came of it.

    Attributes:
        early: Whether the detector still waited.
        outcome: What came of it.
        silence_secs: How much silence the model was given.
        asked_at: Seconds of the call's clock at which it was asked.
    """

    early: bool
    outcome: LookOutcome
    silence_secs: float
    asked_at: float

    def look(self) -> dict[str, Any]:
        """Return the figures of the look alone, by name."""
        return self.model_dump(include={"early", "outcome", "silence_secs", "asked_at"})


@dataclass(frozen=True)
class Asked:
    """When the model was asked.

    Attributes:
        at: Seconds of the call's clock.
        silence_secs: How much silence it was given.
        early: Whether the detector still waited.
    """

    at: float
    silence_secs: float
    early: bool

    def told(self, data: MetricsData | None, outcome: LookOutcome) -> MetricsData | None:
        """Return a verdict's figures with those of the asking; what is no verdict as it is."""
        if not isinstance(data, TurnMetricsData):
            return data
        return LookMetricsData(
            **data.model_dump(),
            early=self.early,
            outcome=outcome,
            silence_secs=round(self.silence_secs, 6),
            asked_at=round(self.at, 6),
        )


@dataclass(frozen=True)
class Look:
    """The model looks: when it was asked, what it will say, and whether that is its last word."""

    asked: Asked
    verdict: asyncio.Future[seams.Verdict]
    last: bool

    @property
    def complete(self) -> bool | None:
        """Whether it said that the turn is over; None: it hasn't said."""
        verdict = self.verdict
        if not verdict.done() or verdict.cancelled() or verdict.exception() is not None:
            return None
        return verdict.result()[0] is EndOfTurnState.COMPLETE


def is_due(silence_secs: float, heard_secs: float, wanted_secs: float) -> bool:
    """Whether it is time for a look.

    Args:
        silence_secs: How much silence the level finds behind the voice.
        heard_secs: How much the detector hears.
        wanted_secs: How much the look is to be given.
    """
    noisy = silence_secs < NO_SILENCE_SECS and heard_secs >= HEARD_SHARE * wanted_secs
    return silence_secs >= wanted_secs or noisy


class EarlyLooks(BaseTurnAnalyzer):
    """A turn model in which a look can be taken before its verdict is asked for.

    To its strategy it is the model that it is made of.
    """

    def __init__(
        self,
        looking: BaseTurnAnalyzer,
        *,
        now: Callable[[], float],
        tell: Callable[[MetricsData], Awaitable[None]],
    ) -> None:
        """Look with a model.

        Args:
            looking: The model.
            now: Returns the seconds of the call's clock.
            tell: Tells the figures of a look that the strategy isn't given.
        """
        super().__init__()
        self.looking = looking
        self.silence_secs = 0.0  # how long it has been silent; by the strategy
        self._now = now
        self._tell = tell
        self._look: Look | None = None  # by look(), void() and a verdict
        self._telling: set[asyncio.Task[None]] = set()  # of looks that came to nothing

    # --- the looks ---------------------------------------------------------------------------

    @property
    def pending(self) -> Look | None:
        """The early look at this silence, if there is one."""
        return self._look

    def look_if_due(self) -> Look | None:
        """Have the model look beside everything else, if it is time for a look; return that.

        Once when there is a little silence, and if it was incomplete then, when there is as much
        as at the usual detector's stop: that is its last word.
        """
        before = self._look
        if before is not None and (before.last or before.complete is not False):
            return None
        wanted = EARLY_SILENCE_SECS if before is None else SURE_SILENCE_SECS
        if ANCHORED:
            silence = silence_of(seams.heard_by(self.looking), self.sample_rate)
            if not is_due(silence, self.silence_secs, wanted):
                return None
        elif before is not None and self.silence_secs < wanted:
            return None
        self._let_go("again")
        self._look = self._ask(wanted, early=True)
        return self._look

    def _ask(self, wanted: float, *, early: bool) -> Look:
        asked = Asked(self._now(), self.silence_secs, early)
        heard = seams.heard_by(self.looking)
        if ANCHORED:
            heard = with_silence(heard, self.sample_rate, wanted)
        return Look(asked, seams.judge(self.looking, heard), last=wanted == SURE_SILENCE_SECS)

    def void(self) -> None:
        """Forget the early look, if there is one: the caller spoke on."""
        self._let_go("void")

    def _let_go(self, outcome: LookOutcome) -> None:
        look, self._look = self._look, None
        if look is not None:
            task = asyncio.get_running_loop().create_task(self._tell_of(look, outcome))
            self._telling.add(task)
            task.add_done_callback(self._telling.discard)

    async def _tell_of(self, look: Look, outcome: LookOutcome) -> None:
        found = await self._of(look)
        data = look.asked.told(found[1], outcome) if found is not None else None
        if data is not None:
            await self._tell(data)

    async def _of(self, look: Look) -> seams.Verdict | None:
        """Return a look's verdict; None where the model failed, which the next look will show."""
        try:
            return await look.verdict
        except Exception as error:
            log.warning("the turn model failed in its early look: %s", described(error))
            return None

    # --- the model, as its strategy knows it -------------------------------------------------

    async def analyze_end_of_turn(self) -> seams.Verdict:
        """Return the early look's verdict if it stands, else that of a look now."""
        early, self._look = self._look, None
        found = await self._of(early) if early is not None else None
        if early is not None and found is not None:
            state, data = found
            if state is EndOfTurnState.COMPLETE:
                self.looking.clear()
            if state is EndOfTurnState.COMPLETE or early.last:
                return state, early.asked.told(data, "used")
            told = early.asked.told(data, "again")
            if told is not None:
                await self._tell(told)
        if not seams.can_look(self.looking):
            return await self.looking.analyze_end_of_turn()
        look = self._ask(SURE_SILENCE_SECS, early=False)
        state, data = await look.verdict
        if state is EndOfTurnState.COMPLETE:
            self.looking.clear()
        return state, look.asked.told(data, "used")

    @property
    def speech_triggered(self) -> bool:
        """Whether the model has heard speech."""
        return self.looking.speech_triggered

    @property
    def params(self) -> BaseTurnParams:
        """The model's parameters."""
        return self.looking.params

    @property
    def sample_rate(self) -> int:
        """Hz of what it hears."""
        return self.looking.sample_rate

    def set_sample_rate(self, sample_rate: int) -> None:
        """Set the rate of what it hears, Hz."""
        self.looking.set_sample_rate(sample_rate)

    def append_audio(self, buffer: bytes, is_speech: bool) -> EndOfTurnState:
        """Have the model hear more."""
        return self.looking.append_audio(buffer, is_speech)

    def update_vad_start_secs(self, vad_start_secs: float) -> None:
        """Tell the model how late the detector is when it hears a voice, seconds."""
        self.looking.update_vad_start_secs(vad_start_secs)

    def clear(self) -> None:
        """Forget the turn."""
        self.void()
        self.looking.clear()

    async def cleanup(self) -> None:
        """Let go of the model."""
        for task in list(self._telling):
            task.cancel()
        await self.looking.cleanup()
