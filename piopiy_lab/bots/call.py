"""The call as a bot of the vendor's kind is told of it: ``async def bot(transport, call)``."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from piopiy_lab.events.values import Direction
from piopiy_lab.session.call_control import TransferNews
from piopiy_lab.tools.calling import is_being_cancelled

#: Where the platform writes which of the customer's telephone systems a call came from.
_SIP_ACCOUNT = "sip_account_id"


@dataclass
class BotCall:
    """Who calls whom, and what came with the call. The names are those of ``pipecat-piopiy``.

    Attributes:
        call_id: The call's name.
        room_name: The room of a call on the phone; the call's name elsewhere.
        direction: "inbound" when somebody called the agent, "outbound" when the agent called.
        from_number: The caller's number; "" where there is none.
        to_number: The number that was called; "" where there is none.
        agent_id: The agent's.
        variables: Texts that came with the call.
        sip_headers: The call's SIP headers, by name.
        sip_account_id: Which of the customer's telephone systems it came from, if from any.
        trace_id: The platform's name for what happens in this call; "" off the phone.
    """

    call_id: str
    room_name: str
    direction: Direction
    from_number: str
    to_number: str
    agent_id: str
    variables: dict[str, str] = field(default_factory=dict[str, str])
    sip_headers: dict[str, str] = field(default_factory=dict[str, str])
    sip_account_id: str | None = None
    trace_id: str = ""
    #: The vendor's processors put themselves here, to be told what the platform says in the room.
    _listeners: list[Any] = field(default_factory=list[Any], repr=False, compare=False)

    @property
    def is_inbound(self) -> bool:
        """Whether somebody called the agent."""
        return self.direction == "inbound"

    @property
    def is_sip_connect(self) -> bool:
        """Whether the call came from one of the customer's own telephone systems."""
        return self.sip_account_id is not None

    async def hear(
        self, news: TransferNews, failed: Callable[[str, BaseException], object]
    ) -> bool:
        """Tell those who listen to the room how a transfer stands; return whether there are any.

        They are the vendor's processors, which say it to the caller and the language model.

        Args:
            news: How it stands.
            failed: Told whose listener raised, and what; the others are told of the news all the
                same.
        """
        record = {
            "type": "transfer_status",
            "status": news.status,
            "request_id": news.request_id,
            "call_id": self.call_id,
            "reason": news.reason,
        }
        for listener in list(self._listeners):
            try:
                await listener.on_room_data(json.dumps(record).encode(), None)
            except (Exception, asyncio.CancelledError) as error:
                if isinstance(error, asyncio.CancelledError) and is_being_cancelled():
                    raise
                failed(f"the listener {type(listener).__name__}.on_room_data()", error)
        return bool(self._listeners)

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> BotCall:
        """Make it of what a call tells its callback."""
        headers = dict(fields.get("sip_headers") or {})
        variables = dict(fields.get("variables") or {})
        lower = {name.lower(): value for name, value in headers.items()}
        return cls(
            call_id=fields["call_id"],
            room_name=fields.get("room_name") or fields["call_id"],
            direction=fields.get("direction") or "inbound",
            from_number=fields.get("from_number") or "",
            to_number=fields.get("to_number") or "",
            agent_id=fields["agent_id"],
            variables=variables,
            sip_headers=headers,
            sip_account_id=lower.get("x-sip-account-id") or variables.get(_SIP_ACCOUNT),
            trace_id=fields.get("trace_id") or "",
        )
