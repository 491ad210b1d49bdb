"""Addresses: how one is shown, and whether what is sent there can be read on the way."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit, urlunsplit

#: Schemes whose bytes anybody on the way can read.
_CLEAR = ("http", "ws", "grpc")


def shown_url(url: str) -> str:
    """Return an address as it may be shown: without user, password, query and fragment."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "(unreadable)"
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))


def goes_in_the_clear(url: str) -> bool:
    """Return whether a token that is sent to this address leaves this machine unencrypted."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    return parts.scheme.lower() in _CLEAR and not _is_this_machine(host)


def _is_this_machine(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False
