"""What every live device shares: a microphone on this computer, or in a browser.

A subclass opens its device in :meth:`LiveTransport.open` and closes it in
:meth:`LiveTransport.close`. In between

- it hands captured audio over with :meth:`LiveTransport.capture`, from any thread;
- it plays what :meth:`LiveTransport.send` is given, and drops it all in
  :meth:`LiveTransport.stop_playing`;
- it says with :meth:`LiveTransport.report_played`, from any thread, which sample is heard when.

What is done with that is here: the user's side is levelled, muted and fed to the pipeline; the
transcript's cut on an interruption and the recording follow what was really heard; what is lost on
the way becomes an event with advice.

Everything but `capture` and `report_played` runs on the session's loop.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque

import numpy as np
from pipecat.frames.frames import Frame, OutputAudioRawFrame, TTSTextFrame
from pipecat.processors.frame_processor import FrameDirection

from piopiy_lab.session.session import Session
from piopiy_lab.session.transport import TransportSettings
from piopiy_lab.sound import pcm
from piopiy_lab.sound.pcm import Int16
from piopiy_lab.transports.base import SessionOutput, SessionTransport
from piopiy_lab.transports.drops import Drops
from piopiy_lab.transports.levels import LevelMeter
from piopiy_lab.transports.live_playout import LivePlayout

#: Captured audio that has waited longer than this for the loop is dropped. Late words still make a
#: turn; and a loop that answers nothing for 3 s ends its calls anyway.
STALE_SECS = 5.0
#: How many times faster than it was said late audio is fed. In the pipeline the detector comes
#: after the recogniser, which must not be past the words before it is told that there are any.
CATCH_UP = 4.0
#: Seconds by which a captured block's time may differ from the running count of samples before
#: the count is given up: a device's jitter is below, a lost block above.
JUMP_SECS = 0.1
#: Blocks after which the count is compared with their times, and seconds that it may be off by
#: then. Blocks come late, never early, so the earliest of them is right.
COMPARE_BLOCKS = 25
DRIFT_SECS = 0.01
#: Seconds that the user's side stays closed after the agent's last audible sample, half-duplex:
#: a room's reverberation, and what a device keeps back.
HALF_DUPLEX_TAIL_SECS = 0.25
#: Seconds by which the output may be woken too late before a gap in its sound is the loop's fault,
#: and within which the next piece must then follow: one that comes later was not there yet.
LATE_SECS = 0.05
#: What to do about a loop that is busy.
BUSY_LOOP = (
    "the session's loop was busy: move blocking work into a thread "
    "(await asyncio.to_thread(function))"
)


class LiveTransport(SessionTransport):
    """A transport whose other end is a person at a device."""

    playout: LivePlayout

    def __init__(
        self,
        session: Session,
        settings: TransportSettings,
        *,
        half_duplex: bool = False,
        input_gain_db: float = 0.0,
        muted: bool = False,
        lead_secs: float = 0.2,
    ) -> None:
        """Make the transport; the device is opened when the pipeline starts.

        Args:
            session: The call it belongs to.
            settings: The rates of both sides, as the pipeline has them.
            half_duplex: Ignore the user's side while the agent is heard.
            input_gain_db: Added to the user's side, in dB; clipped at full scale.
            muted: Start with the user's side closed (push-to-talk).
            lead_secs: How far ahead of the listener audio is handed to the device. It costs
                nothing on an interruption, for the device drops it at once.
        """
        super().__init__(session, settings)
        self.audio.lead_secs = lead_secs
        self.drops = Drops(session.log)
        self._half_duplex = half_duplex
        self._gain = np.float32(10 ** (input_gain_db / 20))
        self._loop = asyncio.get_running_loop()
        self._open = asyncio.Event()  # set when the device works, and when it never will
        self._awake = asyncio.Event()  # set by capture(), cleared by run()
        self._lock = threading.Lock()
        # when it came, its first sample's time, samples; any thread, under _lock
        self._captured: deque[tuple[float, float, Int16]] = deque()
        self._report: tuple[int, float] | None = None  # the last one; any thread, under _lock
        self._feed_at = 0.0  # the call's seconds before which the next block is not fed
        self._next_at: float | None = None  # seconds of the next captured sample
        self._errors: list[float] = []  # seconds by which the last blocks came after the count
        self._late_at: float | None = None  # when the output was woken too late, the last time
        self._levels = LevelMeter(session.log)
        if muted:
            session.mute(True)

    # --- for the subclass ---------------------------------------------------------------------

    async def open(self) -> None:
        """Open the device; may take as long as a person takes.

        Raises:
            PiopiyLabError: It can't be opened; the call ends with this error.
        """
        raise NotImplementedError

    async def close(self) -> None:
        """Close the device; also after an :meth:`open` that failed or was cancelled."""
        raise NotImplementedError

    def send(self, samples: Int16) -> None:
        """Give a piece of the agent's audio to the device; must not block.

        Args:
            samples: int16, shape (n,), at the output rate; read only.
        """
        raise NotImplementedError

    def stop_playing(self) -> float:
        """Drop what the device has not played yet; must not block.

        Returns:
            The call's seconds at which the listener hears nothing more. Numbers of samples
            (:meth:`report_played`) go on counting what was sent, dropped or not.
        """
        raise NotImplementedError

    def capture(self, at: float, samples: Int16) -> None:
        """Hand over captured audio; from any thread, never blocks for long.

        Args:
            at: The call's seconds (``session.now()``) of the first sample.
            samples: int16, shape (n,), at the input rate, not to be changed afterwards.
        """
        came = self.session.now()
        with self._lock:
            first = not self._captured
            self._captured.append((came, at, samples))
        if first and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._awake.set)

    def report_played(self, number: int, heard_at: float) -> None:
        """Say that a sample is heard at a time; from any thread, a few times a second.

        Args:
            number: The sample's number among all that :meth:`send` was given, from 0.
            heard_at: The call's seconds at which it is heard; may lie a little ahead.
        """
        with self._lock:
            self._report = (number, heard_at)

    def forget_captured(self) -> None:
        """Drop what waits, and begin to count samples afresh: another device captures now."""
        assert self.session.on_loop(), "only on the session's loop"
        with self._lock:
            self._captured.clear()
        self._next_at = None

    # --- the life of it -----------------------------------------------------------------------

    def make_playout(self) -> LivePlayout:
        """Make the account of what the listener hears."""
        return LivePlayout(self.settings.audio_out_sample_rate)

    def make_output(self) -> LiveOutput:
        """Make the processor that plays the agent's audio."""
        return LiveOutput(self)

    async def wait_until_open(self) -> None:
        """Wait until the device works, or never will."""
        await self._open.wait()

    async def run(self) -> None:
        """Open the device, feed what it hears until cancelled, and close it."""
        try:
            await self.open()
            self._open.set()
            while True:
                await self._awake.wait()
                self._awake.clear()
                await self._drain()
        except Exception as error:
            self.session.end("error", error)
        finally:
            self._open.set()
            await self.close()
            self.drops.flush()

    def take_report(self) -> None:
        """Correct the account by what the device said last of what is heard."""
        with self._lock:
            report, self._report = self._report, None
        if report is not None:
            self.playout.report(*report)

    async def _drain(self) -> None:
        while True:
            self.take_report()
            with self._lock:
                block = self._captured.popleft() if self._captured else None
            if block is None:
                return
            if (early := self._feed_at - self.session.now()) > 0:
                await asyncio.sleep(early)
            await self._take(*block)

    async def _take(self, came: float, at: float, ready: Int16) -> None:
        assert self.session.on_loop(), "only on the session's loop"
        secs = len(ready) / self.settings.audio_in_sample_rate
        if self.session.now() - came > STALE_SECS:
            self.drops.add("input", "stale", secs, BUSY_LOOP)
            return
        self._feed_at = self.session.now() + secs / CATCH_UP
        start = self._keep_time(at)
        self._next_at = start + secs
        if self._gain != 1.0:
            ready = pcm.to_int16(pcm.to_float32(ready) * self._gain)
        if self._half_duplex and self._agent_is_heard(start, secs):
            ready = np.zeros(len(ready), np.int16)
        await self.feed(start, ready)

    def fed(self, samples: Int16) -> None:
        """Measure how loud the user is."""
        self._levels.user(self.session.now(), samples, agent_heard_until=self.playout.ends_at)

    def _keep_time(self, at: float) -> float:
        """Return when a block begins: by the count of samples, kept near the blocks' own times."""
        start = self._next_at
        if start is None or abs(at - start) > JUMP_SECS:
            start = at
            self._errors.clear()
        self._errors.append(at - start)
        if len(self._errors) == COMPARE_BLOCKS:
            drift = min(self._errors)
            self._errors.clear()
            if abs(drift) > DRIFT_SECS:
                start += drift
        return start

    def woken(self) -> None:
        """Note that the output is about to hand over its next piece, if there is one."""
        now = self.session.now()
        late = now - (self.playout.ends_at - self.audio.lead_secs)
        self._late_at = now if late > LATE_SECS else None

    @property
    def loop_was_late(self) -> bool:
        """Whether the piece that is handed over now would have been earlier on an idle loop."""
        return self._late_at is not None and self.session.now() - self._late_at < LATE_SECS

    def _agent_is_heard(self, start: float, secs: float) -> bool:
        starts = self.playout.speech_starts
        if not starts or start + secs < starts[-1]:
            return False
        return start < self.playout.audible_until + HALF_DUPLEX_TAIL_SECS

    def play(self, samples: Int16) -> None:
        """Send a piece to the device, and remember how loud it is for the level events."""
        end = self.playout.ends_at
        start = end - len(samples) / self.settings.audio_out_sample_rate
        self._levels.agent(start, end, samples)
        self.send(samples)


class LiveOutput(SessionOutput):
    """The agent's side on a live device: words count when they are heard."""

    _transport: LiveTransport

    async def write_audio_frame(self, frame: OutputAudioRawFrame) -> bool:
        """Hand a piece to the device; notes when the loop comes back to it too late."""
        done = await super().write_audio_frame(frame)
        if not self.voice.waits:  # a gap that is meant, and nobody's fault
            self._transport.woken()
        return done

    def take_back(self) -> float:
        """Play nothing more for now; returns when nothing more is heard, in seconds."""
        self._transport.take_report()  # what waits is counted from what was heard
        return super().take_back()

    async def push_frame(
        self, frame: Frame, direction: FrameDirection = FrameDirection.DOWNSTREAM
    ) -> None:
        """Push a frame; a timed word waits until its sound has come out of the device.

        pipecat pushes it when the word's time has come since the synthesis began. The sound is
        later by what the device keeps back; in between an interruption drops the word.
        """
        if isinstance(frame, TTSTextFrame) and frame.pts:
            transport = self._transport
            wait = frame.pts / 1e9 + transport.playout.lag_secs - transport.session.now()
            if wait > 0:
                await asyncio.sleep(wait)
        await super().push_frame(frame, direction)
