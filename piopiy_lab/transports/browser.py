"""The browser's microphone as a transport: a byte channel to a page; it knows no widget.

The page is told how the call stands in ``state`` messages, on every change and once a second, so
that a page that was loaded again, or a second tab, knows at once. The tab whose nonce is the
state's ``owner`` has the call; the last one to start has it.

What comes from the page is checked on the comm thread (``browser_wire``), and everything else is
done on the session's loop. Numbers: frames of 40 ms come up, pieces of 100 ms go down; see
``docs/browser_microphone.md`` for why.
"""

from __future__ import annotations

import asyncio
import threading
from typing import Any, Literal

from piopiy_lab import events
from piopiy_lab.display import BrowserChannel
from piopiy_lab.errors import (
    BrowserMicrophoneError,
    InsecurePageError,
    MicrophoneDeniedError,
    NoBrowserError,
    NoMicrophoneError,
)
from piopiy_lab.session.session import Session
from piopiy_lab.session.transport import TransportSettings
from piopiy_lab.sound.pcm import Int16
from piopiy_lab.transports import browser_wire as wire
from piopiy_lab.transports.live import LiveTransport
from piopiy_lab.transports.microphones import BrowserMicrophone

#: How far ahead of the listener audio is handed over, in seconds: 100 ms that wait in the page,
#: the way there, and the sound card. An interruption clears it all.
LEAD_SECS = 0.25
#: Seconds between two ``state`` messages. A page that gets none for 15 s closes its microphone.
STATE_SECS = 1.0
#: Audio that comes later than this by the page's clock is dropped: it waited in the browser or on
#: its way, and a conversation can't use it any more.
TOO_LATE_SECS = 1.0
#: Seconds without a sound from the page after which the log says so, and the call ends.
QUIET_SECS = 5.0
GONE_SECS = 120.0
#: Seconds that the page shows a note about lost audio.
NOTE_SECS = 10.0
#: Messages that may wait for the loop: 20 s of audio.
MAX_WAITING = 500
#: Seconds from asking the page to fall silent to silence: a first guess, measured from then on.
CLEAR_SECS = 0.04

BUSY_REMEDY = (
    "a cell that runs without 'await' holds up what the browser sends: run it in a thread "
    "(await asyncio.to_thread(function)), or start the kernel of the call apart"
)
LOST_REMEDY = (
    "the way from the browser to the kernel is too slow or breaks off: try a cable, a nearer "
    "server, or fewer busy tabs"
)

#: How far the page's microphone is, as the page is told.
Phase = Literal["waiting", "live", "ended", "failed"]


