"""The virtual loop: its clock, its order, its guards, and the two ways to run it. No pipecat."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import signal
import sys
import threading
import time

import pytest

from piopiy_lab.errors import (
    ArgumentError,
    SimulationDeadlockError,
    SimulationError,
    SimulationLimitError,
)
from piopiy_lab.simulation.current import current_virtual_loop
from piopiy_lab.simulation.limits import Limits
from piopiy_lab.simulation.virtual_loop import VirtualTimeLoop


def elapsed() -> float:
    loop = current_virtual_loop()
    assert loop is not None
    return loop.elapsed


def run(coro, **options):
    return VirtualTimeLoop(**options).run(coro)


def run_one_way(coro, in_slices, **options):
    loop = VirtualTimeLoop(**options)
    if in_slices:
        return asyncio.run(loop.run_in_slices(coro, slice_secs=0.005))
    return loop.run(coro)


async def sleep_for_ever(secs):
    while True:  # noqa: ASYNC110 - keeps the loop going
        await asyncio.sleep(secs)


def run_both_ways(make_coro, **options):
    """Run a coroutine as a script would, and in slices under another loop; return both results."""

    return tuple(run_one_way(make_coro(), way, **options) for way in (False, True))


class TestClock:
    def test_an_hour_of_sleep_takes_no_time(self):
        async def main():
            await asyncio.sleep(3599.5)
            return elapsed()

        began = time.perf_counter()
        assert run(main()) == 3599.5
        assert time.perf_counter() - began < 1.0

    def test_sums_of_short_sleeps_are_exact(self):
        async def main():
            for _ in range(1000):
                await asyncio.sleep(0.001)
            return elapsed()

        assert run(main()) == 1.0

    def test_timers_of_one_instant_run_in_the_order_of_their_making(self):
        async def main():
            loop = asyncio.get_running_loop()
            seen: list[int] = []
            for n in range(200):
                handle = loop.call_later(0.1, seen.append, n)
                if n % 3 == 0:
                    handle.cancel()
            await asyncio.sleep(0.2)
            return seen

        assert run(main()) == [n for n in range(200) if n % 3]

    def test_times_that_differ_by_rounding_only_are_one_instant(self):
        async def main():
            loop = asyncio.get_running_loop()
            seen: list[str] = []
            start = loop.time()
            loop.call_at(start + 0.3, seen.append, "a")
            loop.call_at(start + 0.1 + 0.2, seen.append, "b")
            loop.call_at(start + 0.1 * 3, seen.append, "c")
            await asyncio.sleep(1)
            return seen

        assert run(main()) == ["a", "b", "c"]

    def test_a_seed_shuffles_timers_of_one_instant_and_nothing_else(self):
        async def main():
            loop = asyncio.get_running_loop()
            seen: list[int] = []
            for n in range(20):
                loop.call_later(0.1 + 0.1 * (n // 10), seen.append, n)
            await asyncio.sleep(1)
            return seen

        plain, first, again, other = (run(main(), shuffle_seed=seed) for seed in (None, 1, 1, 2))
        assert first == again
        assert len({tuple(plain), tuple(first), tuple(other)}) == 3
        assert sorted(first[:10]) == plain[:10] == list(range(10))

    def test_timeouts_are_virtual(self):
        async def main():
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(30):
                    await asyncio.Event().wait()
            return elapsed()

        assert run_both_ways(main) == (30.0, 30.0)

    def test_a_callback_can_charge_time_for_itself(self):
        async def main():
            loop = current_virtual_loop()
            loop.advance(0.25)
            await asyncio.sleep(0.25)
            return elapsed()

        assert run(main()) == 0.5


class TestRunning:
    def test_results_and_errors_come_out(self):
        async def fails():
            await asyncio.sleep(1)
            raise KeyError("x")

        async def returns():
            return 7

        assert run_both_ways(returns) == (7, 7)
        with pytest.raises(KeyError):
            run(fails())
        with pytest.raises(KeyError):
            asyncio.run(VirtualTimeLoop().run_in_slices(fails()))

    def test_the_coroutine_runs_in_a_copy_of_the_callers_context(self):
        name = contextvars.ContextVar("name", default="none")

        async def main():
            before = name.get()
            name.set("inside")
            return before

        name.set("outside")
        assert run_both_ways(main) == ("outside", "outside")
        assert name.get() == "outside"

    def test_the_outer_loop_goes_on_between_slices(self):
        async def inner():
            for _ in range(100):
                await asyncio.sleep(0.02)
                time.sleep(0.0005)  # noqa: ASYNC251 - work that takes CPU time
            return elapsed()

        async def outer():
            ticks = 0
            task = asyncio.current_task()

            async def tick():
                nonlocal ticks
                while True:
                    await asyncio.sleep(0.005)
                    ticks += 1

            ticker = asyncio.create_task(tick())
            result = await VirtualTimeLoop().run_in_slices(inner(), slice_secs=0.005)
            ticker.cancel()
            assert asyncio.current_task() is task
            assert asyncio.get_running_loop() is not None
            return result, ticks

        result, ticks = asyncio.run(outer())
        assert result == 2.0
        assert ticks >= 3

    def test_a_slice_that_ends_with_the_last_step_leaves_the_end_alone(self):
        async def main():
            left = asyncio.create_task(asyncio.sleep(9))  # the end has to cancel it
            time.sleep(0.05)  # noqa: ASYNC251 - longer than a slice
            await asyncio.sleep(0)
            return left

        async def outer():
            return await VirtualTimeLoop().run_in_slices(main(), slice_secs=0.005)

        assert asyncio.run(outer()).cancelled()

    def test_each_loop_has_its_own_current_task(self):
        async def inner():
            return asyncio.current_task().get_name()

        async def outer():
            mine = asyncio.current_task()
            name = await VirtualTimeLoop().run_in_slices(inner())
            return name, asyncio.current_task() is mine

        assert asyncio.run(outer()) == ("main", True)

    def test_cancelling_the_outer_task_cancels_the_inner_one(self):
        ended = []

        async def inner():
            try:
                await sleep_for_ever(1)
            finally:
                await asyncio.sleep(1)
                ended.append(current_virtual_loop() is not None)

        async def outer():
            task = asyncio.create_task(
                VirtualTimeLoop(limits=Limits(virtual_secs=1e8)).run_in_slices(inner(), 0.002)
            )
            await asyncio.sleep(0.02)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        asyncio.run(outer())
        assert ended == [True]

    def test_several_simulations_share_an_outer_loop(self):
        async def inner(secs):
            for _ in range(10):
                await asyncio.sleep(secs)
                time.sleep(0.0005)  # noqa: ASYNC251
            return elapsed()

        async def outer():
            return await asyncio.gather(
                *(VirtualTimeLoop().run_in_slices(inner(s), 0.001) for s in (0.1, 1.0, 10.0))
            )

        assert asyncio.run(outer()) == [1.0, 10.0, 100.0]

    def test_tasks_that_are_left_are_cancelled_in_the_order_of_their_making(self):
        ended: list[int] = []

        async def waits(n):
            try:
                await asyncio.Event().wait()
            finally:
                ended.append(n)

        async def main():
            asyncio.get_running_loop().tasks = [asyncio.create_task(waits(n)) for n in range(20)]
            await asyncio.sleep(0)

        loop = VirtualTimeLoop()
        loop.run(main())
        assert ended == list(range(20))
        assert loop.leaked == ()
        assert loop.is_closed()

    def test_a_task_that_will_not_end_is_named(self):
        async def stubborn():
            while True:
                try:
                    await asyncio.sleep(1)
                except asyncio.CancelledError:
                    continue

        async def main():
            asyncio.get_running_loop().kept = asyncio.create_task(stubborn(), name="stubborn")
            await asyncio.sleep(0)

        loop = VirtualTimeLoop()
        loop.run(main())
        assert loop.leaked == ("task stubborn",)

    def test_async_generators_are_closed(self):
        closed = []

        async def numbers():
            try:
                yield 1
                yield 2
            finally:
                await asyncio.sleep(0.1)
                closed.append(True)

        async def main():
            generator = numbers()
            asyncio.get_running_loop().kept = generator
            return await anext(generator)

        assert run(main()) == 1
        assert closed == [True]

    @pytest.mark.parametrize("in_slices", [False, True])
    def test_an_interrupt_stops_the_simulation_and_cleans_up(self, in_slices):
        ended = []

        async def main():
            try:
                threading.Timer(0.05, signal.raise_signal, (signal.SIGINT,)).start()
                await sleep_for_ever(1)
            finally:
                ended.append(True)

        with pytest.raises(KeyboardInterrupt):
            run_one_way(main(), in_slices, limits=Limits(virtual_secs=1e8))
        assert ended == [True]

    def test_an_interrupt_reaches_a_frozen_simulation(self):
        async def main():
            threading.Timer(0.05, signal.raise_signal, (signal.SIGINT,)).start()
            await asyncio.to_thread(time.sleep, 0.2)

        with pytest.raises(KeyboardInterrupt):
            run(main())

    def test_signal_handlers_of_the_loop_run(self):
        async def main():
            got = asyncio.Event()
            asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, got.set)
            signal.raise_signal(signal.SIGUSR1)
            async with asyncio.timeout(5):
                await got.wait()
            return elapsed()

        assert run(main()) == 0.0


class TestRefusals:
    def test_a_simulation_in_a_simulation(self):
        async def inner():
            pass

        async def main():
            with pytest.raises(SimulationError, match="inside a simulation"):
                VirtualTimeLoop().run(inner())
            with pytest.raises(SimulationError, match="inside a simulation"):
                await VirtualTimeLoop().run_in_slices(inner())

        run(main())

    def test_run_where_a_loop_runs_already(self):
        async def inner():
            pass

        async def outer():
            with pytest.raises(SimulationError, match="run_in_slices"):
                VirtualTimeLoop().run(inner())

        asyncio.run(outer())

    @pytest.mark.parametrize(
        "options", [{"outside": "ignore"}, {"outside_grace": -1}, {"outside_grace": 60}]
    )
    def test_bad_options(self, options):
        with pytest.raises(ArgumentError):
            VirtualTimeLoop(**options)

    def test_bad_limits(self):
        with pytest.raises(ArgumentError, match="virtual_secs"):
            Limits(virtual_secs=0)


class TestGuards:
    def test_a_deadlock_says_who_waits_for_what(self):
        async def waits_for_a_queue():
            await asyncio.Queue().get()

        async def main():
            await asyncio.sleep(2.5)
            other = asyncio.create_task(waits_for_a_queue(), name="reader")
            await asyncio.gather(other)

        with pytest.raises(SimulationDeadlockError) as caught:
            run(main(), describe=lambda: "the caller is at step 3", limits=Limits(stray_secs=0))
        message = str(caught.value)
        assert "2.500" in message
        assert "main: simulation/test_virtual_loop.py:" in message
        assert "reader: simulation/test_virtual_loop.py:" in message
        assert "waits_for_a_queue, waits in Queue.get" in message
        assert message.endswith("the caller is at step 3")

    def test_a_long_list_is_shortened(self):
        async def main():
            await asyncio.gather(*(asyncio.Event().wait() for _ in range(30)))

        with pytest.raises(SimulationDeadlockError, match="and 21 more"):
            run(main(), limits=Limits(stray_secs=0))

    def test_a_failing_description_does_not_hide_the_error(self):
        async def main():
            await asyncio.Event().wait()

        with pytest.raises(SimulationDeadlockError, match="ZeroDivisionError"):
            run(main(), describe=lambda: str(1 / 0), limits=Limits(stray_secs=0))

    def test_the_cap_on_virtual_time(self):
        async def main():
            await sleep_for_ever(7)

        with pytest.raises(SimulationLimitError, match=r"cap of 60 virtual .* at 56\.000"):
            run(main(), limits=Limits(virtual_secs=60))

    def test_a_sleep_for_ever_meets_the_cap(self):
        async def main():
            await asyncio.sleep(float("inf"))

        with pytest.raises(SimulationLimitError, match="cap of 3600"):
            run(main())

    def test_livelock_names_the_callback(self):
        async def spins():
            await sleep_for_ever(0)

        async def main():
            await asyncio.sleep(1.5)
            await asyncio.create_task(spins(), name="spinner")

        with pytest.raises(SimulationLimitError, match=r"(?s)1\.500 s.*spinner .*spins"):
            run(main(), limits=Limits(turns=20_000))

    def test_much_that_is_done_at_one_instant_is_no_livelock(self):
        done = []

        async def main():
            for _ in range(100_000):
                await asyncio.sleep(0)
                done.append(1)

        run(main(), limits=Limits(turns=20_000), progress=lambda: len(done))
        with pytest.raises(SimulationLimitError, match="Something polls"):
            run(main(), limits=Limits(turns=20_000))

    def test_what_is_done_without_end_is_told_as_that(self):
        done = []

        async def main():
            while True:
                await asyncio.sleep(0)
                done.append(1)

        with pytest.raises(SimulationLimitError, match=r"(?s)82000 turns.*answer without end"):
            run(main(), limits=Limits(turns=2_000), progress=lambda: len(done))

    @pytest.mark.parametrize("in_slices", [False, True])
    def test_the_wall_clock(self, in_slices):
        async def main():
            await sleep_for_ever(0.001)

        limits = Limits(wall_secs=0.05, virtual_secs=1e8)
        with pytest.raises(SimulationLimitError, match="real seconds"):
            run_one_way(main(), in_slices, limits=limits)

    def test_the_main_task_can_clean_up_after_a_guard(self):
        cleaned = []

        async def main():
            try:
                await asyncio.Event().wait()
            finally:
                await asyncio.sleep(0.5)
                cleaned.append(elapsed())

        with pytest.raises(SimulationDeadlockError):
            run(main(), limits=Limits(stray_secs=0))
        assert cleaned == [0.5]


class TestThreads:
    def test_call_soon_threadsafe_from_another_thread(self):
        async def main():
            loop = asyncio.get_running_loop()
            done = asyncio.Event()
            thread = threading.Timer(0.02, loop.call_soon_threadsafe, (done.set,))
            thread.start()
            await done.wait()
            return elapsed()

        assert run_both_ways(main) == (0.0, 0.0)

    def test_two_simulations_in_two_threads(self):
        results: dict[float, float] = {}

        async def main(secs):
            for _ in range(50):
                await asyncio.sleep(secs)
            return elapsed()

        def simulate(secs):
            results[secs] = run(main(secs))

        threads = [threading.Thread(target=simulate, args=(s,)) for s in (0.5, 2.0)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert results == {0.5: 25.0, 2.0: 100.0}


@pytest.mark.parametrize("in_slices", [False, True])
def test_what_the_main_task_raised_is_not_reported_once_more_when_it_is_collected(
    in_slices, caplog
):
    async def leaves():
        await asyncio.sleep(1)
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        run_one_way(leaves(), in_slices)
    gc.collect()
    assert "never retrieved" not in caplog.text


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks came with Python 3.12")
def test_eager_tasks():
    async def child():
        return elapsed()

    async def main():
        asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
        task = asyncio.create_task(child())
        return task.done(), await task

    assert run_both_ways(main) == ((True, 0.0), (True, 0.0))
