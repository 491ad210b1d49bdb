"""How a transfer came out: the platform's ``transfer_status`` data, read. No I/O, no pipecat.

The platform answers a transfer request at once and tells the outcome later, as data in the room:
``{"type": "transfer_status", "status": ..., ...}`` on the topic of that name.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from piopiy_lab import events
from piopiy_lab.redaction import redact_text

if TYPE_CHECKING:
    from piopiy_lab.session.session import Session

TRANSFER_TOPIC = "transfer_status"

#: Words that say the caller has been handed over, and that it came to nothing. Anything else
#: ("ringing", "initiated") says how far it is.
_DONE = frozenset(
    "transferred completed complete success succeeded answered connected bridged".split()
)
_FAILED = frozenset(
    "failed failure error busy no_answer noanswer not_answered unanswered rejected declined "
    "cancelled canceled timeout timed_out unreachable invalid".split()
)


@runtime_checkable
class AwaitsTransfer(Protocol):
    """A call control that waits for the outcome of its transfer."""

    transferring_to: str | None

    def transfer_ended(self, error: str | None) -> bool:
        """Tell it the outcome; returns whether it waited for one."""
        ...


def outcome_of(status: object) -> bool | None:
    """Return whether a status means done (True), failed (False), or neither (None)."""
    word = str(status).strip().lower().replace("-", "_").replace(" ", "_")
    return True if word in _DONE else False if word in _FAILED else None


def read_transfer_status(text: str) -> dict[str, object] | None:
    """Return a ``transfer_status`` message; None if the text is none."""
    try:
        record = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(record, dict) or record.get("type", TRANSFER_TOPIC) != TRANSFER_TOPIC:
        return None
    return record


def take_transfer_status(session: Session, text: str) -> None:
    """Act on a ``transfer_status`` message: tell who waits for it, or write the event.

    A status that is final and that nobody waits for is of a transfer begun elsewhere.
    """
    record = read_transfer_status(text)
    if record is None or (done := outcome_of(record.get("status"))) is None:
        return
    error = None if done else _why(record)
    control = session.settings.control
    if isinstance(control, AwaitsTransfer) and control.transfer_ended(error):
        return
    to = next((str(record[n])[:100] for n in ("to", "number", "target") if record.get(n)), "")
    session.log.append(
        events.TransferFinished(
            at=session.now(), to=to, status="transferred" if done else "failed", error=error
        )
    )
    if done:
        session.handed_over = True
        session.end("agent_ended")


def caller_left_in_transfer(session: Session) -> bool:
    """Tell a transfer under way that the caller has left the room: that is how it succeeds.

    Returns:
        Whether there was one.
    """
    control = session.settings.control
    return isinstance(control, AwaitsTransfer) and control.transfer_ended(None)


def _why(record: dict[str, object]) -> str:
    told = next((record[n] for n in ("reason", "error", "message") if record.get(n)), None)
    return redact_text(str(told if told is not None else record.get("status")))[:300]
