"""A transport of the user's own: used as it is, and recorded through its frames."""

from __future__ import annotations

import asyncio

import numpy as np
from pipecat.frames.frames import InputAudioRawFrame
from pipecat.transports.base_input import BaseInputTransport
from pipecat.transports.base_output import BaseOutputTransport
from pipecat.transports.base_transport import BaseTransport, TransportParams

from piopiy_lab import events, start_call


class Feed(BaseInputTransport):
    """A hum, in 20 ms frames."""

    async def start(self, frame):
        await super().start(frame)
        await self.set_transport_ready(frame)
        self.feeding = self.create_task(self.feed())

    async def feed(self):
        hum = (1000 * np.sin(np.arange(320) * 2 * np.pi * 100 / 16000)).astype(np.int16)
        while True:
            await self.push_audio_frame(InputAudioRawFrame(hum.tobytes(), 16000, 1))
            await asyncio.sleep(0.02)

    async def cleanup(self):
        await self.cancel_task(self.feeding)
        await super().cleanup()


class Sink(BaseOutputTransport):
    """Takes audio at the pace at which it would be heard."""

    async def start(self, frame):
        await super().start(frame)
        await self.set_transport_ready(frame)

    async def write_audio_frame(self, frame):
        await asyncio.sleep(frame.num_frames / frame.sample_rate)
        return True


class Transport(BaseTransport):
    def __init__(self):
        super().__init__()
        params = TransportParams(audio_in_enabled=True, audio_out_enabled=True)
        self._in, self._out = Feed(params), Sink(params)

    def input(self):
        return self._in

    def output(self):
        return self._out


def test_a_call_on_a_pipecat_transport_is_heard_said_and_recorded(no_leftovers, booking):
    call = start_call(booking(), Transport())
    ended = asyncio.Event()

    async def until_greeted():
        loop = asyncio.get_running_loop()

        def listen(event):
            if isinstance(event, events.AgentSpeechStopped | events.CallEnded):
                loop.call_soon_threadsafe(ended.set)

        call.events.subscribe(listen)
        async with asyncio.timeout(20):
            await ended.wait()
        call.hang_up()
        await call.wait()

    asyncio.run(until_greeted())
    call.raise_for_error()
    assert call.end_reason == "hung_up"
    assert call.events.of(events.CallStarted)[0].origin == "custom"
    assert call.transcript[0].text == "Hello, this is the booking desk. How can I help?"
    assert np.abs(call.recording.agent.astype(int)).max() > 5000
    spoken = call.events.of(events.AgentSpeechStarted)[0].at  # by then the hum has begun
    rate = call.recording.sample_rate
    hum = call.recording.caller[round((spoken + 0.5) * rate) : round((spoken + 1.5) * rate)]
    assert np.abs(hum.astype(int)).max() > 900
