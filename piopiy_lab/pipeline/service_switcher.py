"""Piopiy's import path for the service switcher: pipecat's, with its arguments checked."""

from __future__ import annotations

from typing import Any

from pipecat.pipeline.service_switcher import ServiceSwitcher as _PipecatServiceSwitcher
from pipecat.pipeline.service_switcher import (
    ServiceSwitcherStrategy,
    ServiceSwitcherStrategyFailover,
    ServiceSwitcherStrategyManual,
)
from pipecat.processors.frame_processor import FrameProcessor

from piopiy_lab.errors import ArgumentError, ArgumentTypeError

#: A switcher of pipecat's or ours, whatever its strategy.
AnySwitcher = _PipecatServiceSwitcher[Any]


class ServiceSwitcher(AnySwitcher):
    """Several services of one kind, of which one is at work.

    The first one begins. Give it to ``VoiceAgent.Action(tts_switcher=...)``, ``stt_switcher`` or
    ``llm_switcher``; then ``await voice_agent.switch_service(service)`` or
    ``call.switch_service(name)`` changes it. pipecat's own ``ServiceSwitcher`` and ``LLMSwitcher``
    work too.
    """

    def __init__(
        self,
        services: list[FrameProcessor],
        strategy_type: type[ServiceSwitcherStrategy] = ServiceSwitcherStrategyManual,
    ) -> None:
        """Put services together.

        Args:
            services: At least one; all of one kind.
            strategy_type: ``ServiceSwitcherStrategyManual`` switches on request;
                ``ServiceSwitcherStrategyFailover`` also when the active service fails.

        Raises:
            ArgumentError: There is no service, or one is in it twice.
            ArgumentTypeError: Something is no service, or the strategy is no strategy's class.
        """
        if not isinstance(services, list | tuple):
            raise ArgumentTypeError(f"ServiceSwitcher(services={services!r}): give a list of them")
        for service in services:
            if not isinstance(service, FrameProcessor):
                raise ArgumentTypeError(
                    f"ServiceSwitcher(services=[{service!r}]): give pipecat's services"
                )
        if not services:
            raise ArgumentError("ServiceSwitcher(services=[]): give at least one service")
        if len({id(service) for service in services}) != len(services):
            raise ArgumentError("ServiceSwitcher(services=...): the same service is in it twice")
        if not (
            isinstance(strategy_type, type) and issubclass(strategy_type, ServiceSwitcherStrategy)
        ):
            raise ArgumentTypeError(
                f"ServiceSwitcher(strategy_type={strategy_type!r}): give the class "
                "ServiceSwitcherStrategyManual or ServiceSwitcherStrategyFailover"
            )
        super().__init__(list(services), strategy_type)

    def __repr__(self) -> str:
        active = self.strategy.active_service
        names = [f"[{s.name}]" if s is active else s.name for s in self.services]
        strategy = type(self.strategy).__name__.removeprefix("ServiceSwitcherStrategy").lower()
        return f"<ServiceSwitcher ({strategy}): {', '.join(names)}>"


__all__ = [
    "ServiceSwitcher",
    "ServiceSwitcherStrategyFailover",
    "ServiceSwitcherStrategyManual",
]
