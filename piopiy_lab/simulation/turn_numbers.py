"""The numbers of a recorded caller's turns: those of every view. Pure."""

from __future__ import annotations

from dataclasses import replace

from piopiy_lab.call.course import Course
from piopiy_lab.screenplay.recalled import Recalls
from piopiy_lab.screenplay.steps import Step

#: Seconds by which words may begin or end beside the sound that they were heard in.
BESIDE_SECS = 0.05


def numbered(steps: tuple[Step, ...], course: Course) -> tuple[Step, ...]:
    """Return a recorded caller's acts, each with the number of the turn that it belongs to.

    A turn is what the caller says between two answers, as the panel, a replay's table and its
    divergence count them: what was said in two goes before the answer came is one turn. An act that
    nothing was understood of belongs to the next turn.
    """
    spans = [
        (one.number, one.caller[0].start, max(entry.end for entry in one.caller))
        for one in course.exchanges
        if one.caller
    ]
    beyond = course.exchanges[-1].number + 1

    def turn_of(begins: float, ends: float) -> int:
        for number, start, end in spans:
            if start > begins or (start <= ends + BESIDE_SECS and end >= begins - BESIDE_SECS):
                return number
        return beyond

    return tuple(
        replace(step, turn=turn_of(*step.span)) if isinstance(step, Recalls) else step
        for step in steps
    )
