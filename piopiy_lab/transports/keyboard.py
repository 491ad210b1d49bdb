"""A call by typing: the user's side is silent, and what is typed are the turns.

The agent's voice is played where there is a speaker; where there is none, it takes its time all the
same, so that interruptions cut it where a listener would have been. Runs on the session's loop, and
where a microphone's transport does.
"""

from __future__ import annotations

import asyncio
import contextlib

import numpy as np

from piopiy_lab.errors import AudioDeviceError
from piopiy_lab.session.session import Session
from piopiy_lab.session.transport import TransportSettings
from piopiy_lab.sound.pcm import Int16
from piopiy_lab.transports import devices
from piopiy_lab.transports.microphone import MicrophoneTransport
from piopiy_lab.transports.microphones import Keyboard, Microphone
from piopiy_lab.transports.sound_card import CaptureStream, PlayStream

#: Seconds of silence that the pipeline is fed at a time, as a device would.
BLOCK_SECS = 0.02


class KeyboardTransport(MicrophoneTransport):
    """A transport whose other end types."""

    def __init__(self, session: Session, settings: TransportSettings, keyboard: Keyboard) -> None:
        """Make the transport; a speaker is opened when the pipeline starts."""
        speaker = Microphone(output=keyboard.output, echo_cancellation=False)
        super().__init__(session, settings, speaker)
        self._keyboard = keyboard
        self._silence: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Open the speaker, if there is one and it is wanted.

        Raises:
            AudioDeviceError: A speaker was named, and there is none like it, or it refuses.
        """
        if self._keyboard.voice:
            await self._open_voice()
        self._silence = asyncio.create_task(self._be_silent(), name="piopiy_lab.transports.silence")

    async def _open_voice(self) -> None:
        try:
            await super().open()
        except AudioDeviceError as error:
            if self._keyboard.output is not None:
                raise
            await self._close_streams()
            why = str(error).partition(";")[0]  # without what to do for a microphone
            self.session.notice(f"the agent's voice is not heard here: {why}")

    async def close(self) -> None:
        """Close the speaker."""
        silence, self._silence = self._silence, None
        if silence is not None:
            silence.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await silence
        await super().close()

    def send(self, samples: Int16) -> None:
        """Queue a piece for the speaker; without one its time passes all the same."""
        if self._play is None:
            self.playout.latency_secs = 0.0
        else:
            super().send(samples)

    def stop_playing(self) -> float:
        """Drop what waits; without a speaker nothing is on its way."""
        return self.session.now() if self._play is None else super().stop_playing()

    def _open_devices(
        self, wanted_in: int | str | None, wanted_out: int | str | None
    ) -> tuple[CaptureStream | None, PlayStream]:
        """Open the speaker alone."""
        return None, self._open_speaker(devices.find("output", wanted_out))

    async def _be_silent(self) -> None:
        """Feed silence at real time: detectors and turns go on as with a device."""
        rate = self.settings.audio_in_sample_rate
        block = np.zeros(round(rate * BLOCK_SECS), np.int16)
        at = self.session.now()
        while True:
            self.capture(at, block)
            at += BLOCK_SECS
            await asyncio.sleep(max(0.0, at - self.session.now()))
