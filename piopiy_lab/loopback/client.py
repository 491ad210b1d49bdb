"""A LiveKit client in a room: its signalling over a WebSocket, its media over two WebRTC peers.

LiveKit clients have two peer connections: the *subscriber* one, which the server offers (what the
client hears, and data to it), and the *publisher* one, which the client offers (what it says, and
data from it). Messages are the protobufs of ``livekit-protocol``.

Runs on the platform's loop.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Coroutine
from typing import Any

from aiohttp import WSMsgType, web
from aiortc import RTCSessionDescription
from aiortc.mediastreams import MediaStreamError
from aiortc.sdp import SessionDescription, candidate_from_sdp
from livekit.protocol import models
from livekit.protocol import rtc as lk

from piopiy_lab.logs import safe_logger
from piopiy_lab.loopback import jitter, seams
from piopiy_lab.loopback.audio import Fan, QueueTrack
from piopiy_lab.loopback.peer import Peer
from piopiy_lab.loopback.room import Room
from piopiy_lab.loopback.serving import say_goodbye
from piopiy_lab.loopback.tokens import RoomGrant

logger: logging.Logger = safe_logger(__name__)

#: Seconds between a client's pings, and without a pong after which it gives its connection up.
PING_SECS, PING_TIMEOUT_SECS = 5, 15
#: Seconds that a client may take to answer an offer.
ANSWER_SECS = 15.0
#: What this server says it is.
SERVER_VERSION, PROTOCOL = "1.9.0", 15


class RoomClient:
    """One connected LiveKit client; a :class:`~piopiy_lab.loopback.room.Participant`."""

    def __init__(self, room: Room, grant: RoomGrant, socket: web.WebSocketResponse) -> None:
        """Make the client's side of a room; :meth:`run` lets it in."""
        self.room = room
        self.grant = grant
        self.identity: str = grant.identity
        self.sid: str = room.new_sid("PA")
        self.joined_at: int = int(time.time())
        self.said_goodbye: bool = False  # the client sent "leave": it won't be back
        self._socket = socket
        self._tracks: dict[str, models.TrackInfo] = {}  # by the client's own track id
        self._cids: dict[str, str] = {}  # media section -> the client's own track id
        self._subscriber = Peer(room.link)
        self._publisher = Peer(room.link)
        self._reliable = self._subscriber.createDataChannel("_reliable", ordered=True)
        self._lossy = self._subscriber.createDataChannel("_lossy", ordered=False, maxRetransmits=0)
        self._heard: list[tuple[Fan, QueueTrack]] = []
        self._tasks: set[asyncio.Task[object]] = set()
        self._inbox: asyncio.Queue[bytes] = asyncio.Queue()
        self._outbox: asyncio.Queue[bytes] = asyncio.Queue()
        self._waiting_data: list[tuple[bool, bytes]] = []  # until the data channel is open
        self._early_candidates: list[tuple[Peer, Any]] = []
        self._offering = asyncio.Lock()
        self._offer_again = False
        self._answered: asyncio.Future[None] | None = None
        self.media_ready = asyncio.Event()  # what the client hears is connected
        self._publisher.on("track", self._track_came)
        self._publisher.on("datachannel", self._channel_came)
        self._reliable.on("open", self._flush_data)
        for peer in (self._subscriber, self._publisher):
            peer.on("connectionstatechange", self._connection_changed)

    @property
    def hosts(self) -> list[str]:
        """The addresses that its media's sockets are bound to."""
        return [host for peer in (self._subscriber, self._publisher) for host in peer.hosts()]

    # --- the life of the client ---------------------------------------------------------------

    async def run(self) -> None:
        """Serve the client until its WebSocket closes; its peers are closed then."""
        self._spawn(self._write())
        self._spawn(self._work())
        self._send(
            join=lk.JoinResponse(
                room=self.room.model(),
                participant=self.info(),
                other_participants=self.room.others(self.identity),
                server_version=SERVER_VERSION,
                subscriber_primary=True,
                ping_timeout=PING_TIMEOUT_SECS,
                ping_interval=PING_SECS,
                server_info=models.ServerInfo(
                    edition=models.ServerInfo.Standard, version=SERVER_VERSION, protocol=PROTOCOL
                ),
            )
        )
        self.room.enter(self)
        self._offer()
        async for message in self._socket:
            if message.type == WSMsgType.BINARY:
                self._inbox.put_nowait(message.data)
        if not self.room.link.is_cut:
            async with asyncio.timeout(1.0):  # its last word may be "leave"
                await self._inbox.join()

    async def _work(self) -> None:
        """Handle what the client sends, in order; while the link is cut, it is under way."""
        while True:
            data = await self._inbox.get()
            await self.room.link.wait_restored()
            try:
                await self._handle(lk.SignalRequest.FromString(data))
            except Exception:  # whatever a client sends, the next message is handled
                logger.warning("a message of %s was not understood", self.identity, exc_info=True)
            finally:
                self._inbox.task_done()
            if self.said_goodbye:
                await self._socket.close()

    async def close(self) -> None:
        """Close the media and end the tasks; safe to call again."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for fan, track in self._heard:
            fan.discard(track.put)
            track.stop()
        self._heard.clear()
        await self._subscriber.close()
        await self._publisher.close()
        if not self._socket.closed:
            await self._socket.close()

    async def dismiss(
        self,
        reason: models.DisconnectReason,
        action: lk.LeaveRequest.Action = lk.LeaveRequest.DISCONNECT,
    ) -> None:
        """Tell the client to go."""
        leave = lk.LeaveRequest(reason=reason, action=action)
        await say_goodbye(self._socket, lk.SignalResponse(leave=leave).SerializeToString())

    async def _handle(self, request: lk.SignalRequest) -> None:
        kind = request.WhichOneof("message")
        match kind:
            case "offer":
                await self._take_offer(request.offer.sdp)
            case "answer":
                await self._describe(self._subscriber, request.answer.sdp, "answer")
                if self._answered is not None and not self._answered.done():
                    self._answered.set_result(None)
            case "trickle":
                await self._take_candidate(request.trickle)
            case "add_track":
                self._add_track(request.add_track)
            case "mute":
                for track in self._tracks.values():
                    if track.sid == request.mute.sid:
                        track.muted = request.mute.muted
                self.room.changed(self)
            case "ping":
                self._send(pong=int(time.time() * 1000))
            case "ping_req":
                self._send(
                    pong_resp=lk.Pong(
                        last_ping_timestamp=request.ping_req.timestamp,
                        timestamp=int(time.time() * 1000),
                    )
                )
            case "leave":
                self.said_goodbye = True
            case _:
                logger.debug("%s sent %s, which needs no answer", self.identity, kind)

    # --- what the client says -----------------------------------------------------------------

    def _add_track(self, request: lk.AddTrackRequest) -> None:
        if not self.grant.can_publish or request.type != models.AUDIO:
            logger.warning("%s may not publish %s", self.identity, request.name)
            return
        track = models.TrackInfo(
            sid=self.room.new_sid("TR"),
            type=request.type,
            name=request.name,
            source=request.source,
            muted=request.muted,
            mime_type="audio/opus",
        )
        self._tracks[request.cid] = track
        self._send(track_published=lk.TrackPublishedResponse(cid=request.cid, track=track))
        self.room.changed(self)

    async def _take_offer(self, sdp: str) -> None:
        peer = self._publisher
        for media in SessionDescription.parse(sdp).media:
            if media.msid:  # "stream track", the track's id being the client's own
                self._cids[media.rtp.muxId] = media.msid.split()[-1]
        await self._describe(peer, sdp, "offer")
        await peer.setLocalDescription(await peer.createAnswer())
        self._send(answer=lk.SessionDescription(type="answer", sdp=peer.localDescription.sdp))

    async def _take_candidate(self, trickle: lk.TrickleRequest) -> None:
        init = json.loads(trickle.candidateInit)
        text = init.get("candidate", "")
        if not text or "udp" not in text.lower().split():  # the end of candidates, or TCP
            return
        candidate = candidate_from_sdp(text.split(":", 1)[1])
        candidate.sdpMid = init.get("sdpMid")
        candidate.sdpMLineIndex = init.get("sdpMLineIndex")
        peer = self._subscriber if trickle.target == lk.SUBSCRIBER else self._publisher
        if peer.remoteDescription is None:  # it came before the offer or answer it belongs to
            self._early_candidates.append((peer, candidate))
        else:
            await peer.addIceCandidate(candidate)

    async def _describe(self, peer: Peer, sdp: str, kind: str) -> None:
        """Apply what the client offered or answered, and the candidates that came too early."""
        await peer.setRemoteDescription(RTCSessionDescription(sdp, kind))
        early, self._early_candidates = self._early_candidates, []
        for owner, candidate in early:
            if owner is peer:
                await peer.addIceCandidate(candidate)
            else:
                self._early_candidates.append((owner, candidate))

    def _track_came(self, track: Any) -> None:
        of = [t for t in self._publisher.getTransceivers() if t.receiver.track is track]
        info = self._tracks.get(self._cids.get(of[0].mid or "", "")) if of else None
        if info is None or track.kind != "audio":
            logger.warning("%s sends a track that it did not announce", self.identity)
            return
        jitter.attach(of[0].receiver)
        fan = Fan()
        self._spawn(self._pump(track, fan, info.sid))
        self.room.publish(self, info.sid, fan)

    async def _pump(self, track: Any, fan: Fan, sid: str) -> None:
        told = False  # the client knows that somebody hears this track
        try:
            while True:
                fan.push(await track.recv())
                # not before the phone has been answered: its caller hears no word of an earlier one
                if not told and fan.is_heard and self.media_ready.is_set():
                    told = True
                    self._send(track_subscribed=lk.TrackSubscribed(track_sid=sid))
        except MediaStreamError:
            return  # the client stopped it, or left

    def _channel_came(self, channel: Any) -> None:
        channel.on("message", self._data_came)

    def _data_came(self, message: bytes | str) -> None:
        if not self.grant.can_publish_data or isinstance(message, str):
            return
        self.room.send(models.DataPacket.FromString(message), self)

    # --- what the client is told and hears (the Participant protocol) -------------------------

    def info(self) -> models.ParticipantInfo:
        """Return what the others are told."""
        return models.ParticipantInfo(
            sid=self.sid,
            identity=self.identity,
            name=self.grant.name,
            state=models.ParticipantInfo.ACTIVE,
            tracks=list(self._tracks.values()),
            joined_at=self.joined_at,
            is_publisher=bool(self._tracks),
            permission=models.ParticipantPermission(
                can_subscribe=self.grant.can_subscribe,
                can_publish=self.grant.can_publish,
                can_publish_data=self.grant.can_publish_data,
            ),
        )

    def told(self, other: models.ParticipantInfo) -> None:
        """Somebody joined, changed or left."""
        self._send(update=lk.ParticipantUpdate(participants=[other]))

    def hears(self, who: models.ParticipantInfo, track_sid: str, fan: Fan) -> None:
        """Somebody's audio can be heard: offer it to the client."""
        if not self.grant.can_subscribe:
            return
        track = QueueTrack()
        sender = self._subscriber.addTrack(track)
        seams.name_sender(sender, f"{who.sid}|{track_sid}", track_sid)
        fan.add(track.put)
        self._heard.append((fan, track))
        self._offer()

    def gets(self, packet: models.DataPacket) -> None:
        """Somebody sent data."""
        reliable = packet.kind == models.DataPacket.RELIABLE
        self._waiting_data.append((reliable, packet.SerializeToString()))
        self._flush_data()

    def _flush_data(self) -> None:
        if self._reliable.readyState != "open":
            return
        waiting, self._waiting_data = self._waiting_data, []
        for reliable, data in waiting:
            (self._reliable if reliable else self._lossy).send(data)

    # --- inside -------------------------------------------------------------------------------

    def _offer(self) -> None:
        """Offer what the subscriber peer has now; one offer at a time."""
        if self._offer_again:
            return  # one that has not begun yet will have it
        self._offer_again = True
        self._spawn(self._make_offer())

    async def _make_offer(self) -> None:
        async with self._offering:
            self._offer_again = False
            peer = self._subscriber
            self._answered = asyncio.get_running_loop().create_future()
            await peer.setLocalDescription(await peer.createOffer())
            self._send(offer=lk.SessionDescription(type="offer", sdp=peer.localDescription.sdp))
            try:
                async with asyncio.timeout(ANSWER_SECS):
                    await self._answered
            except TimeoutError:
                logger.warning("%s did not answer an offer", self.identity)

    def _connection_changed(self) -> None:
        if self._subscriber.connectionState == "connected":
            self.media_ready.set()

    def _send(self, **message: Any) -> None:
        self._outbox.put_nowait(lk.SignalResponse(**message).SerializeToString())

    async def _write(self) -> None:
        """Send what is in the outbox, in order; while the link is cut, nothing."""
        while True:
            data = await self._outbox.get()
            await self.room.link.wait_restored()
            try:
                await self._socket.send_bytes(data)
            except ConnectionError:
                return  # run() sees the closed socket too

    def _spawn(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[object]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.warning("%s: %r in room %s", self.identity, error, self.room.name)
