"""Processes of ours that make calls, one at a time each, driven by the threads that want them.

A thread sends a job down a pipe and waits for the reply; a pipe that breaks is a process that died,
and it is known at which call. A process ends with its pipe, so that none is left behind whatever
ends the one that started it, and after :data:`IDLE_SECS` without work.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import pickle
import signal
import struct
import subprocess
import sys
import threading
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO

from piopiy_lab.experiments.figures.rows import Kind
from piopiy_lab.experiments.running.folders import temporary_folder
from piopiy_lab.experiments.running.parcel import ONE_THREAD, Parcel, Reply, blob_of
from piopiy_lab.experiments.running.watchdog import place_of_stacks
from piopiy_lab.experiments.running.work import Job, lost

#: Seconds without work after which a process ends.
IDLE_SECS = 60.0
_STARTS = 3  # of a process for one call
_START = "import sys, json; sys.path[:] = json.loads(sys.argv[1]); "
_RUN = "from piopiy_lab.experiments.running.child import main; main()"
_SIZE = struct.Struct("!Q")


def send(pipe: IO[bytes], message: object) -> None:
    """Send a message.

    Raises:
        OSError: The other end is gone.
    """
    data = pickle.dumps(message)
    pipe.write(_SIZE.pack(len(data)))
    pipe.write(data)
    pipe.flush()


def receive(pipe: IO[bytes]) -> object:
    """Return the next message; blocks.

    Raises:
        EOFError: The other end is gone.
    """
    size = pipe.read(_SIZE.size)
    if len(size) < _SIZE.size:
        raise EOFError
    (length,) = _SIZE.unpack(size)
    data = pipe.read(length)
    if len(data) < length:
        raise EOFError
    return pickle.loads(data)


@dataclass(eq=False)
class _Child:
    process: subprocess.Popen[bytes]
    asked: IO[bytes]  # where jobs go
    told: IO[bytes]  # where replies come from
    has: set[str] = field(default_factory=set[str])  # digests of the works that it was given

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        for pipe in (self.asked, self.told):
            with contextlib.suppress(OSError):
                pipe.close()


class Children:
    """Processes that make calls. Every method may be called on any thread."""

    def __init__(self) -> None:
        """Start none yet."""
        self._lock = threading.Lock()
        self._idle: list[_Child] = []  # under the lock, as the next two
        self._all: set[_Child] = set()
        self._over = False
        self._marks = temporary_folder("marks")

    def run(self, parcel: Parcel, job: Job, me: str) -> Reply:
        """Have a call made, and wait for it.

        Args:
            parcel: The work.
            job: Which call.
            me: Who asks, for the reply.

        Returns:
            What became of it; that it died, or hung, if its process did.
        """
        for left in reversed(range(_STARTS)):
            child = self._take()
            begun = False
            try:
                known = parcel.digest in child.has
                blob = None if known else blob_of(parcel)
                child.has = {parcel.digest}
                given = replace(parcel, blob=blob, marks=self._marks.name)
                send(child.asked, (given, job))
                begun = receive(child.told) == "begun"
                reply = receive(child.told)
            except (EOFError, OSError):
                self._bury(child)
                if begun or self._over:
                    return Reply(me, lost(job, *self._death_of(child, job)))
                if left and child.process.returncode == 0:
                    continue  # it ended for want of work just as there was some
                return Reply(me, error=_never_began(child.process.returncode))
            except BaseException:
                self._bury(child)
                raise
            with self._lock:
                over = self._over
                if not over:
                    self._idle.append(child)
            if over:
                self._bury(child)
            assert isinstance(reply, Reply)
            return replace(reply, worker=me)
        raise AssertionError("unreachable")

    def kill(self) -> None:
        """End every process now; calls that are at work die."""
        with self._lock:
            self._over = True
            idle, self._idle = self._idle, []
            at_work = self._all - set(idle)
            self._all -= set(idle)
        for child in at_work:  # the thread that waits for it closes its pipes
            child.process.kill()
        for child in idle:
            child.end()
        for child in at_work:
            child.process.wait()

    def _take(self) -> _Child:
        with self._lock:
            while self._idle:
                child = self._idle.pop()
                if child.process.poll() is None:
                    return child
                child.end()
                self._all.discard(child)
        child = self._start()
        with self._lock:
            self._all.add(child)
            over = self._over
        if over:
            child.process.kill()
        return child

    def _start(self) -> _Child:
        process = subprocess.Popen(
            [sys.executable, "-c", _START + _RUN, json.dumps(list(map(str, sys.path)))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **ONE_THREAD},
        )
        assert process.stdin is not None
        assert process.stdout is not None
        return _Child(process, process.stdin, process.stdout)

    def _bury(self, child: _Child) -> None:
        child.end()
        with self._lock:
            self._all.discard(child)

    def _death_of(self, child: _Child, job: Job) -> tuple[Kind, str]:
        mark = Path(self._marks.name) / f"{job.index}.{child.process.pid}"
        stacks = ""
        with contextlib.suppress(OSError):
            stacks = mark.read_text(errors="replace")
            mark.unlink()
        return death(stacks, child.process.returncode)


def death(stacks: str, code: int | None) -> tuple[Kind, str]:
    """Return what a call was whose process is gone, and the text of its row.

    Args:
        stacks: What the last resort wrote before it ended the process; "" if it did not.
        code: How the process ended, as ``subprocess`` counts it; None if unknown.
    """
    if (place := place_of_stacks(stacks)) is not None:
        return "hung", f"virtual time stood still, and no signal was let in: {place}"
    how = "its process ended"
    if code is not None:
        how += f" with exit code {code}" if code >= 0 else f", killed by {_signal(-code)}"
    return "died", f"{how} (out of memory, a crash in C code, or os._exit())"


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _never_began(code: int) -> str:
    return (
        f"a process for calls ended with exit code {code} before its first call: what it wrote is "
        "on standard error; executor=0 makes the calls here"
    )


@functools.cache
def of_this_process() -> Children:
    """Return the processes that a worker keeps for the calls of its threads."""
    return Children()
