"""The scripted caller's transport: speaks a screenplay into the call and listens to the agent.

The same code runs on the wall clock and on virtual time. Where nobody speaks for long it may feed
silence in larger frames (``Session.silence_secs``); a sound that starts cuts such a frame short,
so no sample is late.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from dataclasses import replace
from typing import ParamSpec

from pipecat.audio.dtmf.types import KeypadEntry
from pipecat.frames.frames import InputDTMFFrame

from piopiy_lab.checks.json_values import Record
from piopiy_lab.errors import PiopiyLabError
from piopiy_lab.events.log import EventLog
from piopiy_lab.screenplay.behind import Behind, as_background
from piopiy_lab.screenplay.caller import Caller
from piopiy_lab.screenplay.mouth import Mouth, Sound
from piopiy_lab.screenplay.performer import Performer
from piopiy_lab.screenplay.recalled import Place
from piopiy_lab.screenplay.spoken_words import SpokenWord
from piopiy_lab.session.by_hand import command_of
from piopiy_lab.session.commands import UserSays
from piopiy_lab.session.session import Session
from piopiy_lab.session.transport import TransportSettings
from piopiy_lab.sound.anew import LEAD_SECS, Anew
from piopiy_lab.transports.base import FRAME_SECS, SessionTransport
from piopiy_lab.transports.playout import Playout

P = ParamSpec("P")

#: Seconds after the last sound from which on silence may come in large frames: by then every
#: detector has settled, also the longest wait for an incomplete turn.
SETTLED_SECS = 4.0
#: Samples of the detector's window, at 16 kHz.
WINDOW = 512


class CallerTransport(SessionTransport):
    """A transport whose other end is a scripted caller."""

    def __init__(self, session: Session, settings: TransportSettings, caller: Caller) -> None:
        """Make the transport.

        Args:
            session: The call it belongs to.
            settings: The rates of both sides.
            caller: The screenplay.
        """
        self._line = line = caller.line  # how it was, for a caller from a call
        super().__init__(session, settings)
        self._perturb = session.settings.perturb
        self._sounds = 0  # so far; counted by speak()
        self._mouth = Mouth(None if line is None else line.noise)
        self._frame_secs = FRAME_SECS if line is None else line.frame_secs
        self._silence_secs = max(self._frame_secs, session.settings.silence_secs)
        if line is not None and line.silence_secs is not None:
            self._silence_secs = line.silence_secs
        self._caller = caller
        self._behind: Behind | None = None  # of this call; written by run()
        if caller.background is not None:  # no silence that could be fed in large frames
            self._silence_secs = self._frame_secs
        # seconds of a lead in which what lies under an utterance begins anew
        self._lead = LEAD_SECS if caller.background or self.phone_line.begins_anew else 0.0
        self._begin = 0.0  # seconds of the first sample; written by run()
        self._fed = 0  # samples since then; written by _capture()
        self._cut_at: int | None = None  # the sample at which a frame must begin
        self._quiet_since = 0.0  # written by _capture(): when the last sound ended
        self._fed_to = 0.0  # seconds: the caller's audio is fed up to here
        self._changed = asyncio.Event()  # a sound starts: cut the frame in the making short
        self._sound_ended: asyncio.Future[float] | None = None
        self._by_hand: set[asyncio.Task[None]] = set()  # the loop holds its tasks only weakly
        self._spoken: tuple[Sound, float] | None = None  # what is spoken, and when it was begun
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

    @property
    def caller_late(self) -> float:
        """Seconds by which the caller is heard later than they speak, in the recording and now."""
        return super().caller_late + (0.0 if self._line is None else self._line.late)

    def heard_changed(self) -> None:
        """Let the caller look at what they hear."""
        self.performer.look()

    async def run(self) -> None:
        """Capture the caller's audio and perform the screenplay, until the pipeline ends.

        It begins when the call is answered: while services get ready, the phone rings.
        """
        await self.session.wait_until_listening()
        self._begin = self._fed_to = self._quiet_since = self.session.now()
        if (described := self._caller.described) is not None:
            self.session.log.append(replace(described, at=self._begin))
        estimated = any(spoken.estimated for spoken in self._caller.spoken.values())
        if estimated and self.session.script.sound_ended:  # somebody reads the words
            self.session.notice(
                f"the caller's voice {self._caller.voice!r} tells no word times: those that the "
                "'screenplay' recogniser hands on are estimated from the words' lengths"
            )
        if (background := as_background(self._caller.background)) is not None:
            seed = 0 if self._perturb is None else self._perturb.seed
            self._behind = Behind(background, self.settings.audio_in_sample_rate, seed)
            self._mouth.put_behind(self._behind)
        if self._line is not None:
            self._mouth.resample_noise(self._line.rate, self.settings.audio_in_sample_rate)
        if self._perturb is not None:
            floor = self._perturb.floor(self.settings.audio_in_sample_rate)
            self._mouth.add_floor(floor, f"floor {self._perturb.seed}")
        capture = asyncio.create_task(self._capture(), name="piopiy_lab.caller.capture")
        perform = asyncio.create_task(self._perform(), name="piopiy_lab.caller.perform")
        try:
            await asyncio.gather(capture, perform)
        finally:
            self._end_spoken(self._fed_to)
            self._tell_background(over=True)
            for task in (capture, perform):
                task.cancel()
            await asyncio.gather(capture, perform, return_exceptions=True)

    async def _perform(self) -> None:
        try:
            await self.performer.perform()
        except PiopiyLabError as error:
            self.session.end("error", error)
        else:
            self.session.end("caller_hung_up" if self._line is None else self._line.ends)

    async def _capture(self) -> None:
        rate = self.settings.audio_in_sample_rate
        begin = self._begin  # and a sample count: no rounding adds up over a long call
        while True:
            now = self.session.now()
            n = self._next_frame(now)
            due = begin + (self._fed + n) / rate
            if due > now:
                if n > self._frame_secs * rate:
                    self._changed.clear()
                    try:
                        async with asyncio.timeout(due - now):
                            await self._changed.wait()
                        n = max(0, min(n, int((self.session.now() - begin) * rate) - self._fed))
                    except TimeoutError:
                        pass
                else:
                    await asyncio.sleep(due - now)
            if n == 0:
                continue
            start = begin + self._fed / rate
            samples, ended = self._mouth.read(n)
            self._fed += n
            self._fed_to = begin + self._fed / rate
            if ended is not None:
                self.phone_line.end_utterance(ended)
            await self.feed(start, samples)
            self._tell_background()
            if ended is not None:
                self._quiet_since = start + ended / rate
                self._end_spoken(self._quiet_since)
            elif self._mouth.speaking:
                self._quiet_since = self._fed_to

    def _tell_background(self, *, over: bool = False) -> None:
        if self._behind is not None:
            for passage in self._behind.heard(self._begin, over=over):
                self.session.log.append(passage)

    def _next_frame(self, now: float) -> int:
        """Return the samples of the frame that is fed next: fewer where another must begin."""
        calm = not self._mouth.speaking and now - self._quiet_since > SETTLED_SECS
        calm = calm and not max(self.playout.ends_at, self.playout.audible_until) > now
        secs = self._silence_secs if calm else self._frame_secs
        n = round(secs * self.settings.audio_in_sample_rate)
        if self._cut_at is not None:
            if self._fed < self._cut_at < self._fed + n:
                return self._cut_at - self._fed
            if self._cut_at <= self._fed:
                self._cut_at = None
        return n

    def placed(self, due: float, place: Place) -> tuple[float, float | None]:
        """Return when to begin a sound, and where its first sample is, so that it keeps its place.

        A detector judges windows of 512 samples, and the turn model begins at a frame: the sound
        is moved by up to 16 ms to stand in its window as it stood, and a frame is cut short
        before it so that frames begin where they began. Where it stands so anyway nothing is done.

        Args:
            due: The call's seconds at which it is due.
            place: Where it stood.

        Returns:
            The call's seconds at which to call :meth:`speak`, and those to give it.
        """
        rate = self.settings.audio_in_sample_rate
        natural = round((due - self._begin) * rate)
        usual = round(self._frame_secs * rate)
        off = (place.window - natural + WINDOW // 2) % WINDOW - WINDOW // 2
        calm = self._silence_secs > self._frame_secs  # a frame may be cut the moment it must be
        into = (natural - self._fed) % usual
        large = calm and due - self._quiet_since > SETTLED_SECS and self.playout.ends_at < due
        stands = place.into == into and not large  # within a large one it would begin a frame
        if off == 0 and (stands or (calm and place.into <= 1)):
            self._cut_at = None
            return (round(due - self._lead, 6), due) if self._lead else (due, None)
        sample = natural + off
        early = max(place.into, round(self._lead * rate))
        soonest = max(self._fed, round((self.session.now() - self._begin) * rate))
        while sample - early < soonest + usual:
            if sample - place.into >= soonest and sample - place.into in (self._cut_at, self._fed):
                break  # a frame begins there
            sample += WINDOW
        self._cut_at = sample - place.into
        self._changed.set()  # a large frame in the making ends there
        # to the microsecond, as the log has it: the replay of a replay begins there too
        return self._begin + (sample - early) / rate, round(self._begin + sample / rate, 6)

    async def speak(self, sound: Sound, at: float | None = None) -> float:
        """Speak a sound from now on; returns when its last sample was fed.

        Args:
            sound: What to speak.
            at: The call's seconds of its first sample, a little ahead; None for now.

        Returns:
            The call's seconds of the sound's end.
        """
        rate = self.settings.audio_in_sample_rate
        start = max(self.session.now(), self._fed_to) + self._lead
        if at is not None:
            start = max(at, self._fed_to + self._lead)
        source = sound.source
        self._sounds += 1
        early = self._lead
        if self._perturb is not None:
            later = self._perturb.change(self._sounds).later_secs
            start, early = start + later, early + later
            source = self._perturb.source(source, self._sounds, rate)
        self._spoken = (sound, start)
        heard = start + self.phone_line.caller_delay
        self.session.script.words += [
            SpokenWord(text, heard + begin, heard + end) for text, begin, end in sound.words
        ]
        self._when_heard(self.session.script.begin_sound, sound.text, round(heard, 6))
        self._sound_ended = asyncio.get_running_loop().create_future()
        lead = round((start - self._fed_to) * rate)
        anew = Anew(self._sounds, min(lead, int(early * rate)))
        self._mouth.speak(source, lead, anew)
        self.phone_line.begin_anew(lead - anew.early, anew)
        self._changed.set()
        return await self._sound_ended

    async def press(self, digit: str) -> None:
        """Press a key."""
        await self.input().push_frame(InputDTMFFrame(button=KeypadEntry(digit)))

    async def write(self, text: str) -> None:
        """Type a user turn."""
        if self.session.agents:
            await self.session.agents[-1].prepare(UserSays(text))()

    def mute(self, muted: bool) -> None:
        """Close or open the caller's side."""
        self.session.mute(muted)

    def act_by_hand(self, record: Record) -> str | None:
        """Do what somebody did to the call by hand; return why it can't be done, if it can't."""
        command = command_of(record)
        if command is None or not self.session.agents:
            return "nothing here can do it"
        try:
            act = self.session.agents[-1].prepare(command)
        except PiopiyLabError as error:
            return str(error)
        self.session.by_hand.append({**record, "at": round(self.session.now(), 6)})
        task = asyncio.create_task(act(), name="piopiy_lab.caller.by_hand")
        self._by_hand.add(task)
        task.add_done_callback(self._by_hand.discard)
        return None

    def _when_heard(self, tell: Callable[P, None], *args: P.args, **kwargs: P.kwargs) -> None:
        """Tell something when a line brings what is fed now."""
        if self.phone_line.caller_delay:
            loop = asyncio.get_running_loop()
            loop.call_later(self.phone_line.caller_delay, functools.partial(tell, *args, **kwargs))
        else:
            tell(*args, **kwargs)

    def _end_spoken(self, end: float) -> None:
        if self._spoken is not None:
            (sound, start), self._spoken = self._spoken, None
            at, until = (start, end) if sound.said is None else [start + s for s in sound.said]
            self.session.log.append(sound.as_heard(at, until))
            self._when_heard(self.session.script.end_sound, end + self.phone_line.caller_delay)
        if self._sound_ended is not None and not self._sound_ended.done():
            self._sound_ended.set_result(end)
