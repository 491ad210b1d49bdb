"""Virtual time: whole calls, many times faster than real time and the same every time.

``simulate`` puts the parts together; the loop, its clock and its guards are here too, for those
who want to run something else on virtual time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from piopiy_lab.simulation.current import hold
    from piopiy_lab.simulation.limits import Limits
    from piopiy_lab.simulation.screenplay_stt import ScreenplaySTTService

__all__ = ["Limits", "ScreenplaySTTService", "hold"]

_HOME = {
    "Limits": "piopiy_lab.simulation.limits",
    "ScreenplaySTTService": "piopiy_lab.simulation.screenplay_stt",
    "hold": "piopiy_lab.simulation.current",
}


def __getattr__(name: str) -> object:
    from importlib import import_module

    if name not in _HOME:
        raise AttributeError(f"module 'piopiy_lab.simulation' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)
