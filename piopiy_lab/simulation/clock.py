"""`time` and `datetime` for pipecat while a simulation runs.

pipecat reads the wall clock directly in many places. While `patched_pipecat_time` is active, every
pipecat module that holds the `time` or `datetime` module, one of their functions or the `datetime`
class has a loop-aware version in its place; so have the function defaults and the dataclass default
factories that were bound when the module was imported (see `time_sites.py`).

Loop-aware means: virtual time when the code runs on a virtual loop (or in an executor job of one),
real time everywhere else. So the kernel's and the logger's threads, and calls that are not
simulated, are not affected, and two simulations in two threads each see their own clock.
"""

from __future__ import annotations

import contextlib
import datetime as real_datetime
import sys
import threading
import time as real_time
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from piopiy_lab.simulation.current import current_virtual_loop
from piopiy_lab.simulation.import_watch import ImportWatch
from piopiy_lab.simulation.time_sites import Clean, Undo, replace_in_module

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
VIRTUAL_FUNCTIONS: dict[str, Callable[..., object]] = {
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


def _proxy_of(module: types.ModuleType, replaced: Mapping[str, object]) -> types.ModuleType:
    """Return a copy of a module with some of its names replaced."""
    proxy = types.ModuleType(module.__name__, module.__doc__)
    proxy.__dict__.update(module.__dict__)
    proxy.__dict__.update(replaced)
    return proxy


# Loop-aware versions of the modules, and of all that a module may have taken from them, by the
# identity of the original.
_time_proxy = _proxy_of(real_time, VIRTUAL_FUNCTIONS)
_datetime_proxy = _proxy_of(real_datetime, {"datetime": _VirtualDatetime})
_SWAPS: dict[int, object] = {
    id(real_time): _time_proxy,
    id(real_datetime): _datetime_proxy,
    id(real_datetime.datetime): _VirtualDatetime,
    **{id(getattr(real_time, name)): new for name, new in VIRTUAL_FUNCTIONS.items()},
}


@contextlib.contextmanager
def patched_pipecat_time(also: Iterable[str] = ()) -> Iterator[None]:
    """Give pipecat the loop-aware clock inside the block, and restore everything afterwards.

    Modules that are imported inside the block are covered too. Nests, and may be used by several
    threads at once: the last one to leave restores.

    Args:
        also: Further packages and modules to cover, by name: those of the user's own session.
    """
    _patching.enter(("pipecat", *also))
    try:
        yield
    finally:
        _patching.leave()


class _Patching:
    """Counts the active blocks, and patches while there is one."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        # All under the lock: the active blocks, the covered packages, the patched modules, and
        # what undoes it.
        self._active = 0
        self._packages: set[str] = set()
        self._patched: dict[str, types.ModuleType] = {}
        self._undo: list[Undo] = []
        self._clean: Clean = {}  # of every block so far
        self._watch = ImportWatch(self._covers, self._patch)

    def enter(self, packages: Iterable[str]) -> None:
        with self._lock:
            self._active += 1
            if self._active == 1:
                self._watch.start()
            self._packages.update(packages)
            for name, module in sys.modules.copy().items():  # other threads may be importing
                if module is not None and self._covers(name):
                    self._patch(module)

    def leave(self) -> None:
        with self._lock:
            self._active -= 1
            if self._active == 0:
                self._watch.stop()
                for undo in reversed(self._undo):
                    undo()
                self._undo.clear()
                self._patched.clear()
                self._packages.clear()

    def _covers(self, name: str) -> bool:
        return name in self._packages or any(name.startswith(f"{p}.") for p in self._packages)

    def _patch(self, module: types.ModuleType) -> None:
        with self._lock:
            if self._active and self._patched.get(module.__name__) is not module:
                self._patched[module.__name__] = module
                stays = module.__name__.startswith("pipecat.")  # a notebook's classes come and go
                clean = self._clean if stays else None
                self._undo += replace_in_module(module, _SWAPS, clean)


_patching = _Patching()
