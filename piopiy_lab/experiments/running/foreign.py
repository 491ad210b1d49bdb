"""Executors that somebody else made: which can be used, and whether their workers know us."""

from __future__ import annotations

import asyncio
import importlib.util
from concurrent.futures import BrokenExecutor, Executor, ThreadPoolExecutor

from piopiy_lab._version import __version__
from piopiy_lab.checks.arguments import is_whole
from piopiy_lab.checks.texts import described, shown
from piopiy_lab.errors import ArgumentError, ArgumentTypeError, IncompatibleVersionError

_WORKER = "piopiy_lab.experiments.running.worker"


def check_executor(executor: object) -> None:
    """Refuse what calls can't run on.

    Raises:
        ArgumentTypeError: It is neither a number nor an executor.
        ArgumentError: It is less than 0, or an executor of threads.
    """
    if executor is None:
        return
    if isinstance(executor, ThreadPoolExecutor):
        raise ArgumentError(
            f"executor={shown(executor)} runs its work in threads. A simulated call sets pipecat's "
            "clock for its whole process, and a thread that hangs can't be ended, so each call "
            "needs a process: give a number of processes, None for one a core, or 0 to run here"
        )
    if isinstance(executor, Executor):
        return
    if hasattr(executor, "get_executor"):
        raise ArgumentTypeError(
            f"executor={shown(executor)} is a client of a cluster: give its executor, "
            "client.get_executor(pure=False)"
        )
    if not is_whole(executor):
        raise ArgumentTypeError(
            f"executor={shown(executor)}: give None, a number of processes, 0 to run here, or a "
            "concurrent.futures.Executor of processes"
        )
    if executor < 0:
        raise ArgumentError(f"executor={executor!r}: give 0 (here) or more processes")


async def probe(executor: Executor) -> None:
    """See that a worker has this package, by what every Python has.

    Raises:
        ArgumentError: The executor takes nothing.
        IncompatibleVersionError: The package isn't there.
    """
    try:
        future = executor.submit(importlib.util.find_spec, _WORKER)
    except Exception as error:  # each executor has its own for "it is closed"
        raise ArgumentError(
            f"executor={shown(executor)} takes no calls ({described(error)}): give one that is "
            "open and whole"
        ) from error
    try:
        found = await asyncio.wrap_future(future)
    except ModuleNotFoundError as error:
        raise IncompatibleVersionError(_missing(str(error))) from error
    except BrokenExecutor as error:
        raise ArgumentError(
            f"executor={shown(executor)} is broken, a process of it has died: make a new one"
        ) from error
    if found is None:
        raise IncompatibleVersionError(_missing(f"no {_WORKER}"))


def missing_there(error: BaseException) -> str | None:
    """Return what to say of an error that a worker without this package gives; None of others."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ImportError) and "piopiy_lab" in str(seen):
            return _missing(str(seen))
        seen = seen.__cause__
    return None


def _missing(why: str) -> str:
    return (
        f"a worker of the executor has no piopiy_lab, or another version ({why}): install "
        f"piopiy-lab {__version__} in the environment that the workers run in"
    )
