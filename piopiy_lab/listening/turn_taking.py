"""When a user's turn starts and ends: pipecat's strategies with our defaults.

With a detector, Smart Turn v3 judges each pause: a complete turn is answered at once, an
incomplete one after a wait that is cut from pipecat's 3 s to 1.5 s, because callers who have
finished find 3 s long. Without a detector transcripts decide.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from pipecat.audio.turn.base_turn_analyzer import BaseTurnAnalyzer
from pipecat.audio.turn.smart_turn.base_smart_turn import SmartTurnParams
from pipecat.turns.user_mute import BaseUserMuteStrategy
from pipecat.turns.user_start import BaseUserTurnStartStrategy, VADUserTurnStartStrategy
from pipecat.turns.user_stop import (
    BaseUserTurnStopStrategy,
    SpeechTimeoutUserTurnStopStrategy,
    TurnAnalyzerUserTurnStopStrategy,
)
from pipecat.turns.user_turn_strategies import ExternalUserTurnStrategies, UserTurnStrategies

from piopiy_lab.errors import ArgumentError, ArgumentTypeError
from piopiy_lab.interruptions import BaseInterruptionStrategy, MinWordsInterruptionStrategy
from piopiy_lab.listening.ahead_stop import AheadStop
from piopiy_lab.listening.early_stop import EarlyStop
from piopiy_lab.listening.hold_rules import HoldRules
from piopiy_lab.listening.hold_start import HoldStart
from piopiy_lab.listening.seams import SharedSileroVADAnalyzer, shared_smart_turn
from piopiy_lab.listening.tuning import VoiceOrWordsStart, WordsStart
from piopiy_lab.listening.turn_stop import TurnsOnlyStop

#: Seconds of silence after which a turn that sounded incomplete ends all the same.
INCOMPLETE_WAIT_SECS = 1.5

#: Whether the turn model of a cascaded call looks before the detector is sure of the silence.
EARLY_LOOKS_BY_DEFAULT = True
#: Whether ``Action(hold_backchannels=None)`` holds the agent's sound before it is cut.
HOLD_BY_DEFAULT = True

_PARAMS = SmartTurnParams(stop_secs=INCOMPLETE_WAIT_SECS)


def recommended_by(services: Iterable[object]) -> UserTurnStrategies | None:
    """Return the turn strategies that a service recommends because it ends turns itself.

    Deepgram Flux, OpenAI Realtime and others do.
    """
    for service in services:
        describe = getattr(service, "service_metadata_frame", None)
        found = getattr(describe(), "user_turn_strategies", None) if describe else None
        if found is not None:
            return found
    return None


def make_strategies(
    *,
    vad: bool,
    allow_interruptions: bool,
    given: UserTurnStrategies | None = None,
    interruption: BaseInterruptionStrategy | BaseUserTurnStartStrategy | None = None,
    recommended: UserTurnStrategies | None = None,
    turn_analyzer: BaseTurnAnalyzer | None = None,
    realtime: bool = False,
    hold: HoldRules | None = None,
    ahead: str | None = None,
) -> UserTurnStrategies | None:
    """Return the strategies of a call; None leaves them to the service that recommends some.

    Args:
        vad: Whether there is a detector.
        allow_interruptions: Whether a user turn stops the agent's speech.
        given: The user's own ``UserTurnStrategies``; they stand as they are.
        interruption: The user's own interruption strategy, checked: it says when turns start.
        recommended: What a service recommends; taken unless the user gave some.
        turn_analyzer: pipecat's, in place of Smart Turn; used with a detector.
        realtime: Whether a realtime model hears the caller: its transcripts come late, beside
            its answer, and must not start a turn that would interrupt it.
        hold: How the agent's sound is held before it is cut; None: a voice cuts it. Not where
            the turns are a service's, or the user's own strategies'.
        ahead: What works at a likely end of a turn, its answer held; None: nothing does.
    """
    if given is not None:
        return given
    if not vad or not allow_interruptions or recommended is not None:
        hold = None
    if hold is not None:
        hold = replace(hold, by_words=not realtime)
    looks = (
        None if realtime else AheadStop if ahead else EarlyStop if EARLY_LOOKS_BY_DEFAULT else None
    )
    if interruption is not None:
        if isinstance(interruption, MinWordsInterruptionStrategy) and hold is not None:
            return _holding(hold, turn_analyzer, looks, min_words=interruption.min_words)
        stop = (
            recommended.stop
            if recommended is not None
            else _stop_strategies(vad, turn_analyzer, looks)
        )
        return UserTurnStrategies(start=_interrupting(interruption), stop=stop)
    if recommended is not None:
        if allow_interruptions or not isinstance(recommended, ExternalUserTurnStrategies):
            return None
        return ExternalUserTurnStrategies(enable_interruptions=False)
    if hold is not None:
        return _holding(hold, turn_analyzer, looks)
    if realtime:
        voice = VADUserTurnStartStrategy(enable_interruptions=allow_interruptions)
        stop = _stop_strategies(vad, turn_analyzer, looks)
        return UserTurnStrategies(start=[voice] if vad else [], stop=stop)
    start = VoiceOrWordsStart(voice=vad, enable_interruptions=allow_interruptions)
    stop = _stop_strategies(vad, turn_analyzer, looks)
    return UserTurnStrategies(start=[start], stop=stop)


def _holding(
    rules: HoldRules,
    analyzer: BaseTurnAnalyzer | None,
    looks: type[EarlyStop] | None,
    *,
    min_words: int = 0,
) -> UserTurnStrategies:
    """Return strategies that hold the agent's sound before they cut it."""
    start = HoldStart(voice=True, rules=rules)
    start.min_words = min_words
    model = analyzer or shared_smart_turn(_PARAMS)
    kind = looks or TurnsOnlyStop
    stop = kind(turn_analyzer=model, silent_secs=lambda: start.silent_secs)
    return UserTurnStrategies(start=[start], stop=[stop])


