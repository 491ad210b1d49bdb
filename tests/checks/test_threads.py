"""What says that it runs on the session's loop is asserted to."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from piopiy_lab.checks.threads import SameThread
from piopiy_lab.events.log import EventLog
from piopiy_lab.transports.drops import Drops


def test_only_the_thread_that_made_it_is_the_same():
    here = SameThread()
    with ThreadPoolExecutor(1) as other:
        assert not other.submit(here).result()
    assert here()


def test_drops_are_counted_on_the_sessions_loop_only():
    drops = Drops(EventLog(lambda: 1.0))
    drops.add("input", "stale", 0.1, "wait")
    with ThreadPoolExecutor(1) as other, pytest.raises(AssertionError, match="session's loop"):
        other.submit(drops.add, "input", "stale", 0.1, "wait").result()
