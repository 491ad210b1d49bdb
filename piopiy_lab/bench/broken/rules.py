"""What the desks answer: the booking desk's rules, with a longer line, an end, and some faults."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from piopiy_lab.offline import booking, booking_dialogue
from piopiy_lab.offline.replies import (
    Answer,
    DialogueState,
    Heard,
    Replier,
    Reply,
    Said,
    ToolCall,
    ToolReturned,
    calls_tool,
)
from piopiy_lab.offline.rules import RuleBook

#: Asked for by a caller who wants to hear the desk talk; without a pause, some 9 s.
ASKS, EXPLAINS = (
    "how does it work",
    "you tell me how many people are coming and on which day and at what time and under which "
    "name and then I read everything back to you and when you say that it is right I book the "
    "table and tell you a number that you can keep",
)
BOOK, END = "book_table", "end_call"
_ASKS_AGREEMENT = "Is that right?"


class DeskBook(RuleBook):
    """The booking desk's rules; who says goodbye is said goodbye to, and the call is ended."""

    def __init__(self, *, ends: bool = True, twice: bool = False, **replies: Replier) -> None:
        """Make the rules.

        Args:
            ends: Whether the desk ends the call after its goodbye.
            twice: Whether it calls the tool that books twice.
            **replies: Reply functions in place of those of ``booking_dialogue``, by their names.
        """
        desk = booking.booking_desk()
        listened: dict[str, Reply | Replier] = {**desk.replies, ASKS: EXPLAINS}
        everything = {**listened, **booking.TYPED}
        super().__init__(
            {phrase: _in_place(reply, replies) for phrase, reply in everything.items()},
            slots=desk.slots,
            phrases=tuple(listened),
            fallback=booking_dialogue.not_understood,
            opening=desk.greeting,
        )
        self._ends, self._twice = ends, twice

    def answer(self, history: Sequence[Heard | Said | ToolReturned]) -> Answer:
        """Decide what the desk does next."""
        found = super().answer(history)
        if self._ends and found.text.endswith("Goodbye.") and not found.calls:
            return Answer("", (calls_tool(END, goodbye=found.text),))
        if self._twice and any(call.tool == BOOK for call in found.calls):
            return Answer(found.text, (*found.calls, *found.calls))
        return found


def _in_place(reply: Reply | Replier, replies: Mapping[str, Replier]) -> Reply | Replier:
    return replies.get(getattr(reply, "__name__", ""), reply)


def books_at_once(slots: Mapping[str, str], state: DialogueState) -> Reply:
    """Book as soon as everything is known, without asking whether it is right."""
    reply = booking_dialogue.details(slots, state)
    if isinstance(reply, str) and reply.endswith(_ASKS_AGREEMENT):
        return booking_dialogue.yes(slots, state)
    return reply


def misreads(slots: Mapping[str, str], state: DialogueState) -> Reply:
    """Book, and tell the reference with its last digit wrong."""
    reply = booking_dialogue.yes(slots, state)
    return reply.says(_misread) if isinstance(reply, ToolCall) and reply.tool == BOOK else reply


def _misread(result: object, state: DialogueState) -> str:
    if isinstance(result, Mapping) and "reference" in result:
        digits = str(result["reference"])
        wrong = str((int(digits[-1]) + 4) % 10)
        result = {**result, "reference": digits[:-1] + wrong}
    return booking_dialogue.booked(result, state)
