"""Piopiy's own dialect: Socket.IO v5, namespace ``/``, the default path.

python-socketio's client, with three of its defaults undone: it takes no signal (its SIGINT handler
kills a notebook's kernel when an unrelated cell is interrupted), it waits longer than a second to
be accepted, and it does not reconnect by itself (then a refusal would lose its reason, and a
server's own disconnect would end it silently).
"""

from __future__ import annotations

import asyncio

from piopiy_lab.errors import MissingExtraError, SignalingError
from piopiy_lab.redaction import shown_url
from piopiy_lab.redaction import told as told_by
from piopiy_lab.telephony.log_lines import log
from piopiy_lab.telephony.signalling.links import ACCEPT_SECS, Credentials, OnMessage

try:
    import socketio
    from socketio.exceptions import ConnectionError as SocketIOError

    from piopiy_lab.telephony import seams
except ImportError as error:
    raise MissingExtraError("Agent", "telephony", detail=str(error)) from error

#: Seconds that a polite goodbye may take; after that the connection is dropped.
GOODBYE_SECS = 2.0


class SocketIOLink:
    """One Socket.IO connection. Everything runs on the loop that connects."""

    def __init__(self, url: str, credentials: Credentials, on_message: OnMessage) -> None:
        """Make the client; nothing is sent yet."""
        self._url = url
        self._credentials = credentials
        self._on_message = on_message
        self._refusal: object = None  # what came with the server's refusal; written by its event
        self._closed = asyncio.Event()
        self._why = "closed"  # written by the disconnect event
        self._client = socketio.AsyncClient(
            reconnection=False, handle_sigint=False, logger=False, engineio_logger=False
        )
        seams.drop_broken_messages(self._client, self._broken)
        self._client.on("connect_error", self._refused)
        self._client.on("disconnect", self._disconnected)
        self._client.on("*", self._message)

    async def connect(self) -> None:
        """Connect, send who we are, and wait until the server has accepted it."""
        where = shown_url(self._url)
        try:
            await self._client.connect(
                self._url, auth=self._credentials.payload(), wait_timeout=ACCEPT_SECS
            )
        except SocketIOError as error:
            await self.close()
            raise self._explain(error, where) from None
        except ValueError as error:  # python-socketio's own words for an answer of another protocol
            await self.close()
            raise SignalingError(f"{where} is no signalling server: {told_by(error)}") from None

    def _explain(self, error: SocketIOError, where: str) -> SignalingError:
        """Tell a refusal from a dead line: only the latter has an Engine.IO error beneath it."""
        agent, line = self._credentials.agent_id, error.__cause__
        if line is None and self._refusal is None:
            return SignalingError(
                f"the signalling server {where} did not accept agent {agent!r} within "
                f"{ACCEPT_SECS:g} s; is it a Socket.IO server?"
            )
        told = str(error) if line is None else str(line.args[0] if line.args else line)
        if line is None or seams.is_refusal(told):
            reason = reason_of(told if self._refusal is None else self._refusal)
            return SignalingError(
                f"the signalling server {where} refused agent {agent!r}: {reason}; check the "
                "agent's id and token in the dashboard",
                refused=True,
            )
        why = f"{told} ({reason_of(self._refusal)})" if self._refusal not in (None, told) else told
        return SignalingError(
            f"no signalling server at {where}: {told_by(why)}; check signaling_url and the network"
        )

    def _refused(self, data: object = None, *_: object) -> None:
        self._refusal = "no reason was given" if data is None else data

    def _disconnected(self, reason: object = None, *_: object) -> None:
        self._why = told_by(reason) if reason else "the server closed the connection"
        self._closed.set()

    def _message(self, event: str, *data: object) -> None:
        self._on_message(event, data[0] if data else None)

    def _broken(self, why: str) -> None:
        log.warning("ignored: signalling sent what is no message (%s)", told_by(why, 200))

    async def wait_closed(self) -> str:
        """Wait for the end of the connection and return why."""
        await self._closed.wait()
        return self._why

    async def close(self) -> None:
        """Say goodbye, or drop the line when that takes too long."""
        self._closed.set()
        try:
            async with asyncio.timeout(GOODBYE_SECS):
                await self._client.shutdown()
        except (TimeoutError, OSError, SocketIOError):
            pass  # it was on its way out; what is left of it goes with the next lines
        http = self._client.eio.http
        if http is not None and not http.closed:
            await http.close()


def reason_of(refusal: object) -> str:
    """Return a refusal's text: Socket.IO servers send a text or ``{"message": ..., ...}``."""
    if isinstance(refusal, dict):
        for name in ("message", "reason", "error"):
            if refusal.get(name):
                return told_by(refusal[name])
    return told_by(refusal)
