"""The connection to a LiveKit room: pipecat's client, where a call needs something else of it.

What differs from pipecat 1.14, and why:

* joining is tried once, and its failure is reported at once with the reason (pipecat tries three
  times, for half a minute, and ends in error frames that nobody looks at);
* the caller's audio comes at the pipeline's rate, in frames of 20 ms, resampled by WebRTC
  (pipecat takes 10 ms frames at 48 kHz and resamples each in Python);
* only those who are meant to be heard are subscribed to the pipeline;
* a join that is cancelled half way is brought to its end (see ``room_joining``);
* what is said before somebody can hear it is lost (livekit/livekit issue 2827), and
  :meth:`RoomClient.wait_until_audible` waits for that (pipecat speaks at once);
* data keeps its topic;
* a link that breaks, mends or is lost is reported.

Runs on the session's loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any, Protocol

from livekit import rtc
from pipecat.processors.frame_processor import FrameProcessorSetup
from pipecat.transports.livekit.transport import (
    LiveKitCallbacks,
    LiveKitParams,
    LiveKitTransportClient,
)
from pipecat.utils.asyncio.task_manager import BaseTaskManager

from piopiy_lab.errors import RoomError
from piopiy_lab.redaction import shown_url, told
from piopiy_lab.transports.seams import join_once, never_half_joined, stop_listening

#: Milliseconds of the caller's audio in one frame.
FRAME_MS = 20
#: Seconds that joining may take before it counts as failed (LiveKit's own limits add up to more).
JOIN_SECS = 15.0
#: Seconds that our first words wait for somebody to hear them: media is connected 0.2 s after the
#: room is joined, on a busy machine more than a second. LiveKit's servers tell (since August 2024,
#: livekit/livekit pull requests 2916 and 3540); one that doesn't costs this at each call's start.
AUDIBLE_SECS = 2.0
#: Seconds that leaving may take: with a dead link nobody says goodbye back.
LEAVE_SECS = 1.0


async def load_library() -> None:
    """Let LiveKit's library get ready: else the first room is joined 0.05 s later."""
    await rtc.AudioSource(24000, 1).aclose()


class RoomWatcher(Protocol):
    """Who is told of what happens in the room; called on the session's loop, must not block."""

    def join_failed(self, error: RoomError) -> None:
        """We can't get into the room."""

    def link_lost(self) -> None:
        """The link broke; LiveKit tries to mend it."""

    def link_restored(self) -> None:
        """The link works again."""

    def room_lost(self, reason: str) -> None:
        """We are out of the room and did not ask for it; ``reason`` is LiveKit's word."""

    def participant_gone(self, identity: str, kind: int) -> None:
        """Somebody has left; told before pipecat's own handlers."""

    def packet_received(self, packet: rtc.DataPacket) -> None:
        """Data came through the room."""

    def is_heard(self, identity: str) -> bool:
        """Whether this participant's audio goes into the pipeline."""
        ...

    def is_muted(self) -> bool:
        """Whether silence is taken in place of what is heard."""
        ...

    def audio_received(self, frame: rtc.AudioFrame) -> None:
        """A frame of heard audio came."""


