"""The main program of a process of :class:`~piopiy_lab.experiments.running.children.Children`.

Jobs come on standard input, replies go to what was standard output; what a session prints goes to
standard error. It ends with its input, at once and whatever it is at, and without work for a while.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
from typing import IO

from piopiy_lab.experiments.running.children import IDLE_SECS, receive, send
from piopiy_lab.experiments.running.parcel import Parcel, Reply, blob_of
from piopiy_lab.experiments.running.work import Job
from piopiy_lab.experiments.running.worker import begin, make, name_of_worker


def main() -> None:
    """Make calls until there are no more."""
    told, given = os.fdopen(os.dup(1), "wb"), os.fdopen(os.dup(0), "rb")
    os.dup2(2, 1)  # a session's print() and input() are none of ours
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    asked: queue.Queue[tuple[Parcel, Job]] = queue.Queue()
    listener = threading.Thread(target=_listen, args=(given, asked), daemon=True)
    listener.start()
    begin(list(sys.path))
    while True:
        try:
            parcel, job = asked.get(timeout=IDLE_SECS)
        except queue.Empty:
            os._exit(0)
        send(told, "begun")
        send(told, _reply(parcel, job))


def _reply(parcel: Parcel, job: Job) -> Reply:
    me, blob = name_of_worker(), blob_of(parcel)
    return Reply(me, lacks=True) if blob is None else make(parcel, blob, job, me)


def _listen(pipe: IO[bytes], asked: queue.Queue[tuple[Parcel, Job]]) -> None:
    """Hand over what is asked; on a thread of its own, so that the end is seen in mid-call."""
    try:
        while True:
            asked.put(receive(pipe))  # type: ignore[arg-type] - what children.run sends
    except (EOFError, OSError):
        os._exit(0)
