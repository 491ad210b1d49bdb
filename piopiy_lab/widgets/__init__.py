"""Views of a call for a notebook: each is a widget that pulls from the call's event log.

``Panel(call)`` is what ``start_call()`` shows; the others are its parts, each of which stands
alone, on a running call, an ended one and a saved one. ``BrowserMicrophone`` is not here: it is
something a call is *on*.
"""

from __future__ import annotations

from piopiy_lab.widgets.view import (
    ContextInspector,
    LatencyStrip,
    Panel,
    ServiceSwitch,
    Transcript,
    VADPlot,
)

__all__ = [
    "ContextInspector",
    "LatencyStrip",
    "Panel",
    "ServiceSwitch",
    "Transcript",
    "VADPlot",
]
