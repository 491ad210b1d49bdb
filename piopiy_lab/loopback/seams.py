"""What the loopback's rooms need of the insides of aiortc and aioice.

Checked here, when this is imported: another version is refused, and rooms are never quietly worse
(with aiortc's own jitter buffer a tenth of loss takes half of the sound).

Missing: a way to give a receiver its jitter buffer, a sender the names in its offer, and a peer
connection the sockets and addresses that it uses. Everything runs on the platform's loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

from aioice.ice import Connection, StunProtocol
from aiortc import RTCIceTransport, RTCRtpReceiver, RTCRtpSender
from aiortc.jitterbuffer import JitterBuffer, JitterFrame
from aiortc.rtp import RtpPacket
from engineio import AsyncServer as EngineServer
from socketio import AsyncServer

from piopiy_lab.services.fitting import attributes, expect, method

_SOUND = "the sound of a loopback's room"
_NAMES = "telling who speaks in a loopback's room"
_LINK = "the link of a loopback's room"
_END = "the end of a loopback's signalling"

RELIED_ON = (
    # what is heard of a link that loses packets
    *attributes(RTCRtpReceiver, "_RTCRtpReceiver__jitter_buffer", needed_by=_SOUND),
    method(JitterBuffer, "add", "packet", needed_by=_SOUND),
    *attributes(JitterFrame, "data", "timestamp", needed_by=_SOUND),
    *attributes(RTCRtpReceiver, "_data", needed_by=_SOUND),  # that it sets on each packet
    *attributes(RtpPacket, "sequence_number", "timestamp", needed_by=_SOUND),
    # whose sound it is
    *attributes(RTCRtpSender, "_stream_id", "_track_id", needed_by=_NAMES),
    # where the packets go
    *attributes(RTCIceTransport, "_connection", needed_by=_LINK),
    *attributes(Connection, "_protocols", needed_by=_LINK),
    method(Connection, "get_component_candidates", "component", "addresses", needed_by=_LINK),
    *attributes(StunProtocol, "id", "transport", needed_by=_LINK),
    method(StunProtocol, "datagram_received", "data", "addr", needed_by=_LINK),
    # what python-engineio runs beside its connections
    *attributes(AsyncServer, "eio", needed_by=_END),
    *attributes(EngineServer, "start_background_task", needed_by=_END),
)
expect(RELIED_ON)


def replace_jitter_buffer(receiver: RTCRtpReceiver, buffer: object) -> None:
    """Let a receiver of audio put its packets in order with another buffer.

    Args:
        receiver: The receiver.
        buffer: Has aiortc's ``JitterBuffer.add(packet)``.
    """
    receiver._RTCRtpReceiver__jitter_buffer = buffer  # type: ignore[attr-defined] - its mangled name


def payload_of(packet: RtpPacket) -> bytes:
    """Return a packet's sound, as the receiver has put it together for its buffer."""
    return packet._data  # type: ignore[attr-defined] - set by the receiver's depayload alone


def name_sender(sender: RTCRtpSender, stream_id: str, track_id: str) -> None:
    """Set the names in the next offer, of which LiveKit clients read whose audio it is."""
    sender._stream_id = stream_id
    sender._track_id = track_id


def connection_of(transport: RTCIceTransport) -> Connection:
    """Return the aioice connection of a transport."""
    return transport._connection


def sockets_of(connection: Connection) -> Iterator[StunProtocol]:
    """Yield the UDP sockets that a connection has gathered."""
    yield from connection._protocols


def bind_to(connection: Connection, host: str) -> None:
    """Let a connection gather one address, which it might leave out, and nothing else."""
    if "get_component_candidates" in vars(connection):
        return
    gather = connection.get_component_candidates

    async def get_component_candidates(
        component: int, addresses: list[str], *rest: Any, **options: Any
    ) -> Any:
        return await gather(component, [host], *rest, **options)

    connection.get_component_candidates = get_component_candidates


def take_datagrams(
    protocol: StunProtocol, transport: Any, arriving: Callable[[Callable[[], None]], None]
) -> None:
    """Put something under a UDP socket, in both directions.

    Args:
        protocol: The socket, with its transport.
        transport: What it sends with from now on.
        arriving: Called with each datagram that comes, as a function that hands it on.
    """
    protocol.transport = transport
    receive = protocol.datagram_received

    def datagram_received(data: bytes | str, addr: Any) -> None:
        arriving(lambda: receive(data, addr))

    protocol.datagram_received = datagram_received


def background_tasks_of(server: AsyncServer) -> set[asyncio.Task[object]]:
    """Return a set that holds the tasks which python-engineio starts from now on, while they run.

    It keeps no hold of them itself: each connection's ping would sleep on after the server's end.
    """
    tasks: set[asyncio.Task[object]] = set()
    start = server.eio.start_background_task

    def start_background_task(*args: object, **options: object) -> asyncio.Task[object]:
        task = start(*args, **options)
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        return task

    server.eio.start_background_task = start_background_task
    return tasks


def tells_of_older_path(message: str) -> bool:
    """Whether LiveKit's client says that a server has only the older path of its signalling.

    Its library is compiled: the words can't be looked for in it, and with others a warning shows.
    Missing: a setting for the path.
    """
    return "v1 path" in message and "404" in message


def tells_of_a_handle_let_go_twice(message: str) -> bool:
    """Whether LiveKit's library says that Python lets go of what went with its room already.

    Nothing is wrong then, and its Python side can't know. Missing: a level for it below a warning.
    """
    return "drop unknown FFI handle" in message
