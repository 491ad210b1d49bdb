"""The dialect for dispatchers of your own: JSON objects over a plain WebSocket.

The agent's first message is ``{"event": "auth", "data": {"agent_id": ..., "token": ...}}``. The
server answers ``{"event": "ready"}``, or ``{"event": "refused", "data": {"reason": ...}}`` and
closes. After that the server says ``{"event": "join_room", "data": {...}}`` and
``{"event": "cancel_room", "data": {...}}``, one object in each text message.
"""

from __future__ import annotations

import asyncio
import json

from piopiy_lab.errors import MissingExtraError, SignalingError
from piopiy_lab.redaction import shown_url
from piopiy_lab.redaction import told as told_by
from piopiy_lab.telephony.signalling.links import ACCEPT_SECS, Credentials, OnMessage

try:
    from websockets.asyncio.client import ClientConnection, connect
    from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI
except ImportError as error:
    raise MissingExtraError("Agent", "telephony", detail=str(error)) from error

#: The largest message that is taken, in bytes: an invite is a few thousand.
MAX_BYTES = 1 << 20
NO_REASON = "no reason was given"


class WebSocketLink:
    """One WebSocket connection. Everything runs on the loop that connects."""

    def __init__(self, url: str, credentials: Credentials, on_message: OnMessage) -> None:
        """Remember where; nothing is sent yet."""
        self._url = url
        self._credentials = credentials
        self._on_message = on_message
        self._socket: ClientConnection | None = None  # written by connect()
        self._reader: asyncio.Task[None] | None = None  # accepted to closed
        self._why = "closed"  # written when the connection has ended
        self._closed = asyncio.Event()

    async def connect(self) -> None:
        """Connect, send who we are, and wait for the server's word."""
        where, agent = shown_url(self._url), self._credentials.agent_id
        try:
            async with asyncio.timeout(ACCEPT_SECS):
                self._socket = await connect(self._url, max_size=MAX_BYTES, open_timeout=None)
                await self._send("auth", self._credentials.payload())
                event, data = await self._answer()
        except TimeoutError:
            await self.close()
            raise SignalingError(
                f"the signalling server {where} did not accept agent {agent!r} within "
                f"{ACCEPT_SECS:g} s"
            ) from None
        except ConnectionClosed as error:
            await self.close()
            reason = error.rcvd.reason if error.rcvd and error.rcvd.reason else NO_REASON
            raise SignalingError(
                f"the signalling server {where} refused agent {agent!r}: {told_by(reason)}; "
                "check the agent's id and token",
                refused=error.rcvd is not None,
            ) from None
        except (OSError, InvalidHandshake, InvalidURI) as error:
            await self.close()
            raise SignalingError(
                f"no signalling server at {where}: {told_by(error)}; check "
                "signaling_url and the network"
            ) from None
        if event != "ready":
            await self.close()
            told = data.get("reason") if isinstance(data, dict) else data
            if event == "refused":
                raise SignalingError(
                    f"the signalling server {where} refused agent {agent!r}: "
                    f"{told_by(told or NO_REASON)}; check the agent's "
                    "id and token",
                    refused=True,
                )
            raise SignalingError(
                f'{where} answered {told_by(event, 60)!r} where "ready" or "refused" was due: it '
                "speaks another dialect (docs/telephony.md has ours)"
            )
        self._reader = asyncio.create_task(self._read(), name="piopiy_lab.signalling.read")

    async def _send(self, event: str, data: object) -> None:
        if self._socket is not None:
            await self._socket.send(json.dumps({"event": event, "data": data}))

    async def _answer(self) -> tuple[str, object]:
        assert self._socket is not None
        return parse(await self._socket.recv()) or ("", None)

    async def _read(self) -> None:
        assert self._socket is not None
        try:
            async for message in self._socket:
                parsed = parse(message)
                if parsed is None:
                    self._on_message("", message)  # whoever listens says what it was
                else:
                    self._on_message(*parsed)
            self._why = told_by(self._socket.close_reason or "the server closed the connection")
        except ConnectionClosed as error:
            self._why = told_by(error)
        finally:
            self._closed.set()

    async def wait_closed(self) -> str:
        """Wait for the end of the connection and return why."""
        await self._closed.wait()
        return self._why

    async def close(self) -> None:
        """Close the connection."""
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)
        if self._socket is not None:
            await self._socket.close()
        self._closed.set()


def parse(message: str | bytes) -> tuple[str, object] | None:
    """Read one message: ``(event, data)``, or None if it is no object with an event's name."""
    try:
        record = json.loads(message)
    except (ValueError, RecursionError):
        return None
    if not isinstance(record, dict) or not isinstance(record.get("event"), str):
        return None
    return record["event"], record.get("data")
