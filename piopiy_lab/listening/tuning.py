"""``call.tune(...)``: the settings that may change while a call runs, checked and applied.

The detector's four, and two of the turn rules: how long a turn that sounded incomplete is waited
for, and how many words it takes to interrupt the agent.
"""

from __future__ import annotations

from collections.abc import Mapping

from pipecat.audio.turn.smart_turn.base_smart_turn import BaseSmartTurn
from pipecat.audio.vad.vad_analyzer import VADAnalyzer, VADParams
from pipecat.frames.frames import (
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    Frame,
    InterimTranscriptionFrame,
    TranscriptionFrame,
    VADUserStartedSpeakingFrame,
)
from pipecat.turns.types import ProcessFrameResult
from pipecat.turns.user_start import MinWordsUserTurnStartStrategy
from pipecat.turns.user_turn_strategies import UserTurnStrategies

from piopiy_lab.checks.arguments import is_number
from piopiy_lab.checks.threads import SameThread
from piopiy_lab.errors import ArgumentError
from piopiy_lab.listening import seams, turn_models, vad
from piopiy_lab.listening.lexicon import words_of

#: The most words that an interruption may take.
MOST_WORDS = 20


class WordsStart(MinWordsUserTurnStartStrategy):
    """pipecat's strategy, for which "[unclear: two]" is no words: nothing was understood of them.

    While the agent is silent it begins a turn all the same, for the agent to ask again.
    """

    def __init__(self, *, min_words: int, enable_interruptions: bool = True) -> None:
        """Make the strategy.

        Args:
            min_words: How many words it takes to interrupt.
            enable_interruptions: Whether a turn stops the agent's speech.
        """
        super().__init__(min_words=min_words, enable_interruptions=enable_interruptions)
        self._over_agent = False  # by process_frame(), and a turn that starts

    async def handle_user_turn_started(self) -> None:
        """Count from one word again."""
        self._over_agent = False
        await super().handle_user_turn_started()

    async def process_frame(self, frame: Frame) -> ProcessFrameResult:
        """Decide whether ``frame`` starts a turn; on the session's loop."""
        match frame:
            case BotStartedSpeakingFrame() | BotStoppedSpeakingFrame():
                self._over_agent = isinstance(frame, BotStartedSpeakingFrame)
            case TranscriptionFrame() | InterimTranscriptionFrame() if self._over_agent:
                if not words_of(frame.text):
                    await self.trigger_reset_aggregation()
                    return ProcessFrameResult.CONTINUE
            case _:
                pass
        return await super().process_frame(frame)


class VoiceOrWordsStart(WordsStart):
    """Starts a turn by voice or by words; with ``min_words``, words alone interrupt the agent.

    At 0, the usual: the detector's sound of a voice starts a turn, and so does a transcript. From
    1 on, a turn that would interrupt the agent needs that many words first, so a cough or an "aha"
    doesn't; while the agent is silent, voice starts a turn as ever.
    """

    def __init__(self, *, voice: bool, enable_interruptions: bool) -> None:
        """Make the strategy.

        Args:
            voice: Whether there is a detector to start turns.
            enable_interruptions: Whether a turn stops the agent's speech.
        """
        super().__init__(min_words=0, enable_interruptions=enable_interruptions)
        self._voice = voice
        self._here = SameThread()
        self._agent_speaks = False  # by process_frame(), and a turn that starts

    @property
    def min_words(self) -> int:
        """How many words it takes to interrupt; 0: a voice will do."""
        return seams.min_words(self)

    @min_words.setter
    def min_words(self, count: int) -> None:
        seams.set_min_words(self, count)

    async def handle_user_turn_started(self) -> None:
        """Count from one word again; on the session's loop."""
        assert self._here(), "only on the session's loop"
        self._agent_speaks = False
        await super().handle_user_turn_started()

    async def process_frame(self, frame: Frame) -> ProcessFrameResult:
        """Decide whether ``frame`` starts a turn; on the session's loop."""
        assert self._here(), "only on the session's loop"
        if isinstance(frame, BotStartedSpeakingFrame | BotStoppedSpeakingFrame):
            self._agent_speaks = isinstance(frame, BotStartedSpeakingFrame)
        by_voice = isinstance(frame, VADUserStartedSpeakingFrame) and self._voice
        by_words = isinstance(frame, TranscriptionFrame | InterimTranscriptionFrame)
        free = self.min_words == 0 or not self._agent_speaks
        if (by_voice or by_words) and free:
            await self.trigger_user_turn_started()
            return ProcessFrameResult.STOP
        return await super().process_frame(frame)


