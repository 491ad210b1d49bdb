"""Calls in other processes: the same rows, whoever runs them and whatever one of them does."""

from __future__ import annotations

import asyncio
import ctypes
import importlib
import multiprocessing
import os
import signal
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import pytest
from live_calls import desk

from piopiy_lab import Caller, VoiceAgent, offline_stack, simulate_many
from piopiy_lab.errors import ArgumentError, ArgumentTypeError
from piopiy_lab.experiments.running import processes
from piopiy_lab.experiments.running.processes import end_all
from piopiy_lab.simulation.limits import Limits

SHORT = Caller().hears_greeting()
BOOKS = SHORT.says("a table for two tomorrow at seven").hears_reply()


def many(session, callers, executor, **told):
    return asyncio.run(simulate_many(session, callers, executor=executor, **told))


@pytest.fixture(scope="module", params=["loky", "own"])
def local(request):
    """With loky and without it: processes of this machine."""
    end_all()
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "own":
            patch.setattr(processes, "find_spec", lambda name: None)
        yield request.param
    end_all()


def remembering():
    """A session of a function's inside, whose globals and variables change: by value."""
    seen = []

    async def session(call_id):
        seen.append(call_id)
        agent = VoiceAgent(instructions="x", greeting=f"Hello number {len(seen)}.")
        stt, llm, tts = offline_stack()
        await agent.Action(stt=stt, llm=llm, tts=tts, vad=True)
        await agent.start()

    return session


def timed():
    """A session that reads the clock of its own module, which a simulation gives virtual time."""

    async def session(call_id):
        began = time.monotonic()
        time.sleep(2.5)  # noqa: ASYNC251 - takes virtual time
        agent = VoiceAgent(instructions="x", greeting=f"{time.monotonic() - began:.3f} seconds.")
        stt, llm, tts = offline_stack()
        await agent.Action(stt=stt, llm=llm, tts=tts, vad=True)
        await agent.start()

    return session


def test_the_rows_are_the_same_wherever_they_come_from(local):
    serial = many(desk, {"anna": BOOKS, "bo": SHORT}, 0, repeat=2)
    one = many(desk, {"anna": BOOKS, "bo": SHORT}, 1, repeat=2)
    warm = many(desk, {"anna": BOOKS, "bo": SHORT}, 2, repeat=2)
    again = many(desk, {"anna": BOOKS, "bo": SHORT}, 2, repeat=2)
    assert serial.rows == one.rows == warm.rows == again.rows
    assert all(row.passed and row.sha for row in serial)
    assert {row.worker for row in one}.isdisjoint({os.getpid()})
    assert {row.worker for row in warm} >= {row.worker for row in again}, "they are still there"
    assert again["anna", 2].recording.shape == serial["anna", 2].recording.shape


def test_pythons_own_pool_makes_the_same_calls():
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=spawn) as pool:
        calls = many(desk, {"anna": BOOKS}, pool, repeat=3)
    assert calls.rows == many(desk, {"anna": BOOKS}, 0, repeat=3).rows


def test_a_session_by_value_has_the_simulated_clock_too():
    here, there = (many(timed(), SHORT, executor) for executor in (0, 1))
    assert here.rows == there.rows
    assert "2.500 seconds" in str(there["caller-1", 1])


def test_no_call_sees_what_another_left_in_its_session():
    calls = many(remembering(), SHORT, 2, repeat=4)
    again = many(remembering(), SHORT, 1, repeat=4)
    assert calls.rows == again.rows
    assert all("number 1" in str(calls.call(row)) for row in calls)


def test_a_warm_worker_runs_what_a_file_has_now(local, tmp_path, monkeypatch):
    code = """
from piopiy_lab import VoiceAgent, offline_stack

async def create_session(call_id):
    agent = VoiceAgent(instructions="x", greeting="{}")
    stt, llm, tts = offline_stack()
    await agent.Action(stt=stt, llm=llm, tts=tts, vad=True)
    await agent.start()
"""
    monkeypatch.syspath_prepend(tmp_path)
    file = tmp_path / "agent_of_a_file.py"
    file.write_text(code.format("Hello."))
    module = importlib.import_module("agent_of_a_file")
    first = many(module.create_session, SHORT, 1)
    file.write_text(code.format("Good morning to you."))
    second = many(importlib.reload(module).create_session, SHORT, 1)
    assert first[0].worker == second[0].worker, "it was there, and warm"
    assert "Hello." in str(first["caller-1", 1])
    assert "Good morning to you." in str(second["caller-1", 1])
    assert second.rows == many(module.create_session, SHORT, 0).rows


def test_a_call_that_waits_for_what_never_comes_hangs(local):
    async def waits(call_id):
        await asyncio.to_thread(threading.Event().wait, 30)

    for limits in (None, Limits(outside_secs=60)):
        calls = many(waits, SHORT, 1, still_secs=1.5, limits=limits)
        assert calls[0].kind == "hung"
        assert "waiting for something outside" in str(calls[0].error)


def test_errors_have_their_lines_also_of_what_came_by_value(local):
    async def breaks(call_id):
        raise ValueError("no such table")

    async def exits_late(call_id):
        def late():
            sys.exit(4)

        asyncio.get_running_loop().call_later(0.5, late)
        await desk(call_id)

    for session in (breaks, exits_late):
        here, there = (many(session, {"a": SHORT}, executor) for executor in (0, 1))
        assert here.rows == there.rows
        assert here[0].kind == "raised"
        assert "test_executors.py, line" in str(there[0].error)


