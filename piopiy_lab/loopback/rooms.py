"""The room server: LiveKit's ``/rtc`` WebSocket and ``/rtc/validate``, tokens checked.

Runs on the platform's loop.
"""

from __future__ import annotations

import asyncio
import logging

from aiohttp import web
from livekit.protocol import models
from livekit.protocol import rtc as lk

from piopiy_lab.logs import safe_logger
from piopiy_lab.loopback.client import RoomClient
from piopiy_lab.loopback.link import Link, LinkSettings
from piopiy_lab.loopback.room import Room
from piopiy_lab.loopback.seams import tells_of_a_handle_let_go_twice, tells_of_older_path
from piopiy_lab.loopback.serving import say_goodbye
from piopiy_lab.loopback.tokens import RoomGrant, TokenError, TokenMint

logger: logging.Logger = safe_logger(__name__)
livekit_logger: logging.Logger = logging.getLogger("livekit")


def _matters(record: logging.LogRecord) -> bool:
    """Drop what LiveKit's client warns of where nothing is wrong: red lines in a notebook.

    At each join: we serve its older path only. It asks for the newer one first, is answered 404 and
    takes the older one, as with any server that has no other. And at some calls' end.
    """
    message = record.getMessage()
    return not (tells_of_older_path(message) or tells_of_a_handle_let_go_twice(message))


class RoomServer:
    """The rooms of one platform, and the routes by which clients join them."""

    def __init__(self, mint: TokenMint) -> None:
        """Make a server without rooms.

        Args:
            mint: Who makes and checks the tokens.
        """
        self._mint = mint
        self.rooms: dict[str, Room] = {}
        self.clients: set[RoomClient] = set()  # who is in a room; written while each is served

    def routes(self) -> list[web.RouteDef]:
        """Return what a web application serves."""
        return [web.get("/rtc", self._join), web.get("/rtc/validate", self._validate)]

    def open(self, name: str, link: LinkSettings | None = None) -> Room:
        """Open a room; one of that name that is open already is returned as it is."""
        livekit_logger.addFilter(_matters)  # once, however often
        if name not in self.rooms:
            self.rooms[name] = Room(name, Link(link))
        return self.rooms[name]

    async def close(self, name: str) -> None:
        """Close a room: whoever is in it is told to go. Nothing happens without the room."""
        room = self.rooms.pop(name, None)
        if room is None:
            return
        room.closed = True
        room.link.restore()
        clients = [client for client in self.clients if client.room is room]
        await asyncio.gather(
            *(client.dismiss(models.DisconnectReason.ROOM_DELETED) for client in clients)
        )
        await asyncio.gather(*(client.close() for client in clients))
        room.link.close()

    async def stop(self) -> None:
        """Close every room."""
        for name in list(self.rooms):
            await self.close(name)
        livekit_logger.removeFilter(_matters)

    # --- the routes ---------------------------------------------------------------------------

    def _admit(self, request: web.Request) -> RoomGrant:
        token = request.query.get("access_token") or request.headers.get(
            "Authorization", ""
        ).removeprefix("Bearer ")
        try:
            grant = self._mint.check(token)
        except TokenError as error:
            raise web.HTTPUnauthorized(text=str(error)) from None
        room = self.rooms.get(grant.room)
        if room is None:
            raise web.HTTPNotFound(text=f"there is no room {grant.room!r}: it has ended")
        if room.link.is_cut:
            raise web.HTTPServiceUnavailable(text="the link is cut")
        return grant

    async def _validate(self, request: web.Request) -> web.Response:
        self._admit(request)
        return web.Response(text="success")

    async def _join(self, request: web.Request) -> web.StreamResponse:
        grant = self._admit(request)
        room = self.rooms[grant.room]
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        if request.query.get("reconnect") == "1":
            # aiortc has no ICE restart, so a broken session can't be resumed: ask the client to
            # begin again, as LiveKit does when it has lost the session.
            leave = lk.LeaveRequest(
                action=lk.LeaveRequest.RECONNECT,
                can_reconnect=True,
                reason=models.DisconnectReason.STATE_MISMATCH,
            )
            await say_goodbye(socket, lk.SignalResponse(leave=leave).SerializeToString())
            return socket
        await self._replace(room, grant.identity)
        client = RoomClient(room, grant, socket)
        self.clients.add(client)
        try:
            await client.run()
        finally:
            self.clients.discard(client)
            await client.close()
            room.leave(client)
        return socket

    async def _replace(self, room: Room, identity: str) -> None:
        """Dismiss the client that has this identity already; the new one takes its place."""
        for client in list(self.clients):
            if client.room is room and client.identity == identity:
                await client.dismiss(models.DisconnectReason.DUPLICATE_IDENTITY)
                await client.close()
