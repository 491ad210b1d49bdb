"""How far a simulation may go before it is stopped with an error."""

from __future__ import annotations

from dataclasses import dataclass, fields

from piopiy_lab.errors import ArgumentError


@dataclass(frozen=True)
class Limits:
    """The guards of one simulation. Reaching one raises `SimulationLimitError` out of `run`.

    Attributes:
        virtual_secs: The longest simulation, in virtual seconds.
        wall_secs: The longest simulation, in real seconds.
        iterations: Turns of the loop at one virtual instant, after which it counts as livelock.
        outside_secs: Real seconds for which nothing comes from the outside work that time is
            frozen for.
        stray_secs: Real seconds to wait for a thread of which nothing is known, when nothing is
            scheduled any more and other threads are alive.
    """

    virtual_secs: float = 3600.0
    wall_secs: float = 600.0
    iterations: int = 200_000
    outside_secs: float = 60.0
    stray_secs: float = 1.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not value > 0 and not (field.name == "stray_secs" and value == 0):
                raise ArgumentError(f"Limits.{field.name} is {value!r}: give a positive number")
