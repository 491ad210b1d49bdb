"""`time` and `datetime` for pipecat while a simulation runs.

pipecat reads the wall clock directly in many places. While `patched_pipecat_time` is active, every
pipecat module that holds the `time` or `datetime` module, one of their functions or the `datetime`
class gets a loop-aware version in its place; so do function defaults and dataclass default
factories, which were bound when the module was imported.

Loop-aware means: virtual time when the code runs on a virtual loop (or in an executor job of one),
real time everywhere else. So the kernel's and the logger's threads, and calls that are not
simulated, are not affected, and two simulations in two threads each see their own clock.
"""

from __future__ import annotations

import contextlib
import datetime as real_datetime
import sys
import time as real_time
import types
from collections.abc import Callable, Iterator
from typing import Any

from piopiy_lab.simulation.virtual_loop import current_virtual_loop

# 2026-01-01T00:00:00Z: where the calendar stands when a simulation starts, in ns since 1970.
EPOCH_NS = 1_767_225_600_000_000_000


def _time_ns() -> int:
    loop = current_virtual_loop()
    return real_time.time_ns() if loop is None else EPOCH_NS + loop.elapsed_ns


def _time() -> float:
    loop = current_virtual_loop()
    return real_time.time() if loop is None else (EPOCH_NS + loop.elapsed_ns) / 1e9


def _monotonic_ns() -> int:
    loop = current_virtual_loop()
    return real_time.monotonic_ns() if loop is None else loop.time_ns()


def _monotonic() -> float:
    loop = current_virtual_loop()
    return real_time.monotonic() if loop is None else loop.time()


def _perf_counter_ns() -> int:
    loop = current_virtual_loop()
    return real_time.perf_counter_ns() if loop is None else loop.time_ns()


def _perf_counter() -> float:
    loop = current_virtual_loop()
    return real_time.perf_counter() if loop is None else loop.time()


def _process_time() -> float:
    loop = current_virtual_loop()
    return real_time.process_time() if loop is None else loop.elapsed


def _process_time_ns() -> int:
    loop = current_virtual_loop()
    return real_time.process_time_ns() if loop is None else loop.elapsed_ns


def _sleep(secs: float) -> None:
    """Block: on a virtual loop, move its clock instead."""
    loop = current_virtual_loop()
    if loop is None or not loop.is_current_thread():
        real_time.sleep(secs)
    else:
        loop.advance(secs)


def _localtime(secs: float | None = None) -> real_time.struct_time:
    return real_time.localtime(_time() if secs is None else secs)


def _gmtime(secs: float | None = None) -> real_time.struct_time:
    return real_time.gmtime(_time() if secs is None else secs)


def _ctime(secs: float | None = None) -> str:
    return real_time.ctime(_time() if secs is None else secs)


def _strftime(form: str, t: Any = None) -> str:
    return real_time.strftime(form, _localtime() if t is None else t)


class _AnyDatetime(type(real_datetime.datetime)):
    """Makes `isinstance(x, datetime)` true for every datetime, as it was before."""

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, real_datetime.datetime)

    def __subclasscheck__(cls, subclass: type) -> bool:
        return issubclass(subclass, real_datetime.datetime)


class _VirtualDatetime(real_datetime.datetime, metaclass=_AnyDatetime):
    """`datetime.datetime` whose `now`, `utcnow` and `today` are loop-aware."""

    @classmethod
    def now(cls, tz: real_datetime.tzinfo | None = None) -> Any:
        return real_datetime.datetime.fromtimestamp(_time(), tz)

    @classmethod
    def utcnow(cls) -> Any:
        return real_datetime.datetime.fromtimestamp(_time(), real_datetime.UTC).replace(tzinfo=None)

    @classmethod
    def today(cls) -> Any:
        return real_datetime.datetime.fromtimestamp(_time())  # noqa: DTZ006 - as the original


# The functions of the `time` module that have a loop-aware version. The scanner reads this.
VIRTUAL_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "time": _time,
    "time_ns": _time_ns,
    "monotonic": _monotonic,
    "monotonic_ns": _monotonic_ns,
    "perf_counter": _perf_counter,
    "perf_counter_ns": _perf_counter_ns,
    "process_time": _process_time,
    "process_time_ns": _process_time_ns,
    "sleep": _sleep,
    "localtime": _localtime,
    "gmtime": _gmtime,
    "ctime": _ctime,
    "strftime": _strftime,
}


@contextlib.contextmanager
def patched_pipecat_time() -> Iterator[None]:
    """Give pipecat the loop-aware clock inside the block; restores everything afterwards."""
    proxy = types.ModuleType("time")
    proxy.__dict__.update(real_time.__dict__)
    proxy.__dict__.update(VIRTUAL_FUNCTIONS)
    undo: list[tuple[Any, str, Any]] = []
    cells: list[tuple[Any, Any]] = []
    for name, module in list(sys.modules.items()):
        if name.startswith("pipecat.") and getattr(module, "time", None) is real_time:
            undo.append((module, "time", real_time))
            module.time = proxy  # type: ignore[union-attr]
    from pipecat.frames import frames

    for cls in (frames.VADUserStartedSpeakingFrame, frames.VADUserStoppedSpeakingFrame):
        for cell in cls.__init__.__closure__ or ():
            if cell.cell_contents is real_time.time:
                cells.append((cell, real_time.time))
                cell.cell_contents = _time
    shim = types.ModuleType("datetime")
    shim.__dict__.update(real_datetime.__dict__)
    shim.__dict__["datetime"] = _VirtualDatetime
    import pipecat.utils.time as pipecat_time

    undo.append((pipecat_time, "datetime", pipecat_time.datetime))
    pipecat_time.datetime = shim  # type: ignore[assignment]
    try:
        yield
    finally:
        for owner, name, value in reversed(undo):
            setattr(owner, name, value)
        for cell, value in cells:
            cell.cell_contents = value
