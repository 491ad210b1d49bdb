"""No use of a clock in the installed pipecat escapes the simulation's clock."""

from __future__ import annotations

import dataclasses
import gc
import sys
import types
from pathlib import Path

import pytest

from piopiy_lab.simulation.scan import EXCEPTIONS, Finding, scan, scan_source, uncovered


@pytest.fixture(scope="module")
def found_in_pipecat() -> list[Finding]:
    import pipecat

    # CPython 3.11's parser breaks when a task that failed in an earlier test is collected and
    # reported while it works (gh-106905).
    gc.collect()
    return scan(Path(pipecat.__file__).parent)


def whys(source: str) -> list[str]:
    return [finding.why for finding in scan_source(source, "x.py")]


def test_pipecat_reads_no_clock_that_stays_real(found_in_pipecat):
    found = uncovered(found_in_pipecat)
    assert not found, "not covered by simulation/clock.py:\n" + "\n".join(map(str, found))


def test_every_exception_is_still_needed(found_in_pipecat):
    assert {finding.key for finding in found_in_pipecat} == set(EXCEPTIONS)


@pytest.mark.parametrize(
    "source",
    [
        "import time\ndef f():\n    return time.time(), time.monotonic_ns()",
        "import time as t\ndef f():\n    t.sleep(1)",
        "from time import perf_counter as now\ndef f():\n    return now()",
        "import time\ndef f(clock=time.time, *, other=time.monotonic): ...",
        "import time\nclass A:\n    clock = time.time\n    other = staticmethod(time.time)",
        "import time\nclass A:\n    at: float = field(default_factory=time.time)",
        "import time\nclass A:\n    at: float = field(default_factory=lambda: time.time())",
        "import datetime\ndef f():\n    return datetime.datetime.now(datetime.UTC)",
        "from datetime import datetime\ndef f():\n    return datetime.now()",
        "import time\nclock = time.monotonic",
        "from pipecat.utils.time import time_now_iso8601\nX = time_now_iso8601",
        "import datetime\nTIMEOUT = datetime.timedelta(seconds=3)",
    ],
)
def test_covered(source):
    assert whys(source) == []


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("def f():\n    import time\n    return time.time()", "inside a function"),
        ("def f():\n    from datetime import datetime", "inside a function"),
        ("import time\nSTARTED = time.time()", "read once"),
        ("from datetime import datetime\nX = datetime.now().year", "read once"),
        ("import time\nclass A:\n    at: float = time.monotonic()", "read once"),
        ("import time\nCLOCKS = {'wall': time.time}", "captured"),
        ("import time\nCLOCK = functools.partial(time.time)", "captured"),
        ("import time\n@timed(time.monotonic)\ndef f(): ...", "captured"),
        ("import time\nclass A(B):\n    at: float = Field(default_factory=time.time)", "captured"),
        ("from datetime import datetime\ndef f(now=datetime.now): ...", "captured"),
        ("import time\ndef f():\n    return time.clock_gettime(0)", "no loop-aware version"),
        ("from datetime import date\ndef f():\n    return date.today()", "no loop-aware version"),
        ("import os\ndef f():\n    return os.times()", "no loop-aware version"),
    ],
)
def test_not_covered(source, why):
    found = whys(source)
    assert found
    assert why in found[0]


def test_the_scanner_and_the_patching_agree():
    """What the scanner takes for covered is replaced in a real module, site by site."""
    import time

    from piopiy_lab.simulation import clock
    from piopiy_lab.simulation.time_sites import replace_in_module

    module = types.ModuleType("sample")
    source = """
import time, datetime
from time import monotonic as now
from datetime import datetime as dt
def f(a, clock=time.time, *, other=time.monotonic):
    def inner(): return clock, other
    return inner
class A:
    clock = time.time
    fixed = staticmethod(time.perf_counter)
    def method(self, clock=time.time): return clock
    @property
    def value(self, clock=time.time): return clock
    class Inner:
        def method(self, clock=time.time): return clock
@dataclass
class D:
    at: float = field(default_factory=time.time)
"""
    assert whys(source) == []
    vars(module).update(dataclass=dataclasses.dataclass, field=dataclasses.field)
    sys.modules["sample"] = module  # dataclasses looks there
    exec(compile(source, "sample.py", "exec"), vars(module))
    del sys.modules["sample"]
    undo = replace_in_module(module, clock._SWAPS)
    virtual = clock.VIRTUAL_FUNCTIONS
    assert module.time.time is virtual["time"]
    assert module.now is virtual["monotonic"]
    assert module.dt is module.datetime.datetime is clock._VirtualDatetime
    assert module.f(1)() == (virtual["time"], virtual["monotonic"])
    assert module.A.clock is virtual["time"]
    assert module.A.fixed is virtual["perf_counter"]
    assert module.A().method() is module.A().value is virtual["time"]
    assert module.A.Inner().method() is virtual["time"]
    assert module.D.__dataclass_fields__["at"].default_factory is virtual["time"]
    assert virtual["time"] in [c.cell_contents for c in module.D.__init__.__closure__]
    for step in reversed(undo):
        step()
    assert module.time is time
    assert module.now is time.monotonic
    assert module.f(1)() == (time.time, time.monotonic)
    assert module.A.clock is time.time
    assert isinstance(vars(module.A)["fixed"], staticmethod)
    assert module.D.__dataclass_fields__["at"].default_factory is time.time
    assert time.time in [c.cell_contents for c in module.D.__init__.__closure__]


def test_a_class_that_held_nothing_is_looked_through_again_when_it_has_changed():
    import time

    from piopiy_lab.simulation import clock
    from piopiy_lab.simulation.time_sites import replace_in_module

    module = types.ModuleType("sample")
    source = """
class A:
    def method(self): return 1
    class Inner:
        def method(self): return 1
"""
    exec(compile(source, "sample.py", "exec"), vars(module))
    clean = {}
    assert replace_in_module(module, clock._SWAPS, clean) == []
    assert replace_in_module(module, clock._SWAPS, clean) == []

    def late(self, clock=time.time):
        return clock

    module.A.method = late
    undo = replace_in_module(module, clock._SWAPS, clean)
    assert module.A().method() is clock.VIRTUAL_FUNCTIONS["time"]
    for step in undo:
        step()
    module.A.Inner.method = late  # a class within one is never taken for known
    undo = replace_in_module(module, clock._SWAPS, clean)
    assert module.A.Inner().method() is clock.VIRTUAL_FUNCTIONS["time"]
    for step in undo:
        step()
    assert module.A().method() is time.time
