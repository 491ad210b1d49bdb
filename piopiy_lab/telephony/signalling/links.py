"""What the dialects have in common: one connection to the signalling server."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import urlsplit

from piopiy_lab.errors import ArgumentError, ArgumentTypeError
from piopiy_lab.redaction import shown_url

#: Seconds that the server may take to accept the agent (python-socketio's own limit is 1 s, which
#: a server that asks a database for the token doesn't keep).
ACCEPT_SECS = 15

#: The schemes of Piopiy's gateway, over TLS and without.
GATEWAY_SCHEMES = ("grpcs", "grpc")

#: Told of each message: the event's name and what came with it, whatever that is. Called on the
#: link's loop, in the order of arrival; must not block.
OnMessage = Callable[[str, object], None]


@dataclass(frozen=True)
class Credentials:
    """What the agent says of itself on every connection. The token never shows."""

    agent_id: str
    agent_token: str = field(repr=False)

    def payload(self) -> dict[str, str]:
        """Return what is sent."""
        return {"agent_id": self.agent_id, "token": self.agent_token}


class Link(Protocol):
    """One connection to a signalling server; its methods run on one loop."""

    async def connect(self) -> None:
        """Connect and be accepted.

        Raises:
            SignalingError: No server there, or it refused; the message has its reason.
        """
        ...

    async def wait_closed(self) -> str:
        """Wait for the end of the connection, whoever ended it, and return why."""
        ...

    async def close(self) -> None:
        """End the connection; twice does no harm."""
        ...


def check_url(url: object) -> str:
    """Check a signalling address.

    Raises:
        ArgumentTypeError: It is no text.
        ArgumentError: Its scheme is none of http(s), ws(s) and grpc(s), or it has no host.
    """
    if not isinstance(url, str):
        raise ArgumentTypeError(f"signaling_url={url!r}: give an address as a text, or None")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise ArgumentError(f"signaling_url={url!r} is no address: {error}") from error
    if parts.scheme not in ("http", "https", "ws", "wss", *GATEWAY_SCHEMES) or not host:
        raise ArgumentError(
            f"signaling_url={shown_url(url)!r}: give http(s)://host for Socket.IO (Piopiy's own), "
            "grpcs://host for its gateway, or ws(s)://host/path for JSON over a WebSocket"
        )
    if is_gateway(url):
        target_of(url)
    return url


def is_gateway(url: str) -> bool:
    """Return whether an address is a gateway's."""
    return urlsplit(url).scheme in GATEWAY_SCHEMES


def target_of(url: str) -> tuple[str, bool]:
    """Return gRPC's name of a gateway, and whether it is reached over TLS.

    Raises:
        ArgumentError: It is no address of a gateway.
    """
    parts = urlsplit(url)
    if parts.path.strip("/") or parts.query or parts.fragment or "@" in parts.netloc:
        raise ArgumentError(
            f"signaling_url={shown_url(url)!r}: a gateway is a host and a port, and nothing more"
        )
    if parts.port is not None:
        return parts.netloc, parts.scheme == "grpcs"
    if parts.scheme == "grpcs":
        return f"{parts.netloc.rstrip(':')}:443", True
    raise ArgumentError(f"signaling_url={shown_url(url)!r}: give the port, grpc://host:port")
