"""What a worker runs: one call at a time, whatever its executor is.

On a process's main thread the call runs there. A thread (Dask's) can't be interrupted, and the
simulated clock is one for a process: there the call runs in a process that the worker keeps.
"""

from __future__ import annotations

import asyncio
import functools
import importlib
import logging
import os
import platform
import sys
import threading
from pathlib import Path

from piopiy_lab.checks.texts import described
from piopiy_lab.display import set_hook
from piopiy_lab.experiments.running import children
from piopiy_lab.experiments.running.fresh import forget_changed, note_files
from piopiy_lab.experiments.running.one_call import one_call
from piopiy_lab.experiments.running.parcel import (
    ONE_THREAD,
    Parcel,
    Reply,
    blob_of,
    difference,
    unpacked,
)
from piopiy_lab.experiments.running.watchdog import Hung, Watch, stacks_in
from piopiy_lab.experiments.running.work import Job, Result, Work, lost


def name_of_worker() -> str:
    """Return who runs this: machine, process and thread."""
    return f"{platform.node()}:{os.getpid()}:{threading.get_ident()}"


def run(parcel: Parcel, job: Job) -> Reply:
    """Make one call; any thread of any process.

    Returns:
        What became of it, or what is missing.
    """
    me = name_of_worker()
    if (differs := difference(parcel.versions)) is not None:
        return Reply(me, differs=differs)
    blob = blob_of(parcel)
    if blob is None:
        return Reply(me, lacks=True)
    if threading.current_thread() is not threading.main_thread() or is_busy():
        return children.of_this_process().run(parcel, job, me)
    return make(parcel, blob, job, me)


def is_busy() -> bool:
    """Whether a loop runs on this thread already."""
    return asyncio._get_running_loop() is not None


def make(parcel: Parcel, blob: bytes, job: Job, me: str) -> Reply:
    """Make one call on this process's main thread, on which no loop runs."""
    warm()
    forget_changed()
    try:
        work = unpacked(blob)
    except Exception as error:
        return Reply(me, error=_not_loaded(error))
    mark = Path(parcel.marks) / f"{job.index}.{os.getpid()}"
    try:
        return Reply(me, asyncio.run(watched_call(work, job, mark)))
    finally:
        note_files()


def _not_loaded(error: Exception) -> str:
    told = f"a worker can't load what it is to run: {described(error)}"
    if isinstance(error, ImportError):
        told += (
            "; it needs the same modules: on a cluster send yours with "
            "client.upload_file('my_agent.py'), or define the session in the notebook"
        )
    return told


async def watched_call(work: Work, job: Job, mark: Path | None = None) -> Result:
    """Make one call; when it hangs, its row says so.

    Args:
        work: What all calls share.
        job: Which one.
        mark: In a worker: a file that is there as long as the call is at work. With one a call that
            can't be interrupted ends the process.
    """
    with stacks_in(mark) as stacks:
        watch = Watch(work.still_secs, one_call.__code__, stacks)
        try:
            with watch:
                return await one_call(work, job)
        except Hung as hung:
            return lost(job, "hung", watch.told or str(hung))
        except asyncio.CancelledError:
            if watch.told is None:
                raise
            if (task := asyncio.current_task()) is not None:
                task.uncancel()
            return lost(job, "hung", watch.told)


@functools.cache
def warm() -> None:
    """Load what calls need, once per process: 2 s. After it a worker grows no more.

    One thread for the libraries that compute, no log lines, nothing shown.
    """
    os.environ.update(ONE_THREAD)
    set_hook(None)
    _silence()
    from piopiy_lab.hosting.ready import MODULES
    from piopiy_lab.listening.blas import one_blas_thread
    from piopiy_lab.listening.turn_taking import load_models

    for module in ("pipecat.pipeline.worker", *MODULES):  # what the first call would import
        importlib.import_module(module)
    load_models()
    one_blas_thread()


def begin_for(parent: int, path: list[str]) -> None:
    """Prepare a process of a pool of ours, which is to end with the process that has the pool.

    Args:
        parent: That process. Killed, it tells nobody: it is looked every second.
        path: As for :func:`begin`.
    """

    def look() -> None:
        while not over.wait(1.0):
            if os.getppid() != parent:
                os._exit(1)

    over = threading.Event()
    threading.Thread(target=look, name="piopiy-lab parent", daemon=True).start()
    begin(path)


def begin(path: list[str]) -> None:
    """Prepare a process of ours: where it imports from, and no answer to the user's Ctrl-C.

    Args:
        path: ``sys.path`` of the process that asked for the calls.
    """
    import signal

    sys.path[:] = path
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    warm()


def _silence() -> None:
    from loguru import logger

    logger.remove()
    logging.getLogger().addHandler(logging.NullHandler())
