"""The scripted caller in a room: a SIP participant with a mouth, an ear and keys.

It is what the performer calls a line. Its log holds what a person on that phone knows: what they
said and pressed, and when the agent was heard. Runs on the platform's loop.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

import av
from livekit.protocol import models

from piopiy_lab import events
from piopiy_lab.events.log import EventLog
from piopiy_lab.loopback.audio import FRAME_SECS, ROOM_RATE, Fan, frame_of, samples_of
from piopiy_lab.loopback.ear import Ear
from piopiy_lab.loopback.room import Room
from piopiy_lab.screenplay.behind import Behind, as_background
from piopiy_lab.screenplay.caller import KEYS, Caller
from piopiy_lab.screenplay.mouth import Mouth, Sound
from piopiy_lab.sound.recorder import Recorder
from piopiy_lab.transports.playout import Playout

#: How the caller is called in the room.
CALLER_IDENTITY = "sip_caller"
#: How the agent's identity in the room begins: only the agent is heard, others are not mixed in.
AGENT_IDENTITY = "agent"
#: Seconds for which a key is held down: nobody hangs up before it was heard.
KEY_SECS = 0.1
#: A loop that is late by more seconds than this goes on from where it is: nothing is hurried.
LATE_SECS = 0.2


class RoomCaller:
    """The caller's end of a call; a ``Participant`` of the room and a ``Line`` of the performer."""

    def __init__(
        self,
        room: Room,
        log: EventLog,
        recorder: Recorder,
        attributes: dict[str, str],
        who: Caller | None = None,
    ) -> None:
        """Make a caller who isn't in the room yet.

        Args:
            room: Where the call is.
            log: The caller's own account; its clock is the call's.
            recorder: Where both sides go.
            attributes: Of the participant, as LiveKit's SIP service sets them.
            who: Whose voice is heard, and what is behind it.
        """
        self.identity = CALLER_IDENTITY
        self.room = room
        self.data: list[tuple[str, bytes]] = []  # topic and payload of what was received
        self._log = log
        self._recorder = recorder
        self._attributes = attributes
        self._sid = room.new_sid("PA")
        self._track_sid = room.new_sid("TR")
        self._fan = Fan()
        self._mouth = Mouth()
        self._who = who or Caller()
        self._hearing = Ear(log, recorder)
        self._spoken: tuple[Sound, float] | None = None  # what is being said, and since when
        self._sound_ended: asyncio.Future[float] | None = None
        self._joined_at = int(time.time())

    def join(self) -> None:
        """Enter the room and publish the microphone."""
        self.room.enter(self)
        self.room.publish(self, self._track_sid, self._fan)

    def leave(self) -> None:
        """Leave the room; what was being said ends here."""
        self._end_spoken(self._log.now())
        self._hearing.close()
        self.room.leave(self)

    async def run(self) -> None:
        """Send the caller's sound, 20 ms after 20 ms, until cancelled."""
        loop = asyncio.get_running_loop()
        n, sent = round(FRAME_SECS * ROOM_RATE), 0
        begin, begin_at = loop.time(), self._log.now()
        behind = self._put_behind(begin_at)
        ends: float | None = None  # when the sound in the frame before ends
        while True:
            late = loop.time() - (begin + sent / ROOM_RATE)
            if late < 0:
                await asyncio.sleep(-late)
            elif late > LATE_SECS:
                begin, begin_at = begin + late, begin_at + late
            if ends is not None:
                self._end_spoken(ends)
            start = begin_at + sent / ROOM_RATE
            samples, ended = self._mouth.read(n)
            self._fan.push(frame_of(samples, sent))
            self._recorder.write_caller(start, samples, ROOM_RATE)
            self._recorder.advance(start)
            self._hearing.tick()
            sent += n
            if behind is not None:
                for passage in behind.heard(begin_at):
                    self._log.append(passage)
            ends = None if ended is None else start + ended / ROOM_RATE

    def _put_behind(self, begin_at: float) -> Behind | None:
        if (described := self._who.described) is not None:
            self._log.append(replace(described, at=begin_at))
        background = as_background(self._who.background)
        if background is None:
            return None
        behind = Behind(background, ROOM_RATE)
        self._mouth.put_behind(behind)
        return behind

    def agent_said(self, event: events.WordSpoken) -> None:
        """Take a word from the agent's side; it counts once its sound is heard."""
        self._hearing.say(event)

    @property
    def dropped_secs(self) -> float:
        """Seconds of the agent's audio that came too late to be heard."""
        return self._hearing.dropped_secs

    # --- the performer's line -----------------------------------------------------------------

    @property
    def log(self) -> EventLog:
        """The caller's events, and the call's clock."""
        return self._log

    @property
    def ear(self) -> Playout:
        """What is heard of the agent."""
        return self._hearing.heard

    @property
    def mouth_rate(self) -> int:
        """Hz of the sounds that :meth:`speak` takes."""
        return ROOM_RATE

    async def speak(self, sound: Sound) -> float:
        """Speak a sound to its end; returns the call's seconds of its end."""
        start = self._log.now()
        self._spoken = (sound, start)
        self._log.append(events.UserSpeechStarted(at=start, cause="caller", start_secs=0.0))
        if sound.wants_floor:
            self._log.append(events.UserTurnStarted(at=start))
        self._sound_ended = asyncio.get_running_loop().create_future()
        self._mouth.speak(sound.source)
        return await self._sound_ended

    async def press(self, digit: str) -> None:
        """Press a key: a SIP DTMF message to everybody in the room."""
        code = KEYS.index(digit)
        if digit in "*#":
            code = 10 if digit == "*" else 11
        dtmf = models.SipDTMF(code=code, digit=digit)
        self._log.append(events.DTMFReceived(at=self._log.now(), digit=digit))
        self.room.send(models.DataPacket(kind=models.DataPacket.RELIABLE, sip_dtmf=dtmf), self)
        await asyncio.sleep(KEY_SECS)

    def _end_spoken(self, end: float) -> None:
        """Write what was said: this log's user is the caller, who knows their own words."""
        if self._spoken is not None:
            (sound, start), self._spoken = self._spoken, None
            log = self._log
            log.append(sound.as_heard(start, end))
            log.append(events.UserSpeechStopped(at=end, cause="caller", stop_secs=0.0))
            if sound.wants_floor:
                self._end_turn(sound, start, end)
        if self._sound_ended is not None and not self._sound_ended.done():
            self._sound_ended.set_result(end)

    def _end_turn(self, sound: Sound, start: float, end: float) -> None:
        log = self._log
        words = [
            [word, start + begin, min(end, start + finish)]
            for word, begin, finish in sound.words
            if start + begin < end
        ]
        said = sound.text if words and len(words) == len(sound.words) else None
        text = said or " ".join(str(word[0]) for word in words)
        if text:
            log.append(events.Transcribed(at=end, text=text, words=words))
        log.append(events.UserTurnStopped(at=end))

    # --- the room's participant ---------------------------------------------------------------

    def info(self) -> models.ParticipantInfo:
        """Return what the others are told."""
        track = models.TrackInfo(
            sid=self._track_sid,
            type=models.AUDIO,
            name="phone",
            source=models.MICROPHONE,
            mime_type="audio/opus",
        )
        return models.ParticipantInfo(
            sid=self._sid,
            identity=self.identity,
            name=self._attributes.get("sip.phoneNumber") or self.identity,
            state=models.ParticipantInfo.ACTIVE,
            tracks=[track],
            kind=models.ParticipantInfo.SIP,
            attributes=self._attributes,
            joined_at=self._joined_at,
            is_publisher=True,
        )

    def told(self, other: models.ParticipantInfo) -> None:
        """Somebody joined, changed or left: a phone isn't told."""

    def hears(self, who: models.ParticipantInfo, track_sid: str, fan: Fan) -> None:
        """Somebody's audio can be heard: listen, if it is the agent."""
        if who.identity.startswith(AGENT_IDENTITY):
            fan.add(self._listen)

    def _listen(self, frame: av.AudioFrame) -> None:
        self._hearing.hear(samples_of(frame))

    def gets(self, packet: models.DataPacket) -> None:
        """Somebody sent data: kept, for tests to look at."""
        if packet.WhichOneof("value") == "user":
            self.data.append((packet.user.topic, bytes(packet.user.payload)))
