"""What the platform can do with a call from outside of it: hang up, and transfer the caller."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

from piopiy_lab.events.values import TransferProgress
from piopiy_lab.session.transfer_order import TransferOrder

#: Seconds that the platform may take to answer a request.
REQUEST_SECS = 10.0
#: What the platform says of a transfer: accepted, it rings, nobody took it, the caller is there.
QUEUED: Final = "queued"
STARTED: Final = "started"
FAILED: Final = "failed"
COMPLETED: Final = "completed"


@dataclass(frozen=True)
class TransferNews:
    """What the platform says of one transfer.

    Attributes:
        status: "queued", "started", "failed" or "completed"; "other" for another word of its.
        request_id: Which transfer; "" if it isn't said.
        reason: Why it failed: "busy", "no_answer", "rejected", "invalid_number", "unreachable",
            "call_barred" or "network_error"; None if it isn't said.
    """

    status: TransferProgress
    request_id: str = ""
    reason: str | None = None


class CallControl(Protocol):
    """The platform's actions on one call. Used on the session's loop only."""

    async def hang_up(self, reason: str | None = None) -> None:
        """End the caller's line. Does nothing if it has ended.

        Args:
            reason: Why, for the platform's records.

        Raises:
            CallControlError: The platform refused, or could not be asked.
        """
        ...

    async def transfer(self, order: TransferOrder) -> str:
        """Ask for a transfer, and return the request's id when the platform has accepted it.

        Raises:
            CallControlError: The platform refused, or it could not be asked.
        """
        ...

    async def transfer_state(self, request_id: str) -> TransferNews:
        """Return where a transfer stands.

        Raises:
            CallControlError: The platform knows no such transfer, or could not be asked.
        """
        ...
