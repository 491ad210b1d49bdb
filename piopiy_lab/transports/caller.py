"""The scripted caller's transport: speaks a screenplay into the call and listens to the agent.

The same code runs on the wall clock and on virtual time. Where nobody speaks for long it may feed
silence in larger frames (``Session.silence_secs``); a sound that starts cuts such a frame short,
so no sample is late.
"""

from __future__ import annotations

import asyncio

from pipecat.audio.dtmf.types import KeypadEntry
from pipecat.frames.frames import InputDTMFFrame

from piopiy_lab import events
from piopiy_lab.errors import PiopiyLabError
from piopiy_lab.events.log import EventLog
from piopiy_lab.screenplay.caller import Caller
from piopiy_lab.screenplay.mouth import Mouth, Sound
from piopiy_lab.screenplay.performer import Performer
from piopiy_lab.screenplay.spoken_words import SpokenWord
from piopiy_lab.session.session import Session
from piopiy_lab.session.transport import TransportSettings
from piopiy_lab.transports.base import FRAME_SECS, SessionTransport
from piopiy_lab.transports.playout import Playout

#: Seconds after the last sound from which on silence may come in large frames: by then every
#: detector has settled, also the longest wait for an incomplete turn.
SETTLED_SECS = 4.0


class CallerTransport(SessionTransport):
    """A transport whose other end is a scripted caller."""

    def __init__(self, session: Session, settings: TransportSettings, caller: Caller) -> None:
        """Make the transport.

        Args:
            session: The call it belongs to.
            settings: The rates of both sides.
            caller: The screenplay.
        """
        super().__init__(session, settings)
        self._mouth = Mouth()
        self._quiet_since = 0.0  # written by _capture(): when the last sound ended
        self._fed_to = 0.0  # seconds: the caller's audio is fed up to here
        self._changed = asyncio.Event()  # a sound starts: cut the frame in the making short
        self._sound_ended: asyncio.Future[float] | None = None
        self._spoken: tuple[str | None, float] | None = None  # the sound that is being spoken
        self.performer = Performer(self, caller)

    @property
    def log(self) -> EventLog:
        """The call's events, and its clock."""
        return self.session.log

    @property
    def ear(self) -> Playout:
        """What is heard of the agent: what is played."""
        return self.playout

    @property
    def mouth_rate(self) -> int:
        """Hz of the sounds that :meth:`speak` takes."""
        return self.settings.audio_in_sample_rate

    def heard_changed(self) -> None:
        """Let the caller look at what they hear."""
        self.performer.look()

    async def run(self) -> None:
        """Capture the caller's audio and perform the screenplay, until the pipeline ends.

        It begins when the call is answered: while services get ready, the phone rings.
        """
        await self.session.wait_until_listening()
        self._fed_to = self._quiet_since = self.session.now()
        capture = asyncio.create_task(self._capture(), name="piopiy_lab.caller.capture")
        perform = asyncio.create_task(self._perform(), name="piopiy_lab.caller.perform")
        try:
            await asyncio.gather(capture, perform)
        finally:
            self._end_spoken(self._fed_to)
            for task in (capture, perform):
                task.cancel()
            await asyncio.gather(capture, perform, return_exceptions=True)

    async def _perform(self) -> None:
        try:
            await self.performer.perform()
        except PiopiyLabError as error:
            self.session.end("error", error)
        else:
            self.session.end("caller_hung_up")

    async def _capture(self) -> None:
        rate = self.settings.audio_in_sample_rate
        begin, fed = self._fed_to, 0  # a sample count: no rounding adds up over a long call
        while True:
            now = self.session.now()
            calm = not self._mouth.speaking and now - self._quiet_since > SETTLED_SECS
            calm = calm and not self.playout.ends_at > now
            secs = max(FRAME_SECS, self.session.settings.silence_secs) if calm else FRAME_SECS
            n = round(secs * rate)
            due = begin + (fed + n) / rate
            if due > now:
                if n > FRAME_SECS * rate:
                    self._changed.clear()
                    try:
                        async with asyncio.timeout(due - now):
                            await self._changed.wait()
                        n = max(0, min(n, int((self.session.now() - begin) * rate) - fed))
                    except TimeoutError:
                        pass
                else:
                    await asyncio.sleep(due - now)
            if n == 0:
                continue
            start = begin + fed / rate
            samples, ended = self._mouth.read(n)
            fed += n
            self._fed_to = begin + fed / rate
            await self.feed(start, samples)
            if ended is not None:
                self._quiet_since = start + ended / rate
                self._end_spoken(self._quiet_since)
            elif self._mouth.speaking:
                self._quiet_since = self._fed_to

    async def speak(self, sound: Sound) -> float:
        """Speak a sound from now on; returns when its last sample was fed.

        Returns:
            The call's seconds of the sound's end.
        """
        rate = self.settings.audio_in_sample_rate
        start = max(self.session.now(), self._fed_to)
        self._spoken = (sound.text, start)
        self.session.script.words += [
            SpokenWord(text, start + begin, start + end) for text, begin, end in sound.words
        ]
        self._sound_ended = asyncio.get_running_loop().create_future()
        self._mouth.speak(sound.source, lead=round((start - self._fed_to) * rate))
        self._changed.set()
        return await self._sound_ended

    async def press(self, digit: str) -> None:
        """Press a key."""
        await self.input().push_frame(InputDTMFFrame(button=KeypadEntry(digit)))

    def _end_spoken(self, end: float) -> None:
        if self._spoken is not None:
            (text, start), self._spoken = self._spoken, None
            self.session.log.append(events.CallerSpoke(at=start, text=text, end=round(end, 6)))
            self.session.script.end_sound(end)
        if self._sound_ended is not None and not self._sound_ended.done():
            self._sound_ended.set_result(end)
