"""All switchers of a call, and which of their services a name or an object means.

Runs on the session's loop; :meth:`Switchboard.find` may be called from any thread.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from pipecat.frames.frames import Frame
from pipecat.pipeline.service_switcher import ServiceSwitcherStrategy
from pipecat.processors.frame_processor import FrameProcessor

from piopiy_lab.errors import ArgumentError, ServiceError
from piopiy_lab.events.values import SERVICE_KINDS, ServiceKind
from piopiy_lab.pipeline.chain import QueueFrame
from piopiy_lab.pipeline.service_switcher import AnySwitcher
from piopiy_lab.pipeline.switch import Switch
from piopiy_lab.pipeline.switch_state import SwitchMark
from piopiy_lab.session.session import Session


class Switchable(Protocol):
    """What a switchboard knows of a pipeline's parts."""

    @property
    def switchers(self) -> Mapping[str, AnySwitcher]:
        """By kind."""
        ...

    @property
    def names(self) -> Mapping[str, Mapping[str, FrameProcessor]]:
        """Of each switcher the services by name."""
        ...

    @property
    def replaced(self) -> tuple[tuple[object, str], ...]:
        """Services, with their names, that a replacement stands in the place of."""
        ...


class Switchboard:
    """All switchers of a call."""

    def __init__(self, parts: Switchable, session: Session, output: FrameProcessor) -> None:
        """Take a call's switchers over.

        Args:
            parts: What ``Action`` was given, or what was found in a bot's pipeline.
            session: The call.
            output: The transport's output, which says what has been played.
        """
        self._parts = parts
        self._session = session
        self.switches = {
            kind: Switch(kind, parts.switchers[kind], parts.names[kind], session)
            for kind in SERVICE_KINDS
            if kind in parts.switchers
        }

        self._switch_of = {
            id(service): switch
            for switch in self.switches.values()
            for service in switch.names.values()
        }

        async def before_push(_: FrameProcessor, frame: Frame) -> None:
            if isinstance(frame, SwitchMark):
                await self.switches[frame.kind].played()

        if self.switches:
            output.add_event_handler("on_before_push_frame", before_push)

    def is_late(self, source: object, frame: Frame) -> bool:
        """Whether a frame comes from a service that is not at work, and is dropped."""
        switch = self._switch_of.get(id(source))
        return switch is not None and switch.is_late(source, frame)

    def find(self, wanted: object) -> FrameProcessor | None:
        """Return the service that is meant; None where a replacement stands in its place.

        Args:
            wanted: A service of a switcher, or its name.

        Raises:
            ArgumentError: There is no such service in a switcher of this call.
            ServiceError: It can no longer do its job.
        """
        return find_service(self._parts, wanted)

    async def ask(self, service: FrameProcessor, queue_frame: QueueFrame) -> None:
        """Ask a service's switcher for it; see :meth:`piopiy_lab.pipeline.switch.Switch.ask`."""
        await self._switch_of[id(service)].ask(service, queue_frame)

    def will_come(self, frame: Frame, kind: ServiceKind) -> None:
        """Take note of words put at the pipeline's beginning: they are for the service of now."""
        if kind in self.switches:
            self.switches[kind].will_come(frame)

    def describe(self) -> dict[str, dict[str, object]]:
        """Return the switchers as the log keeps them."""
        return {
            kind: {
                "services": {name: type(s).__name__ for name, s in switch.names.items()},
                "active": switch.name_of(switch.active),
                "strategy": _strategy_name(switch.switcher.strategy),
            }
            for kind, switch in self.switches.items()
        }


def _strategy_name(strategy: ServiceSwitcherStrategy) -> str:
    name = type(strategy).__name__
    short = name.removeprefix("ServiceSwitcherStrategy")
    return short.lower() if short in ("Manual", "Failover") else name


def find_service(parts: Switchable, wanted: object) -> FrameProcessor | None:
    """Return the service of a switcher that is meant; see :meth:`Switchboard.find`."""
    known: dict[str, FrameProcessor] = {
        name: service for names in parts.names.values() for name, service in names.items()
    }
    shown = repr(wanted) if isinstance(wanted, str) else type(wanted).__name__
    service = known.get(wanted) if isinstance(wanted, str) else None
    if service is None:
        service = next((one for one in known.values() if one is wanted), None)
    if service is None:
        if any(wanted is one or wanted == name for one, name in parts.replaced):
            return None
        if not known:
            raise ArgumentError(
                f"switch_service({shown}): this call has no switcher; give Action(..., "
                "tts_switcher=ServiceSwitcher(services=[a, b])) or stt_switcher, llm_switcher"
            )
        if isinstance(wanted, str) and wanted in ("stt", "llm", "tts"):
            shown = f"{shown}: that is a part of the pipeline, not one service of it"
        raise ArgumentError(
            f"switch_service({shown}): no service of a switcher; there are: "
            f"{', '.join(map(repr, known))}"
        )
    if not service.is_usable:
        usable = [name for name, one in known.items() if one.is_usable]
        raise ServiceError(
            f"switch_service({shown}): it can no longer do its job (see call.events for its "
            f"error); usable: {', '.join(map(repr, usable)) or 'none'}"
        )
    return service
