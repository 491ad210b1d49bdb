"""A transport of the user's own: used as it is, and recorded through its frames."""

from __future__ import annotations

import numpy as np
from pipecat.frames.frames import Frame, InputAudioRawFrame, OutputAudioRawFrame
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.transports.base_transport import BaseTransport

from piopiy_lab.errors import ArgumentError
from piopiy_lab.session.session import Session
from piopiy_lab.sound import pcm
from piopiy_lab.sound.pcm import Int16
from piopiy_lab.transports.over_the_line import OverTheLine


class CustomTransport:
    """A ``CallTransport`` around any transport of pipecat's, which has only two ends.

    Over a phone line (``line=``) only what the agent hears is taken: what is played is the
    transport's own. Of what a call asks besides, whatever the transport has is used:
    ``TelecmiTransport`` is one that somebody may make himself.
    """

    def __init__(self, transport: BaseTransport, session: Session) -> None:
        """Record what passes ``transport``, and leave it as it is."""
        self._transport = transport
        _record(transport, session)

    @property
    def failure(self) -> Exception | None:
        """Why it could not connect or was lost, if it tells."""
        return getattr(self._transport, "failure", None)

    def input(self) -> FrameProcessor:
        """Return the processor that the caller's audio comes from."""
        return self._transport.input()

    def output(self) -> FrameProcessor:
        """Return the processor that the agent's audio goes to."""
        return self._transport.output()

    def run_at(self, audio_in_sample_rate: int, audio_out_sample_rate: int) -> None:
        """Leave the rates to the transport: one without any of its own takes the pipeline's."""

    async def wait_until_open(self) -> None:
        """Wait for its device, if it tells."""
        await self._ask("wait_until_open")

    async def wait_until_answered(self) -> None:
        """Wait for somebody at the other end, if it tells."""
        await self._ask("wait_until_answered")

    async def _ask(self, hook: str) -> None:
        wait = getattr(self._transport, hook, None)
        if wait is not None:
            await wait()


def _record(transport: BaseTransport, session: Session) -> None:
    """Record what passes a pipecat transport.

    A chunk's time is when it was pushed, less its length: the best that can be known of a
    transport whose clock isn't ours.
    """
    recorder = session.recorder
    line = OverTheLine(session.settings.line, caller_only=True)
    line.tell(session, line.caller_delay)

    def over_the_line(start: float, samples: Int16, rate: int) -> Int16:
        nonlocal line
        try:
            return line.hear_caller(start, samples, rate)
        except ArgumentError as error:  # the transport's own rate; pipecat would swallow it
            session.notice(f"this call goes on without its line: {error}")
            line = OverTheLine(None)
            return samples

    async def heard(processor: FrameProcessor, frame: Frame) -> None:
        if isinstance(frame, InputAudioRawFrame):
            if session.muted:
                frame.audio = bytes(len(frame.audio))
            samples = _mono(frame)
            start = max(0.0, session.now() - len(samples) / frame.sample_rate)
            recorder.write_caller(start, samples, frame.sample_rate)
            over = over_the_line(start, samples, frame.sample_rate)
            if over is not samples and not session.muted:
                frame.audio = np.repeat(over, frame.num_channels).tobytes()
            recorder.advance(session.now())

    async def said(processor: FrameProcessor, frame: Frame) -> None:
        if isinstance(frame, OutputAudioRawFrame):
            samples = _mono(frame)
            start = max(0.0, session.now() - len(samples) / frame.sample_rate)
            recorder.write_agent(start, samples, frame.sample_rate)
            line.played(start, samples, frame.sample_rate)

    transport.input().add_event_handler("on_before_push_frame", heard)
    transport.output().add_event_handler("on_before_push_frame", said)


def _mono(frame: InputAudioRawFrame | OutputAudioRawFrame) -> Int16:
    samples = np.frombuffer(frame.audio, np.int16)
    if frame.num_channels > 1:
        samples = pcm.to_int16(samples.reshape(-1, frame.num_channels).mean(axis=1) / 32768)
    return samples
