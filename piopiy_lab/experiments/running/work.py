"""What ``simulate_many`` is to do: the work that all calls share, and one job for each of them.

Pure data. It travels to workers, so nothing here holds what can't.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from piopiy_lab.call.packed import PackedCall
from piopiy_lab.experiments.figures.rows import CallRow, Kind
from piopiy_lab.experiments.running.checking import Check
from piopiy_lab.line.line import Line
from piopiy_lab.screenplay.caller import Caller
from piopiy_lab.screenplay.steps import AudioFile
from piopiy_lab.session.callback import SessionCallback

#: Which calls are kept with their sound.
Keep = Literal["all", "failed", "none"]


@dataclass(frozen=True)
class Work:
    """What all calls share.

    Attributes:
        create_session: The agent.
        callers: Who calls, by name.
        checks: Further expectations, by name.
        options: What ``simulate`` is told of every call.
        line: The line of every call; its seed moves with the run.
        repeat: How often each caller calls.
        cassette: A folder with a cassette for each call, by the call's id.
        keep: Which calls come back with their sound.
        still_secs: Real seconds for which virtual time may stand still.
    """

    create_session: SessionCallback
    callers: Mapping[str, Caller | AudioFile]
    checks: Mapping[str, Check] = field(default_factory=dict[str, Check])
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    line: Line | None = None
    repeat: int = 1
    cassette: str | None = None
    keep: Keep = "all"
    still_secs: float = 60.0


@dataclass(frozen=True)
class Job:
    """One call to be made.

    Attributes:
        index: Its place among all calls, from 0.
        caller: Who calls: a name of ``Work.callers``.
        run: Which of that caller's calls, from 1.
        seed: Of ``Perturb``; None for the caller unchanged.
        unit: Whose recording the caller is, where several are of one; "" otherwise.
    """

    index: int
    caller: str
    run: int
    seed: int | None = None
    unit: str = ""

    @property
    def call_id(self) -> str:
        """The call's id, which the session may be told: ``polite-3``."""
        return f"{self.caller}-{self.run}"


@dataclass(frozen=True)
class Result:
    """What became of a job.

    Attributes:
        row: Its row of the table.
        packed: The call itself; None where it wasn't kept, or there was none.
        ran: The agent's tools that were really run: on no cassette, and nothing in their place.
    """

    row: CallRow
    packed: PackedCall | None = None
    ran: tuple[str, ...] = ()


def lost(job: Job, kind: Kind, why: str) -> Result:
    """Return the row of a call of which nothing else is known."""
    return Result(CallRow(job.index, job.caller, job.run, job.seed, kind, why, unit=job.unit))


def seed_of(base: int, caller: str, run: int) -> int:
    """Return the seed of one run: it depends on the caller's name, and on no other caller.

    So a caller who is added or left out changes nobody else's calls, and two agents hear the same.

    Args:
        base: What the user gave.
        caller: The name.
        run: From 1.

    Returns:
        0 to 2**31 - 1 (CRC-32, halved).
    """
    return zlib.crc32(f"{base} {caller} {run}".encode()) >> 1


def jobs_of(
    callers: Mapping[str, object],
    repeat: int,
    base: int | None,
    units: Mapping[str, str] | None = None,
) -> list[Job]:
    """Return the jobs in the order of the results: caller by caller, run by run.

    Args:
        callers: By name.
        repeat: Calls of each.
        base: Of the seeds; None for calls that aren't perturbed.
        units: By name, whose recording a caller is.
    """
    whose = units or {}
    pairs = [(name, run) for name in callers for run in range(1, repeat + 1)]
    return [
        Job(
            index,
            name,
            run,
            None if base is None else seed_of(base, name, run),
            whose.get(name, ""),
        )
        for index, (name, run) in enumerate(pairs)
    ]


def settings_of(work: Work, base: int | None) -> dict[str, object]:
    """Return how calls are made, as far as numbers and texts tell it: for who reads them later.

    Args:
        work: What they share.
        base: Of the seeds; None for calls that aren't perturbed.
    """
    session = work.create_session
    told = {
        "session": str(getattr(session, "__qualname__", type(session).__name__)),
        "repeat": work.repeat,
        "perturb": base,
        "line": None if work.line is None else repr(work.line),
        "checks": ", ".join(work.checks) or None,
        "cassette": work.cassette,
        "keep": work.keep,
    }
    told |= {f"caller {name}": repr(caller) for name, caller in work.callers.items()}
    return {name: value for name, value in told.items() if value is not None}
