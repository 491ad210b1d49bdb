"""Which service computes outside of virtual time: in a thread, as local models do.

What a thread takes is frozen or charged (``simulate(..., outside=)``), and a latency that leaves
it out flatters. So the call's log says once of each service which it is. A job is a service's if
its own code hands it over: not a tool's that the model calls, and not a name that an HTTP client
looks up.
"""

from __future__ import annotations

import inspect
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING, Literal

from piopiy_lab import events
from piopiy_lab.events.values import ServiceKind

if TYPE_CHECKING:
    from pipecat.services.ai_service import AIService

    from piopiy_lab.simulation.jobs import Job

#: pipecat's base classes: what they do is no service's own doing.
_GENERAL = {f"pipecat.services.{kind}_service" for kind in ("ai", "stt", "llm", "tts", "websocket")}
#: Whose frames may lie between a service's code and the thread: those that hand on.
_HANDS_ON = ("asyncio", "piopiy_lab.simulation", "pipecat.utils", "contextlib")

#: What asyncio hands to a thread to find an address.
_LOOK_UPS = ("socket.", "_socket.", "asyncio.")


class Computing:
    """Finds the services that compute in threads, and counts. Used on the loop's thread only."""

    def __init__(
        self, outside: Literal["freeze", "charge"], tell: Callable[[events.ComputedOutside], None]
    ) -> None:
        """Know of none yet.

        Args:
            outside: What virtual time does meanwhile.
            tell: Is given an event for each service, at its first job.
        """
        self._charged = outside == "charge"
        self._tell = tell
        #: By service how many jobs it had, and how long they really took, in seconds: for
        #: ``meta.json``, as it differs from run to run. Written here and by the jobs' threads.
        self.took: dict[str, dict[str, float]] = {}
        self._lock = threading.Lock()

    def started(self, job: Job, at: float) -> None:
        """Look whose job was just handed to a thread; call it where that happens.

        Args:
            job: The job.
            at: Seconds of the call's clock.
        """
        found = None if job.what.startswith(_LOOK_UPS) else _service(inspect.currentframe())
        if found is None:
            return
        kind, service = found
        if service not in self.took:
            self.took[service] = {"jobs": 0, "secs": 0.0}
            self._tell(_event(kind, service, charged=self._charged, at=at))
        job.work.add_done_callback(lambda _: self._ended(service, job.started_at))

    def _ended(self, service: str, since: float) -> None:  # on the job's thread
        secs = time.monotonic() - since
        with self._lock:
            took = self.took[service]
            took["jobs"] += 1
            took["secs"] = round(took["secs"] + secs, 6)


def _event(kind: ServiceKind, service: str, *, charged: bool, at: float) -> events.ComputedOutside:
    if charged:
        message = (
            f"{service} computes on this machine, and the latencies count that "
            '(outside="charge"): they differ from run to run'
        )
    else:
        message = (
            f"{service} computes on this machine while the call's clock stands still: it is 0 ms "
            'in the latencies; simulate(..., outside="charge") counts it'
        )
    return events.ComputedOutside(
        at=at, message=message, kind=kind, service=service, charged=charged
    )


def _service(frame: FrameType | None) -> tuple[ServiceKind, str] | None:
    """Return the kind and class name of the service whose own code waits for a thread."""
    from pipecat.services.ai_service import AIService

    while frame is not None:
        module = str(frame.f_globals.get("__name__", ""))
        if not module.startswith(_HANDS_ON) and module not in _GENERAL:
            owner = frame.f_locals.get("self")
            if isinstance(owner, AIService):
                kind = _kind(owner)
                return None if kind is None else (kind, type(owner).__name__)
            if "-packages" in frame.f_code.co_filename and not _is_service_module(module):
                return None  # a client of some network
        frame = frame.f_back
    return None


def _is_service_module(module: str) -> bool:
    """Whether a module has a service of pipecat's; its helpers' frames have no ``self``."""
    from pipecat.services.ai_service import AIService

    values = vars(sys.modules[module]).values() if module in sys.modules else ()
    return any(isinstance(v, type) and issubclass(v, AIService) for v in values)


def _kind(service: AIService) -> ServiceKind | None:
    from pipecat.services.llm_service import LLMService
    from pipecat.services.stt_service import STTService
    from pipecat.services.tts_service import TTSService

    match service:
        case STTService():
            return "stt"
        case LLMService():
            return "llm"
        case TTSService():
            return "tts"
        case _:
            return None
