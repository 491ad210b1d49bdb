"""Waiting for a task that may take its time, unless somebody is in a hurry.

Runs on one event loop.
"""

from __future__ import annotations

import asyncio

#: Seconds that a task still gets when somebody is in a hurry.
HURRIED_SECS = 0.2


class Hurry:
    """Whether the end of a call is waited for by somebody who can't wait long."""

    def __init__(self) -> None:
        """Be in no hurry."""
        self._asked = asyncio.Event()

    @property
    def asked(self) -> bool:
        """Whether somebody is in a hurry."""
        return self._asked.is_set()

    def ask(self) -> None:
        """Be in a hurry from now on."""
        self._asked.set()

    async def wait_for(self, task: asyncio.Task[None], secs: float) -> bool:
        """Wait for a task, ``secs`` at the most; return whether it is done."""
        asked = asyncio.create_task(self._asked.wait(), name="piopiy_lab.hurry")
        try:
            await asyncio.wait((task, asked), timeout=secs, return_when=asyncio.FIRST_COMPLETED)
            if not task.done() and asked.done():
                await asyncio.wait((task,), timeout=HURRIED_SECS)
        finally:
            asked.cancel()
        return task.done()
