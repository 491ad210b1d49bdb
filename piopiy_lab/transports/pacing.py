"""A call's audio at the pace at which it is heard, and its recording: for every transport of ours.

The agent's audio runs a little ahead of the listener, never more, so the log's times are those of
the ear, and what an interruption dropped is not in the recording.

Everything here runs on the session's loop.
"""

from __future__ import annotations

import asyncio

from pipecat.frames.frames import BotStoppedSpeakingFrame, CancelFrame, Frame, InterruptionFrame
from pipecat.processors.frame_processor import FrameDirection
from pipecat.transports.base_output import BaseOutputTransport

from piopiy_lab.checks.threads import SameThread
from piopiy_lab.session.session import Session
from piopiy_lab.sound.pcm import Int16
from piopiy_lab.transports.playout import Playout


class PacedAudio:
    """Both sides of a call: what the listener hears when, and what the recorder gets."""

    def __init__(self, session: Session, playout: Playout, lead_secs: float) -> None:
        """Begin with silence.

        Args:
            session: The call.
            playout: The account of what the listener hears.
            lead_secs: How far ahead of the listener the agent's audio is handed over.
        """
        self._here = SameThread()
        self.session = session
        self.playout = playout
        self.lead_secs = lead_secs  # written by whoever made it, before the first audio

    def record_caller(self, start: float, samples: Int16, sample_rate: int) -> None:
        """Give the recorder a piece of the caller's audio, and what has been heard by then.

        Args:
            start: The call's seconds of the first sample.
            samples: int16, shape (n,).
            sample_rate: Theirs, in Hz.
        """
        assert self._here(), "only on the session's loop"
        self.session.recorder.write_caller(start, samples, sample_rate)
        self.record_played()
        self.session.recorder.advance(self.session.now())

    def keep_heard(self, start: float, samples: Int16, sample_rate: int) -> None:
        """Keep a frame as the pipeline gets it, to be fed again.

        Args:
            start: The call's seconds of the first sample.
            samples: int16, shape (n,).
            sample_rate: Theirs, in Hz.
        """
        assert self._here(), "only on the session's loop"
        pushed_at = self.session.now() if self.session.settings.virtual else None
        self.session.recorder.hearing.add(start, samples, sample_rate, pushed_at=pushed_at)

    def hand_over(self, samples: Int16) -> float:
        """Schedule a piece of the agent's audio; returns when its first sample is heard."""
        assert self._here(), "only on the session's loop"
        return self.playout.write(self.session.now(), samples)

    def record_played(self) -> None:
        """Give the recorder what has been heard of the agent since the last time."""
        assert self._here(), "only on the session's loop"
        self._record(self.playout.take_played(self.session.now()))

    def clear(self, at: float) -> None:
        """Drop what is not heard by the call's second ``at``."""
        assert self._here(), "only on the session's loop"
        played, _ = self.playout.clear(at)
        self._record(played)

    async def wait_until_due(self) -> None:
        """Wait until the next piece is to be handed over."""
        await self._wait_until(self.playout.ends_at - self.lead_secs)

    async def wait_until_heard(self) -> None:
        """Wait until the last sample has been heard."""
        await self._wait_until(self.playout.ends_at)

    async def _wait_until(self, at: float) -> None:
        wait = at - self.session.now()
        if wait > 0:
            await asyncio.sleep(wait)

    def _record(self, pieces: list[tuple[float, Int16]]) -> None:
        for start, samples in pieces:
            self.session.recorder.write_agent(start, samples, self.playout.sample_rate)


class PacedOutput(BaseOutputTransport):
    """The agent's side of a transport with a :class:`PacedAudio`."""

    @property
    def audio(self) -> PacedAudio:
        """The call's audio."""
        raise NotImplementedError

    def clear(self) -> None:
        """Drop the audio that was not heard yet."""
        raise NotImplementedError

    async def push_frame(
        self, frame: Frame, direction: FrameDirection = FrameDirection.DOWNSTREAM
    ) -> None:
        """Push a frame; the one that says the agent stopped waits for the last sample heard."""
        if isinstance(frame, BotStoppedSpeakingFrame):
            await self.heard_out()
        await super().push_frame(frame, direction)

    async def heard_out(self) -> None:
        """Wait until the last sample has been heard."""
        await self.audio.wait_until_heard()

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Drop what was not heard yet when the agent is interrupted or the call is cancelled."""
        if isinstance(frame, InterruptionFrame | CancelFrame):
            self.clear()
        await super().process_frame(frame, direction)
