"""Booking desks with one planted fault each, a sound one, and what must tell them apart.

Tests that never fail show nothing. ``DESKS`` are sessions as any other, by the name of their fault;
``CHECKS`` are plain functions of a call, which any suite may use; ``CALLERS`` are who calls; and
``run_trial()`` says which check finds which fault, and how often the sound desk is blamed::

    from piopiy_lab.bench.broken import DESKS, run_trial

    call = await simulate(DESKS["wrong digit"], caller)
    trial = await run_trial()
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from piopiy_lab.bench.broken.callers import CALLERS
    from piopiy_lab.bench.broken.desks import DESKS, SOUND
    from piopiy_lab.bench.broken.trial import Trial, run_trial
    from piopiy_lab.bench.broken.trial_checks import CHECKS

__all__ = ["CALLERS", "CHECKS", "DESKS", "SOUND", "Trial", "run_trial"]

_HOME = {
    "CALLERS": "callers",
    "CHECKS": "trial_checks",
    "DESKS": "desks",
    "SOUND": "desks",
    "Trial": "trial",
    "run_trial": "trial",
}


def __getattr__(name: str) -> object:
    """Import a name when it is first asked for."""
    if name not in _HOME:
        raise AttributeError(f"module 'piopiy_lab.bench.broken' has no attribute {name!r}")
    return getattr(import_module(f"piopiy_lab.bench.broken.{_HOME[name]}"), name)
