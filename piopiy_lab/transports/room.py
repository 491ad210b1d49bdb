"""A VoiceAgent's transport in the call's room: paced, recorded, and quiet.

The agent's audio runs :data:`LEAD_SECS` ahead of what has been heard, so the log's times are
those of the caller's ear (pipecat runs up to a second ahead), and the recording holds what was
played: what an interruption dropped is not in it.

Runs on the session's loop.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import replace

import numpy as np
from pipecat.frames.frames import InputAudioRawFrame, OutputAudioRawFrame
from pipecat.transports.livekit.transport import LiveKitInputTransport, LiveKitOutputTransport

from piopiy_lab.session.session import Session
from piopiy_lab.session.transport import TransportSettings
from piopiy_lab.sound.pcm import Int16
from piopiy_lab.transports.held_sound import FADE_SECS, HeldSound
from piopiy_lab.transports.holding_output import HoldingOutput
from piopiy_lab.transports.levels import LevelMeter
from piopiy_lab.transports.pacing import PacedAudio
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
        self.audio: PacedAudio = PacedAudio(
            session, Playout(settings.audio_out_sample_rate), LEAD_SECS
        )
        self.levels: LevelMeter = LevelMeter(session.log)

    def run_at(self, audio_in_sample_rate: int, audio_out_sample_rate: int) -> None:
        """Take other rates, in Hz, before the room is joined."""
        self.settings = replace(
            self.settings,
            audio_in_sample_rate=audio_in_sample_rate,
            audio_out_sample_rate=audio_out_sample_rate,
        )
        self._rooms_params.audio_in_sample_rate = audio_in_sample_rate
        self._rooms_params.audio_out_sample_rate = audio_out_sample_rate
        self.audio.playout.sample_rate = audio_out_sample_rate  # it has been given nothing yet

    def input(self) -> RoomInput:
        """Return the processor that hears the room."""
        if not isinstance(self._input, RoomInput):
            self._input = RoomInput(self, self._client, self._rooms_params)
        return self._input

    def output(self) -> RoomOutput:
        """Return the processor that speaks into the room."""
        if not isinstance(self._output, RoomOutput):
            self._output = RoomOutput(self, self._client, self._rooms_params)
        return self._output

    def audio_received(self, frame: rtc.AudioFrame) -> None:
        """Record the caller as they arrive, and measure them."""
        now = self.audio.session.now()
        samples = np.frombuffer(frame.data, np.int16)
        start = max(0.0, now - frame.samples_per_channel / frame.sample_rate)
        self.levels.user(now, samples, agent_heard_until=self.audio.playout.ends_at)
        self.audio.record_caller(start, samples, frame.sample_rate)


class RoomInput(LiveKitInputTransport):
    """The caller's side: what the pipeline gets is kept, to be fed again."""

    def __init__(self, transport: RoomTransport, client: RoomClient, params: TelecmiParams) -> None:
        """Make the input of ``transport``."""
        super().__init__(transport, client, params)
        self._room = transport

    async def push_audio_frame(self, frame: InputAudioRawFrame) -> None:
        """Hand a piece of the caller's audio to the pipeline."""
        samples = np.frombuffer(frame.audio, np.int16)[:: frame.num_channels]
        start = self._room.audio.session.now() - len(samples) / frame.sample_rate
        self._room.audio.keep_heard(max(0.0, start), samples, frame.sample_rate)
        await super().push_audio_frame(frame)