def test_a_voice_that_fails_and_a_check_that_exits_are_rows_as_here(local):
    def exits_quietly(call):
        sys.exit(1)

    voiceless = Caller(voice="no-such-voice").hears_greeting().says("hello")
    told = {"checks": [exits_quietly]}
    here, there = (many(desk, {"a": voiceless, "b": SHORT}, n, **told) for n in (0, 2))
    assert here.rows == there.rows
    assert [row.kind for row in here] == ["raised", "failed"]
    assert "SystemExit" in str(here[1].error)


class StubbornError(Exception):
    """It can't travel."""

    def __reduce__(self):
        raise TypeError("no")


def stubborn():
    raise StubbornError("a table is missing")


def leaves():
    sys.exit(3)


def spins():
    while True:
        pass


def sleeps():
    import time  # the real one

    time.sleep(999)


def lets_nothing_in():
    libc = ctypes.CDLL(None)
    while True:
        try:
            libc.sleep(1)
        except BaseException:
            continue


def killed():
    os.kill(os.getpid(), signal.SIGKILL)


def exits():
    os._exit(0)


def faulty(fault, at="a-2"):
    async def session(call_id):
        if call_id == at:
            fault()
        await desk(call_id)

    return session


@pytest.mark.parametrize(
    ("fault", "kind", "said"),
    [
        (stubborn, "raised", "StubbornError: a table is missing (test_executors.py, line"),
        (leaves, "raised", "SystemExit: 3, raised at test_executors.py, line"),
        (spins, "hung", "in spins"),
        (sleeps, "hung", "in sleeps"),
        (lets_nothing_in, "hung", "in lets_nothing_in"),
        (killed, "died", "killed by SIGKILL"),
        (exits, "died", "exit code 0"),
    ],
)
def test_one_bad_call_is_a_row_and_the_rest_goes_on(local, fault, kind, said):
    still = 5 if kind == "hung" else 30  # a new process's first call imports, and takes its time
    calls = many(faulty(fault), {"a": SHORT}, 2, repeat=4, still_secs=still)
    assert [row.kind for row in calls] == ["passed", kind, "passed", "passed"]
    assert said in str(calls[1].error)
    good = many(desk, {"a": SHORT}, 0, repeat=4)
    assert [calls.rows[i] for i in (0, 2, 3)] == [good.rows[i] for i in (0, 2, 3)]


def test_a_call_that_hangs_here_is_a_row_too_and_the_alarm_is_given_back():
    heard = []

    def rang(number, frame):
        heard.append(number)

    many(desk, SHORT, 0)  # what a process's first call imports takes longer than it may stand still
    before = signal.signal(signal.SIGALRM, rang)
    left = signal.setitimer(signal.ITIMER_REAL, 100)
    try:
        calls = many(faulty(sleeps), {"a": SHORT}, 0, repeat=3, still_secs=2)
        assert signal.getitimer(signal.ITIMER_REAL)[0] > 50
        assert signal.getsignal(signal.SIGALRM) is rang
    finally:
        signal.signal(signal.SIGALRM, before)
        signal.setitimer(signal.ITIMER_REAL, *left)
    assert [row.kind for row in calls] == ["passed", "hung", "passed"]
    assert "test_executors.py" in str(calls[1].error)
    assert "in sleeps" in str(calls[1].error)
    assert heard == []


def test_a_slow_call_is_none_that_hangs():
    def slow(call):
        return True

    async def session(call_id):
        import time  # the real one

        for _ in range(8):
            await asyncio.sleep(0.1)
            time.sleep(0.4)  # noqa: ASYNC251
        await desk(call_id)

    many(desk, SHORT, 0)
    calls = many(session, SHORT, 0, still_secs=2.5, checks=[slow])
    assert calls[0].passed, "it took 3.2 s, and its time moved"


def test_threads_are_refused_with_the_reason():
    class Mine(ThreadPoolExecutor):
        pass

    with Mine(2) as threads, pytest.raises(ArgumentError, match="clock for its whole process"):
        many(desk, SHORT, threads)


@pytest.mark.parametrize(
    ("executor", "error", "said"),
    [
        ("loky", ArgumentTypeError, "a number of processes"),
        (True, ArgumentTypeError, "a number of processes"),
        (-1, ArgumentError, "0 \\(here\\) or more"),
        (1.5, ArgumentTypeError, "a number of processes"),
    ],
)
def test_what_is_no_executor_is_refused(executor, error, said):
    with pytest.raises(error, match=said):
        many(desk, SHORT, executor)


def test_an_executor_that_is_shut_down_says_so():
    pool = ProcessPoolExecutor(1)
    pool.shutdown()
    with pytest.raises(ArgumentError, match="give one that is open"):
        many(desk, SHORT, pool)


def left_over():
    """Processes of this one that are no helpers of multiprocessing's."""
    import psutil  # ipykernel needs it

    return [
        process
        for process in psutil.Process().children(recursive=True)
        if "resource_tracker" not in " ".join(process.cmdline())
    ]


def test_what_on_call_raises_comes_out_and_nothing_is_left(local):
    def stop(row):
        raise LookupError(row.call_id)

    with pytest.raises(LookupError, match="a-"):
        many(desk, {"a": BOOKS}, 2, repeat=6, on_call=stop)
    assert left_over() == []


def test_a_cancelled_run_leaves_no_process_and_the_next_one_works(local):
    async def main():
        first = asyncio.Event()
        run = asyncio.create_task(
            simulate_many(
                desk, {"a": BOOKS}, repeat=30, executor=2, on_call=lambda row: first.set()
            )
        )
        await first.wait()
        assert left_over()
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
        assert left_over() == []
        return await simulate_many(desk, {"a": SHORT}, executor=2)

    assert asyncio.run(main())[0].passed
