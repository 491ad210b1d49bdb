"""What a model answered is kept: bounded, for several threads, and only where it is wanted."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest

from piopiy_lab.services.pure_memory import (
    PureMemory,
    digest,
    forget_all,
    remembered,
    remembers,
)


def test_it_is_bounded_and_forgets_what_was_asked_for_longest_ago():
    memory: PureMemory[int] = PureMemory(3)
    for key in "abc":
        memory.put(key, ord(key))
    assert memory.get("a") == ord("a")  # asked for, so "b" is the oldest now
    memory.put("d", ord("d"))
    assert len(memory) == 3
    assert [memory.get(key) for key in "abcd"] == [97, None, 99, 100]
    assert (memory.hits, memory.misses) == (4, 1)


def test_it_stays_bounded_and_right_with_several_threads():
    memory: PureMemory[int] = PureMemory(50)

    def work(start: int) -> bool:
        right = True
        for n in range(start, start + 3000):
            key = n % 200
            known = memory.get(key)
            right = right and known in (None, key + 1)
            memory.put(key, key + 1)
        return right

    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(work, range(0, 400, 100)))
    assert len(memory) == 50


def test_everything_can_be_forgotten():
    one: PureMemory[str] = PureMemory(3)
    one.put(1, "one")
    forget_all()
    assert len(one) == 0


def test_nothing_is_remembered_unless_somebody_wants_it_and_the_outer_one_decides():
    assert not remembers()
    with remembered():
        assert remembers()
        with remembered(False):
            assert remembers()
    with remembered(False), remembered():
        assert not remembers()
    assert not remembers()


def test_tasks_made_inside_remember_and_others_do_not():
    async def inside() -> bool:
        await asyncio.sleep(0)
        return remembers()

    async def run() -> tuple[bool, bool]:
        other = asyncio.create_task(inside())
        with remembered():
            task = asyncio.create_task(inside())
        return await task, await other

    assert asyncio.run(run()) == (True, False)


@pytest.mark.parametrize("other", [b"ac", b"abc", b""])
def test_a_digest_stands_for_its_bytes(other):
    assert digest(b"ab") == digest(b"a", b"b") != digest(other)
