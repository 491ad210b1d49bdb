"""``simulate_many``: many calls in virtual time, on any executor, in the order asked for."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

from piopiy_lab.cassette.modes import RecordMode
from piopiy_lab.checks.arguments import check_count, check_number, check_secs
from piopiy_lab.errors import ArgumentError, ArgumentTypeError
from piopiy_lab.experiments.calls import Calls
from piopiy_lab.experiments.figures.beforehand import too_few_for_rate
from piopiy_lab.experiments.figures.how_sure import pass_rate
from piopiy_lab.experiments.figures.rows import CallRow
from piopiy_lab.experiments.kept import Kept
from piopiy_lab.experiments.running.checking import Checks, named_checks
from piopiy_lab.experiments.running.executing import execute
from piopiy_lab.experiments.running.noticing import Noticing, check_for_many
from piopiy_lab.experiments.running.who_calls import Callers, callers_of
from piopiy_lab.experiments.running.work import Job, Keep, Result, Work, jobs_of, settings_of
from piopiy_lab.line.line import Line, check_line
from piopiy_lab.session.callback import SessionCallback, as_callback
from piopiy_lab.session.replacing import Replacements, check_replace
from piopiy_lab.simulation.current import refuse_nested_simulation
from piopiy_lab.simulation.limits import Limits
from piopiy_lab.simulation.simulate import STAND_INS

#: Of so many calls the first is made once more, to see that it is the same call.
LEAST_TO_TRY_AGAIN = 10


async def simulate_many(
    create_session: SessionCallback,
    callers: Callers,
    *,
    repeat: int = 1,
    perturb: int | bool | None = None,
    line: Line | None = None,
    replace: Replacements | None = None,
    checks: Checks = (),
    cassette: str | Path | None = None,
    record_mode: RecordMode | None = None,
    executor: int | Executor | None = None,
    keep: Keep = "all",
    min_pass_rate: float | None = None,
    still_secs: float = 60.0,
    latency: Mapping[str, Any] | None = None,
    metadata: object = None,
    transfer_outcomes: Mapping[str, str] | None = None,
    limits: Limits | None = None,
    on_call: Callable[[CallRow], object] | None = None,
) -> Calls:
    """Run many calls in virtual time, side by side; from a script: ``asyncio.run(...)``.

    Example::

        calls = await simulate_many(create_session, {"polite": polite, "late": late}, repeat=20)
        calls  # the table
        calls["polite", 3]  # one of them

    The rows are the same, byte for byte, whatever the executor and the number of workers. What
    goes wrong in one call is in its row, and the others go on.

    Args:
        create_session: As for ``simulate``. In a notebook it may be defined in a cell; it travels
            to other processes by value, so it must not hold what can't (a connection, a lock).
        callers: Who calls: screenplays by name, or a list of them; saved calls, or a folder of
            them, whose callers call again.
        repeat: How often each of them calls. More than once, what they say is perturbed: copies
            would be one call.
        perturb: A seed. None: 1 if ``repeat`` is more than 1, else nothing is changed. False:
            nothing is changed. ``simulate(..., perturb=row.seed)`` is one of the calls again.
        line: A phone line, as for ``simulate``; its seed is one more in each run.
        replace: As for ``simulate``; of services functions that make one, for each call needs
            its own.
        checks: What a call has to be beside its screenplay: functions of a ``Call`` that return
            False, or raise AssertionError, where it isn't; by name, or the functions' own.
        cassette: A folder with a cassette for each call.
        record_mode: As for ``simulate``.
        executor: Where the calls run. None: a process for each core; a number: so many; 0: here,
            one after the other. Or any ``concurrent.futures.Executor`` of processes, such as
            Dask's ``client.get_executor(pure=False)``.
        keep: Which calls are kept with their sound, in files until the ``Calls`` are gone: "all",
            "failed" or "none".
        min_pass_rate: A share of passes, 0 to 1, that these calls are to show with 95 %. Where they
            are too few even if all pass, a warning with the number says so before the first is
            made; a notice says whether it was shown.
        still_secs: Real seconds for which virtual time may stand still before a call counts as
            hung.
        latency: As for ``simulate``.
        metadata: As for ``simulate``.
        transfer_outcomes: As for ``simulate``.
        limits: How far each call may go.
        on_call: Called with each row as its call ends, in the order in which they end.

    Returns:
        The calls: a table of rows, with the call behind each.

    Raises:
        ArgumentError: No callers, two of a name, ``repeat`` without ``perturb``, or another value
            that can't be used.
        ArgumentTypeError: A value of the wrong type.
        MissingExtraError: The session is defined in a notebook, and cloudpickle isn't there.
        IncompatibleVersionError: A worker of the executor has other versions of this package,
            pipecat, ONNX Runtime, numpy or Python, or not this package.
        SimulationError: Workers end before they begin a call, or can't load the session.
    """
    refuse_nested_simulation()
    as_callback(create_session)
    check_count("repeat", repeat, least=1)
    named = callers_of(callers)
    base = _base_seed(perturb, repeat)
    check_for_many(check_replace(replace, create_session, STAND_INS), cassette)
    if keep not in ("all", "failed", "none"):
        raise ArgumentError(f"keep={keep!r}: give 'all', 'failed' or 'none'")
    if on_call is not None and not callable(on_call):
        raise ArgumentTypeError(f"on_call={on_call!r}: give a function that takes a CallRow")
    given: dict[str, Any] = {
        "replace": replace,
        "record_mode": record_mode,
        "latency": latency,
        "metadata": metadata,
        "transfer_outcomes": transfer_outcomes,
        "limits": limits,
    }
    work = Work(
        create_session=create_session,
        callers=dict(named),
        checks=named_checks(checks),
        options={name: value for name, value in given.items() if value is not None},
        line=check_line(line),
        repeat=repeat,
        cassette=_folder(cassette),
        keep=keep,
        still_secs=check_secs("still_secs", still_secs, zero=False),
    )
    kept = Kept()
    rows: dict[int, CallRow] = {}
    noticing = Noticing()

    def take(result: Result) -> None:
        row = result.row
        noticing.see(result)
        if result.packed is not None and not kept.put(row.index, result.packed):
            row = dataclasses.replace(row, kept=False)
        rows[row.index] = row
        if on_call is not None:
            on_call(row)

    jobs = jobs_of(named, repeat, base, named.units)
    if min_pass_rate is not None:
        check_number("min_pass_rate", min_pass_rate, 0, 0.999)
        if (few := too_few_for_rate(min_pass_rate, len(jobs))) is not None:
            warnings.warn(f"simulate_many: {few}", stacklevel=2)
    told = await execute(work, jobs, executor, take)
    if len(jobs) >= LEAST_TO_TRY_AGAIN and cassette is None and not noticing.ran:
        told = (*told, *await _again(work, jobs[0], executor, rows[jobs[0].index]))
    if min_pass_rate is not None:
        told = (*told, *_of_rate(min_pass_rate, rows.values()))
    return Calls(
        (rows[index] for index in sorted(rows)),
        kept,
        notices=(*kept.notices, *noticing.notices(), *told),
        settings=settings_of(work, base),
    )


async def _again(
    work: Work, job: Job, executor: int | Executor | None, first: CallRow
) -> tuple[str, ...]:
    """Make the first call once more, behind all others, and say so if it comes out otherwise."""
    if first.kind not in ("passed", "failed"):
        return ()
    found: list[CallRow] = []
    await execute(work, [job], executor, lambda result: found.append(result.row))
    if found and found[0].sha == first.sha:
        return ()
    return (
        f"{first.call_id}, made once more behind all others, was another call: the session (or "
        "what it imports) keeps something between calls, or asks the machine for random numbers "
        "(uuid4, os.urandom, secrets), so these rows are not the same wherever and in whatever "
        "order they are made; keep nothing outside of the session",
    )


def _of_rate(wanted: float, rows: Iterable[CallRow]) -> tuple[str, ...]:
    """Say that a share of passes was not shown; nothing where it was."""
    rate = pass_rate(list(rows))
    if rate.low >= wanted:
        return ()
    said = "is contradicted" if rate.high < wanted else "isn't shown"
    return (f"min_pass_rate={wanted!r} {said}: {rate}",)


def _folder(cassette: str | Path | None) -> str | None:
    return None if cassette is None else str(Path(cassette).expanduser().absolute())


def _base_seed(perturb: int | bool | None, repeat: int) -> int | None:
    if perturb is False:
        if repeat > 1:
            raise ArgumentError(
                f"repeat={repeat!r}, perturb=False: unchanged calls of one caller are copies, "
                "which are one call and say nothing of how sure it is; leave perturb out, or repeat"
            )
        return None
    if perturb is None or perturb is True:
        return 1 if repeat > 1 or perturb else None
    check_count("perturb", perturb, least=0)
    return perturb
