"""Random numbers that a session draws: those of a call are the same wherever it is made."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator

import numpy as np

from piopiy_lab.experiments.running.work import Job, seed_of


@contextlib.contextmanager
def seeded_draws(job: Job) -> Iterator[None]:
    """Seed Python's and numpy's own generators for one call; behind it they are as they were.

    The seed is the call's, its caller's name and its run's: no other call's. On the thread that
    makes the call; the generators are the whole process's. ``uuid4``, ``os.urandom`` and
    ``secrets`` ask the machine and can't be seeded.

    Args:
        job: Which call.
    """
    seed = seed_of(job.seed or 0, job.caller, job.run)
    python, numpys = random.getstate(), np.random.get_state()
    random.seed(seed)
    np.random.seed(seed)
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpys)
