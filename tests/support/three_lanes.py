"""pytest-xdist for a suite of which a part paces on the wall clock.

Most tests run on virtual time: the workers share them, file by file. What is in ``tests/realtime``,
and a lesson about a live call, runs one at a time, in order, in the first worker: at first what
only waits for things to happen, beside the others (``BESIDE``), for it needs little of the machine;
then, when all others are done and gone, what compares sound or a device with the wall clock, with
nothing beside it. That worker runs nothing else: what some thousand tests leave in a process makes
its pauses longer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from xdist.scheduler import LoadFileScheduling

if TYPE_CHECKING:
    from xdist.workermanage import WorkerController

#: How the ids of the tests begin that run one at a time. The lesson has a call over real WebRTC and
#: compares what was understood: beside twelve busy processes it wasn't in one of 26.
ONE_AT_A_TIME = ("tests/realtime/", "notebooks/13_telephony")
#: Those of them that hold on a busy machine: they wait for what happens, and measure nothing.
BESIDE = (
    "tests/realtime/fake_providers/",
    *(
        f"tests/realtime/browser/test_{what}"
        for what in ("harness", "lessons", "marimo", "panel", "progress", "saved_page")
    ),
)
#: Files that take long begin first, or one worker would be at the last of them by itself.
LONG = ("notebooks/",)


class ThreeLanes(LoadFileScheduling):
    """Hands out whole files: shared ones to all, the rest to the first worker."""

    def _assign_work_unit(self, node: WorkerController) -> None:
        """Give a worker its next file, if there is one now."""
        if (file := self._next_for(node)) is not None:
            self.workqueue.move_to_end(file, last=False)
            super()._assign_work_unit(node)

    def _reschedule(self, node: WorkerController) -> None:
        if node.shutting_down or node not in self.registered_collections:
            return
        while self._pending_of(self.assigned_work[node]) <= 2 and self._next_for(node) is not None:
            self._assign_work_unit(node)
        if self._next_for(node) is None and not self._will_have(node):
            node.shutdown()  # it runs what it has, and ends

    def _next_for(self, node: WorkerController) -> str | None:
        alone = len(self.nodes) == 1
        shared = [file for file in self.workqueue if not _is_one_at_a_time(file)]
        if node is self.nodes[0]:
            if beside := [file for file in self.workqueue if file.startswith(BESIDE)]:
                return min(beside)
            if len(shared) < len(self.workqueue) and not (alone and shared):
                return min(self.workqueue) if alone else None
        return min(shared, key=_place, default=None)

    def _will_have(self, node: WorkerController) -> bool:
        """Whether something waits for this worker that it can't have yet."""
        return node is self.nodes[0] and bool(self.workqueue)

    def remove_node(self, node: WorkerController) -> str | None:
        """Note that a worker has ended; with the last but one of them, the last lane opens.

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


def _is_one_at_a_time(file: str) -> bool:
    return file.startswith(ONE_AT_A_TIME)


def _place(file: str) -> int:
    """Return a file's place in the queue: its own, or its folder's in ``LONG``."""
    return next((n for n, long in enumerate(LONG) if file.startswith(long)), len(LONG))
