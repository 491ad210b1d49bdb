"""The browser transport without a browser: what is taken from a page, and when it is too late."""

from __future__ import annotations

import asyncio
import math

import nbclient
import nbformat
import numpy as np
import pytest

from piopiy_lab import BrowserMicrophone, display, errors, events, start_call
from piopiy_lab.display import Hook
from piopiy_lab.events.log import EventLog
from piopiy_lab.session.session import Session, SessionSettings
from piopiy_lab.session.transport import TransportSettings
from piopiy_lab.simulation.virtual_loop import VirtualTimeLoop
from piopiy_lab.sound.recorder import Recorder
from piopiy_lab.transports import browser_wire as wire
from piopiy_lab.transports.browser import TOO_LATE_SECS, BrowserTransport
from piopiy_lab.transports.opening import opener
from piopiy_lab.widgets.browser_microphone import TEXT, BrowserMicrophoneWidget, check_kernel

PAGE, OTHER = "page-0001", "page-0002"
FRAME = np.arange(640, dtype=np.int16)


def audio(seq=0, at=0.0, nonce=PAGE, **more):
    return {"type": "audio", "nonce": nonce, "seq": seq, "at": at, **more}


def started(nonce=PAGE, **more):
    content = {"type": "start", "nonce": nonce, "device": "Mic", "sample_rate": 48000}
    return {**content, "latency": 0.02, **more}


# --- what a page may say --------------------------------------------------------------------------


def test_a_frame_is_copied():
    buffer = bytearray(FRAME.tobytes())
    message = wire.parse(audio(seq=3, at=1.5), [memoryview(buffer)])
    buffer[:] = bytes(len(buffer))
    assert isinstance(message, wire.Audio)
    assert (message.seq, message.at, message.nonce) == (3, 1.5, PAGE)
    assert (message.samples == FRAME).all()


@pytest.mark.parametrize(
    ("content", "buffers"),
    [
        (None, []),
        ("audio", []),
        ([1, 2], []),
        ({}, []),
        ({"type": ["audio"]}, []),
        ({"type": "eval", "nonce": PAGE}, []),
        ({"type": "hello", "nonce": PAGE}, []),
        ({"type": "hello", "nonce": PAGE, "secure": 1}, []),
        ({"type": "hello", "nonce": "short", "secure": True}, []),
        ({"type": "hello", "nonce": "x" * 65, "secure": True}, []),
        ({"type": "hello", "nonce": PAGE, "secure": True}, [b"xx"]),
        ({"type": "mute", "nonce": PAGE, "muted": "yes"}, []),
        (audio(), []),
        (audio(), None),
        (audio(), [b""]),
        (audio(), [b"odd"]),
        (audio(), [bytes(wire.MAX_AUDIO_BYTES + 2)]),
        (audio(), [b"xx", b"xx"]),
        (audio(), ["text"]),
        (audio(), "text"),
        (audio(), 7),
        (audio(seq=-1), [b"xx"]),
        (audio(seq=0.5), [b"xx"]),
        (audio(seq=True), [b"xx"]),
        (audio(seq="0"), [b"xx"]),
        (audio(at=math.nan), [b"xx"]),
        (audio(at=math.inf), [b"xx"]),
        (audio(at=10**400), [b"xx"]),
        (audio(nonce=None), [b"xx"]),
        (started(sample_rate=0), []),
        (started(latency=-1), []),
        (started(device=None), []),
    ],
)
def test_anything_else_is_a_bad_message(content, buffers):
    with pytest.raises(wire.BadMessageError):
        wire.parse(content, buffers)


def test_a_devices_name_is_cut_and_has_no_control_characters():
    message = wire.parse(started(device="Mic\x1b[31m\n" + "x" * 500), [])
    assert isinstance(message, wire.Started)
    assert message.device.startswith("Mic[31mx")
    assert len(message.device) <= wire.MAX_TEXT


# --- its clock ------------------------------------------------------------------------------------


def test_lateness_is_counted_from_the_fastest_message():
    clock = wire.PageClock()
    assert clock.call_time(5.0) is None
    delays = [0.050, 0.020, 0.200, 0.030]
    late = [clock.arrived(k * 1.0, 100 + k * 1.0 + delay) for k, delay in enumerate(delays)]
    assert late == pytest.approx([0.0, 0.0, 0.18, 0.01], abs=0.001)
    assert clock.call_time(10.0) == pytest.approx(110.02, abs=0.005)


