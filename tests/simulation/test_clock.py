"""pipecat's clock in a simulation: every reader, late imports, other threads, and afterwards."""

from __future__ import annotations

import asyncio
import datetime
import gc
import sys
import textwrap
import threading
import time
import types
import weakref

import pytest

from piopiy_lab.simulation.clock import VIRTUAL_FUNCTIONS, patched_pipecat_time
from piopiy_lab.simulation.jobs import JobPolicy
from piopiy_lab.simulation.virtual_loop import VirtualTimeLoop

EPOCH = 1_767_225_600.0  # 2026-01-01T00:00:00Z


def simulate(coro, **options):
    with patched_pipecat_time():
        return VirtualTimeLoop(**options).run(coro)


@pytest.fixture
def fake_package(tmp_path, monkeypatch):
    """Importable modules under the name `pipecat_sample`, written by the test."""
    package = tmp_path / "pipecat_sample"
    package.mkdir()
    (package / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)

    def write(name: str, source: str) -> str:
        (package / f"{name}.py").write_text(textwrap.dedent(source))
        return f"pipecat_sample.{name}"

    yield write
    for name in [name for name in sys.modules if name.startswith("pipecat_sample")]:
        del sys.modules[name]


def test_pipecats_own_readers_are_virtual():
    from pipecat.clocks.system_clock import SystemClock
    from pipecat.frames.frames import VADUserStartedSpeakingFrame, VADUserStoppedSpeakingFrame
    from pipecat.observers.user_bot_latency_observer import UserBotLatencyObserver
    from pipecat.utils.time import time_now_iso8601

    async def main():
        clock = SystemClock()
        clock.start()
        await asyncio.sleep(2.5)
        return (
            clock.get_time(),
            time_now_iso8601(),
            VADUserStartedSpeakingFrame(start_secs=0.2).timestamp,
            VADUserStoppedSpeakingFrame(stop_secs=0.2).timestamp,
            UserBotLatencyObserver.__init__.__kwdefaults__["time_source"](),
        )

    now = EPOCH + 2.5
    stamp = "2026-01-01T00:00:02.500+00:00"
    assert simulate(main()) == (2_500_000_000, stamp, now, now, now)
    assert VADUserStartedSpeakingFrame(start_secs=0.2).timestamp == pytest.approx(
        time.time(), abs=5
    )


def test_every_function_follows_the_loop(fake_package):
    name = fake_package(
        "reader",
        """
        import time
        def read():
            return {
                "time": time.time(), "monotonic": time.monotonic(), "ns": time.time_ns(),
                "monotonic_ns": time.monotonic_ns(), "perf": time.perf_counter(),
                "perf_ns": time.perf_counter_ns(), "cpu": time.process_time(),
                "cpu_ns": time.process_time_ns(),
                "day": time.strftime("%Y-%m-%d", time.gmtime()), "text": time.gmtime(0).tm_year,
            }
        def nap():
            time.sleep(0.75)
        """,
    )

    async def main():
        from importlib import import_module

        reader = import_module(name)
        await asyncio.sleep(1.25)
        reader.nap()
        return reader.read()

    with patched_pipecat_time(also=["pipecat_sample"]):
        began = time.monotonic()
        read = VirtualTimeLoop().run(main())
        assert time.monotonic() - began < 0.5
    assert read == {
        "time": EPOCH + 2.0,
        "ns": int((EPOCH + 2.0) * 1e9),
        "monotonic": 1002.0,
        "monotonic_ns": 1_002_000_000_000,
        "perf": 1002.0,
        "perf_ns": 1_002_000_000_000,
        "cpu": 2.0,
        "cpu_ns": 2_000_000_000,
        "day": "2026-01-01",
        "text": 1970,
    }


def test_datetime_stays_a_datetime(fake_package):
    name = fake_package(
        "dates",
        """
        from datetime import UTC, datetime
        def read():
            now = datetime.now(UTC)
            return now, isinstance(now, datetime), datetime(2020, 1, 2).year, datetime.utcnow()
        """,
    )

    async def main():
        from importlib import import_module

        return import_module(name).read()

    with patched_pipecat_time(also=["pipecat_sample"]):
        now, is_datetime, year, utcnow = VirtualTimeLoop().run(main())
    assert now == datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    assert type(now) is datetime.datetime
    assert is_datetime
    assert year == 2020
    assert utcnow == datetime.datetime(2026, 1, 1)  # noqa: DTZ001 - as utcnow gives it


def test_no_pipecat_function_keeps_a_real_clock():
    """Not by our own rules of where to look, but by who refers to the functions."""
    import pipecat.audio.turn.smart_turn.local_smart_turn_v3
    import pipecat.observers.startup_timing_observer
    import pipecat.pipeline.worker
    import pipecat.processors.aggregators.llm_response_universal
    import pipecat.transports.base_output  # noqa: F401

    with patched_pipecat_time():
        held = {id(thing): thing for thing in pipecat_objects()}
        for real in (time, *(getattr(time, name) for name in VIRTUAL_FUNCTIONS)):
            for owner in gc.get_referrers(real):
                assert id(owner) not in held, f"{real} is still held by {owner!r}"


