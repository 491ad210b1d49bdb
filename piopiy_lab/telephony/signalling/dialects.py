"""The dialects of signalling, by the scheme of the address."""

from __future__ import annotations

from urllib.parse import urlsplit

from piopiy_lab.telephony.signalling.links import Credentials, Link, OnMessage


def open_link(url: str, credentials: Credentials, on_message: OnMessage) -> Link:
    """Return a fresh link in the dialect of the address's scheme; it isn't connected yet.

    Raises:
        MissingExtraError: The dialect's client library isn't installed.
    """
    if urlsplit(url).scheme in ("ws", "wss"):
        from piopiy_lab.telephony.signalling.websocket import WebSocketLink

        return WebSocketLink(url, credentials, on_message)
    from piopiy_lab.telephony.signalling.socket_io import SocketIOLink

    return SocketIOLink(url, credentials, on_message)
