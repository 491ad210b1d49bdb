"""While live calls run, Python's full collections look at nothing that was there before."""

from __future__ import annotations

import asyncio
import gc
import weakref

import pytest

from piopiy_lab import Caller, simulate
from piopiy_lab.hosting.short_pauses import short_pauses


class Node:
    """What only a collection frees: it holds itself."""

    def __init__(self):
        self.me = self


@pytest.fixture(autouse=True)
def unfrozen():
    gc.unfreeze()
    yield
    gc.unfreeze()


def test_what_was_there_is_set_aside_until_the_last_call_ends():
    before = len(gc.get_objects())
    with short_pauses():
        assert gc.get_freeze_count() > before * 0.9
        with short_pauses():
            pass
        assert gc.get_freeze_count() > before * 0.9
        assert len(gc.get_objects()) < before / 10
    assert gc.get_freeze_count() == 0
    assert len(gc.get_objects()) > before * 0.9


def test_what_a_call_makes_is_collected_meanwhile_and_the_rest_afterwards():
    old = Node()
    gone = weakref.ref(old)
    with short_pauses():
        del old
        new = Node()
        gone_too = weakref.ref(new)
        del new
        gc.collect()
        assert gone_too() is None
        assert gone() is not None
    gc.collect()
    assert gone() is None


def test_one_who_froze_before_is_left_alone():
    gc.freeze()
    with short_pauses():
        mine = gc.get_freeze_count()
    assert gc.get_freeze_count() > mine * 0.99 > 0  # what is not used any more goes all the same


def test_a_simulated_call_needs_none_of_it(booking):
    counts = []
    session = booking(lambda agent: counts.append(gc.get_freeze_count()))
    asyncio.run(simulate(session, Caller().waits(1), record=False))
    assert counts == [0]


def test_it_ends_with_an_error_too():
    with pytest.raises(ZeroDivisionError), short_pauses():
        _ = 1 / 0
    assert gc.get_freeze_count() == 0
