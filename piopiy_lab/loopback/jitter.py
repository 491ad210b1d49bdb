"""What waits for packets that are late, and goes on without those that are lost.

aiortc's own buffer throws away up to four good packets for each one that is lost (it wants four in
a row before it gives the first), so that a tenth of loss took half of the sound. Runs on the
platform's loop.
"""

from __future__ import annotations

from aiortc import RTCRtpReceiver
from aiortc.jitterbuffer import JitterFrame
from aiortc.rtp import RtpPacket

from piopiy_lab.loopback import seams

#: Packets that are waited for before a missing one is given up: 20 ms each.
DEPTH = 4
#: A number that lies further back than this is a sender's new count, no late packet.
MOST_MISORDERED = 100


class AudioJitterBuffer:
    """Gives the packets of an audio stream in order; takes the place of aiortc's.

    A packet whose turn it is goes through at once, so a good link is not delayed. After a lost one
    the stream is late by :data:`DEPTH` packets, until the next that are lost make up for it.
    """

    def __init__(self) -> None:
        """Make an empty one; the first packet begins the count."""
        self._waiting: dict[int, JitterFrame | None] = {}  # None: a packet without sound
        self._next: int | None = None

    def add(self, packet: RtpPacket) -> tuple[bool, JitterFrame | None]:
        """Take a packet.

        Args:
            packet: The packet, as the receiver gives it to its buffer.

        Returns:
            False (a request for a new picture, which audio has no use for), and the frame whose
            turn it is, or None.
        """
        number: int = packet.sequence_number
        if self._next is None:
            self._next = number
        if (behind := _minus(self._next, number)) <= MOST_MISORDERED and behind:
            return False, None  # late, or there already: its turn is over
        if behind < 0x8000 and behind:
            self._waiting.clear()
            self._next = number
        data = seams.payload_of(packet)
        self._waiting[number] = JitterFrame(data, packet.timestamp) if data else None
        if self._next not in self._waiting:
            if len(self._waiting) < DEPTH:
                return False, None
            self._next = min(self._waiting, key=lambda n: _minus(n, self._next or 0))
        while self._next in self._waiting:
            frame = self._waiting.pop(self._next)
            self._next = (self._next + 1) & 0xFFFF
            if frame is not None:
                return False, frame
        return False, None


def attach(receiver: RTCRtpReceiver) -> None:
    """Let an ``RTCRtpReceiver`` of audio use our buffer instead of its own."""
    seams.replace_jitter_buffer(receiver, AudioJitterBuffer())


def _minus(a: int, b: int) -> int:
    return (a - b) & 0xFFFF