class RoomClient(LiveKitTransportClient):
    """One agent's presence in one room."""

    def __init__(
        self,
        url: str,
        token: str,
        room_name: str,
        params: LiveKitParams,
        callbacks: LiveKitCallbacks,
        transport_name: str,
        watcher: RoomWatcher,
    ) -> None:
        """Make the client; nothing is sent yet."""
        super().__init__(url, token, room_name, params, callbacks, transport_name)
        self.leave_secs: float = LEAVE_SECS  # that leaving may take
        self.join_secs: float = JOIN_SECS  # that joining may take
        self.audible_secs: float = AUDIBLE_SECS  # that our first words may wait to be heard
        self._watcher = watcher
        self._where = (url, token, room_name)
        self._rooms_params, self._tell = params, callbacks
        self._tasks: BaseTaskManager | None = None  # the pipeline's; written by setup()
        self._heard: asyncio.Queue[tuple[rtc.AudioFrameEvent, str]] = asyncio.Queue()
        self._in_sample_rate = 0  # Hz; written by setup()
        self._failure: RoomError | None = None  # why joining failed; once is enough
        self._joining = asyncio.Lock()  # so that the second who asks does not try a second time
        self._leaving = False  # we have asked for the end
        self._audible = asyncio.Event()  # set when the server says that somebody hears us
        self._waiting_tracks: dict[
            str, tuple[rtc.Track, rtc.RemoteTrackPublication, rtc.RemoteParticipant]
        ] = {}  # not heard yet, by identity

    async def setup(self, setup: FrameProcessorSetup) -> None:
        """Make the room object."""
        if self._tasks is not None:
            return
        self._tasks = setup.task_manager
        self._in_sample_rate = self._rooms_params.audio_in_sample_rate or setup.audio_in_sample_rate
        await super().setup(setup)
        never_half_joined(self.room)
        self.room.on("reconnecting")(self._watcher.link_lost)
        self.room.on("reconnected")(self._watcher.link_restored)
        self.room.on("disconnected")(self._lost)
        self.room.on("data_received")(self._watcher.packet_received)
        self.room.on("local_track_subscribed")(self.heard_by_somebody)

    async def connect(self) -> None:
        """Join the room; input and output both ask, and the first one does it.

        Raises:
            RoomError: It can't be joined.
        """
        async with self._joining:
            if self._failure is not None:
                raise self._failure
            try:
                async with asyncio.timeout(self.join_secs):
                    await join_once(self)
            except Exception as error:
                self._failure = self._explain(error)
                self._watcher.join_failed(self._failure)
                raise self._failure from None

    def _explain(self, error: Exception) -> RoomError:
        if isinstance(error, TimeoutError):
            why = f"no answer within {self.join_secs:g} s"
        else:
            why = str(getattr(error, "message", "") or error) or type(error).__name__
        url, token, name = self._where
        why = told(why.replace(token, "[token]") if token else why)
        return RoomError(f"the room {name!r} at {shown_url(url)} can't be joined: {why}")

    async def disconnect(self) -> None:
        """Leave the room; a dead link is dropped after a second."""
        self._leaving = self._leaving or self._disconnect_counter <= 1
        try:
            async with asyncio.timeout(self.leave_secs):
                await super().disconnect()
        except TimeoutError:
            stop_listening(self.room)
            await self._close_output_sources()
            await self._close_all_streams()

    def _lost(self, reason: Any = None) -> None:
        if not self._leaving and self._connected:
            try:
                name = rtc.DisconnectReason.Name(reason)
            except (ValueError, TypeError):
                name = "UNKNOWN_REASON"
            self._watcher.room_lost(name)

    async def _async_on_participant_disconnected(self, participant: rtc.RemoteParticipant) -> None:
        self._watcher.participant_gone(participant.identity, participant.kind)
        await super()._async_on_participant_disconnected(participant)

    async def wait_until_audible(self) -> bool:
        """Wait until somebody hears us; False if the server didn't say so in time."""
        try:
            async with asyncio.timeout(self.audible_secs):
                await self._audible.wait()
        except TimeoutError:
            return False
        return True

    def heard_by_somebody(self, track: rtc.Track) -> None:
        """Note that a track of ours is heard from now on; LiveKit's library calls it."""
        if track.kind == rtc.TrackKind.KIND_AUDIO:
            self._audible.set()

    # --- who is heard -------------------------------------------------------------------------

    async def _async_on_track_subscribed(
        self,
        track: rtc.Track,
        publication: rtc.RemoteTrackPublication,
        participant: rtc.RemoteParticipant,
    ) -> None:
        if track.kind != rtc.TrackKind.KIND_AUDIO:
            await super()._async_on_track_subscribed(track, publication, participant)
            return
        identity = participant.identity
        if not self._watcher.is_heard(identity):
            self._waiting_tracks[identity] = (track, publication, participant)
            return
        await self._hear(track, identity)

    async def _async_on_track_unsubscribed(
        self,
        track: rtc.Track,
        publication: rtc.RemoteTrackPublication,
        participant: rtc.RemoteParticipant,
    ) -> None:
        self._waiting_tracks.pop(participant.identity, None)
        await super()._async_on_track_unsubscribed(track, publication, participant)

    async def who_is_heard_changed(self) -> None:
        """Ask again who is heard."""
        for identity, (track, _, _) in list(self._waiting_tracks.items()):
            if self._watcher.is_heard(identity):
                del self._waiting_tracks[identity]
                await self._hear(track, identity)
        for identity in list(self._audio_streams):
            if not self._watcher.is_heard(identity):
                await self._close_audio_stream(identity)

    async def _hear(self, track: rtc.Track, identity: str) -> None:
        assert self._tasks is not None
        await self._close_audio_stream(identity)
        stream = rtc.AudioStream(
            track,
            sample_rate=self._in_sample_rate,
            num_channels=1,
            frame_size_ms=FRAME_MS,
        )
        task = self._tasks.create_task(self._take_audio(stream, identity), f"{self}::_take_audio")
        self._audio_streams[identity] = (stream, task)
        await self._tell.on_audio_track_subscribed(identity)

    async def _take_audio(self, stream: rtc.AudioStream, identity: str):
        async for event in stream:
            if self._watcher.is_muted():
                of = event.frame
                silent = rtc.AudioFrame.create(
                    of.sample_rate, of.num_channels, of.samples_per_channel
                )
                event = rtc.AudioFrameEvent(silent)
            self._watcher.audio_received(event.frame)
            await self._heard.put((event, identity))

    async def get_next_audio_frame(self) -> AsyncGenerator[tuple[rtc.AudioFrameEvent, str], None]:
        """Give what is heard, and of whom, as it comes; pipecat's input asks for it."""
        while True:
            yield await self._heard.get()

    def stop_speaking(self) -> None:
        """Drop what was handed over and has not been played yet."""
        if self._audio_source is not None:
            self._audio_source.clear_queue()
