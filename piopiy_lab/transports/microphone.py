"""A call on this computer's own microphone and speaker.

The **audio thread** copies blocks into queues; the **cleaning thread** takes the echo out
(:class:`~piopiy_lab.transports.cleaning.CleaningThread`); all the rest happens on the session's
loop, in :class:`~piopiy_lab.transports.live.LiveTransport`.

A device that stops working is replaced by the default one, or the call ends as
"audio_device_lost".
"""

from __future__ import annotations

import asyncio
import contextlib
import time

from piopiy_lab import events
from piopiy_lab.errors import AudioDeviceError, MissingExtraError
from piopiy_lab.session.session import Session
from piopiy_lab.session.transport import TransportSettings
from piopiy_lab.sound import pcm
from piopiy_lab.sound.pcm import Int16
from piopiy_lab.transports import devices
from piopiy_lab.transports.cleaning import CleaningThread
from piopiy_lab.transports.echo import EchoCanceller
from piopiy_lab.transports.live import BUSY_LOOP, LiveTransport
from piopiy_lab.transports.microphones import HALF_DUPLEX, Microphone
from piopiy_lab.transports.sound_card import CaptureStream, PlayBuffer, PlayStream

#: Seconds without a callback after which a device counts as lost (a busy computer may be a second
#: late), and within which a device must run after it was opened: some start two seconds late.
SILENT_SECS = 2.0
FIRST_SECS = 4.0
#: Seconds between two looks at the devices.
LOOK_SECS = 0.2
#: Seconds for which a lost device is sought to be replaced.
RETRY_SECS = 5.0
#: Seconds that the end of a call waits for the cleaning thread.
STOP_SECS = 1.0
#: Seconds of queued sound below which the end of a resampled utterance is let out.
NEARLY_EMPTY_SECS = 0.04

UNDERFLOW = (
    "the speaker's device ran dry: let it keep more, Microphone(latency=0.2), or let this computer "
    "do less"
)
HELD_UP = (
    "echo cancellation was held up: let this computer do less, or, with headphones, go without: "
    "Microphone(echo_cancellation=False)"
)
OVERFLOW = "the microphone's device was not read in time: let this computer do less"


