"""What ``Action`` was given about holding the agent's sound, read."""

from __future__ import annotations

from typing import get_args

from piopiy_lab.errors import ArgumentError, ArgumentTypeError
from piopiy_lab.events.values import HoldMode
from piopiy_lab.interruptions import MinWordsInterruptionStrategy
from piopiy_lab.listening.holding import HoldRules
from piopiy_lab.listening.lexicon import LEXICONS, Lexicon, find_lexicon
from piopiy_lab.listening.turn_taking import HOLD_BY_DEFAULT


def read_hold(
    hold_backchannels: object,
    hold: object,
    lexicon: object,
    *,
    vad: bool,
    turn_strategies: object,
    interruption_strategy: object,
    realtime: bool,
    language: object,
) -> HoldRules | None:
    """Return how the agent's sound is held; None: it isn't.

    Args:
        hold_backchannels: True, False, or None: as ``HOLD_BY_DEFAULT`` says, and where ``hold`` or
            ``lexicon`` is given, unless a strategy of the user's own says when turns start, or a
            realtime model hears the caller: by length alone a short interruption is kept.
        hold: "pause" or "duck"; None: "pause".
        lexicon: As for ``find_lexicon``; None: that of the recogniser's language, or English.
        vad: Whether there is a detector.
        turn_strategies: What was given as such.
        interruption_strategy: The same.
        realtime: Whether a realtime model hears the caller.
        language: The recogniser's, if it tells.

    Raises:
        ArgumentTypeError: Something of another type.
        ArgumentError: There is nothing to hold by, or an own strategy interrupts by itself.
    """
    if hold_backchannels is not None and not isinstance(hold_backchannels, bool):
        raise ArgumentTypeError(
            f"Action(hold_backchannels={hold_backchannels!r}): give True or False; how is said "
            'with hold="pause" or hold="duck"'
        )
    how: HoldMode
    match hold:
        case None | "pause":
            how = "pause"
        case "duck":
            how = "duck"
        case _:
            modes = " or ".join(map(repr, get_args(HoldMode)))
            raise ArgumentError(f"Action(hold={hold!r}): give {modes}")
    words = _words(lexicon, language)
    counts = isinstance(interruption_strategy, MinWordsInterruptionStrategy)
    wanted = hold_backchannels or hold is not None or lexicon is not None
    if hold_backchannels is False:
        return None
    if wanted:
        _check_wanted(vad, counts, turn_strategies, interruption_strategy)
    elif (
        not HOLD_BY_DEFAULT
        or realtime
        or turn_strategies is not None
        or interruption_strategy is not None
    ):
        return None
    return HoldRules(how=how, lexicon=words) if vad else None


def _check_wanted(
    vad: bool, counts: bool, turn_strategies: object, interruption_strategy: object
) -> None:
    own = turn_strategies if turn_strategies is not None else interruption_strategy
    if own is not None and not counts:
        raise ArgumentError(
            f"Action(hold_backchannels=True) beside {type(own).__name__}: that decides itself when "
            "the agent is interrupted. Leave one of them out; "
            "MinWordsInterruptionStrategy(min_words=...) goes with it"
        )
    if not vad:
        raise ArgumentError(
            "Action(hold_backchannels=True): it takes a detector to hear that somebody speaks over "
            "the agent; give vad=True"
        )


def _words(lexicon: object, language: object) -> Lexicon:
    if lexicon is not None:
        return find_lexicon(lexicon)
    code = str(getattr(language, "value", language) or "en").replace("_", "-")
    return LEXICONS.get(code.partition("-")[0].lower(), LEXICONS["en"])
