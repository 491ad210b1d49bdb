"""What a loopback's platform keeps to itself, and its tests want to see."""

from __future__ import annotations

import threading

from piopiy_lab.loopback import LoopbackPlatform
from piopiy_lab.loopback.client import RoomClient


def clients_of(platform: LoopbackPlatform) -> set[RoomClient]:
    """Return the clients in its rooms."""
    return platform._rooms.clients


def hosts_of(platform: LoopbackPlatform) -> set[str]:
    """Return every address that a socket of its is bound to: TCP servers and media."""
    hosts = set(platform._web.hosts) | set(platform._signals.hosts)
    for client in clients_of(platform):
        hosts |= set(client.hosts)
    return hosts


def own_threads():
    """Python's threads; those of LiveKit's library that have called into Python are dummies."""
    return {t for t in threading.enumerate() if not isinstance(t, threading._DummyThread)}