def test_a_drifting_sound_card_is_followed_for_an_hour():
    for ppm in (-100, 100):
        clock = wire.PageClock()
        worst = max(
            clock.arrived(second * (1 + ppm * 1e-6), second + 0.02) for second in range(3600)
        )
        assert worst < 0.01


def test_after_a_busy_cell_what_waited_is_late_and_what_comes_then_is_not():
    clock = wire.PageClock()
    for k in range(25):
        clock.arrived(k * 0.04, k * 0.04)
    burst = [clock.arrived(1 + k * 0.04, 6.0) for k in range(125)]  # a cell of five seconds
    assert burst[0] == pytest.approx(5.0, abs=0.01)
    assert sum(late > TOO_LATE_SECS for late in burst) == pytest.approx(100, abs=1)
    assert clock.arrived(6.04, 6.05) < 0.02


def test_a_clock_that_stood_still_is_noticed():
    clock = wire.PageClock()
    clock.arrived(10.0, 10.0)
    late = [clock.arrived(10 + k * 0.04, 70 + k * 0.04) for k in range(1, 200)]  # a laptop slept
    assert late[0] == pytest.approx(60, abs=0.1)
    assert late[-1] < 0.1


def test_messages_out_of_order_are_not_lost_but_missing_ones_are():
    numbering = wire.Numbering()
    assert [numbering.arrived(n, 0.0) for n in (0, 1, 5, 2, 3)] == [True, True, True, False, False]
    assert numbering.take_lost(1.0) == 0
    assert numbering.take_lost(2.5) == 1  # 4
    assert numbering.take_lost(9.0) == 0
    assert numbering.arrived(10**12, 9.0)  # nobody keeps a list of that
    assert numbering.take_lost(9.0) > 10**11
    assert len(numbering._missing) <= wire.MAX_MISSING


# --- the transport, on virtual time ---------------------------------------------------------------


class Page:
    """The other end of the channel: keeps what it is told, and says what it is made to say."""

    def __init__(self):
        self.told, self.played, self.receive = [], [], None

    def listen(self, receive):
        self.receive = receive

    def send(self, message, data=None):
        (self.told if data is None else self.played).append(message)

    def close(self):
        pass

    @property
    def state(self):
        return [m for m in self.told if m["type"] == "state"][-1]

    def say(self, content, *buffers):
        assert self.receive is not None
        self.receive(content, list(buffers))


class Room:
    """A transport without a pipeline: what it feeds is kept in ``fed``."""

    def __init__(self, loop, **options):
        log = EventLog(lambda: loop.elapsed)
        self.page = Page()
        self.fed = []
        settings = SessionSettings(origin="browser", open_transport=lambda *_: self.transport)
        self.session = Session(log, Recorder(24000, keep=False), settings)
        self.log = log
        self.transport = BrowserTransport(
            self.session, TransportSettings(), BrowserMicrophone(**options), self.page
        )

        async def feed(at, samples):
            self.fed.append((at, samples))

        self.transport.feed = feed  # type: ignore[method-assign]
        self.running = asyncio.ensure_future(self.transport.run())

    async def start(self, nonce=PAGE):
        await asyncio.sleep(0.1)
        self.page.say({"type": "hello", "nonce": nonce, "secure": True})
        self.page.say(started(nonce))
        await asyncio.sleep(0.1)

    async def stop(self):
        self.running.cancel()
        await asyncio.gather(self.running, return_exceptions=True)


def on_virtual_time(scene, **options):
    loop = VirtualTimeLoop()

    async def play():
        room = Room(loop, **options)
        try:
            await scene(room)
        finally:
            await room.stop()
        return room

    return loop.run(play())


def test_without_a_browser_the_call_ends_after_the_timeout():
    async def scene(room):
        await asyncio.sleep(29)
        assert room.session.reason is None
        await asyncio.sleep(2)

    room = on_virtual_time(scene)
    assert isinstance(room.session.error, errors.NoBrowserError)
    assert "30 s" in str(room.session.error)
    assert room.page.state["phase"] == "failed"
    assert room.page.state["note"] == str(room.session.error)


def test_a_page_where_nobody_presses_the_button_is_another_timeout():
    async def scene(room):
        await asyncio.sleep(0.1)
        room.page.say({"type": "hello", "nonce": PAGE, "secure": True})
        await asyncio.sleep(59)
        assert room.session.reason is None
        await asyncio.sleep(2)

    room = on_virtual_time(scene, start_timeout=60)
    assert isinstance(room.session.error, errors.NoBrowserError)
    assert "press 'Start microphone'" in str(room.session.error)


