"""pytest-xdist for a suite of which a part paces on the wall clock.

The first worker runs what is in ``tests/realtime``, one test after the other, at the usual
priority. The others share the rest, file by file: it runs on virtual time, so they step aside
(``SCHED_IDLE``: they get what the machine has left), and it doesn't matter to them.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from xdist.scheduler import LoadFileScheduling

if TYPE_CHECKING:
    from xdist.workermanage import WorkerController

#: The worker for what paces on the wall clock, and how the ids of its tests begin.
FIRST = "gw0"
ONE_AT_A_TIME = "tests/realtime/"
#: Files that take long begin first, or one worker would be at the last of them by itself.
LONG = ("notebooks/",)


def step_aside(worker: str) -> None:
    """Let this process, and those that it starts, run when nobody else wants to; not the first.

    Where the system has no such priority (not Linux) it gets the lowest that there is.
    """
    if worker == FIRST:
        return
    if hasattr(os, "SCHED_IDLE"):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    elif hasattr(os, "nice"):
        os.nice(19)


def steps_aside() -> bool:
    """Say whether this process does."""
    idle = hasattr(os, "SCHED_IDLE") and os.sched_getscheduler(0) == os.SCHED_IDLE
    return idle or (hasattr(os, "nice") and os.nice(0) == 19)


class TwoLanes(LoadFileScheduling):
    """Hands out whole files: those on the wall clock to the first worker, the rest to the others.

    A single worker, or the first when it is done with its own, takes from the rest too.
    """

    def _assign_work_unit(self, node: WorkerController) -> None:
        """Give a worker its next file, if there is one for it."""
        if (file := self._next_for(node)) is not None:
            self.workqueue.move_to_end(file, last=False)
            super()._assign_work_unit(node)

    def _reschedule(self, node: WorkerController) -> None:
        if node.shutting_down or node not in self.registered_collections:
            return
        while self._pending_of(self.assigned_work[node]) <= 2 and self._next_for(node) is not None:
            self._assign_work_unit(node)
        if self._next_for(node) is None:
            node.shutdown()  # it runs what it has, and ends

    def _next_for(self, node: WorkerController) -> str | None:
        own = [file for file in self.workqueue if file.startswith(ONE_AT_A_TIME)]
        rest = [file for file in self.workqueue if not file.startswith(ONE_AT_A_TIME)]
        if own and node is self.nodes[0]:  # the first one, or what is left if it has died
            return min(own)
        return min(rest, key=_place, default=None)

    def remove_node(self, node: WorkerController) -> str | None:
        """Note that a worker has ended.

        Returns:
            The test that a worker which crashed was at; unlike xdist's own it isn't tried again.
        """
        crashed = None
        files = self.assigned_work.pop(node)
        left = [(file, test) for file, tests in files.items() for test in tests if not tests[test]]
        if left:
            file, crashed = left[0]
            files[file][crashed] = True
            self.workqueue.update({file: files[file] for file, _ in left})
        for other in self.nodes:
            self._reschedule(other)
        return crashed


def _place(file: str) -> int:
    """Return a file's place in the queue: its own, or its folder's in ``LONG``."""
    return next((n for n, long in enumerate(LONG) if file.startswith(long)), len(LONG))
