"""What a simulation needs of the insides of pipecat's services: checked when this is imported.

How its time gets into pipecat's modules and into HTTP clients is in ``clock.py`` and
``http_requests.py``, and is found by a scan of their sources (``scan.py``).
"""

from __future__ import annotations

from pipecat.services.stt_service import STTService

from piopiy_lab.services.fitting import attributes, expect

RELIED_ON = (
    # as pipecat's own services do, for a transcript says who spoke; missing: its public form
    *attributes(STTService, "_user_id", needed_by="the 'screenplay' recogniser"),
)
expect(RELIED_ON)


def user_of(service: STTService) -> str:
    """Return whom a recogniser hears."""
    return service._user_id
