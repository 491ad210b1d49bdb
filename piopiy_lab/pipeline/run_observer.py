"""The observer of one run: what happens, who got ready, and nothing of services switched off.

Runs on the session's loop.
"""

from __future__ import annotations

from pipecat.observers.base_observer import FramePushed, ProcessorSetUp

from piopiy_lab.pipeline.observer import CallObserver
from piopiy_lab.pipeline.switchboard import Switchboard
from piopiy_lab.session.session import Session


class RunObserver(CallObserver):
    """The call's one observer, which also knows who got ready."""

    def __init__(self, session: Session, set_up: set[str]) -> None:
        """Observe for a call.

        Args:
            session: The call.
            set_up: Where the names of processors go that got ready.
        """
        super().__init__(session.log, deterministic=session.settings.virtual)
        self._set_up = set_up
        self.switchboard: Switchboard | None = None  # written when the chain is built

    async def on_push_frame(self, data: FramePushed) -> None:
        """Take a frame, unless it comes late from a service that was switched off."""
        switchboard = self.switchboard
        if switchboard is None or not switchboard.is_late(data.source, data.frame):
            await super().on_push_frame(data)

    async def on_processor_setup(self, data: ProcessorSetUp) -> None:
        """Note that a processor got ready."""
        self._set_up.add(data.processor.name)
