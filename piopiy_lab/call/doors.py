"""What a ``Call`` offers of rooms above its own: one table, looked up when it is used.

The ladder of rooms forbids the call's room to import what stands on it. A method of ``Call`` that
hands on to such a room has its line here, so that what leads upwards can be seen in one place.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

#: The method's name, and the function it hands the call on to: "module:function".
DOORS = {
    "_display_": "piopiy_lab.notebook.marimo_cells:displayed",
    "from_livekit": "piopiy_lab.elsewhere.livekit_report:from_livekit",
    "from_pipecat": "piopiy_lab.elsewhere.pipecat_spans:from_pipecat",
    "from_recording": "piopiy_lab.elsewhere.recording:from_recording",
    "from_retell": "piopiy_lab.elsewhere.retell_call:from_retell",
    "from_vapi": "piopiy_lab.elsewhere.vapi_call:from_vapi",
    "save_test": "piopiy_lab.simulation.saved_test:save_test",
    "panel": "piopiy_lab.notebook.extension:panel",
    "replay": "piopiy_lab.simulation.again:replay",
    "robustness": "piopiy_lab.turn_lab.robust:robustness",
    "save_otlp": "piopiy_lab.elsewhere.otlp_writing:save_otlp",
}


def behind(name: str) -> Callable[..., Any]:
    """Import and return the function behind a door.

    Args:
        name: The method of ``Call`` that asks.
    """
    module, _, function = DOORS[name].partition(":")
    return getattr(importlib.import_module(module), function)