@pytest.mark.parametrize(
    ("message", "error"),
    [
        ({"type": "hello", "secure": False}, errors.InsecurePageError),
        ({"type": "failed", "name": "NotAllowedError"}, errors.MicrophoneDeniedError),
        ({"type": "failed", "name": "NotFoundError"}, errors.NoMicrophoneError),
        ({"type": "failed", "name": "OverconstrainedError"}, errors.NoMicrophoneError),
        ({"type": "failed", "name": "NotReadableError"}, errors.BrowserMicrophoneError),
    ],
)
def test_what_the_browser_refuses_has_a_type_of_its_own(message, error):
    async def scene(room):
        await asyncio.sleep(0.1)
        room.page.say({"nonce": PAGE, "message": "", **message})
        await asyncio.sleep(0.1)

    room = on_virtual_time(scene)
    assert type(room.session.error) is error
    assert isinstance(room.session.error, errors.AudioDeviceError)
    assert room.page.state["phase"] == "failed"


def test_only_the_owners_audio_is_heard():
    async def scene(room):
        await room.start()
        for k in range(10):
            await asyncio.sleep(0.04)
            room.page.say(audio(k, k * 0.04, OTHER), bytes(1280))
            room.page.say(audio(k, k * 0.04), FRAME.tobytes())
        await asyncio.sleep(0.1)
        assert len(room.fed) == 10
        assert all((samples == FRAME).all() for _, samples in room.fed)
        assert room.page.state["owner"] == PAGE
        room.page.say(started(OTHER))
        await asyncio.sleep(0.1)
        assert room.page.state["owner"] == OTHER
        room.page.say(audio(10, 0.4), FRAME.tobytes())
        room.page.say(audio(0, 7.0, OTHER), FRAME.tobytes())
        await asyncio.sleep(0.1)
        assert len(room.fed) == 11

    on_virtual_time(scene)


def test_stale_frames_are_dropped_with_one_event_and_a_note():
    async def scene(room):
        await room.start()
        for k in range(25):
            await asyncio.sleep(0.04)
            room.page.say(audio(k, k * 0.04), FRAME.tobytes())
        await asyncio.sleep(3.0)  # a cell without await
        for k in range(25, 100):
            room.page.say(audio(k, k * 0.04), FRAME.tobytes())
        await asyncio.sleep(2.0)
        dropped = room.log.of(events.AudioDropped)
        assert {(drop.where, drop.cause) for drop in dropped} == {("input", "stale")}
        assert sum(drop.secs for drop in dropped) == pytest.approx(2.0, abs=0.1)
        assert len(dropped) <= 2
        assert "await" in dropped[0].remedy
        assert "was dropped" in room.page.state["note"]
        assert len(room.fed) == pytest.approx(50, abs=2)
        times = [at for at, _ in room.fed]
        assert times == sorted(times)
        await asyncio.sleep(12.0)
        assert room.page.state["note"] == ""

    on_virtual_time(scene)


def test_bad_messages_are_one_event_and_never_an_exception():
    async def scene(room):
        await room.start()
        for _ in range(50):
            room.page.say({"type": "eval", "nonce": PAGE})
            room.page.say(audio(), bytes(10**6))
            room.page.say(None)
        for k in range(2000):  # a flood
            room.page.say(audio(k, 0.0), FRAME.tobytes())
        await asyncio.sleep(3.0)
        (told,) = room.log.of(events.ErrorOccurred)
        assert "eval" in told.message
        assert room.session.reason is None
        assert len(room.fed) <= 500

    on_virtual_time(scene)


def test_a_page_that_falls_silent_is_told_and_ends_the_call_in_the_end():
    async def scene(room):
        await room.start()
        room.page.say(audio(0, 0.0), FRAME.tobytes())
        await asyncio.sleep(10)
        (lost,) = room.log.of(events.AudioDeviceLost)
        assert lost.device == "Mic"
        assert room.session.reason is None
        await asyncio.sleep(115)
        assert room.session.reason == "audio_device_lost"

    on_virtual_time(scene)


def test_the_way_to_silence_is_measured():
    async def scene(room):
        await room.start()
        room.page.say(audio(0, 0.0), FRAME.tobytes())  # the page's 0.04 is now
        begin = room.session.now() - 0.04
        await asyncio.sleep(1.0)
        room.transport.send(np.zeros(2400, np.int16))
        assert room.page.played == [{"type": "play", "first": 0}]
        asked = room.session.now()
        assert asked < room.transport.stop_playing() < asked + 0.1
        (clear,) = [m for m in room.page.told if m["type"] == "clear"]
        page_time = asked - begin + 0.08
        room.page.say({"type": "cleared", "nonce": PAGE, "id": clear["id"], "at": page_time})
        await asyncio.sleep(0.1)
        assert room.transport.clear_secs == pytest.approx(0.08, abs=0.005)
        assert room.transport.stop_playing() == pytest.approx(room.session.now() + 0.08, abs=0.005)

    on_virtual_time(scene)


