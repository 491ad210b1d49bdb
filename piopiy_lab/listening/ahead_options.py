"""What ``Action`` was given about asking the LLM ahead, read."""

from __future__ import annotations

from typing import Literal

from piopiy_lab.errors import ArgumentError

#: What works at a likely end of a turn: the LLM, or the voice too.
Ahead = Literal["llm", "sound"]


def read_speculate(
    speculate: object,
    *,
    vad: bool,
    turn_strategies: object,
    realtime: bool,
) -> Ahead | None:
    """Return what works at a likely end of a turn, before that is sure.

    Args:
        speculate: "llm": the LLM is asked. "sound": and the voice speaks. None: neither.
        vad: Whether there is a detector.
        turn_strategies: What was given as such.
        realtime: Whether a realtime model hears the caller.

    Raises:
        ArgumentError: Another value, or there is nothing to hold an answer back with.
    """
    if speculate is None:
        return None
    if speculate not in ("llm", "sound"):
        raise ArgumentError(
            f"Action(speculate={speculate!r}): give 'llm' or 'sound', or leave it out"
        )
    what = f"Action(speculate={speculate!r}"
    if turn_strategies is not None:
        raise ArgumentError(
            f"{what}, turn_strategies=...): your strategies say when a turn ends; leave one of "
            "them out"
        )
    if not vad:
        raise ArgumentError(f"{what}): it takes a detector to tell a likely end; give vad=True")
    if realtime:
        raise ArgumentError(
            f"{what}): a realtime llm hears the caller itself and answers when it wants; leave it "
            "out"
        )
    return "llm" if speculate == "llm" else "sound"
