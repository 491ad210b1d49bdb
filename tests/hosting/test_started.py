"""What notebook cells have started: ended by the cell's next run, and by the process's exit."""

import subprocess
import sys

import pytest

from piopiy_lab import display
from piopiy_lab.hosting.started import Started


class Thing:
    """Something that runs until it is told to end."""

    def __init__(self, started):
        self._started = started
        self.ended = 0

    def begin(self):
        self._started.add(self)
        return self

    def end(self):
        self.ended += 1
        self._started.discard(self)


@pytest.fixture
def started():
    return Started(Thing.end, lambda thing, secs: None, exit_secs=0.0)


@pytest.fixture
def in_cell(monkeypatch):
    def run(name, begin):
        monkeypatch.setattr(display, "cell_key", lambda: name)
        return begin()

    return run


def test_running_a_cell_again_ends_what_it_started_before_and_nothing_else(started, in_cell):
    def cell():
        started.end_older()
        return Thing(started).begin()

    first, other = in_cell("a", cell), in_cell("b", cell)
    second = in_cell("a", cell)
    assert [thing.ended for thing in (first, other, second)] == [1, 0, 0]
    assert list(started) == [other, second]


def test_outside_of_a_notebook_nothing_is_ended(started, in_cell):
    def script():
        started.end_older()
        return Thing(started).begin()

    assert [in_cell(None, script).ended for _ in range(2)] == [0, 0]
    assert len(list(started)) == 2


def test_all_are_asked_before_the_first_is_waited_for():
    told = []

    def join(thing, secs):
        told.append(("join", thing, secs))
        raise TimeoutError("it goes on")

    started = Started(lambda thing: told.append(("end", thing)), join, exit_secs=0.0)
    started.add("one")
    started.add("two")
    started.end_all(2.0)
    assert told == [("end", "one"), ("end", "two"), ("join", "one", 2.0), ("join", "two", 2.0)]


def test_the_exit_of_the_process_ends_what_runs():
    script = (
        "from piopiy_lab.hosting.started import Started\n"
        "started = Started(lambda t: print('end', t), lambda t, s: print('join', t, s), 3.0)\n"
        "started.add('it')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.split("\n")[:2] == ["end it", "join it 3.0"]
