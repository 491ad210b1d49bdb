"""pytest-xdist in two phases: what runs on virtual time side by side, then the rest alone.

A test that paces on the wall clock is disturbed by any other: with a virtual one beside it half of
the machine is gone. So the workers share the files outside of ``tests/realtime`` first; then all of
them but one end, and the one that is left runs ``tests/realtime`` in order, with nothing beside.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from xdist.scheduler import LoadFileScheduling

if TYPE_CHECKING:
    from xdist.workermanage import WorkerController

#: Where the tests are that run alone, as their ids begin.
ALONE = "tests/realtime/"
#: Files that take long begin first, or one worker would be at the last of them by itself.
LONG = ("notebooks/",)


class TwoPhases(LoadFileScheduling):
    """Hands out whole files: the long ones first, those that run alone to the last worker."""

    def _assign_work_unit(self, node: WorkerController) -> None:
        """Give a worker the next file that may run beside others, if there is one."""
        if shared := [file for file in self.workqueue if not _is_alone(file)]:
            self._next(min(shared, key=_place))
            super()._assign_work_unit(node)

    def _reschedule(self, node: WorkerController) -> None:
        if not all(_is_alone(file) for file in self.workqueue):
            super()._reschedule(node)
        elif not node.shutting_down and (node is not self.nodes[0] or not self.workqueue):
            node.shutdown()  # it runs what it has, and ends
        self._begin_alone()

    def remove_node(self, node: WorkerController) -> str | None:
        """Note that a worker has ended: with the last but one of them, the second phase begins.

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
        self._begin_alone()
        return crashed

    def _begin_alone(self) -> None:
        """Give the only worker that is left all that runs alone, in the order of the names."""
        if len(self.nodes) != 1 or not all(_is_alone(file) for file in self.workqueue):
            return
        (last,) = self.nodes
        if last.shutting_down or last not in self.registered_collections:
            return
        while self.workqueue:
            self._next(min(self.workqueue))
            super()._assign_work_unit(last)
        last.shutdown()

    def _next(self, file: str) -> None:
        self.workqueue.move_to_end(file, last=False)


def _is_alone(file: str) -> bool:
    return file.startswith(ALONE)


def _place(file: str) -> int:
    """Return a file's place in the queue: its own, or its folder's in ``LONG``."""
    return next((n for n, long in enumerate(LONG) if file.startswith(long)), len(LONG))
