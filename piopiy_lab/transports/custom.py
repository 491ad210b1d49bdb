"""A transport of the user's own: used as it is, and recorded through its frames."""

from __future__ import annotations

import numpy as np
from pipecat.frames.frames import Frame, InputAudioRawFrame, OutputAudioRawFrame
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.transports.base_transport import BaseTransport

from piopiy_lab.session.session import Session, TransportSettings
from piopiy_lab.sound import pcm
from piopiy_lab.sound.pcm import Int16


def record_custom(
    transport: BaseTransport, session: Session, settings: TransportSettings
) -> BaseTransport:
    """Record what passes a pipecat transport; returns it unchanged.

    A chunk's time is when it was pushed, less its length: the best that can be known of a
    transport whose clock isn't ours.
    """
    recorder = session.recorder

    async def heard(processor: FrameProcessor, frame: Frame) -> None:
        if isinstance(frame, InputAudioRawFrame):
            if session.muted:
                frame.audio = bytes(len(frame.audio))
            samples = _mono(frame)
            start = max(0.0, session.now() - len(samples) / frame.sample_rate)
            recorder.write_caller(start, samples, frame.sample_rate)
            recorder.advance(session.now())

    async def said(processor: FrameProcessor, frame: Frame) -> None:
        if isinstance(frame, OutputAudioRawFrame):
            samples = _mono(frame)
            start = max(0.0, session.now() - len(samples) / frame.sample_rate)
            recorder.write_agent(start, samples, frame.sample_rate)

    transport.input().add_event_handler("on_before_push_frame", heard)
    transport.output().add_event_handler("on_before_push_frame", said)
    return transport


def _mono(frame: InputAudioRawFrame | OutputAudioRawFrame) -> Int16:
    samples = np.frombuffer(frame.audio, np.int16)
    if frame.num_channels > 1:
        samples = pcm.to_int16(samples.reshape(-1, frame.num_channels).mean(axis=1) / 32768)
    return samples
