"""The link between the platform and the agent: what becomes of each UDP packet.

Loss, delay and jitter act on whole datagrams, in both directions, below ICE, DTLS and RTP: what
is dropped was never sent, and the real protocols above have to cope. Runs on the platform's loop.
"""

from __future__ import annotations

import asyncio
import functools
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from piopiy_lab.checks.arguments import check_number
from piopiy_lab.loopback.seams import take_datagrams


@dataclass(frozen=True)
class LinkSettings:
    """How good a link is, in each direction.

    Attributes:
        loss: Probability that a packet is dropped, 0.0 to 1.0.
        delay_secs: Seconds by which every packet is late.
        jitter_secs: Seconds by which a packet may be later still, uniformly distributed. Packets
            keep their order: one that is late holds up those behind it.
        seed: Of the random numbers, so that a run can be repeated.
    """

    loss: float = 0.0
    delay_secs: float = 0.0
    jitter_secs: float = 0.0
    seed: int = 1

    def __post_init__(self) -> None:
        check_number("loss", self.loss, 0, 1)
        for name in ("delay_secs", "jitter_secs"):
            check_number(name, getattr(self, name), 0, 10)


@dataclass
class Traffic:
    """What went one way.

    Attributes:
        passed: Packets that were handed on, late ones included.
        dropped: Packets that were lost, by chance or because the link was cut.
        late_secs: Seconds by which the packets that passed were held up, summed.
    """

    passed: int = 0
    dropped: int = 0
    late_secs: float = 0.0


@dataclass
class _Way:
    """One direction."""

    random: random.Random
    traffic: Traffic = field(default_factory=Traffic)
    free_at: float = 0.0  # loop seconds at which the packet before is handed on


class Link:
    """A link of one room: every datagram of its participants goes through here."""

    def __init__(self, settings: LinkSettings | None = None) -> None:
        """Make a link that works.

        Args:
            settings: How well; None for perfectly.
        """
        self.settings: LinkSettings = settings or LinkSettings()
        seed = self.settings.seed
        self._out = _Way(random.Random(2 * seed))  # to the agent
        self._in = _Way(random.Random(2 * seed + 1))  # from the agent
        self.is_cut: bool = False
        self._restore: asyncio.TimerHandle | None = None
        self._restored = asyncio.Event()
        self._restored.set()
        self._held: set[asyncio.TimerHandle] = set()  # packets under way

    @property
    def to_agent(self) -> Traffic:
        """What went to the agent."""
        return self._out.traffic

    @property
    def from_agent(self) -> Traffic:
        """What came from the agent."""
        return self._in.traffic

    def set(self, settings: LinkSettings) -> None:
        """Change how good the link is, from the next packet on."""
        self.settings = settings

    def cut(self, secs: float | None = None) -> None:
        """Let no packet through.

        Args:
            secs: For how long; None for good.
        """
        self.is_cut = True
        self._restored.clear()
        if self._restore is not None:
            self._restore.cancel()
            self._restore = None
        if secs is not None:
            self._restore = asyncio.get_running_loop().call_later(secs, self.restore)

    def restore(self) -> None:
        """Let packets through again."""
        self.is_cut = False
        self._restored.set()
        if self._restore is not None:
            self._restore.cancel()
            self._restore = None

    async def wait_restored(self) -> None:
        """Wait while the link is cut; at once when it isn't."""
        await self._restored.wait()

    def close(self) -> None:
        """Forget what is under way; end the timers."""
        if self._restore is not None:
            self._restore.cancel()
            self._restore = None
        for handle in self._held:
            handle.cancel()
        self._held.clear()

    # --- the datagrams ------------------------------------------------------------------------

    def attach(self, protocol: Any) -> None:
        """Put the link under a UDP socket of aioice's.

        Args:
            protocol: An ``aioice.ice.StunProtocol`` with its transport.
        """
        transport = _LinkedTransport(protocol.transport, self)
        take_datagrams(protocol, transport, functools.partial(self._pass, self._in))

    def send(self, hand_on: Callable[[], None]) -> None:
        """Take a packet to the agent."""
        self._pass(self._out, hand_on)

    def _pass(self, way: _Way, hand_on: Callable[[], None]) -> None:
        settings = self.settings
        if self.is_cut or (settings.loss and way.random.random() < settings.loss):
            way.traffic.dropped += 1
            return
        way.traffic.passed += 1
        loop = asyncio.get_running_loop()
        now = loop.time()
        due = now + settings.delay_secs
        if settings.jitter_secs:
            due += way.random.random() * settings.jitter_secs
        due = max(due, way.free_at)
        way.free_at = due
        if due <= now:
            hand_on()
            return
        way.traffic.late_secs += due - now

        def arrive() -> None:
            self._held.discard(handle)
            if not self.is_cut:
                hand_on()

        handle = loop.call_at(due, arrive)
        self._held.add(handle)


class _LinkedTransport:
    """A datagram transport whose packets go over a link."""

    def __init__(self, transport: asyncio.DatagramTransport, link: Link) -> None:
        self._transport = transport
        self._link = link

    def sendto(self, data: bytes, addr: Any = None) -> None:
        transport = self._transport
        self._link.send(lambda: None if transport.is_closing() else transport.sendto(data, addr))

    def __getattr__(self, name: str) -> object:
        return getattr(self._transport, name)
