"""What the room tells of a transfer: the platform's ``transfer_status`` data, read.

The platform answers a request for a transfer at once, and tells later what becomes of it, as data
in the room on the topic of that name: ``{"type": "transfer_status", "status": "started" | "failed"
| "completed", "request_id": ..., "call_id": ..., "reason": ...}``. So it does for each transfer of
the call, whoever began it. No I/O, no pipecat.
"""

from __future__ import annotations

import json

from piopiy_lab.redaction import told
from piopiy_lab.session.call_control import COMPLETED, FAILED, QUEUED, STARTED, TransferNews

TRANSFER_TOPIC = "transfer_status"
#: Longest request id and reason that are taken, in characters.
MAX_TEXT = 200


def read_transfer_status(text: str) -> TransferNews | None:
    """Return what a ``transfer_status`` message says; None if the text is none."""
    try:
        record = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(record, dict) or record.get("type", TRANSFER_TOPIC) != TRANSFER_TOPIC:
        return None
    return news_of(record)


def news_of(record: dict[str, object]) -> TransferNews | None:
    """Return what a record says of a transfer, from the room or from the API; None if nothing."""
    status, reason = record.get("status"), record.get("reason")
    if not isinstance(status, str):
        return None
    request_id = record.get("request_id")
    said = status.strip().lower()
    return TransferNews(
        said if said in (QUEUED, STARTED, FAILED, COMPLETED) else "other",
        request_id[:MAX_TEXT] if isinstance(request_id, str) else "",
        told(reason, MAX_TEXT) if reason else None,
    )
