"""What a call in a room needs of the insides of pipecat's LiveKit transport, and of LiveKit's room.

Checked here, when this is imported; :class:`~piopiy_lab.transports.room_client.RoomClient` and the
two transports that derive from pipecat's use what ``RELIED_ON`` names.

Missing in pipecat's client: a join without retries, its own rate and frame length for what is
heard, a choice of who is heard, the kind of who left, a word when the link is lost.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable
from typing import Any

from piopiy_lab.errors import MissingExtraError
from piopiy_lab.services.fitting import attributes, expect, method
from piopiy_lab.transports.room_joining import connect_whole

try:
    from livekit import rtc
    from pipecat.transports.livekit.transport import (
        LiveKitCallbacks,
        LiveKitTransport,
        LiveKitTransportClient,
    )
except ImportError as error:
    raise MissingExtraError("a call in a room", "telephony", detail=str(error)) from error

_WHAT = "a call in a room"
_TRACK = ("track", "publication", "participant")

RELIED_ON = (
    # joining and leaving
    *attributes(LiveKitTransportClient.connect, "__wrapped__", needed_by=_WHAT),
    *attributes(LiveKitTransportClient, "_connected", "_disconnect_counter", needed_by=_WHAT),
    *attributes(LiveKitTransportClient, "_callbacks", needed_by=_WHAT),
    method(LiveKitTransportClient, "_close_output_sources", needed_by=_WHAT),
    method(LiveKitTransportClient, "_close_all_streams", needed_by=_WHAT),
    method(rtc.Room, "connect", "url", "token", "options", needed_by=_WHAT),
    *attributes(rtc.Room, "_task", needed_by="leaving a room whose link is dead"),
    # who is heard
    *attributes(LiveKitTransportClient, "_audio_streams", needed_by=_WHAT),
    method(LiveKitTransportClient, "_close_audio_stream", "participant_id", needed_by=_WHAT),
    method(LiveKitTransportClient, "_async_on_track_subscribed", *_TRACK, needed_by=_WHAT),
    method(LiveKitTransportClient, "_async_on_track_unsubscribed", *_TRACK, needed_by=_WHAT),
    method(LiveKitTransportClient, "get_next_audio_frame", needed_by=_WHAT),
    # who came and went
    method(
        LiveKitTransportClient,
        "_async_on_participant_disconnected",
        "participant",
        needed_by=_WHAT,
    ),
    method(LiveKitTransport, "_on_connected", needed_by=_WHAT),
    method(LiveKitTransport, "_on_participant_connected", "participant_id", needed_by=_WHAT),
    # what is said
    *attributes(LiveKitTransport, "_client", "_input", "_output", needed_by=_WHAT),
    *attributes(LiveKitTransportClient, "_audio_source", needed_by="an interruption"),
)
expect(RELIED_ON)


async def join_once(client: LiveKitTransportClient) -> None:
    """Join a room as pipecat does, without its three tries and their pauses.

    Missing: how often ``connect()`` tries. ``tenacity`` keeps the undecorated method.
    """
    await LiveKitTransportClient.connect.__wrapped__(client)  # type: ignore[attr-defined]


def never_half_joined(room: rtc.Room) -> None:
    """Let a room be joined to the end whoever is cancelled meanwhile.

    Missing: a way to give pipecat's client its room; it makes it, and calls its ``connect()``.
    """
    connect: Callable[..., Awaitable[None]] = room.connect
    joined: Any = functools.partial(
        connect_whole, room, connect, give_up=functools.partial(stop_listening, room)
    )
    room.connect = joined


def stop_listening(room: rtc.Room) -> None:
    """Let nothing of a room wait for the library, when leaving it took too long.

    Usually the library says soon afterwards that the room is gone, and the room's own task ends by
    itself; this is for the time when it doesn't. Missing: a ``disconnect()`` that gives up.
    """
    listening: asyncio.Task[None] | None = getattr(room, "_task", None)  # there once it was joined
    if listening is not None:
        listening.cancel()


def callbacks_of(client: LiveKitTransportClient) -> LiveKitCallbacks:
    """Return whom a transport's client tells. Missing: a way to give a transport its client."""
    return client._callbacks
