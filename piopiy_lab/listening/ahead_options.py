"""What ``Action`` was given about asking the LLM ahead, read."""

from __future__ import annotations

from piopiy_lab.errors import ArgumentError


def read_speculate(
    speculate: object,
    *,
    vad: bool,
    turn_strategies: object,
    realtime: bool,
) -> bool:
    """Return whether the LLM is asked at a likely end of a turn.

    Args:
        speculate: "llm", or None: it is not.
        vad: Whether there is a detector.
        turn_strategies: What was given as such.
        realtime: Whether a realtime model hears the caller.

    Raises:
        ArgumentError: Another value, or there is nothing to hold an answer back with.
    """
    if speculate is None:
        return False
    if speculate != "llm":
        raise ArgumentError(f"Action(speculate={speculate!r}): give 'llm', or leave it out")
    if turn_strategies is not None:
        raise ArgumentError(
            "Action(speculate='llm', turn_strategies=...): your strategies say when a turn ends; "
            "leave one of them out"
        )
    if not vad:
        raise ArgumentError(
            "Action(speculate='llm'): it takes a detector to tell a likely end; give vad=True"
        )
    if realtime:
        raise ArgumentError(
            "Action(speculate='llm'): a realtime llm hears the caller itself and answers when it "
            "wants; leave it out"
        )
    return True
