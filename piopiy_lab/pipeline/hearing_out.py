"""Waiting until the agent has been heard out: for a goodbye that must not be cut off.

A mark travels through the pipeline behind everything that the agent is about to say: the language
model's answer, its synthesis, and the audio in the output's queue keep their order, so when the
mark leaves the output all of it has been played.

Runs on the session's loop.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from pipecat.frames.frames import ControlFrame, Frame
from pipecat.processors.frame_processor import FrameProcessor

from piopiy_lab.pipeline.observer import CallObserver
from piopiy_lab.session.session import Session

#: Seconds after the last audio in which an output must have said that the agent is silent.
SILENCE_SECS = 2.0
#: Seconds that a model which was asked to say something may take to begin.
BEGIN_SECS = 5.0


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
        self._expected = False  # a model was asked to speak, and what it makes has no place yet

        async def before_push(_: FrameProcessor, frame: Frame) -> None:
            if isinstance(frame, SpeechMark):
                frame.passed.set()

        output.add_event_handler("on_before_push_frame", before_push)

    def expect_speech(self) -> None:
        """Note that a model was asked to speak: :meth:`wait` waits for it to begin, too."""
        assert self._session.on_loop(), "only on the session's loop"
        self._expected = True

    async def wait(self) -> None:
        """Return when all that the agent was about to say has been heard, or the call ends."""
        ended = asyncio.create_task(
            self._session.wait_for_end(), name="piopiy_lab.pipeline.hearing_out"
        )
        heard = asyncio.create_task(self._heard(), name="piopiy_lab.pipeline.hearing_out")
        try:
            await asyncio.wait((ended, heard), return_when=asyncio.FIRST_COMPLETED)
        finally:
            ended.cancel()
            heard.cancel()

    async def _heard(self) -> None:
        if self._expected:
            self._expected = False
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(BEGIN_SECS):
                    await self._observer.speaking.wait()
        mark = SpeechMark()
        await self._queue_frame(mark)
        await mark.passed.wait()
        # an output that doesn't tell: its audio was handed over long enough ago
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SILENCE_SECS):
                await self._observer.silent.wait()