def pipecat_objects():
    """Yield what pipecat's modules hold: their dicts, functions' defaults and closures."""

    def is_pipecats(thing):
        return str(getattr(thing, "__module__", "")).startswith("pipecat.")

    for name, module in list(sys.modules.items()):
        if name.startswith("pipecat."):
            yield vars(module)
    for thing in gc.get_objects():
        if issubclass(type(thing), weakref.ProxyTypes):
            continue  # isinstance() would ask what it stands for, which may be gone
        if isinstance(thing, types.FunctionType) and is_pipecats(thing):
            yield from (thing.__defaults__, thing.__kwdefaults__)
            yield from thing.__closure__ or ()
        elif isinstance(thing, type) and is_pipecats(thing):
            yield from getattr(thing, "__dataclass_fields__", {}).values()


def test_modules_imported_during_a_simulation_are_covered_and_restored(fake_package):
    name = fake_package(
        "late",
        """
        import time
        from time import monotonic
        def read(clock=time.time):
            return clock(), monotonic()
        """,
    )

    async def main():
        from importlib import import_module

        module = import_module(name)
        await asyncio.sleep(3)
        return module.read()

    with patched_pipecat_time(also=["pipecat_sample"]):
        assert VirtualTimeLoop().run(main()) == (EPOCH + 3, 1003.0)
    late = sys.modules[name]
    assert late.time is time
    assert late.monotonic is time.monotonic
    assert late.read.__defaults__ == (time.time,)
    assert type(late.__loader__).__module__ == late.__spec__.loader.__class__.__module__
    assert "piopiy_lab" not in type(late.__loader__).__module__


def test_everything_is_restored_exactly():
    import pipecat.audio.vad.vad_controller as vad_controller
    import pipecat.frames.frames as frames
    import pipecat.observers.user_bot_latency_observer as observer

    keywords = observer.UserBotLatencyObserver.__init__.__kwdefaults__
    finders = list(sys.meta_path)
    with patched_pipecat_time():
        assert vad_controller.time is not time
        with patched_pipecat_time():
            pass
        assert vad_controller.time is not time
    assert vad_controller.time is time
    assert observer.UserBotLatencyObserver.__init__.__kwdefaults__ is keywords
    field = frames.VADUserStartedSpeakingFrame.__dataclass_fields__["timestamp"]
    assert field.default_factory is time.time
    assert sys.meta_path == finders


def test_other_threads_and_other_loops_keep_real_time():
    import pipecat.audio.vad.vad_controller as vad_controller

    read: dict[str, float] = {}

    async def main():
        thread = threading.Thread(target=lambda: read.update(thread=vad_controller.time.time()))
        thread.start()
        thread.join()
        return vad_controller.time.time()

    async def live():
        return vad_controller.time.time()

    assert simulate(main()) == EPOCH
    assert read["thread"] == pytest.approx(time.time(), abs=5)
    with patched_pipecat_time():
        assert asyncio.run(live()) == pytest.approx(time.time(), abs=5)


@pytest.mark.parametrize("jobs", [None, JobPolicy(inline={"read": 0.5})])
def test_an_executor_job_reads_its_simulations_clock(jobs):
    import pipecat.audio.vad.vad_controller as vad_controller

    def read():
        return vad_controller.time.time()

    async def main():
        await asyncio.sleep(4)
        return await asyncio.to_thread(read)

    assert simulate(main(), jobs=jobs) == EPOCH + 4


def test_two_simulations_in_two_threads_have_two_clocks():
    import pipecat.audio.vad.vad_controller as vad_controller

    read: dict[int, list[float]] = {}

    async def main(step):
        times = []
        for _ in range(20):
            await asyncio.sleep(step)
            times.append(vad_controller.time.time() - EPOCH)
        return times

    def one(step):
        read[step] = simulate(main(step))

    threads = [threading.Thread(target=one, args=(step,)) for step in (1, 60)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert read == {step: [step * float(n) for n in range(1, 21)] for step in (1, 60)}
    assert vad_controller.time is time


def test_modules_that_another_thread_imports_meanwhile_are_no_error(monkeypatch):
    """Collecting garbage may run anybody's code, and a walk over ``sys.modules`` makes some."""
    many = types.SimpleNamespace(modules=dict(sys.modules))

    def imports_one(*_):
        many.modules[f"other_{len(many.modules)}"] = types.ModuleType("other")

    monkeypatch.setattr("piopiy_lab.simulation.clock.sys", many)
    threshold = gc.get_threshold()
    gc.callbacks.append(imports_one)
    gc.set_threshold(1)
    try:
        with patched_pipecat_time():
            pass
    finally:
        gc.set_threshold(*threshold)
        gc.callbacks.remove(imports_one)
    assert len(many.modules) > len(sys.modules)
