"""Where the calls run: here, in processes of this machine, or on any executor."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor

from piopiy_lab.experiments.one_call import one_call
from piopiy_lab.experiments.work import Job, Result, Work

#: Is given each result as it comes, on the loop that waits.
Take = Callable[[Result], None]


async def execute(
    work: Work, jobs: Sequence[Job], executor: int | Executor | None, take: Take
) -> None:
    """Run the jobs and hand each result over as it comes, in any order."""
    for job in jobs:
        take(await one_call(work, job))
        await asyncio.sleep(0)
