"""A VoiceAgent's transport in the call's room: paced, recorded, and quiet.

The agent's audio runs :data:`LEAD_SECS` ahead of what has been heard, so the log's times are
those of the caller's ear (pipecat runs up to a second ahead), and the recording holds what was
played: what an interruption dropped is not in it.

Runs on the session's loop.
"""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
from pipecat.frames.frames import (
    BotStoppedSpeakingFrame,
    CancelFrame,
    Frame,
    InterruptionFrame,
    OutputAudioRawFrame,
)
from pipecat.processors.frame_processor import FrameDirection
from pipecat.transports.livekit.transport import LiveKitOutputTransport

from piopiy_lab.session.session import Session, TransportSettings
from piopiy_lab.sound.pcm import Int16
from piopiy_lab.transports.levels import LevelMeter
from piopiy_lab.transports.playout import Playout
from piopiy_lab.transports.room_client import RoomClient, rtc
from piopiy_lab.transports.telecmi import TelecmiParams, TelecmiTransport

#: How far ahead of the caller's ear the output runs, in seconds: what a busy loop may be late.
LEAD_SECS = 0.15
#: Audio is handed over in pieces of this many 10 ms: fewer calls into LiveKit, and an interruption
#: cuts what was handed over all the same.
OUTPUT_10MS_CHUNKS = 10


class RoomTransport(TelecmiTransport):
    """The room as a session's transport."""

    def __init__(
        self,
        session: Session,
        settings: TransportSettings,
        url: str | None,
        token: str,
        room_name: str,
    ) -> None:
        """Make the transport of a session.

        Args:
            session: The call it belongs to.
            settings: The rates of both sides, and the user's ``TelecmiParams``.
            url: The room's server.
            token: The room's token.
            room_name: The room's name.
        """
        self._rooms_params = room_params(settings)
        super().__init__(url, token, room_name, self._rooms_params)
        self.session = session
        self.settings = settings
        self.playout = Playout(settings.audio_out_sample_rate)
        self.levels = LevelMeter(session.log)

    def output(self) -> RoomOutput:
        """Return the processor that speaks into the room."""
        if not isinstance(self._output, RoomOutput):
            self._output = RoomOutput(self, self._client, self._rooms_params)
        return self._output

    def audio_received(self, frame: rtc.AudioFrame) -> None:
        """Record the caller as they arrive, and measure them."""
        assert self.session is not None
        now, recorder = self.session.now(), self.session.recorder
        samples = np.frombuffer(frame.data, np.int16)
        start = max(0.0, now - frame.samples_per_channel / frame.sample_rate)
        recorder.write_caller(start, samples, frame.sample_rate)
        self.levels.user(now, samples, agent_heard_until=self.playout.ends_at)
        self.record_played()
        recorder.advance(now)

    def record_played(self) -> None:
        """Give the recorder what has been heard of the agent since the last time."""
        assert self.session is not None
        self.record(self.playout.take_played(self.session.now()))

    def record(self, pieces: list[tuple[float, Int16]]) -> None:
        """Give the recorder pieces of the agent's audio."""
        assert self.session is not None
        for start, samples in pieces:
            self.session.recorder.write_agent(start, samples, self.settings.audio_out_sample_rate)


class RoomOutput(LiveKitOutputTransport):
    """The agent's side: hands audio to the room at the pace at which it is heard."""

    def __init__(self, transport: RoomTransport, client: RoomClient, params: TelecmiParams) -> None:
        """Make the output of ``transport``."""
        super().__init__(transport, client, params)
        self._room, self._link = transport, client

    async def write_audio_frame(self, frame: OutputAudioRawFrame) -> bool:
        """Hand over a piece of the agent's audio; returns shortly before it has been heard."""
        transport = self._room
        session, playout = transport.session, transport.playout
        assert session is not None
        taken = await super().write_audio_frame(frame)
        if taken:
            samples = np.frombuffer(frame.audio, np.int16)
            if frame.num_channels > 1:
                samples = samples[:: frame.num_channels]
            start = playout.write(session.now(), samples)
            transport.levels.agent(start, playout.ends_at, samples)
            transport.record_played()
            wait = playout.ends_at - LEAD_SECS - session.now()
            if wait > 0:
                await asyncio.sleep(wait)
        return taken

    async def push_frame(
        self, frame: Frame, direction: FrameDirection = FrameDirection.DOWNSTREAM
    ) -> None:
        """Push a frame; the one that says the agent stopped waits for the last sample heard."""
        if isinstance(frame, BotStoppedSpeakingFrame):
            assert self._room.session is not None
            wait = self._room.playout.ends_at - self._room.session.now()
            if wait > 0:
                await asyncio.sleep(wait)
        await super().push_frame(frame, direction)

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Drop what was not heard yet when the agent is interrupted or the call is cancelled."""
        if isinstance(frame, InterruptionFrame | CancelFrame):
            assert self._room.session is not None
            self._link.stop_speaking()
            played, _ = self._room.playout.clear(self._room.session.now())
            self._room.record(played)
        await super().process_frame(frame, direction)


def room_params(settings: TransportSettings) -> TelecmiParams:
    """Return the room's parameters: the user's own, at the pipeline's rates."""
    given = settings.room_params.items()
    values = {name: value for name, value in given if name in TelecmiParams.model_fields}
    values.setdefault("audio_out_10ms_chunks", OUTPUT_10MS_CHUNKS)
    values.setdefault("audio_out_end_silence_secs", 0)  # the playout is waited for instead
    values.update(
        audio_in_enabled=True,
        audio_out_enabled=True,
        audio_in_sample_rate=settings.audio_in_sample_rate,
        audio_out_sample_rate=settings.audio_out_sample_rate,
    )
    return TelecmiParams(**values)
