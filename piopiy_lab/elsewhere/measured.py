"""What a platform measured of each turn, beside the turns themselves. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from piopiy_lab import events as ev
from piopiy_lab.elsewhere.draft import Draft, Said
from piopiy_lab.elsewhere.json_files import number_or_none


def answers_of(said: Sequence[Said]) -> list[float]:
    """Return when the agent answered: its first words after each of the caller's turns."""
    pairs = zip(said, said[1:], strict=False)
    return [b.start or 0.0 for a, b in pairs if (a.role, b.role) == ("user", "assistant")]


def measure(draft: Draft, service: str, name: str, millis: Sequence[object]) -> None:
    """Add measurements, each at its answer if there are as many, or all at the beginning.

    Args:
        draft: Its ``said`` is whole.
        service: Who measured.
        name: What.
        millis: Milliseconds, in the order of the turns.
    """
    listed = (number_or_none({name: value}, name) for value in millis)
    values = [value / 1000 for value in listed if value is not None]
    answers = answers_of(draft.said)
    if len(answers) != len(values):
        answers = [0.0] * len(values)
    draft.events += [
        ev.MetricsReported(at=max(0.0, at), service=service, name=name, value=value, unit="s")
        for at, value in zip(answers, values, strict=True)
    ]