class MicrophoneTransport(LiveTransport):
    """A transport whose other end sits at this computer."""

    def __init__(
        self, session: Session, settings: TransportSettings, microphone: Microphone
    ) -> None:
        """Make the transport; devices are opened when the pipeline starts."""
        super().__init__(
            session,
            settings,
            half_duplex=microphone.echo_cancellation == HALF_DUPLEX,
            input_gain_db=microphone.input_gain_db,
            muted=microphone.push_to_talk,
        )
        self.silent_secs: float = SILENT_SECS  # after which a device counts as lost
        self.retry_secs: float = RETRY_SECS  # for which another one is sought in its place
        self._microphone = microphone
        self._buffer = PlayBuffer()
        self._capture: CaptureStream | None = None
        self._play: PlayStream | None = None
        self._watch: asyncio.Task[None] | None = None
        self._cleaning: CleaningThread | None = None  # while the devices are open
        self._out: pcm.StreamResampler | None = None  # pipeline rate -> device rate
        self._letting_out: asyncio.TimerHandle | None = None  # _let_out(), unless more comes
        self._wait_secs = 0.1  # from a callback until its first sample is heard; audio thread
        self._told = {"input": 0.0, "output": 0.0}  # lost seconds that were written to the log

    # --- opening and closing ------------------------------------------------------------------

    async def open(self) -> None:
        """Open both devices and wait until they run.

        Raises:
            AudioDeviceError: No PortAudio, no such device, or one that refuses.
        """
        await self._open_streams(self._microphone.input, self._microphone.output)
        self._watch = asyncio.create_task(
            self._watch_devices(), name="piopiy_lab.transports.microphones"
        )

    async def close(self) -> None:
        """Close both devices."""
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watch
        await self._close_streams()

    async def _open_streams(self, wanted_in: int | str | None, wanted_out: int | str | None):
        def open_both() -> EchoCanceller | MissingExtraError | None:
            with devices.lock:
                devices.look_again()
                self._capture, self._play = self._open_devices(wanted_in, wanted_out)
            return self._make_echo(self._play.rate)

        echo = await asyncio.to_thread(open_both)  # until it is done, what is heard is dropped
        capture, play = self._capture, self._play
        assert play is not None
        if isinstance(echo, MissingExtraError):
            self._tell_missing(echo)
            echo = None
        self._out = pcm.StreamResampler(self.settings.audio_out_sample_rate, play.rate)
        self._buffer.clear(self._numbered(self.playout.written))
        if capture is not None:
            self.forget_captured()
            self._cleaning = CleaningThread(
                capture.rate, self.settings.audio_in_sample_rate, echo, self.capture, self._failed
            )
        self._told = {"input": 0.0, "output": 0.0}
        await self._wait_for_first()
        for stream in filter(None, (capture, play)):
            self.session.log.append(
                events.AudioDeviceOpened(
                    at=self.session.now(),
                    side=stream.device.side,
                    device=stream.device.name,
                    sample_rate=stream.rate,
                    latency_secs=round(stream.latency_secs, 4),
                )
            )

    def _open_devices(
        self, wanted_in: int | str | None, wanted_out: int | str | None
    ) -> tuple[CaptureStream | None, PlayStream]:
        """Open the devices that this call is on; not on the loop, under the devices' lock."""
        source = devices.find("input", wanted_in)
        sink = devices.find("output", wanted_out)
        capture = CaptureStream(source, self.settings.audio_in_sample_rate, self._on_captured)
        self._capture = capture  # closed with the call, whatever becomes of the speaker
        return capture, self._open_speaker(sink)

    def _open_speaker(self, sink: devices.Device) -> PlayStream:
        return PlayStream(
            sink,
            self.settings.audio_out_sample_rate,
            self._buffer,
            self._on_played,
            self._microphone.latency,
        )

    async def _wait_for_first(self) -> None:
        deadline = time.monotonic() + FIRST_SECS
        for stream in filter(None, (self._capture, self._play)):
            while not stream.started and not stream.finished:
                if time.monotonic() > deadline:
                    raise AudioDeviceError(
                        f"the {stream.device.kind} {stream.device.name!r} was opened and gives "
                        f"no sign of life for {FIRST_SECS:g} s: choose another one, or see "
                        "'piopiy-lab doctor'"
                    )
                await asyncio.sleep(0.01)

    async def _close_streams(self) -> None:
        streams = [s for s in (self._capture, self._play) if s is not None]
        cleaning = self._cleaning
        self._capture = self._play = self._cleaning = None

        def close_all() -> None:
            for stream in streams:
                stream.close()
            if cleaning is not None:
                cleaning.stop(STOP_SECS)

        if self._letting_out is not None:
            self._letting_out.cancel()
        if streams:
            await asyncio.to_thread(close_all)
        for stream in streams:
            self._tell_lost(stream)
        if cleaning is not None:
            self._tell_dropped(cleaning)

    def _make_echo(self, far_rate: int) -> EchoCanceller | MissingExtraError | None:
        """Make the canceller that is asked for; any thread but the loop, for it loads a library."""
        if self._microphone.echo_cancellation is not True:
            return None
        try:
            return EchoCanceller(
                self.settings.audio_in_sample_rate,
                far_rate,
                noise_suppression=self._microphone.noise_suppression,
                gain_control=self._microphone.gain_control,
            )
        except MissingExtraError as error:
            return error

    def _tell_missing(self, error: MissingExtraError) -> None:
        self.session.notice(
            f"{error}. Without it the agent hears itself on open speakers and interrupts "
            "itself: wear headphones, Microphone(echo_cancellation=False), or take turns, "
            f"Microphone(echo_cancellation={HALF_DUPLEX!r})"
        )

    # --- the cleaning thread --------------------------------------------------------------------

    def _failed(self, error: Exception) -> None:
        lost = AudioDeviceError(
            f"echo cancellation failed ({error}): with headphones go without, "
            "Microphone(echo_cancellation=False), or take turns, "
            f"Microphone(echo_cancellation={HALF_DUPLEX!r})"
        )
        lost.__cause__ = error
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.session.end, "error", lost)

    # --- the audio thread ---------------------------------------------------------------------

    def _on_captured(self, age: float, samples: Int16) -> None:
        if (cleaning := self._cleaning) is not None:
            cleaning.put(self.session.now() - age, samples)

    def _on_played(self, number: int, count: int, wait: float, block: Int16) -> None:
        now = self.session.now()
        self._wait_secs = wait
        if (cleaning := self._cleaning) is not None:
            cleaning.put_far(now, block)
        if count and self._play is not None:
            rate = self.settings.audio_out_sample_rate
            self.report_played(round(number * rate / self._play.rate), now + wait)

    # --- the session's loop -------------------------------------------------------------------

    def send(self, samples: Int16) -> None:
        """Queue a piece for the speaker."""
        if self._out is None:
            return
        # A device that runs dry takes silence faster than time goes by, and none is missed after
        # an interruption: both are in the buffer's count, and not in the schedule.
        dry = min(self._buffer.take_dry() / self._out.to_rate, self.playout.gap_secs)
        if dry and self.loop_was_late:
            self.drops.add("output", "underflow", dry, BUSY_LOOP)
        self._buffer.write(self._out.process(samples))
        self._expect_end()
        self.playout.latency_secs = self._wait_secs + 0.01  # half a block until it is taken

    def stop_playing(self) -> float:
        """Drop what waits; what the device has already is heard to its end."""
        if self._letting_out is not None:
            self._letting_out.cancel()
        if self._out is not None:
            self._out.flush()
        self._buffer.clear(self._numbered(self.playout.written))
        return self.session.now() + self._wait_secs

    def _numbered(self, number: int) -> int:
        """Return a sample's number at the speaker's rate."""
        rate = self.settings.audio_out_sample_rate
        return round(number * (self._play.rate if self._play else rate) / rate)

    def _expect_end(self) -> None:
        """Let what a resampler keeps back of an utterance out in time, unless more is sent."""
        if self._letting_out is not None:
            self._letting_out.cancel()
        out = self._out
        if out is not None and out.from_rate != out.to_rate:
            wait = self._buffer.queued / out.to_rate - NEARLY_EMPTY_SECS
            self._letting_out = self._loop.call_later(max(0.0, wait), self._let_out, out)

    def _let_out(self, out: pcm.StreamResampler) -> None:
        if out is self._out:
            self._buffer.write(out.flush())

    async def _watch_devices(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECS)
            for stream in (self._capture, self._play):
                if stream is None:
                    continue
                silent = time.monotonic() - stream.called_at
                if stream.finished or silent > self.silent_secs:
                    why = "it was closed" if stream.finished else f"silent for {silent:.1f} s"
                    await self._replace(stream, why)
                    break
                self._tell_lost(stream)
            if self._cleaning is not None:
                self._tell_dropped(self._cleaning)

    def _tell_dropped(self, cleaning: CleaningThread) -> None:
        if secs := cleaning.take_dropped():
            self.drops.add("input", "stale", secs, HELD_UP)

    def _tell_lost(self, stream: CaptureStream | PlayStream) -> None:
        side, lost = stream.device.side, stream.lost_secs
        if lost > self._told[side]:
            cause, remedy = ("overflow", OVERFLOW) if side == "input" else ("underflow", UNDERFLOW)
            self.drops.add(side, cause, lost - self._told[side], remedy)
            self._told[side] = lost

    async def _replace(self, lost: CaptureStream | PlayStream, why: str) -> None:
        """Go on with the default device in a lost one's place, or end the call."""
        session, side = self.session, lost.device.side
        session.log.append(
            events.AudioDeviceLost(at=session.now(), side=side, device=lost.device.name, why=why)
        )
        wanted = {"input": self._microphone.input, "output": self._microphone.output, side: None}
        deadline = time.monotonic() + self.retry_secs
        self.stop_playing()
        while True:
            await self._close_streams()
            try:
                await self._open_streams(wanted["input"], wanted["output"])
            except AudioDeviceError as error:
                if time.monotonic() < deadline:
                    await asyncio.sleep(0.5)
                    wanted = {"input": None, "output": None}
                    continue
                session.log.append(
                    events.ErrorOccurred(
                        at=session.now(),
                        message=f"lost the {lost.device.kind} {lost.device.name!r}, and there is "
                        f"no other one: {error}",
                        source="Microphone",
                        remedy="plug a device in and call again",
                    )
                )
                session.end("audio_device_lost")
                return
            return
