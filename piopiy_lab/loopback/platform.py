"""The platform: signalling, rooms, REST and the phone that dials in, as one context manager.

Everything runs on the loop that enters it and listens on 127.0.0.1 only; when the context ends,
nothing is left.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from piopiy_lab.call.call import Call
from piopiy_lab.checks.arguments import check_secs
from piopiy_lab.errors import ArgumentError, ArgumentTypeError, LoopbackError
from piopiy_lab.events.values import Direction
from piopiy_lab.gateway.messages import ACCEPT_DEADLINE_MS, HEARTBEAT_SECS
from piopiy_lab.loopback.dispatch import AgentConnection, Dispatcher
from piopiy_lab.loopback.hand_over import ANSWERED, HandOver
from piopiy_lab.loopback.link import LinkSettings
from piopiy_lab.loopback.offers import OFFER_SECS
from piopiy_lab.loopback.peer import HOST
from piopiy_lab.loopback.phone_call import GONE_SECS, PhoneCall
from piopiy_lab.loopback.rest import RestServer
from piopiy_lab.loopback.rooms import RoomServer
from piopiy_lab.loopback.serving import WebServer
from piopiy_lab.loopback.signals import Signals
from piopiy_lab.loopback.tokens import AgentTokens, RoomTicket, TokenMint
from piopiy_lab.loopback.transfer_request import TransferRequest
from piopiy_lab.screenplay.caller import Caller
from piopiy_lab.screenplay.sounds import check_screenplay
from piopiy_lab.voicing.preparing import prepared_aside

#: Seconds for which a phone rings unless told otherwise.
RING_SECS = 20.0


class LoopbackPlatform:
    """Piopiy's telephony on this machine: ``async with LoopbackPlatform() as platform: ...``.

    Attributes:
        link: How good new calls' links are.
        transfer_outcomes: What becomes of a transfer to a number or SIP address: "answered" (also
            of every one that isn't there), or why it fails: "busy", "no_answer", "rejected",
            "invalid_number", "unreachable", "call_barred" or "network_error".
    """

    def __init__(
        self,
        agents: Mapping[str, str] | None = None,
        *,
        link: LinkSettings | None = None,
        offer_secs: float = OFFER_SECS,
        gone_secs: float = GONE_SECS,
        accept_ms: int = ACCEPT_DEADLINE_MS,
        heartbeat_secs: int = HEARTBEAT_SECS,
    ) -> None:
        """Make a platform; nothing listens before it is entered.

        Args:
            agents: Agent ids and their tokens; :meth:`agent_token` adds more.
            link: How good the link between a room and its clients is; perfect if None.
            offer_secs: Seconds that an agent has to join the room it was offered, before another
                one of its id is asked.
            gone_secs: Seconds after which a call is lost whose link is cut, or whose agent's
                connection broke.
            accept_ms: Milliseconds that a worker of the gateway has to accept a call.
            heartbeat_secs: Seconds between such a worker's heartbeats.
        """
        self._offer_secs = check_secs("offer_secs", offer_secs, zero=False)
        self._gone_secs = check_secs("gone_secs", gone_secs, zero=False)
        self.link: LinkSettings = link or LinkSettings()
        self.transfer_outcomes: dict[str, str] = {}
        self._tokens = AgentTokens(agents)
        self._mint = TokenMint()
        self._dispatcher = Dispatcher()
        self._rooms = RoomServer(self._mint)
        self._signals = Signals(
            self._dispatcher,
            self._tokens.get,
            accept_ms=accept_ms,
            heartbeat_secs=heartbeat_secs,
        )
        self._web: WebServer | None = None
        self._calls: dict[str, PhoneCall] = {}  # ended ones too
        self._rest = RestServer(self._calls, self._tokens.get, self._start_transfer)
        self._answered = asyncio.Event()  # a call was answered since somebody looked
        self._running: set[asyncio.Task[object]] = set()

    # --- its life -----------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.stop()

    async def start(self) -> Self:
        """Listen, and return this platform; for notebooks, where ``async with`` would span cells.

        Raises:
            LoopbackError: It runs already.
        """
        if self._web is not None:
            raise LoopbackError("this platform runs already")
        app = web.Application()
        app.add_routes(self._rooms.routes())
        app.add_routes(self._rest.routes())
        self._web = WebServer(app)
        await self._web.start()
        await self._signals.start()
        return self

    async def stop(self) -> None:
        """End every call and room and stop listening; again does nothing."""
        if self._web is None:
            return
        for task in list(self._running):
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        await self._rooms.stop()
        await self._signals.stop()
        await self._web.stop()
        self._web = None

    # --- where it is --------------------------------------------------------------------------

    @property
    def signaling_url(self) -> str:
        """What ``Agent(..., signaling_url=)`` takes: the Socket.IO server."""
        self._check_running()
        return self._signals.url

    @property
    def signaling_ws_url(self) -> str:
        """The same in the JSON-over-WebSocket dialect."""
        self._check_running()
        return self._signals.ws_url

    @property
    def gateway_url(self) -> str:
        """The same of the gateway, which listens from when this is first asked."""
        self._check_running()
        return self._signals.open_gateway()

    @property
    def room_url(self) -> str:
        """What a LiveKit client connects to."""
        return f"ws://{HOST}:{self._check_running().port}"

    @property
    def rest_url(self) -> str:
        """The base of the REST v3 endpoints."""
        return f"http://{HOST}:{self._check_running().port}/v3"

    def agent_token(self, agent_id: str) -> str:
        """Return an agent's token; an id that is new gets a random one and may connect."""
        return self._tokens.get_or_make(agent_id)

    # --- what is there ------------------------------------------------------------------------

    @property
    def agents(self) -> list[AgentConnection]:
        """The connected agents, in the order in which they connected."""
        return self._dispatcher.connections

    @property
    def rooms(self) -> list[str]:
        """Names of the rooms that are open."""
        return list(self._rooms.rooms)

    @property
    def calls(self) -> dict[str, PhoneCall]:
        """The calls by id, ended ones too."""
        return dict(self._calls)

    # --- what it does -------------------------------------------------------------------------

    async def place_call(
        self,
        agent_id: str,
        caller: Caller | None = None,
        *,
        from_number: str | None = "+15550100",
        to_number: str | None = "+15550199",
        metadata: object = None,
        direction: Direction | None = None,
        variables: Mapping[str, str] | None = None,
        sip_headers: Mapping[str, str] | None = None,
        call_id: str | None = None,
        link: LinkSettings | None = None,
        ring_secs: float = RING_SECS,
        record: bool = True,
    ) -> Call:
        """Call an agent and return the ended call, as the caller heard it.

        Args:
            agent_id: Whom to call. The phone rings until one of its agents joins.
            caller: The screenplay; None listens to the greeting and hangs up.
            from_number: The caller's number.
            to_number: The number that is dialled.
            metadata: What the agent is told: a text, or what JSON can hold.
            direction: Who called, as a worker of the gateway is told; "inbound" if None.
            variables: What came with the call, as such a worker is told, ``metadata`` added.
            sip_headers: Those of the call, as such a worker is told.
            call_id: The call's id; a random one if None.
            link: How good this call's link is; the platform's if None.
            ring_secs: Seconds until the caller gives up.
            record: Whether the audio is kept.

        Returns:
            The call, ended. What went wrong is in ``.error``: a ``ScreenplayError`` for a step
            that waited in vain, a ``LoopbackError`` when nobody answered or the link was lost.

        Raises:
            LoopbackError: The platform doesn't run, or the call's id was used before.
            ArgumentTypeError: ``caller`` is no Caller.
        """
        self._check_running()
        if caller is None:
            caller = Caller().hears_greeting().hangs_up()
        if not isinstance(caller, Caller):
            raise ArgumentTypeError(f"caller={caller!r}: give a Caller()")
        caller = await prepared_aside(caller)
        check_screenplay(caller)
        if ring_secs <= 0:
            raise ArgumentError(f"ring_secs={ring_secs!r}: give more than 0 seconds")
        call_id = call_id or f"phone-{uuid.uuid4().hex[:12]}"
        if call_id in self._calls:
            raise LoopbackError(f"there was a call {call_id!r} already: give another call_id")
        room_name = f"room-{uuid.uuid4().hex[:12]}"
        room = self._rooms.open(room_name, link or self.link)
        phone = self._calls[call_id] = PhoneCall(
            call_id=call_id,
            agent_id=agent_id,
            from_number=from_number,
            to_number=to_number,
            metadata=metadata,
            details={"direction": direction, "variables": variables, "sip_headers": sip_headers},
            caller=caller,
            room=room,
            dispatcher=self._dispatcher,
            invitation=lambda identity: self._invitation(room_name, identity),
            on_answered=self._answered.set,
            ring_secs=ring_secs,
            offer_secs=self._offer_secs,
            gone_secs=self._gone_secs,
            record=record,
        )
        task = asyncio.create_task(phone.run(), name=f"piopiy_lab.loopback.call.{call_id}")
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        try:
            return await task
        finally:
            if not task.done():
                task.cancel()
            await self._rooms.close(room_name)

    async def wait_answered(self, call_id: str | None = None, secs: float = RING_SECS) -> PhoneCall:
        """Wait until a call is answered, to do something to it while it runs.

        Args:
            call_id: Which; None for any.
            secs: For how long.

        Returns:
            The call: it has ``room.name``, ``room.link``, ``status``, ``call``.

        Raises:
            TimeoutError: None was.
        """
        async with asyncio.timeout(secs):
            while True:
                for phone in self._calls.values():
                    if phone.status == "answered" and call_id in (None, phone.call_id):
                        return phone
                self._answered.clear()
                await self._answered.wait()

    def open_room(
        self, room_name: str | None = None, identity: str = "guest", **token: Any
    ) -> RoomTicket:
        """Open a room without a caller, or let somebody else into one that is open.

        Args:
            room_name: Its name; a random one if None.
            identity: Who may join with the ticket's token.
            **token: More for the token: ``secs=-60`` for one that has expired,
                ``canPublish=False``.
        """
        self._check_running()
        name = room_name or f"room-{uuid.uuid4().hex[:12]}"
        self._rooms.open(name, self.link)
        return RoomTicket(self.room_url, name, self._mint.room_token(name, identity, **token))

    async def close_room(self, room_name: str) -> None:
        """Close a room; whoever is in it is told to go."""
        await self._rooms.close(room_name)

    async def invite(self, payload: object, agent_id: str | None = None) -> int:
        """Send ``join_room`` with any payload, a hostile one too.

        Args:
            payload: Sent as it is; anything that JSON can hold.
            agent_id: To the agents of this id; None for all.

        Returns:
            How many agents it went to.
        """
        self._check_running()
        return await self._signals.send("join_room", payload, agent_id)

    async def cancel(self, room_name: object, agent_id: str | None = None) -> int:
        """Send ``cancel_room`` for a room; returns how many agents it went to."""
        self._check_running()
        return await self._signals.send("cancel_room", {"room_name": room_name}, agent_id)

    async def drain(self, agent_id: str | None = None, grace_secs: int = 30) -> int:
        """Tell workers of the gateway to take no more calls; returns how many were told.

        Args:
            agent_id: Those of this id; None for all.
            grace_secs: What they are told that they have.
        """
        self._check_running()
        return await self._signals.send("drain", {"grace_secs": grace_secs}, agent_id, "gateway")

    def cut_link(self, room_name: str, secs: float | None = None) -> None:
        """Let no packet of a room through, media and signalling alike.

        Args:
            room_name: Which room.
            secs: For how long; None for good.

        Raises:
            LoopbackError: There is no such room.
        """
        room = self._rooms.rooms.get(room_name)
        if room is None:
            raise LoopbackError(
                f"there is no room {room_name!r}; open are: {', '.join(self.rooms) or 'none'}"
            )
        room.link.cut(secs)

    async def restart_signaling(self, down_secs: float = 0.0) -> None:
        """Kill the signalling servers, every connection cut, and start them again on their ports.

        Args:
            down_secs: Seconds in between.
        """
        self._check_running()
        await self._signals.restart(down_secs)

    # --- inside -------------------------------------------------------------------------------

    def _start_transfer(self, call: PhoneCall, request: TransferRequest) -> HandOver:
        outcomes = self.transfer_outcomes
        outcome = outcomes.get(request.to) or outcomes.get(f"+{request.to}") or ANSWERED
        transfer = HandOver(call, request, outcome)
        call.transfers.append(transfer)
        return transfer

    def _invitation(self, room_name: str, identity: str) -> dict[str, object]:
        return {
            "room_name": room_name,
            "token": self._mint.room_token(room_name, identity),
            "url": self.room_url,
        }

    def _check_running(self) -> WebServer:
        if self._web is None:
            raise LoopbackError(
                "this platform doesn't run: use it as 'async with LoopbackPlatform() as platform'"
            )
        return self._web

    def __repr__(self) -> str:
        if self._web is None:
            return "<LoopbackPlatform: not running>"
        return (
            f"<LoopbackPlatform: {self.signaling_url}, {len(self.agents)} agent(s), "
            f"{len(self.rooms)} room(s)>"
        )