class Tuning:
    """What can be tuned in one call, and how it stands. On the session's loop but for check()."""

    def __init__(self, analyzer: VADAnalyzer | None, strategies: UserTurnStrategies | None) -> None:
        """Look for what can be tuned.

        Args:
            analyzer: The call's detector, if it has one.
            strategies: Its turn strategies; None when a service ends turns itself.
        """
        self._here = SameThread()
        self._analyzer = analyzer
        self._model = _turn_analyzer_of(strategies)
        self._wait = self._model if isinstance(self._model, BaseSmartTurn) else None
        starts = (strategies.start or ()) if strategies is not None else ()
        self._start = next(
            (s for s in starts if isinstance(s, MinWordsUserTurnStartStrategy)), None
        )

    def detector(self) -> dict[str, float]:
        """Return the detector's settings by name; none without one."""
        return {} if self._analyzer is None else vad.params_of(self._analyzer)

    def turn_model(self) -> str:
        """Return the turn model's name; "" where none that is known ends turns."""
        return "" if self._model is None else turn_models.name_of_analyzer(self._model)

    def turns(self) -> dict[str, float]:
        """Return the turn rules' settings by name, those that this call has."""
        found: dict[str, float] = {}
        if self._wait is not None:
            found["incomplete_wait_secs"] = seams.incomplete_wait_secs(self._wait)
        if isinstance(self._wait, seams.ThresholdSmartTurn):  # told, and not to be tuned
            found["turn_threshold"] = self._wait.threshold
        if self._start is not None:
            found["min_words"] = seams.min_words(self._start)
        return found

    def check(self, settings: Mapping[str, object]) -> None:
        """Check new settings; any thread.

        Raises:
            ArgumentError: Unknown, out of range, or nothing there that has the setting.
        """
        detector = {k: v for k, v in settings.items() if k not in _TURN_SETTINGS}
        if unknown := [name for name in detector if name not in vad.RANGES]:
            names = ", ".join((*vad.RANGES, *_TURN_SETTINGS))
            raise ArgumentError(f"tune has no key {unknown[0]!r}: the keys are {names}")
        vad.check_params(detector, what="tune")
        if detector and self._analyzer is None:
            raise ArgumentError(
                f"tune({', '.join(detector)}): this call has no voice activity detection "
                "(vad is off)"
            )
        for name in settings:
            if name in _TURN_SETTINGS and name not in self.turns():
                raise ArgumentError(
                    f"tune({name}=...): this call's turn strategies have no such setting"
                )
        wait = settings.get("incomplete_wait_secs", 1.0)
        if not is_number(wait) or not 0.1 <= wait <= 30:
            raise ArgumentError(
                f"tune(incomplete_wait_secs={wait!r}) is out of range: give seconds from 0.1 to 30"
            )
        words = settings.get("min_words", 0)
        if not is_number(words) or words != int(words) or not 0 <= words <= MOST_WORDS:
            raise ArgumentError(
                f"tune(min_words={words!r}) is out of range: give a whole number from 0 to "
                f"{MOST_WORDS}"
            )

    def apply(self, settings: Mapping[str, float]) -> tuple[dict[str, float], VADParams | None]:
        """Apply checked settings.

        Returns:
            The old values of what changed, and the detector's new parameters, which the pipeline
            must be told of (None: they stand).
        """
        assert self._here(), "only on the session's loop"
        before = {**self.detector(), **self.turns()}
        if "incomplete_wait_secs" in settings and self._wait is not None:
            seams.set_incomplete_wait(self._wait, settings["incomplete_wait_secs"])
        if "min_words" in settings and self._start is not None:
            seams.set_min_words(self._start, int(settings["min_words"]))
        detector = {k: v for k, v in settings.items() if k not in _TURN_SETTINGS}
        params = VADParams(**{**self.detector(), **detector}) if detector else None
        return {name: before[name] for name in settings}, params


_TURN_SETTINGS = ("incomplete_wait_secs", "min_words")


def _turn_analyzer_of(strategies: UserTurnStrategies | None) -> object:
    stops = (strategies.stop or ()) if strategies is not None else ()
    found = map(seams.turn_analyzer_of, stops)
    return next((one for one in found if one is not None), None)
