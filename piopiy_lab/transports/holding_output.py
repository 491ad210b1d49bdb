"""The agent's side of a transport whose sound can be held: what belongs to a sound waits with it.

Runs on the session's loop.
"""

from __future__ import annotations

from pipecat.frames.frames import (
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    Frame,
    InterruptionFrame,
    TTSTextFrame,
)
from pipecat.processors.frame_processor import FrameDirection

from piopiy_lab.transports.held_sound import HeldSound
from piopiy_lab.transports.pacing import PacedOutput


class HoldingOutput(PacedOutput):
    """A paced output with a :class:`HeldSound`, which a subclass makes."""

    voice: HeldSound  # by the subclass, when it is made

    def finish(self) -> None:
        """Let what is still on its way be heard: nothing follows it."""

    async def push_frame(
        self, frame: Frame, direction: FrameDirection = FrameDirection.DOWNSTREAM
    ) -> None:
        """Push a frame; when the agent stops, what it said last is on its way to be heard.

        What belongs to a sound that was held waits for it, or is dropped with it.
        """
        match frame:
            case BotStartedSpeakingFrame():
                self.voice.began()
            case BotStoppedSpeakingFrame():
                self.finish()
            case TTSTextFrame() if self.voice.used:
                at = frame.pts / 1e9 if frame.pts else None
                if not await self.voice.until_word(at) and frame.interruptible:
                    return
            case _:
                pass
        await super().push_frame(frame, direction)

    async def heard_out(self) -> None:
        """Wait until the last sample has been heard, and one that is held meanwhile, too."""
        if not self.voice.used:
            await super().heard_out()
        if self.voice.used:
            await self.voice.until_heard()
        self.voice.over()

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Drop what was not heard yet when the agent is interrupted or the call is cancelled."""
        await super().process_frame(frame, direction)
        if isinstance(frame, InterruptionFrame):
            self.voice.dropped()
