"""A WebRTC peer that talks to 127.0.0.1 only, over a :class:`~piopiy_lab.loopback.link.Link`.

aiortc asks public STUN servers by default, and aioice leaves the loopback interface out: both are
undone here, so that no packet leaves the machine.
"""

from __future__ import annotations

from aioice.ice import Connection
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from piopiy_lab.loopback import seams
from piopiy_lab.loopback.link import Link

HOST = "127.0.0.1"


class Peer(RTCPeerConnection):
    """An aiortc peer connection on the loopback interface, over a link."""

    def __init__(self, link: Link) -> None:
        """Make a peer whose packets go over ``link``."""
        super().__init__(RTCConfiguration(iceServers=[]))
        self._link = link
        self._linked: set[int] = set()  # the UDP sockets that are on the link already

    async def setLocalDescription(  # noqa: N802 - aiortc's name
        self,
        sessionDescription: RTCSessionDescription | None = None,  # noqa: N803
    ) -> None:
        """Apply our side of an offer or answer; its sockets are bound and linked here."""
        for connection in self._ice_connections():
            seams.bind_to(connection, HOST)
        await super().setLocalDescription(sessionDescription)
        for connection in self._ice_connections():
            for protocol in seams.sockets_of(connection):
                if protocol.id not in self._linked:
                    self._linked.add(protocol.id)
                    self._link.attach(protocol)

    async def setRemoteDescription(  # noqa: N802 - aiortc's name
        self,
        sessionDescription: RTCSessionDescription,  # noqa: N803
    ) -> None:
        """Apply the other side's offer or answer."""
        await super().setRemoteDescription(sessionDescription)
        for connection in self._ice_connections():
            seams.bind_to(connection, HOST)

    def hosts(self) -> list[str]:
        """Return the addresses that its UDP sockets are bound to."""
        return [
            protocol.transport.get_extra_info("sockname")[0]
            for connection in self._ice_connections()
            for protocol in seams.sockets_of(connection)
        ]

    def _ice_connections(self) -> list[Connection]:
        dtls = [transceiver.sender.transport for transceiver in self.getTransceivers()]
        if self.sctp is not None:
            dtls.append(self.sctp.transport)
        return [
            seams.connection_of(transport.transport) for transport in dtls if transport is not None
        ]
