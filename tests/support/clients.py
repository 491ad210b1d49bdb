"""Real clients for the loopback platform: python-socketio's, and LiveKit's own.

``HandMadeAgent`` is an agent without our ``Agent``: it answers a call, says a sentence, and says
another one each time the caller has been heard and is silent again.
"""

from __future__ import annotations

import asyncio
import contextlib

import numpy as np
import socketio
from livekit import rtc

from piopiy_lab import events
from piopiy_lab.events import room_logs
from piopiy_lab.events.log import EventLog
from piopiy_lab.sound import speech

RATE = 24000


class HandMadeAgent:
    """Answers calls, one room at a time."""

    def __init__(self, platform, agent_id="desk", *, token=None, greeting="hello there"):
        self.platform = platform
        self.agent_id = agent_id
        self.token = platform.agent_token(agent_id) if token is None else token
        self.greeting = greeting
        self.invites, self.cancelled, self.digits, self.data, self.left = [], [], [], [], []
        self.heard = []  # one float per 10 ms frame: mean amplitude of the caller
        self.room = None
        self.source = None
        self.answers = True
        self.log = None
        self.happened = asyncio.Event()
        self._tasks = set()
        self._connecting = []
        self.client = socketio.AsyncClient(reconnection=True, reconnection_delay=0.2,
                                           handle_sigint=False)  # fmt: skip
        self.client.on("join_room", self._invited)
        self.client.on("cancel_room", self._cancelled)

    async def __aenter__(self):
        await self.client.connect(
            self.platform.signaling_url,
            auth={"agent_id": self.agent_id, "token": self.token},
            wait_timeout=10,
        )
        return self

    async def __aexit__(self, *_):
        await asyncio.gather(*(c for _, c in self._connecting), return_exceptions=True)
        await self.leave()
        for room, _ in self._connecting:
            if room.isconnected():
                await room.disconnect()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.client.shutdown()
        http = self.client.eio.http
        if http is not None and not http.closed:
            await http.close()

    def spawn(self, work):
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _invited(self, payload):
        self.invites.append(payload)
        if self.answers:
            self.spawn(self.join(payload))

    async def _cancelled(self, payload):
        self.cancelled.append(payload)
        await self.leave()

    async def join(self, payload):
        began = asyncio.get_running_loop().time()
        self.log = EventLog(lambda: asyncio.get_running_loop().time() - began)
        room_logs.publish(payload["room_name"], self.log)
        self.room = room = rtc.Room()
        room.on("sip_dtmf_received", lambda event: self.digits.append(event.digit))
        room.on("data_received", lambda packet: self.data.append((packet.topic, packet.data)))
        room.on("track_subscribed", lambda track, *_: self.spawn(self._listen(track)))
        room.on("participant_disconnected", self._left)
        # LiveKit's library ends the whole process (SIGTERM) some seconds after a connect() that
        # was cancelled half way: let it finish, whatever becomes of us.
        connecting = asyncio.ensure_future(room.connect(payload["url"], payload["token"]))
        self._connecting.append((room, connecting))
        await asyncio.shield(connecting)
        self.source = rtc.AudioSource(RATE, 1)
        track = rtc.LocalAudioTrack.create_audio_track("voice", self.source)
        options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
        published = await room.local_participant.publish_track(track, options)
        # What is said before somebody can hear it is lost, here as in LiveKit.
        await published.wait_for_subscription()
        if self.greeting:
            await self.say(self.greeting)

    async def say(self, text):
        spoken = speech.synthesize(text, speech.AGENT_VOICE, sample_rate=RATE)
        said = 0
        for word in spoken.words:
            self.log.append(events.WordSpoken(at=self.log.now(), text=word.text))
            end = round(word.end * RATE)
            await self._play(spoken.samples[said:end])
            said = end
        await self._play(spoken.samples[said:])

    async def _play(self, samples):
        for at in range(0, len(samples), 480):
            piece = samples[at : at + 480]
            await self.source.capture_frame(rtc.AudioFrame(piece.tobytes(), RATE, 1, len(piece)))

    async def _listen(self, track):
        stream = rtc.AudioStream(track)
        try:
            async for event in stream:
                samples = np.frombuffer(event.frame.data, np.int16).astype(float)
                self.heard.append(float(np.abs(samples).mean()))
                if len(self.heard) > 60 and self.loud(-60, -40) and not self.loud(-40):
                    self.heard.append(0.0)
                    self.happened.set()
        finally:
            await stream.aclose()

    def loud(self, start, end=None):
        return max(self.heard[start:end], default=0.0) > 200

    def _left(self, participant):
        self.left.append(participant.identity)
        self.spawn(self.leave())

    async def leave(self):
        room, self.room = self.room, None
        if room is not None:
            await room.disconnect()
            if self.source is not None:
                await self.source.aclose()


@contextlib.asynccontextmanager
async def joined(ticket, **handlers):
    room = rtc.Room()
    for event, handler in handlers.items():
        room.on(event, handler)
    await room.connect(ticket.url, ticket.token)
    try:
        yield room
    finally:
        await room.disconnect()
