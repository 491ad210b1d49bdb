"""A transport of the user's own: used as it is, and recorded through its frames."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
from pipecat.frames.frames import InputAudioRawFrame
from pipecat.transports.base_input import BaseInputTransport
from pipecat.transports.base_output import BaseOutputTransport
from pipecat.transports.base_transport import BaseTransport, TransportParams

from piopiy_lab import Line, events, start_call
from piopiy_lab.errors import ArgumentTypeError, RoomError
from piopiy_lab.events.log import EventLog
from piopiy_lab.line.way import Way
from piopiy_lab.session.session import Session, SessionSettings
from piopiy_lab.session.transport import TransportSettings
from piopiy_lab.sound.recorder import Recorder
from piopiy_lab.transports.opening import opener


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


async def test_what_a_pipecat_transport_hears_goes_over_the_line(no_leftovers):
    """In stereo too; what is recorded is what came, and a muted caller is silent."""
    settings = SessionSettings(
        origin="custom", open_transport=opener(Transport())[1], line=Line(codec="pcmu")
    )
    session = Session(EventLog(lambda: 0.0), Recorder(24000, keep=False), settings)
    transport = Transport()
    opener(transport)[1](session, TransportSettings())
    (hear,) = (
        handler
        for handler in transport.input()._event_handlers["on_before_push_frame"].handlers
        if handler.__name__ == "heard"
    )
    tone = (8000 * np.sin(np.arange(320) * 2 * np.pi * 1000 / 16000)).astype(np.int16)
    heard = []
    for muted in (False,) * 6 + (True,):
        session.muted = muted
        frame = InputAudioRawFrame(np.repeat(tone, 2).tobytes(), 16000, 2)
        await hear(transport.input(), frame)
        heard.append(np.frombuffer(frame.audio, np.int16).reshape(-1, 2))
    np.testing.assert_array_equal(heard[5][:, 0], heard[5][:, 1])
    way = Way(Line(codec="pcmu"), 16000, "caller")
    expected = [way.process(tone) for _ in range(6)]
    np.testing.assert_array_equal(np.concatenate(heard)[: 6 * 320, 0], np.concatenate(expected))
    assert not heard[6].any()
    assert "over a line" in session.log.of(events.NoticeGiven)[0].message


class Telling(Transport):
    """A transport that tells more of itself than pipecat asks: it was never joined."""

    def __init__(self):
        super().__init__()
        self.asked = []
        self._loop = asyncio.get_running_loop()
        self.was_asked = asyncio.Event()
        self.failure = RoomError("nobody let us in")

    async def wait_until_open(self):
        self.asked.append("open")

    async def wait_until_answered(self):
        self.asked.append("answered")
        self._loop.call_soon_threadsafe(self.was_asked.set)


def a_call_on(transport):
    settings = SessionSettings(origin="custom", open_transport=opener(transport)[1])
    session = Session(EventLog(lambda: 0.0), Recorder(24000, keep=False), settings)
    return settings.open_transport(session, TransportSettings())


async def test_a_transport_that_tells_nothing_keeps_no_call_waiting():
    on = a_call_on(Transport())
    await on.wait_until_open()
    await on.wait_until_answered()
    assert on.failure is None


async def test_what_a_transport_tells_of_itself_is_heeded():
    transport = Telling()
    on = a_call_on(transport)
    await on.wait_until_open()
    await on.wait_until_answered()
    assert transport.asked == ["open", "answered"]
    assert on.failure is transport.failure


async def test_a_call_asks_its_transport_and_the_agent_raises_its_failure(booking):
    transport = Telling()
    desk, raised = booking(), []

    async def create_session(call_id):
        try:
            await desk(call_id)
        except RoomError as error:
            raised.append(error)

    call = start_call(create_session, transport)
    async with asyncio.timeout(20):
        await transport.was_asked.wait()
        call.hang_up()
        await call.wait()
    assert transport.asked == ["open", "answered"]
    assert raised == [transport.failure]


async def test_a_transport_without_processors_is_refused_by_name(booking):
    class Endless(Transport):
        def output(self):
            return self

        def add_event_handler(self, *_):
            """Not a processor, for all that."""

    call = start_call(booking(), Endless())
    async with asyncio.timeout(20):
        await call.wait()
    with pytest.raises(ArgumentTypeError, match=r"the transport's output\(\) gave"):
        call.raise_for_error()
