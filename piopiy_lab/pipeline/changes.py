"""Changes to a running agent from user code: other instructions, one more tool, another service.

Every method may be called from any thread or event loop. On the session's own thread the change
happens before the method returns; from elsewhere it is carried to the session's loop.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine

from pipecat.adapters.llm.schemas.tools_schema import ToolsSchema
from pipecat.frames.frames import LLMSetToolsFrame, LLMUpdateSettingsFrame
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.services.settings import LLMSettings

from piopiy_lab import events
from piopiy_lab.pipeline import seams
from piopiy_lab.pipeline.acts import Acts
from piopiy_lab.pipeline.chain import QueueFrame
from piopiy_lab.pipeline.parts import Parts
from piopiy_lab.pipeline.run_observer import RunObserver
from piopiy_lab.session.commands import SwitchService
from piopiy_lab.session.session import Session
from piopiy_lab.tools import Tool, register_with
from piopiy_lab.tools.doubles import Doubles


class Changes:
    """What a running agent's own code can change of it."""

    def __init__(
        self,
        session: Session,
        parts: Parts,
        context: LLMContext,
        queue_frame: QueueFrame,
        *,
        observer: RunObserver,
        acts: Acts,
        doubles: Doubles,
    ) -> None:
        """Get ready; on the session's loop.

        Args:
            session: The call.
            parts: What ``Action`` was given.
            context: The conversation that the LLM is given.
            queue_frame: Puts a frame at the pipeline's beginning.
            observer: Writes down what the LLM is told.
            acts: Does what the agent is told.
            doubles: What is called in the place of its tools.
        """
        self._session = session
        self._parts = parts
        self._context = context
        self._queue_frame = queue_frame
        self._observer = observer
        self._acts = acts
        self._doubles = doubles
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._acting: set[asyncio.Task[None]] = set()  # the loop holds its tasks only weakly

    async def switch_service(self, wanted: object) -> None:
        """Ask for another service of a switcher.

        Raises:
            ArgumentError: There is no such service in a switcher of this call.
            ServiceError: It can no longer do its job.
        """
        switch = self._acts.prepare(SwitchService(wanted))
        if self._here():  # in its order among what else is queued
            await switch()
        else:
            self._on_loop(lambda: self._soon(switch()))

    def replace_instructions(self, old: str, new: str) -> None:
        """Give the LLM other instructions from its next turn on."""

        def replace() -> None:
            self._observer.instructions = new
            session = self._session
            session.log.append(events.InstructionsChanged(at=session.now(), old=old, new=new))
            active = self._parts.active["llm"]
            for llm in self._parts.llms:
                if self._parts.mode == "cascaded" or llm is not active:
                    seams.instruct(llm, new)
                    continue
                seams.keep_for_connecting(llm, new)  # it is told, for it reads none per turn
                delta = LLMSettings(system_instruction=seams.whole_instruction(llm, new))
                self._soon(self._queue_frame(LLMUpdateSettingsFrame(delta=delta)))

        self._on_loop(replace)

    def offer(self, tool: Tool, offered: ToolsSchema) -> None:
        """Offer a tool from the LLM's next turn on."""

        def offer() -> None:
            self.register(tool)
            self._context.set_tools(offered)
            if self._parts.mode != "cascaded":  # it is told, for it reads no context per turn
                self._soon(self._queue_frame(LLMSetToolsFrame(tools=offered)))

        self._on_loop(offer)

    def register(self, tool: Tool) -> None:
        """Let every LLM of the call know how a tool is called; on the session's loop."""
        self._doubles.know(tool)
        for llm in self._parts.members["llm"]:
            register_with(llm, tool, self._acts)

    def _soon(self, act: Coroutine[object, object, None]) -> None:
        task = self._loop.create_task(act)
        self._acting.add(task)
        task.add_done_callback(self._acting.discard)

    def _here(self) -> bool:
        return threading.get_ident() == self._thread

    def _on_loop(self, function: Callable[[], None]) -> None:
        if self._here():
            function()
        else:
            self._loop.call_soon_threadsafe(function)
