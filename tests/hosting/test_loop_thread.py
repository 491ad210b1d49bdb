"""The thread of the calls' loop: what is under way in its worker threads when it is stopped."""

from __future__ import annotations

import asyncio
import threading

import pytest

from piopiy_lab.hosting.loop_thread import LoopThread


@pytest.fixture
def complaints(monkeypatch):
    """What threads have died of."""
    told = []
    monkeypatch.setattr(threading, "excepthook", lambda args: told.append(args.exc_value))
    return told


def stopped_with(work, refuses=False):
    """Stop a loop while ``work(loop)`` runs in a thread of its; return what the work gave."""
    thread = LoopThread("test-loop")
    began, go, gave = threading.Event(), threading.Event(), []

    def job():
        began.set()
        go.wait(5)
        gave.append(work(thread.loop))

    async def no_thread():
        raise RuntimeError("can't create new thread at interpreter shutdown")

    thread.loop.call_soon_threadsafe(thread.loop.run_in_executor, None, job)
    assert began.wait(5)
    if refuses:  # as Python 3.12 does when the process ends
        thread.loop.shutdown_default_executor = no_thread
    shut_down = thread.loop.shutdown_asyncgens

    async def shut_down_and_go():  # what ran was cancelled by now: what comes is not
        await shut_down()
        go.set()

    thread.loop.shutdown_asyncgens = shut_down_and_go
    thread.stop()
    thread._thread.join(5)
    assert not thread._thread.is_alive()
    return gave


@pytest.mark.parametrize("refuses", [False, True])
def test_what_runs_in_a_thread_is_waited_for(complaints, refuses):
    assert stopped_with(lambda loop: "done", refuses) == ["done"]
    assert complaints == []


def test_what_runs_in_a_thread_may_need_the_loop_to_finish(complaints):
    async def answer():
        return "from the loop"

    def work(loop):
        future = asyncio.run_coroutine_threadsafe(answer(), loop)  # noqa: TID251 - as a user may
        return future.result(3)

    assert stopped_with(work) == ["from the loop"]
    assert complaints == []
