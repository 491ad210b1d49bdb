"""What is said while a caller is handed over: to the caller, and to the LLM. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from piopiy_lab.session.call_control import FAILED, STARTED, TransferNews

_RINGING = "I am connecting you now. Please stay on the line."
_FAILED = {
    "busy": "I am sorry, their line is busy. Can I help you with anything else?",
    "no_answer": "I am sorry, nobody is answering there. Can I help you with anything else?",
    "rejected": "I am sorry, they can't take the call now. Can I help you with anything else?",
}
_FAILED_SOMEHOW = "I am sorry, I could not connect you. Can I help you with anything else?"
#: What the platform adds to a reason when the caller is gone, too.
_CALL_ENDED = "_and_call_ended"


def line_of(news: TransferNews, lines: Mapping[str, str] = MappingProxyType({})) -> str:
    """Return what the caller is told of a transfer that rings, or that failed.

    Args:
        news: How it stands.
        lines: Other words than ours, by "started", a reason, or "failed" for any other reason.
    """
    if news.status == STARTED:
        return lines.get(STARTED, _RINGING)
    reason = (news.reason or "").removesuffix(_CALL_ENDED)
    return lines.get(reason, lines.get(FAILED, _FAILED.get(reason, _FAILED_SOMEHOW)))


def note_of(news: TransferNews) -> str:
    """Return what the LLM is told."""
    if news.status == STARTED:
        return (
            "(The transfer rings. The caller is still with you and has been told; talk with them "
            "until somebody answers, and begin nothing new.)"
        )
    return (
        f"(The transfer failed: {news.reason or 'no reason was given'}. The caller is still with "
        "you and has been told. Go on helping, and try again only if they ask.)"
    )
