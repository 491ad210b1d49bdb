"""What a simulation needs of the insides of pipecat's services: checked when this is imported.

How its time gets into pipecat's modules is in ``clock.py``, and found by a scan of their sources
(``scan.py``). How it gets into HTTP clients is in ``http_requests.py``, which needs no pipecat:
what it relies on is named here, and checked when a simulation runs and a client is loaded.
"""

from __future__ import annotations

from pipecat.services.stt_service import STTService

from piopiy_lab.services.fitting import attributes, expect
from piopiy_lab.simulation import http_requests

RELIED_ON = (
    # as pipecat's own services do, for a transcript says who spoke; missing: its public form
    *attributes(STTService, "_user_id", needed_by="the 'screenplay' recogniser"),
)
expect(RELIED_ON)

#: What is checked only when its module is there.
LATE = http_requests.RELIED_ON_OF


def user_of(service: STTService) -> str:
    """Return whom a recogniser hears."""
    return service._user_id
