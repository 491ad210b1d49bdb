"""Ringing: a call's room is offered to one agent after the other, until one has joined.

Runs on the platform's loop.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from piopiy_lab.errors import LoopbackError
from piopiy_lab.loopback.dispatch import AgentConnection, Dispatcher

#: Seconds that an agent has to join the room it was offered, before another one is asked.
OFFER_SECS = 8.0
#: Seconds until those are asked again who have all declined: whoever was late has left by then.
AGAIN_SECS = 1.0


class Offers:
    """The offers of one room."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        agent_id: str,
        room_name: str,
        invite: Callable[[int], dict[str, object]],
        offer_secs: float = OFFER_SECS,
    ) -> None:
        """Offer nothing yet.

        Args:
            dispatcher: Knows the connected agents.
            agent_id: Whom the call is for.
            room_name: The room.
            invite: Makes what ``join_room`` says, for the n-th offer.
            offer_secs: Seconds that an agent has to join, before another one is asked.
        """
        self._offer_secs = offer_secs
        self._dispatcher = dispatcher
        self._agent_id = agent_id
        self._room_name = room_name
        self._invite = invite
        self.count: int = 0  # how many were made
        self._asked: dict[int, AgentConnection] = {}  # by the offer's number

    def is_answer(self, number: int) -> bool:
        """Whether being in the room for the n-th offer is the answer to it."""
        agent = self._asked.get(number)
        return agent is None or not agent.answers or self._room_name in agent.accepted

    async def ring(self, secs: float, answered: asyncio.Event) -> float:
        """Offer the room until an agent is in it.

        Args:
            secs: For how long.
            answered: Set when an agent is in the room.

        Returns:
            The seconds that are left of ``secs``.

        Raises:
            LoopbackError: Nobody joined while the phone rang.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + secs
        asked: list[AgentConnection] = []
        while not answered.is_set():
            left = deadline - loop.time()
            if left <= 0:
                raise LoopbackError(self._unanswered(secs))
            agent = self._dispatcher.choose(self._agent_id, asked)
            if agent is None and asked:
                if any(c.answers for c in asked):  # who declines does so at once
                    await self._wait_answered(answered, min(left, AGAIN_SECS))
                asked.clear()  # everybody had their chance: begin again with the first
                continue
            if agent is None:
                await self._wait(answered, left)
                continue
            asked.append(agent)
            agent.rooms.add(self._room_name)
            self.count += 1
            self._asked[self.count] = agent
            await agent.send("join_room", self._invite(self.count))
            others = any(c not in asked for c in self._dispatcher.of(self._agent_id))
            its_secs = self._offer_secs if agent.offer_secs is None else agent.offer_secs
            await self._wait(answered, min(left, its_secs), agent)
            if not answered.is_set() and (others or agent.answers):
                await self.take_back()
        return deadline - loop.time()

    async def take_back(self) -> None:
        """Tell the agent that has the room that the call is gone."""
        holder = self._dispatcher.holder(self._room_name)
        if holder is not None:
            self.release()
            await holder.send("cancel_room", {"room_name": self._room_name})

    def release(self) -> None:
        """Forget who has the room."""
        self._dispatcher.release(self._room_name)

    async def _wait(
        self, answered: asyncio.Event, secs: float, agent: AgentConnection | None = None
    ) -> None:
        """Wait for an answer, or ``secs``, or until ``agent`` has gone or declined.

        None waits until one has come, or takes rooms again.
        """
        changed = asyncio.Event()

        def look() -> None:
            if (
                agent is None
                or agent not in self._dispatcher.connections
                or self._room_name not in agent.rooms
            ):
                changed.set()

        self._dispatcher.on_change.append(look)
        waits = [asyncio.create_task(changed.wait()), asyncio.create_task(answered.wait())]
        try:
            await asyncio.wait(waits, timeout=secs, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._dispatcher.on_change.remove(look)
            for wait in waits:
                wait.cancel()

    async def _wait_answered(self, answered: asyncio.Event, secs: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(secs):
                await answered.wait()

    def _unanswered(self, secs: float) -> str:
        agent_id = self._agent_id
        declined = [c.declined for c in self._dispatcher.of(agent_id) if c.declined]
        if declined:
            return (
                f"agent {agent_id!r} took no call within {secs:g} s; of {self.count} offer(s) it "
                f"declined the last one it answered: {declined[-1]}"
            )
        if self._dispatcher.of(agent_id) and not self.count:
            return (
                f"agent {agent_id!r} is registered and took no calls for {secs:g} s: its models "
                "are loading, or its sessions are all taken (max_sessions)"
            )
        if self._dispatcher.of(agent_id):
            return (
                f"agent {agent_id!r} is connected, and was offered room {self._room_name!r} "
                f"{self.count} time(s), but did not join it within {secs:g} s: look at its log, "
                "and at max_sessions"
            )
        known = sorted({c.agent_id for c in self._dispatcher.connections})
        others = f"connected are: {', '.join(map(repr, known))}" if known else "nobody is"
        return (
            f"no agent {agent_id!r} connected within {secs:g} s ({others}): "
            f"run Agent({agent_id!r}, platform.agent_token({agent_id!r}), create_session, "
            "signaling_url=platform.signaling_url).connect()"
        )
