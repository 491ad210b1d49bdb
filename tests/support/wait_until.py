"""The ways to wait for something that no event tells of: another process, or a call's thread."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

#: Seconds between two looks.
LOOK_SECS = 0.02


def wait_until(met: Callable[[], object], secs: float = 15.0, what: object = "") -> None:
    """Wait on the wall clock until something is true; not on a loop's thread.

    Args:
        met: Says whether it is.
        secs: For how long at most.
        what: Shown when it never is; a function is called then.
    """
    deadline = time.monotonic() + secs
    while not met():
        if time.monotonic() >= deadline:
            shown = what() if callable(what) else what
            raise AssertionError(f"not true within {secs:g} s: {shown}")
        time.sleep(LOOK_SECS)


async def until(met: Callable[[], object], secs: float = 10.0) -> None:
    """Wait until something is true, on a loop.

    Args:
        met: Says whether it is.
        secs: For how long at most.
    """
    async with asyncio.timeout(secs):
        while not met():  # noqa: ASYNC110 - what changes it has no event
            await asyncio.sleep(LOOK_SECS)
