"""What the agent says while somebody may be interrupting it: held, and let go on or dropped.

Held, the sound waits ("pause") or goes on 20 dB lower ("duck"), and may change from one to the
other. Nobody upstream is told: bot-stopped and the words keep their place behind it, so whoever
follows them sees an agent that speaks.

Runs on the session's loop.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import Protocol

import numpy as np

from piopiy_lab import events
from piopiy_lab.events.values import HoldEnd, HoldMode, ResumeCause
from piopiy_lab.sound.pcm import Int16
from piopiy_lab.transports.pacing import PacedAudio

#: Seconds in which the sound fades, in place of a click.
FADE_SECS = 0.01
#: What is left of the sound when it is ducked: -20 dB.
DUCKED = 0.1
#: Seconds after which it goes on whatever happens: well below the 10 s after which pipecat takes a
#: transport for dead that accepts no sound.
MOST_SECS = 1.5
#: Seconds that are no time: a sleep of less may not move a clock of floats.
INSTANT = 1e-6


class Device(Protocol):
    """What plays the sound."""

    @property
    def fade_secs(self) -> float:
        """Seconds in which to fade the sound out; 0 where that is done where it is played."""
        ...

    def take_back(self) -> float:
        """Play nothing more of what it was given; return when nothing more is heard, in seconds."""
        ...

    def give(self, samples: Int16) -> None:
        """Take samples for the account of what is heard, and to play."""
        ...

    def heard_changed(self) -> None:
        """What the listener hears has changed."""
        ...


class HeldSound:
    """Holds the agent's sound on one output."""

    def __init__(self, audio: Callable[[], PacedAudio], device: Device) -> None:
        """Hold nothing.

        Args:
            audio: Returns the call's audio.
            device: What plays it.
        """
        self._find_audio = audio
        self._device = device
        #: Seconds by which what is heard now is later than it was meant to, since the agent began.
        self.moved = 0.0
        self.used = False  # it was held in this call: words and the speech's end must look
        self.how: HoldMode | None = None  # how it is held now; None: it isn't
        self.cutting = False  # an interruption drops what is held; until it has passed the output
        self.ended: HoldEnd = "resumed"  # how the last hold ended
        self._is_over = False  # the agent has said everything, and nothing is left to be held
        self._at = 0.0  # when the listener heard its last sample, or its last loud one
        self._since = 0.0  # when it was first held
        self._lag = 0.0  # seconds that holding took to reach the listener: a device, or a line
        self._rest = np.zeros(0, np.int16)  # paused: what waits; ducked: what was given, as it was
        self._waits_from: float | None = None  # when sound came that nothing was left before
        self._free = asyncio.Event()  # set when it is not held
        self._free.set()
        self._passed = asyncio.Event()  # set when no interruption is on its way through the output
        self._passed.set()
        self._watchdog: asyncio.TimerHandle | None = None

    @property
    def held(self) -> bool:
        """Whether it is held."""
        return self.how is not None

    @property
    def waits(self) -> bool:
        """Whether it is silent meanwhile."""
        return self.how == "pause"

    # --- hold and resume -----------------------------------------------------------------------

    def hold(self, how: HoldMode = "pause") -> None:
        """Fall silent, or lower the voice, now; what was not heard is kept.

        Held otherwise already, the sound changes; held so already, or with nothing left to be heard
        of what the agent said, nothing does.

        Args:
            how: "pause" or "duck".
        """
        before = self.how
        if before == how or self._is_over:
            return
        audio = self._audio
        now = audio.session.now()
        match before:
            case None:
                self._since, self.used = now, True
                self._rest = self._take_back()
                loop = asyncio.get_running_loop()
                self._watchdog = loop.call_later(MOST_SECS, self.resume, "watchdog")
            case "duck":
                self._rest = self._tail(self._take_back())
            case "pause":
                self._release(now, self._rest, DUCKED)
        self.how, self._waits_from = how, None
        if how == "pause":
            self._wait(1.0 if before is None else DUCKED, now)
        elif before is None:
            self._lag = self._at - now
            self._give(_ramp(self._rest, 1.0, DUCKED, self._fade_samples(self._rest)))
        audio.session.log.append(events.AgentSpeechHeld(at=now, how=how))
        self._device.heard_changed()

    def _wait(self, loud: float, now: float) -> None:
        """Let what was taken back wait, but for its beginning, which fades out."""
        playout = self._audio.playout
        self._lag = self._at - now
        fade = min(
            self._fade_samples(self._rest), round(self._device.fade_secs * playout.sample_rate)
        )
        self._free.clear()
        head, self._rest = np.split(self._rest, [fade])
        self._give(_ramp(head, loud, 0.0, fade))
        self._at += fade / playout.sample_rate
        playout.audible_until = math.inf  # its listener knows that it isn't over

    def resume(self, cause: ResumeCause) -> None:
        """Go on at the sample where it was held, as loud as before. Not held: nothing.

        Args:
            cause: Why, for the log.
        """
        how = self.how
        if how is None:
            return
        audio = self._audio
        now = audio.session.now()
        if how == "pause":
            self._release(now, self._rest, 1.0)
        else:
            rest = self._tail(self._take_back())
            self._go_on(now, rest, self._at, DUCKED, 1.0)
        self._end("resumed")
        self._tell_resumed(now, cause)
        self._device.heard_changed()

    def over(self) -> None:
        """The agent has said everything, and was heard to the end: nothing is left to be held."""
        self._is_over = True
        if self.how is not None:
            self._end("over")
            self._tell_resumed(self._audio.session.now(), "over")

    def _tell_resumed(self, now: float, cause: ResumeCause) -> None:
        held_secs = round(now - self._since, 6)
        event = events.AgentSpeechResumed(at=now, cause=cause, held_secs=held_secs)
        self._audio.session.log.append(event)

    def _release(self, now: float, rest: Int16, loud: float) -> None:
        """Let what waits be heard from ``now`` on, so loud."""
        playout = self._audio.playout
        playout.audible_until = playout.next_start(now)  # it goes on: that is no new speech
        self._free.set()
        self._go_on(now, rest, now, 0.0, loud)

    def _go_on(self, now: float, rest: Int16, begin: float, low: float, loud: float) -> None:
        """Play what is left, which was to be heard from ``begin`` on."""
        playout = self._audio.playout
        if len(rest):
            lag = playout.lag_secs
            missing = now + self._lag - playout.next_start(now)
            self._give(np.zeros(max(0, round(missing * playout.sample_rate)), np.int16))
            begin = max(begin, playout.next_start(now))
            self._give(_ramp(rest, low, loud, self._fade_samples(rest)))
            self.moved += begin - self._at - (playout.lag_secs - lag)
        elif self._waits_from is not None:
            self.moved += max(0.0, now - max(self._waits_from, self._at))

    def _tail(self, quiet: Int16) -> Int16:
        """Return, as loud as it was meant, what was given 20 dB lower and not heard yet."""
        return self._rest[len(self._rest) - len(quiet) :]

    def drop(self) -> None:
        """An interruption: what is held is never heard, nor are its words."""
        if self.how is None:
            return
        self.cutting = True
        self._passed.clear()
        playout = self._audio.playout
        playout.audible_until = min(playout.audible_until, self._at)
        self._end("cut")

    def dropped(self) -> None:
        """The interruption has passed the output: what comes now is another reply."""
        self.cutting = False
        self._passed.set()

    def began(self) -> None:
        """The agent begins to speak."""
        self.moved, self._is_over = 0.0, False

    def _end(self, how: HoldEnd) -> None:
        self.how, self.ended = None, how
        self._rest = np.zeros(0, np.int16)
        self._free.set()
        if self._watchdog is not None:
            self._watchdog.cancel()
            self._watchdog = None

    # --- what comes meanwhile ------------------------------------------------------------------

    async def let_through(self) -> bool:
        """Wait until more of the agent's sound may be handed over; False: it was interrupted."""
        if self.waits and self._waits_from is None and not len(self._rest):
            self._waits_from = self._audio.session.now()
        while self.waits:
            await self._free.wait()
        return not self.cutting

    def shape(self, samples: Int16) -> Int16 | None:
        """Return what is to be played of a piece that is handed over now; None: it waits."""
        if self.how is None:
            return samples
        self._rest = np.concatenate([self._rest, samples])
        if self.how == "pause":
            return None
        return _ramp(samples, DUCKED, DUCKED, 0)

    async def until_word(self, pts_secs: float | None) -> bool:
        """Wait until a word is heard; False: it was dropped.

        Args:
            pts_secs: The call's seconds at which it was meant to be heard by a listener whose sound
                takes no time; None: it follows its sound, and is heard now.
        """
        while not self.cutting:
            if pts_secs is None:
                return True
            if self.waits:
                await self._free.wait()
                continue
            audio = self._audio
            wait = pts_secs + audio.playout.lag_secs + self.moved - audio.session.now()
            if wait <= INSTANT:
                return True
            await asyncio.sleep(wait)
        return False

    async def until_heard(self) -> None:
        """Wait until the last sample has been heard, or what dropped it has passed the output.

        So whoever is told that the agent has stopped knows first that it was interrupted.
        """
        while True:
            while self.waits:
                await self._free.wait()
                await self._passed.wait()
            audio = self._audio
            wait = audio.playout.ends_at - audio.session.now()
            if wait <= INSTANT:
                return
            await asyncio.sleep(wait)

    # --- samples ------------------------------------------------------------------------------

    @property
    def _audio(self) -> PacedAudio:
        return self._find_audio()

    def _take_back(self) -> Int16:
        """Take what was not heard yet off the device."""
        audio = self._audio
        self._at = max(self._device.take_back(), audio.session.now())
        left = audio.playout.left(self._at)
        audio.clear(self._at)
        return np.concatenate([np.zeros(0, np.int16), *left])

    def _give(self, samples: Int16) -> None:
        if len(samples):
            self._device.give(samples)

    def _fade_samples(self, samples: Int16) -> int:
        return min(len(samples), round(FADE_SECS * self._audio.playout.sample_rate))


def _ramp(samples: Int16, start: float, end: float, over: int) -> Int16:
    """Return samples whose loudness goes from ``start`` to ``end`` in the first ``over``."""
    gain = np.full(len(samples), end, np.float32)
    gain[:over] = np.linspace(start, end, over, dtype=np.float32)
    return np.round(samples * gain).astype(np.int16)