def _interrupting(
    strategy: BaseInterruptionStrategy | BaseUserTurnStartStrategy,
) -> list[BaseUserTurnStartStrategy]:
    match strategy:
        case MinWordsInterruptionStrategy():
            return [WordsStart(min_words=strategy.min_words)]
        case BaseInterruptionStrategy():
            return strategy.start_strategies(enable_interruptions=True)
        case _:
            return [strategy]


def _stop_strategies(
    vad: bool, analyzer: BaseTurnAnalyzer | None, looks: type[EarlyStop] | None
) -> list[BaseUserTurnStopStrategy]:
    if not vad:
        return [SpeechTimeoutUserTurnStopStrategy()]
    analyzer = analyzer or shared_smart_turn(_PARAMS)
    if looks is not None:
        return [looks(turn_analyzer=analyzer)]
    return [TurnAnalyzerUserTurnStopStrategy(turn_analyzer=analyzer)]


def load_models() -> None:
    """Load Silero and Smart Turn, once per process: 0.1 s, and on a busy machine a second.

    On any thread, so that a live call's loop need not.
    """
    SharedSileroVADAnalyzer()
    shared_smart_turn(_PARAMS)


def realtime_interruption(
    strategy: BaseInterruptionStrategy | BaseUserTurnStartStrategy | None,
) -> BaseUserTurnStartStrategy | None:
    """Return the interruption strategy where a realtime model hears; None is any speech.

    Raises:
        ArgumentError: It counts words. One word is any speech, and so no count.
    """
    if isinstance(strategy, MinWordsInterruptionStrategy) and strategy.min_words == 1:
        return None
    if strategy is not None and not isinstance(strategy, VADUserTurnStartStrategy):
        raise ArgumentError(
            f"Action(interruption_strategy={type(strategy).__name__}): a realtime llm's "
            "transcripts come too late to interrupt it; leave the strategy out, or give "
            "VADUserTurnStartStrategy()"
        )
    return strategy


def check_turns(
    *,
    allow_interruptions: object,
    interruption_strategy: object,
    turn_strategies: object,
    mute_strategies: object,
) -> tuple[BaseUserMuteStrategy, ...]:
    """Check what ``Action`` was given about turns; return the mute strategies.

    Raises:
        ArgumentTypeError: Something of another type.
        ArgumentError: Two of them that can't both be.
    """
    if not isinstance(allow_interruptions, bool):
        raise ArgumentTypeError(
            f"Action(allow_interruptions={allow_interruptions!r}): give True or False"
        )
    if turn_strategies is not None and not isinstance(turn_strategies, UserTurnStrategies):
        raise ArgumentTypeError(
            f"Action(turn_strategies={turn_strategies!r}): give pipecat.turns."
            "user_turn_strategies.UserTurnStrategies(start=[...], stop=[...])"
        )
    if interruption_strategy is not None:
        if not isinstance(
            interruption_strategy, BaseInterruptionStrategy | BaseUserTurnStartStrategy
        ):
            raise ArgumentTypeError(
                f"Action(interruption_strategy={interruption_strategy!r}): give "
                "MinWordsInterruptionStrategy(min_words=3), or one of pipecat.turns.user_start"
            )
        if turn_strategies is not None:
            raise ArgumentError(
                "Action(interruption_strategy=..., turn_strategies=...): both say when the "
                "caller's turn starts; put the strategy into UserTurnStrategies(start=[...])"
            )
        if not allow_interruptions:
            raise ArgumentError(
                "Action(interruption_strategy=..., allow_interruptions=False): nothing may "
                "interrupt, so leave the strategy out"
            )
    if mute_strategies is None:
        return ()
    if isinstance(mute_strategies, BaseUserMuteStrategy):
        raise ArgumentTypeError("Action(mute_strategies=...): give a list of them")
    if isinstance(mute_strategies, str) or not isinstance(mute_strategies, Iterable):
        raise ArgumentTypeError(f"Action(mute_strategies={mute_strategies!r}): give a list")
    mutes = tuple(mute_strategies)
    for strategy in mutes:
        if not isinstance(strategy, BaseUserMuteStrategy):
            raise ArgumentTypeError(
                f"Action(mute_strategies=[{strategy!r}]): give strategies of pipecat.turns."
                "user_mute, AlwaysUserMuteStrategy() say"
            )
    return mutes
