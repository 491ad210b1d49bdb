"""Waiting until the agent has been heard out: for a goodbye that must not be cut off.

A mark travels through the pipeline behind everything that the agent is about to say: the language
model's answer, its synthesis, and the audio in the output's queue keep their order, so when the
mark leaves the output all of it has been played.

Runs on the session's loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from pipecat.frames.frames import ControlFrame, Frame
from pipecat.processors.frame_processor import FrameProcessor

from piopiy_lab.observer import CallObserver
from piopiy_lab.session import Session

#: Seconds after the last audio in which an output must have said that the agent is silent.
SILENCE_SECS = 2.0


@dataclass
class SpeechMark(ControlFrame):
    """Says where the agent's speech has been played up to, when it leaves the output."""

    interruptible: bool = field(default=False, init=False)
    passed: asyncio.Event = field(default_factory=asyncio.Event)


class HearingOut:
    """Waits for the end of what one pipeline's agent says."""

    def __init__(
        self,
        session: Session,
        observer: CallObserver,
        output: FrameProcessor,
        queue_frame: Callable[[Frame], Awaitable[None]],
    ) -> None:
        """Watch a pipeline.

        Args:
            session: The call; its end ends the waiting.
            observer: Knows whether the agent is being heard.
            output: The transport's output.
            queue_frame: Puts a frame at the pipeline's beginning.
        """
        self._session = session
        self._observer = observer
        self._queue_frame = queue_frame

        async def before_push(_: FrameProcessor, frame: Frame) -> None:
            if isinstance(frame, SpeechMark):
                frame.passed.set()

        output.add_event_handler("on_before_push_frame", before_push)

    async def wait(self) -> None:
        """Return when all that the agent was about to say has been heard, or the call ends."""
        mark = SpeechMark()
        await self._queue_frame(mark)
        ended = asyncio.create_task(self._session.wait_for_end(), name="piopiy_lab.hearing_out")
        heard = asyncio.create_task(self._heard(mark), name="piopiy_lab.hearing_out")
        try:
            await asyncio.wait((ended, heard), return_when=asyncio.FIRST_COMPLETED)
        finally:
            ended.cancel()
            heard.cancel()

    async def _heard(self, mark: SpeechMark) -> None:
        await mark.passed.wait()
        try:
            async with asyncio.timeout(SILENCE_SECS):
                await self._observer.silent.wait()
        except TimeoutError:
            return  # an output that doesn't tell: its audio was handed over long enough ago