class RoomOutput(HoldingOutput, LiveKitOutputTransport):
    """The agent's side: hands audio to the room at the pace at which it is heard.

    LiveKit's queue gives nothing back and doesn't say what it dropped, so what is held is taken
    from our own account of what was heard: within the 10 ms that LiveKit sends at a time.
    """

    def __init__(self, transport: RoomTransport, client: RoomClient, params: TelecmiParams) -> None:
        """Make the output of ``transport``."""
        LiveKitOutputTransport.__init__(self, transport, client, params)
        self._rooms_channels = params.audio_out_channels
        self._room, self._link = transport, client
        self.voice: HeldSound = HeldSound(lambda: self.audio, self)
        self._to_send: deque[Int16] = deque()  # of what was held, in front of the room's queue
        self._sending: asyncio.Task[None] | None = None  # hands it over; by give()
        self._handing = asyncio.Lock()  # held while LiveKit takes a piece
        self._void = False  # that piece was taken back meanwhile; by take_back()

    @property
    def audio(self) -> PacedAudio:
        """The call's audio."""
        return self._room.audio

    async def write_audio_frame(self, frame: OutputAudioRawFrame) -> bool:
        """Hand over a piece of the agent's audio; returns shortly before it has been heard."""
        while self._sending is not None or self.voice.waits:
            if not await self.voice.let_through() and frame.interruptible:
                return False
            if self._sending is not None:
                await asyncio.wait([self._sending])
        if self.voice.cutting and frame.interruptible:
            return False
        samples = np.frombuffer(frame.audio, np.int16)[:: frame.num_channels]
        if self.voice.held:
            samples = self._ducked(frame, samples)
        self._account(samples)  # first: it may be held while LiveKit takes it
        taken = await self._to_livekit(frame)
        if taken:
            await self.audio.wait_until_due()
        return taken

    def clear(self) -> None:
        """Drop the audio that was not heard yet, here and in LiveKit's queue."""
        at = self.take_back()
        self.voice.drop()
        self.audio.clear(at)

    async def cleanup(self) -> None:
        """Leave nothing behind."""
        self.voice.drop()
        self.voice.dropped()
        self._to_send.clear()
        await super().cleanup()

    # --- what is held ---------------------------------------------------------------------------

    @property
    def fade_secs(self) -> float:
        """Seconds in which a sound that is held fades out."""
        return FADE_SECS

    def take_back(self) -> float:
        """Play nothing more for now; returns when nothing more is heard, in seconds."""
        self._to_send.clear()
        self._link.stop_speaking()
        self._void = self._handing.locked()
        return self.audio.session.now()

    def give(self, samples: Int16) -> None:
        """Schedule samples as they will be heard, and send them, in front of what is written."""
        self._account(samples)
        self._to_send.append(samples)
        if self._sending is None:
            self._sending = self.create_task(self._send(), "held sound")

    def heard_changed(self) -> None:
        """Nobody asks here."""

    async def _send(self) -> None:
        channels = self._rooms_channels
        try:
            while self._to_send:
                audio = np.repeat(self._to_send.popleft(), channels).tobytes()
                rate = self.audio.playout.sample_rate
                await self._to_livekit(OutputAudioRawFrame(audio, rate, channels))
        finally:
            self._sending = None

    async def _to_livekit(self, frame: OutputAudioRawFrame) -> bool:
        """Hand a piece over; one that was taken back meanwhile may have come after the order."""
        async with self._handing:
            self._void = False
            try:
                return await super().write_audio_frame(frame)
            finally:
                if self._void:
                    self._link.stop_speaking()

    def _account(self, samples: Int16) -> None:
        start = self.audio.hand_over(samples)
        self._room.levels.agent(start, self.audio.playout.ends_at, samples)
        self.audio.record_played()

    def _ducked(self, frame: OutputAudioRawFrame, samples: Int16) -> Int16:
        shaped = self.voice.shape(samples)
        assert shaped is not None
        frame.audio = np.repeat(shaped, frame.num_channels).tobytes()
        return shaped


def room_params(settings: TransportSettings) -> TelecmiParams:
    """Return the room's parameters: the user's own, at the pipeline's rates."""
    given = settings.room_params.items()
    values = {name: value for name, value in given if name in TelecmiParams.model_fields}
    values.setdefault("audio_out_10ms_chunks", OUTPUT_10MS_CHUNKS)
    values.setdefault("audio_out_end_silence_secs", 0)  # the playout is waited for instead
    values.update(settings.sound_params)
    values.update(
        audio_in_enabled=True,
        audio_out_enabled=True,
        audio_in_sample_rate=settings.audio_in_sample_rate,
        audio_out_sample_rate=settings.audio_out_sample_rate,
    )
    return TelecmiParams(**values)
