"""A saved call's caller, fed again frame by frame, by the call's own clock.

Exact as long as the agent does what it did: the caller doesn't listen. ``Caller.from_call``
follows the agent. Runs on the session's loop.
"""

from __future__ import annotations

import asyncio

import numpy as np
from pipecat.audio.dtmf.types import KeypadEntry
from pipecat.frames.frames import InputDTMFFrame

from piopiy_lab import events
from piopiy_lab.screenplay.recorded import Recorded
from piopiy_lab.screenplay.spoken_words import SpokenWord
from piopiy_lab.session.commands import UserSays
from piopiy_lab.session.session import Session
from piopiy_lab.session.transport import TransportSettings
from piopiy_lab.sound.pcm import StreamResampler
from piopiy_lab.transports.base import FRAME_SECS, SessionTransport

#: Seconds for which it is looked again whether the agent is silent.
LOOK_SECS = 0.1


class AsHeardTransport(SessionTransport):
    """A transport whose other end is a call's caller, as the pipeline heard them."""

    def __init__(
        self,
        session: Session,
        settings: TransportSettings,
        recorded: Recorded,
        then_listens: float,
    ) -> None:
        """Make the transport.

        Args:
            session: The call it belongs to.
            settings: The rates of both sides.
            recorded: The caller.
            then_listens: Seconds of the agent's silence after which the caller hangs up, if it
                wasn't they who ended the call.
        """
        self._recorded = recorded
        super().__init__(session, settings)
        self._then_listens = then_listens
        if session.settings.perturb is not None:
            session.notice(
                "perturb= changes nothing here: a saved call's caller is fed as they were heard. "
                "With Caller.from_call(call) each of their sounds can begin later, and louder"
            )

    @property
    def caller_late(self) -> float:
        """Seconds by which the caller is heard later than they spoke, in the recording and now."""
        return super().caller_late + self._recorded.heard.frames.late

    async def run(self) -> None:
        """Feed what was heard, and do what was done, until the pipeline ends."""
        await self.session.wait_until_listening()
        frames = self._recorded.heard.frames
        self._shift = self.session.now() - frames.begins
        later = self._shift + self.phone_line.caller_delay
        self.session.script.words += [
            SpokenWord(text, start + later, end + later) for text, start, end in frames.words
        ]
        capture = asyncio.create_task(self._capture(), name="piopiy_lab.as_heard.capture")
        act = asyncio.create_task(self._act(), name="piopiy_lab.as_heard.act")
        try:
            await asyncio.gather(capture, act)
        finally:
            for task in (capture, act):
                task.cancel()
            await asyncio.gather(capture, act, return_exceptions=True)

    async def _capture(self) -> None:
        heard = self._recorded.heard
        rate, frames = heard.sample_rate, heard.frames
        wanted = self.settings.audio_in_sample_rate
        resampler = None if wanted == rate else StreamResampler(rate, wanted)
        spoke = sorted(self._recorded.spoke, key=lambda one: one.end)
        fed = 0
        for number, n in enumerate(frames.sizes()):
            due = frames.pushed.get(number)
            if due is None:
                due = frames.second_of(fed) + n / rate if frames.jumps else self._due(fed + n)
            await self._sleep_until(due + self._shift)
            start = frames.second_of(fed) + self._shift
            samples = heard.samples[fed : fed + n]
            fed += n
            await self.feed(start, samples if resampler is None else resampler.process(samples))
            end = frames.second_of(fed) + self._shift
            while spoke and spoke[0].end + self._shift < end:
                self._tell(spoke.pop(0))
        await self._go_on_in_silence(wanted, spoke)

    def _due(self, samples: int) -> float:
        frames = self._recorded.heard.frames
        return frames.begins + samples / frames.rate

    async def _go_on_in_silence(self, rate: int, spoke: list[events.CallerSpoke]) -> None:
        """Feed silence after what was heard, so that the call goes on till its end."""
        end = self._recorded.heard.frames.ended_at
        if self._recorded.hung_up and end is not None:
            await self._sleep_until(end + self._shift)
            for one in spoke:
                self._tell(one)
            self.session.end("caller_hung_up")
            await asyncio.Event().wait()  # the pipeline ends, and cancels this
        for one in spoke:
            self._tell(one)
        begin, fed = self.session.now(), 0
        n = round(FRAME_SECS * rate)
        while True:
            await self._sleep_until(begin + (fed + n) / rate)
            await self.feed(begin + fed / rate, np.zeros(n, np.int16))
            fed += n
            since = max(begin, self.playout.audible_until)
            if self.session.now() - since >= self._then_listens:
                self.session.end("caller_hung_up")
                await asyncio.Event().wait()

    async def _act(self) -> None:
        """Press, type and mute when it was done."""
        recorded = self._recorded
        acts: list[tuple[float, events.Event | bool]] = [(e.at, e) for e in recorded.keys]
        acts += [(e.at, e) for e in recorded.typed]
        acts += recorded.heard.frames.mutes
        for at, act in sorted(acts, key=lambda pair: pair[0]):
            await self._sleep_until(at + self._shift)
            match act:
                case bool():
                    self.session.mute(act)
                case events.DTMFReceived(digit=digit):
                    await self.input().push_frame(InputDTMFFrame(button=KeypadEntry(digit)))
                case events.UserTextTyped(text=text) if self.session.agents:
                    await self.session.agents[-1].prepare(UserSays(text))()
                case _:
                    pass

    async def _sleep_until(self, secs: float) -> None:
        now = self.session.now()
        if secs > now:
            await asyncio.sleep(secs - now)

    def _tell(self, spoke: events.CallerSpoke) -> None:
        self.session.log.append(spoke.moved(self._shift))
        self.session.script.end_sound(spoke.end + self._shift + self._recorded.heard.frames.late)
