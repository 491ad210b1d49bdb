"""Switching between services while a call runs, without a word cut, lost or said twice.

pipecat's ``ServiceSwitcher`` closes the way *into* the services that aren't active, and switches at
once. So what the old service still gives comes out, and what it still holds is lost. Here a switch
waits for a seam, which :mod:`piopiy_lab.pipeline.switch_kinds` knows for each kind of service, and
what comes late from a service that was switched off is dropped.

An interruption cuts the wait short, as it cuts the reply. When the active service fails, a failover
switches at once, and the work that was lost is given to the new service: the context that has no
answer yet, the caller's utterance so far, and the rest of the reply, once what was said of it has
been heard.

What is to be done is the state's to say (:mod:`piopiy_lab.pipeline.switch_state`); this tells it
what happens, and does it. Runs on the session's loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from pipecat.frames import frames as f
from pipecat.pipeline.service_switcher import ServiceSwitcher, ServiceSwitcherStrategy
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor

from piopiy_lab.events.values import ServiceKind, SwitchCause
from piopiy_lab.pipeline import seams
from piopiy_lab.pipeline.chain import QueueFrame
from piopiy_lab.pipeline.switch_kinds import STATES
from piopiy_lab.pipeline.switch_state import (
    DOWN,
    Activate,
    Append,
    Give,
    Instructions,
    Notice,
    Push,
    Take,
    Watch,
)
from piopiy_lab.session.session import Session


@dataclass
class SwitchRequestFrame(f.ManuallySwitchServiceFrame):
    """A request for a switch, which an interruption does not lose on its way."""

    interruptible: bool = field(default=False, init=False)


class Switch:
    """One switcher at work in one call."""

    def __init__(
        self,
        kind: ServiceKind,
        switcher: ServiceSwitcher[ServiceSwitcherStrategy],
        names: Mapping[str, FrameProcessor],
        session: Session,
    ) -> None:
        """Take a switcher over.

        Args:
            kind: "stt", "llm" or "tts".
            switcher: The user's switcher, of which this pipeline is the first.
            names: Its services by name.
            session: The call.
        """
        self.switcher = switcher
        self.names = names
        self._name_of = {id(service): name for name, service in names.items()}
        self._session = session
        self._loop = asyncio.get_running_loop()  # the session's
        self._state = STATES[kind](self.name_of(self.active))
        self._cause: SwitchCause = "manual"  # why a switch would happen now
        self._watch: asyncio.Task[None] | None = None  # the loop holds its tasks only weakly
        self._begun = False  # whether the pipeline has reached the switcher
        self._coming: list[f.Frame] = []  # what wishes must not overtake, in its order
        self._take, self._push = seams.take_over(switcher, self._came_in, self._came_out)
        for service in names.values():
            self._drop_late(service)

        async def on_switched(_: ServiceSwitcherStrategy, service: FrameProcessor) -> None:
            await self._note()  # a strategy that switches by itself

        switcher.strategy.add_event_handler("on_service_switched", on_switched)

    @property
    def active(self) -> FrameProcessor:
        """The service at work."""
        return self.switcher.strategy.active_service

    def name_of(self, service: FrameProcessor) -> str:
        """Return a service's name in this call."""
        return self._name_of.get(id(service), type(service).__name__)

    def is_late(self, service: object, frame: f.Frame) -> bool:
        """Whether a frame is the output of a service that is not at work."""
        return service is not self.active and self._state.is_late(frame)

    def _drop_late(self, service: FrameProcessor) -> None:
        seams.drop_late(service, lambda frame: self.is_late(service, frame))

    # --- what is asked for -------------------------------------------------------------------

    def will_come(self, frame: f.Frame) -> None:
        """Take note of a frame that was put at the pipeline's beginning: wishes stay behind it."""
        self._coming.append(frame)

    async def ask(self, service: FrameProcessor, queue_frame: QueueFrame) -> None:
        """Ask for another service, in the order of what the agent's code asks for.

        The way from the pipeline's beginning leads through the recogniser. When that is at work,
        the answer to a tool's result could be here before the wish that the tool had made.

        Args:
            service: The one to switch to.
            queue_frame: Puts a frame at the pipeline's beginning.
        """
        request = SwitchRequestFrame(service=service)
        if self._begun and not self._coming:
            await self.switcher.queue_frame(request)
        else:
            self._coming.append(request)
            await queue_frame(request)

    def _has_come(self, frame: f.Frame, direction: FrameDirection) -> None:
        if isinstance(frame, f.LLMContextFrame) and direction == DOWN:  # what a message became
            self._coming = [one for one in self._coming if isinstance(one, SwitchRequestFrame)]
        elif isinstance(frame, f.InterruptionFrame):  # it dropped what was made before it
            self._coming = [c for c in self._coming if c.id > frame.id or not c.interruptible]
        else:
            self._coming = [one for one in self._coming if one is not frame]

    # --- what happens ------------------------------------------------------------------------

    async def _came_in(self, frame: f.Frame, direction: FrameDirection) -> None:
        state, now = self._state, self._session.now()
        self._begun = True
        if self._coming:
            self._has_come(frame, direction)
        if isinstance(frame, f.ManuallySwitchServiceFrame) and id(frame.service) in self._name_of:
            at_work = self.name_of(self.active)
            await self._do(state.asked(self.name_of(frame.service), at_work, now))
        else:
            await self._do(state.came_in(frame, direction, now))

    async def _came_out(self, frame: f.Frame, direction: FrameDirection = DOWN) -> None:
        await self._do(self._state.came_out(frame, direction, self._session.now()))

    async def played(self) -> None:
        """Take the news that the mark has left the output: the old voice has been heard."""
        await self._do(self._state.played())

    async def _watch_stall(self) -> None:
        while (left := self._state.stalls_in(self._session.now())) is not None:
            if left <= 0:
                await self._do(self._state.stalled())
                return
            await asyncio.sleep(left)

    async def _note(self) -> None:
        """Tell the state which service is at work."""
        name = self.name_of(self.active)
        await self._do(self._state.is_active(name, self._cause, self._session.now()))

    # --- what is to be done ------------------------------------------------------------------

    async def _do(self, instructions: Instructions) -> None:
        assert asyncio.get_running_loop() is self._loop, "a switch is the session's loop's"
        for instruction in instructions:
            match instruction:
                case Take(frame, direction):
                    await self._take(frame, direction)
                    seams.forget_seen(self.switcher)
                case Push(f.ErrorFrame() as error, direction):
                    await self._push_error(error, direction)
                case Push(frame, direction):
                    await self._push(frame, direction)
                case Give(name, frame, direction):
                    await self.names[name].queue_frame(frame, direction)
                case Activate(name):
                    await self._activate(self.names[name])
                case Watch():
                    self._watch = self.switcher.create_task(self._watch_stall())
                case Notice(message):
                    self._session.notice(message)
                case Append(event):
                    self._session.log.append(event)

    async def _activate(self, service: FrameProcessor) -> None:
        await self._take(f.ManuallySwitchServiceFrame(service=service), DOWN)
        if self.active is not service:
            reason = (
                "it can no longer do its job"
                if not service.is_usable
                else f"{type(self.switcher.strategy).__name__} does not switch on request"
            )
            self._session.notice(f"not switched to {self.name_of(service)}: {reason}")
        await self._note()

    async def _push_error(self, error: f.ErrorFrame, direction: FrameDirection) -> None:
        """Push an error; that of the service at work may make the strategy switch."""
        failed = self.active
        if error.processor is not failed or error.fatal:
            await self._push(error, direction)
            return
        if seams.is_uncaught(error):
            await failed.set_usable(False)  # it raised in our hands: it is not asked again
        self._cause = "failover"
        try:
            await self._push(error, direction)  # pipecat's asks the strategy, and ends it there
            await self._note()
        finally:
            self._cause = "manual"
        if self.active is not failed:
            await self._do(self._state.failed_over(self.name_of(self.active)))