def test_mute_and_hang_up_come_from_the_page_and_mute_goes_there():
    async def scene(room):
        await room.start()
        assert room.page.state["muted"] is True
        room.page.say({"type": "mute", "nonce": PAGE, "muted": False})
        await asyncio.sleep(0.01)
        assert room.page.state["muted"] is False
        room.session.mute(True)
        room.page.say(audio(0, 0.0), FRAME.tobytes())
        await asyncio.sleep(0.01)
        assert room.page.state["muted"] is True
        room.page.say({"type": "hang_up", "nonce": OTHER})
        await asyncio.sleep(0.01)

    room = on_virtual_time(scene, muted=True)
    assert room.session.reason == "hung_up"
    assert [e.muted for e in room.log.of(events.UserMuted)] == [True, False, True]
    assert room.page.state["phase"] == "ended"


# --- around it ------------------------------------------------------------------------------------


def test_without_a_notebook_the_call_is_refused_at_once():
    async def create_session(call_id):
        raise AssertionError("must not begin")

    before = display.set_hook(None)
    try:
        with pytest.raises(errors.NoBrowserError, match=r"use Microphone\(\)"):
            start_call(create_session, BrowserMicrophone())
    finally:
        display.set_hook(before)


def test_the_notebooks_channel_is_asked_for():
    page = Page()
    before = display.set_hook(Hook(show=lambda obj: None, browser_microphone=lambda: page))
    try:
        origin, _ = opener(BrowserMicrophone())
    finally:
        display.set_hook(before)
    assert origin == "browser"


def test_headless_the_notebook_stays_silent_and_the_call_has_its_error():
    cells = [
        "from piopiy_lab import BrowserMicrophone, VoiceAgent, offline_stack, start_call",
        "async def create_session(call_id):\n"
        "    agent = VoiceAgent(instructions='x')\n"
        "    stt, llm, tts = offline_stack()\n"
        "    await agent.Action(stt=stt, llm=llm, tts=tts, vad=True)\n"
        "    await agent.start()",
        "call = start_call(create_session, BrowserMicrophone(timeout=1))",
        "call = await call.wait()",
        "type(call.error).__name__",
    ]
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
    nbclient.NotebookClient(book, timeout=60, kernel_name="python3").execute()
    outputs = [cell.outputs for cell in book.cells]
    assert [len(out) for out in outputs] == [0, 0, 2, 0, 1]
    assert [out.output_type for out in outputs[2]] == ["display_data", "display_data"]
    assert outputs[2][0].data["text/plain"] == TEXT  # the same in every run
    assert outputs[4][0].data["text/plain"] == "'NoBrowserError'"


@pytest.mark.parametrize("version", ["7.0.0", "7.1.0", "7.3.2"])
def test_kernels_that_wedge_are_refused(version):
    with pytest.raises(errors.UnsafeKernelError, match=r"ipykernel>=7\.4"):
        check_kernel(version)


@pytest.mark.parametrize("version", ["6.29.5", "7.4.0", "7.10.1", "8.0.0a1", ""])
def test_other_kernels_are_not(version):
    check_kernel(version)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"timeout": 0}, errors.ArgumentError),
        ({"start_timeout": math.inf}, errors.ArgumentError),
        ({"timeout": "30"}, errors.ArgumentTypeError),
        ({"muted": 1}, errors.ArgumentTypeError),
        ({"echo_cancellation": "half-duplex"}, errors.ArgumentTypeError),
    ],
)
def test_bad_settings_are_refused_by_name(options, error):
    (name,) = options
    with pytest.raises(error, match=name):
        BrowserMicrophone(**options)


def test_reprs_are_the_same_in_every_run():
    assert repr(BrowserMicrophone()) == repr(BrowserMicrophone())
    assert "0x" not in repr(BrowserMicrophone())
    assert repr(BrowserMicrophoneWidget()) == "<BrowserMicrophone controls>"


def test_the_page_loads_nothing_from_elsewhere():
    code = str(BrowserMicrophoneWidget._esm) + str(BrowserMicrophoneWidget._css)
    assert "import(" not in code
    assert "@import" not in code
    assert "url(" not in code
    outside = [
        w for w in code.split() if "//" in w and "http" in w and "www.w3.org/2000/svg" not in w
    ]
    assert outside == []
