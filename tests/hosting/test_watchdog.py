"""What a watchdog tells, and what it keeps to itself."""

from __future__ import annotations

import threading

import pytest

from piopiy_lab.hosting.loop_thread import LoopThread
from piopiy_lab.hosting.watchdog import Watchdog


class LooksLong(Watchdog):
    """Looks only when it is told to; something else happens while it looks up the place."""

    meanwhile = staticmethod(lambda: None)

    def _watch(self):
        """Don't look by itself: on a busy machine the step of a test lasts too long indeed."""

    def _where(self):
        place = super()._where()
        self.meanwhile()
        return place

    def look(self):
        """Tell of the step that the loop is in, as if it had lasted too long."""
        step = self._step()
        assert step is not None
        self._tell(step, 3.5, first=True)


@pytest.fixture
def stuck():
    """A loop whose step lasts until ``go_on`` is set, its watchdog, and what a user was told."""
    thread, go_on, in_step, told = LoopThread(), threading.Event(), threading.Event(), []

    def hold():
        in_step.set()
        go_on.wait(30)

    watchdog = LooksLong(thread.call, thread.thread_ident or -1)
    watchdog.add(object(), told.append)
    thread.call(hold)
    assert in_step.wait(30)
    yield thread, go_on, watchdog, told
    go_on.set()
    thread.stop()


def test_a_step_that_lasts_is_told_with_its_place(stuck):
    _, _, watchdog, told = stuck
    watchdog.look()
    (stall,) = told
    assert "go_on.wait(30)" in stall.place
    assert stall.secs == 3.5
    assert stall.context is not None


def test_a_step_that_ended_while_its_place_was_looked_up_is_told_to_nobody(stuck):
    """By then the call may listen, and would end for what was its slow start."""
    thread, go_on, watchdog, told = stuck

    def goes_on():
        gone_on = threading.Event()
        go_on.set()
        thread.call(gone_on.set)
        assert gone_on.wait(30)

    watchdog.meanwhile = goes_on
    watchdog.look()
    assert told == []
