"""Which service is at work in each part of a call: a fold over its events."""

from __future__ import annotations

from piopiy_lab.events.base import Event
from piopiy_lab.events.call import PipelineStarted
from piopiy_lab.events.services import ServiceSwitched
from piopiy_lab.events.values import ServiceKind


class AtWork:
    """Follows a call's services by their class names, as errors and metrics name them."""

    def __init__(self) -> None:
        """No pipeline runs."""
        self._classes: dict[str, str] = {}  # "stt", "llm", "tts" -> the class at work
        self._switchable: dict[str, dict[str, str]] = {}  # kind -> name -> class, of switchers

    def note(self, event: Event) -> None:
        """Take an event of the call's log."""
        match event:
            case PipelineStarted():
                self._classes = dict(event.services)
                self._switchable = {
                    kind: dict(described["services"]) for kind, described in event.switchers.items()
                }
            case ServiceSwitched():
                names = self._switchable.get(event.kind, {})
                self._classes[event.kind] = names.get(event.new, event.new)
            case _:
                pass

    def get(self, kind: ServiceKind) -> str | None:
        """Return the class name of the service of a kind; None where the call has none."""
        return self._classes.get(kind)

    @property
    def voice(self) -> str | None:
        """The class name of what speaks: the tts, or a model that speaks itself."""
        return self._classes.get("tts", self._classes.get("llm"))
