"""What ``Action`` was given about holding the agent's sound, read."""

from __future__ import annotations

from typing import get_args

from piopiy_lab.checks.arguments import is_number
from piopiy_lab.errors import ArgumentError, ArgumentTypeError
from piopiy_lab.events.values import HoldManner
from piopiy_lab.interruptions import MinWordsInterruptionStrategy
from piopiy_lab.listening.hold_rules import HoldRules
from piopiy_lab.listening.lexicon import LEXICONS, MIXED, Lexicon, find_lexicon
from piopiy_lab.listening.turn_taking import HOLD_BY_DEFAULT

#: dB that can be asked for: below the one callers' own voices vary, beyond the other none is heard.
ASIDES_DB = (3.0, 40.0)


def read_hold(
    hold_backchannels: object,
    hold: object,
    lexicon: object,
    aside_db: object = None,
    *,
    vad: bool,
    turn_strategies: object,
    interruption_strategy: object,
    realtime: bool,
    language: object,
) -> HoldRules | None:
    """Return how the agent's sound is held; None: it isn't.

    Args:
        hold_backchannels: True, False, or None: as ``HOLD_BY_DEFAULT`` says, and where ``hold``,
            ``lexicon`` or ``aside_db`` is given, unless a strategy of the user's own says when
            turns start, or a realtime model hears the caller: by length alone a short interruption
            is kept.
        hold: "pause", "duck" or "duck_then_pause"; None: as ``HoldRules`` has it.
        lexicon: As for ``find_lexicon``; None: that of the recogniser's language, or English,
            with what callers mix into it.
        aside_db: How many dB lower than the caller's own a voice is that isn't for the agent, 3 to
            40; None: nobody looks.
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
            'with hold="duck_then_pause", "duck" or "pause"'
        )
    how: HoldManner
    match hold:
        case None:
            how = HoldRules.how
        case "pause":
            how = "pause"
        case "duck":
            how = "duck"
        case "duck_then_pause":
            how = "duck_then_pause"
        case _:
            manners = ", ".join(map(repr, get_args(HoldManner)))
            raise ArgumentError(f"Action(hold={hold!r}): give one of {manners}")
    words = _words(lexicon, language)
    lower = _lower(aside_db)
    counts = isinstance(interruption_strategy, MinWordsInterruptionStrategy)
    wanted = hold_backchannels or hold is not None or lexicon is not None or lower is not None
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
    return HoldRules(how=how, lexicon=words, aside_db=lower) if vad else None


def _lower(aside_db: object) -> float | None:
    if aside_db is None:
        return None
    if not is_number(aside_db) or not ASIDES_DB[0] <= aside_db <= ASIDES_DB[1]:
        raise ArgumentError(
            f"Action(aside_db={aside_db!r}): give {ASIDES_DB[0]:g} to {ASIDES_DB[1]:g}, by how "
            "many dB a voice to somebody else is lower than the caller's own; None looks for none"
        )
    return float(aside_db)


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
    heard = code.partition("-")[0].lower()
    known = heard if heard in LEXICONS else "en"
    return find_lexicon(MIXED.get(known, known))