class BrowserTransport(LiveTransport):
    """A live transport whose device is in a browser."""

    fades_itself = True  # and a buffer that is empty waits before it plays again

    def __init__(
        self,
        session: Session,
        settings: TransportSettings,
        microphone: BrowserMicrophone,
        channel: BrowserChannel,
    ) -> None:
        """Make the transport of one call.

        Args:
            session: The call it belongs to.
            settings: The rates of both sides; the page resamples to and from them.
            microphone: What the user asked for.
            channel: The way to the page.
        """
        super().__init__(session, settings, muted=microphone.muted, lead_secs=LEAD_SECS)
        self._microphone = microphone
        self._channel = channel
        self._waiting: list[tuple[float, wire.Message]] = []  # any thread, under _waiting_lock
        self._waiting_lock = threading.Lock()
        self._bad: str | None = None  # the first bad message; the comm thread, under _waiting_lock
        self._told_bad = False
        self._answered = asyncio.Event()  # a page is there
        self._started: asyncio.Future[None] = self._loop.create_future()
        self._phase: Phase = "waiting"  # goes to the page
        self._owner: str | None = None  # the nonce of the page that has the call
        self._clock = wire.PageClock()
        self._numbering = wire.Numbering()
        self._frame_secs = 0.0  # of the last frame
        self._heard_at = 0.0  # the call's seconds of the last audio, or of the start
        self._quiet = False  # AudioDeviceLost was written
        self._device = "the browser's microphone"
        self._note, self._note_until = "", 0.0
        self._told_muted = session.muted
        self._sent = 0  # samples given to send()
        self._clears: dict[int, float] = {}  # id -> the call's seconds it was sent at
        self._clear_id = 0
        self.clear_secs = CLEAR_SECS  # from asking for silence to silence, as measured last
        self._teller: asyncio.Task[None] | None = None

    # --- a live device --------------------------------------------------------------------------

    async def open(self) -> None:
        """Wait for a page, and for the person who presses its button.

        Raises:
            BrowserMicrophoneError: The page can't, may not, or nobody did.
        """
        self._channel.listen(self._receive)
        self._teller = asyncio.create_task(self._keep_telling(), name="piopiy_lab.browser.tell")
        try:
            await self._wait_for_page()
        except BrowserMicrophoneError as error:
            self._phase, self._note, self._note_until = "failed", str(error), float("inf")
            raise
        self._phase = "live"
        self._tell()

    async def _wait_for_page(self) -> None:
        microphone = self._microphone
        try:
            async with asyncio.timeout(microphone.timeout):
                await self._answered.wait()
        except TimeoutError:
            raise NoBrowserError(
                f"no browser answered within {microphone.timeout:g} s: is the notebook open in "
                "JupyterLab, does its output show the microphone's button, and is no cell blocking "
                "the kernel ('await call.wait()' in place of call.join())?"
            ) from None
        try:
            async with asyncio.timeout(microphone.start_timeout):
                await self._started
        except TimeoutError:
            raise NoBrowserError(
                f"nobody started the microphone within {microphone.start_timeout:g} s: press "
                "'Start microphone' below the cell, or give BrowserMicrophone(start_timeout=...)"
            ) from None

    async def close(self) -> None:
        """Let the page close its microphone."""
        if self._teller is not None:
            self._teller.cancel()
        if self._phase != "failed":
            self._phase = "ended"
        self._owner = None
        if not self._started.done():
            self._started.cancel()
        self._tell()
        self._report_bad()

    def send(self, samples: Int16) -> None:
        """Send a piece of the agent's audio to the page."""
        assert self.session.on_loop(), "only on the session's loop"
        self._channel.send({"type": "play", "first": self._sent}, samples.tobytes())
        self._sent += len(samples)

    def stop_playing(self) -> float:
        """Let the page fall silent; it takes the way there."""
        now = self.session.now()
        if self._owner is None:
            return now
        self._clear_id += 1
        self._clears = {self._clear_id: now}  # only the last one's answer is of use
        self._channel.send({"type": "clear", "id": self._clear_id})
        return now + self.clear_secs

    # --- what the page is told ------------------------------------------------------------------

    def _tell(self) -> None:
        self._told_muted = self.session.muted
        self._channel.send(
            {
                "type": "state",
                "phase": self._phase,
                "owner": self._owner,
                "muted": self._told_muted,
                "note": self._note,
                "in_rate": self.settings.audio_in_sample_rate,
                "out_rate": self.settings.audio_out_sample_rate,
                "constraints": self._microphone.constraints,
            }
        )

    async def _keep_telling(self) -> None:
        while True:
            now = self.session.now()
            if now >= self._note_until:
                self._note = ""
            self._tell()
            self._report_bad()
            if self._phase == "live":
                self._look_for_silence(now)
                self._look_for_lost(now)
                self.drops.flush()  # what came with a drop that was told already
            await asyncio.sleep(STATE_SECS)

    def _look_for_lost(self, now: float) -> None:
        lost = min(self._numbering.take_lost(now), wire.MAX_MISSING)
        if lost:
            self.drops.add("input", "lost", lost * self._frame_secs, LOST_REMEDY)

    def _look_for_silence(self, now: float) -> None:
        quiet = now - self._heard_at
        if quiet > GONE_SECS:
            self.session.end("audio_device_lost")
        elif quiet > QUIET_SECS and not self._quiet:
            self._quiet = True
            why = (
                f"nothing came from the browser for {QUIET_SECS:g} s: its tab is closed or held "
                f"up, or a cell runs without 'await'; the call ends after {GONE_SECS:g} s"
            )
            self.session.log.append(
                events.AudioDeviceLost(at=now, side="input", device=self._device, why=why)
            )

    # --- what the page says ---------------------------------------------------------------------

    def _receive(self, content: Any, buffers: Any) -> None:
        """Check and copy a message, and hand it over. The comm thread; never raises."""
        try:
            message = wire.parse(content, buffers)
        except wire.BadMessageError as error:
            with self._waiting_lock:
                self._bad = self._bad or str(error)
            return
        with self._waiting_lock:
            if len(self._waiting) >= MAX_WAITING:
                self._bad = self._bad or f"more than {MAX_WAITING} messages at once"
                return
            first = not self._waiting
            self._waiting.append((self.session.now(), message))
        if first and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._take_waiting)

    def _take_waiting(self) -> None:
        with self._waiting_lock:
            waiting, self._waiting = self._waiting, []
        for at, message in waiting:
            self._take_message(at, message)

    def _report_bad(self) -> None:
        if self._bad is None or self._told_bad:
            return
        self._told_bad = True
        self.session.log.append(
            events.ErrorOccurred(
                at=self.session.now(),
                message=f"dropped what no microphone's page sends: {self._bad}",
                source="browser microphone",
                remedy="reload the page; is a browser extension or another program in the way?",
            )
        )

    def _take_message(self, now: float, message: wire.Message) -> None:
        assert self.session.on_loop(), "only on the session's loop"
        match message:
            case wire.Hello(secure=secure):
                if secure or self._owner is not None:
                    self._answered.set()
                else:
                    self._fail(_error_of("InsecurePage", ""))
                self._tell()
            case wire.Started():
                self._start(now, message)
            case wire.Failed(name=name, message=text):
                self._fail(_error_of(name, text))
            case wire.Mute(muted=muted):
                self.session.mute(muted)
                self._tell()
            case wire.HangUp():
                self.session.end("hung_up")
            case _ if message.nonce == self._owner:
                self._take_owners(now, message)

    def _start(self, now: float, message: wire.Started) -> None:
        self._owner = message.nonce
        self._clock = wire.PageClock()
        self._numbering = wire.Numbering()
        self._quiet = False
        self._heard_at = now
        self._answered.set()
        self._open_device(now, message.device, message.sample_rate, 0.0)
        self.session.log.append(
            events.AudioDeviceOpened(
                at=now,
                side="output",
                device="the browser's loudspeakers",
                sample_rate=message.sample_rate,
                latency_secs=round(message.latency, 6),
            )
        )
        if not self._started.done():
            self._started.set_result(None)
        self._tell()

    def _open_device(self, now: float, device: str, rate: int, latency: float) -> None:
        self._device = device or self._device
        self._rate = rate
        self.session.log.append(
            events.AudioDeviceOpened(
                at=now, side="input", device=self._device, sample_rate=rate, latency_secs=latency
            )
        )

    def _fail(self, error: BrowserMicrophoneError) -> None:
        """End a call whose microphone did not open; later, the call goes on without."""
        if not self._started.done():
            self._started.set_exception(error)
            self._answered.set()
        else:
            self._say(str(error))

    def _say(self, note: str) -> None:
        self._note, self._note_until = note, self.session.now() + NOTE_SECS
        self._tell()

    def _take_owners(self, now: float, message: wire.Message) -> None:
        match message:
            case wire.Audio():
                self._take_audio(now, message)
            case wire.Played(number=number, at=at):
                heard_at = self._clock.call_time(at)
                if heard_at is not None and number < self._sent:
                    self.report_played(number, heard_at)
            case wire.Cleared(id=number, at=at):
                asked, silent = self._clears.pop(number, None), self._clock.call_time(at)
                if asked is not None and silent is not None:
                    self.clear_secs = min(max(0.0, silent - asked), 0.3)
            case wire.Lost(device=device):
                self.session.log.append(
                    events.AudioDeviceLost(
                        at=now, side="input", device=device, why="it was unplugged or taken away"
                    )
                )
            case wire.DeviceChanged(device=device):
                self._open_device(now, device, self._rate, 0.0)

    def _take_audio(self, now: float, message: wire.Audio) -> None:
        secs = len(message.samples) / self.settings.audio_in_sample_rate
        late = self._clock.arrived(message.at + secs, now)
        newest = self._numbering.arrived(message.seq, now)
        self._frame_secs = secs
        self._heard_at, self._quiet = now, False
        if self.session.muted != self._told_muted:
            self._tell()
        if late > TOO_LATE_SECS or not newest:
            self.drops.add("input", "stale", secs, BUSY_REMEDY)
            self._note_until = now + NOTE_SECS
            if not self._note:
                self._say(
                    "The kernel was busy with a cell, and what you said meanwhile was dropped. "
                    "In long cells use await."
                )
            return
        at = self._clock.call_time(message.at)
        if at is not None:
            self.capture(max(0.0, at), message.samples)


def _error_of(name: str, text: str) -> BrowserMicrophoneError:
    """Return our error for an exception of the browser's."""
    said = f" (the browser says: {text})" if text else ""
    if name in ("NotAllowedError", "SecurityError"):
        return MicrophoneDeniedError(
            f"the browser did not allow the microphone{said}. Allow it for this page, with the "
            "icon beside the address, and in the system's privacy settings; then run the cell "
            "again. (VS Code never allows it: open the notebook in JupyterLab.)"
        )
    if name in ("NotFoundError", "OverconstrainedError"):
        return NoMicrophoneError(
            f"the browser finds no microphone{said}. Plug one in, then run the cell again"
        )
    if name == "InsecurePage":
        return InsecurePageError(
            "a browser has a microphone only for pages from https:// or localhost, and this page "
            "is neither. Open JupyterLab through https, or through a tunnel: "
            "ssh -L 8888:localhost:8888 ..., then http://localhost:8888"
        )
    return BrowserMicrophoneError(
        f"the browser could not open the microphone: {name}{said}. Close other programs that use "
        "it, then run the cell again"
    )
