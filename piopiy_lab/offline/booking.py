"""The restaurant booking desk: the domain of a bare `offline_stack()`.

A caller gives party size, day, time and name in any order, several at once or one by one, corrects
any of them at any time, hears them read back, and has the table booked by the tool `book_table`.

This module has what can be said and what is done; what is answered is in `booking_dialogue`.

Pure, except that `BookingDesk.tools` imports pipecat for its `FunctionSchema`.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from piopiy_lab.offline import booking_dialogue as says
from piopiy_lab.offline.booking_dialogue import GREETING, TIMES
from piopiy_lab.offline.replies import Replier, Reply
from piopiy_lab.offline.rules import RuleBook
from piopiy_lab.offline.wording import number_in_words

if TYPE_CHECKING:
    from pipecat.adapters.llm.schemas.function_schema import FunctionSchema
    from pipecat.services.llm_service import FunctionCallParams

INSTRUCTIONS = (
    "You take bookings for a restaurant. Find out the number of people, the day, the time and the "
    "name, in any order. Read them back, and when the caller agrees call book_table. Tell the "
    "caller the reference. Keep every line short, for it is spoken."
)

LARGEST_PARTY = 12

_DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday"
# In the recogniser's dictionary, and far enough apart for it.
_NAMES = "Anna David George Helen Julia Maria Oliver Peter Robert Sophia Thomas Victor"
SLOTS: Mapping[str, Sequence[str]] = MappingProxyType(
    {
        "party": tuple(number_in_words(n) for n in range(1, LARGEST_PARTY + 1)),
        "day": ("today", "tomorrow", *_DAYS.split(), *(f"on {day}" for day in _DAYS.split())),
        "time": tuple(TIMES),
        "name": tuple(_NAMES.split()),
        "detail": ("number of people", "day", "time", "name"),
    }
)

_WANT = "[i would like | i'd like | i want | i need | can i have | can i book | book]"
_NAME_IS = "(my name is | the name is | it is | this is)"
_NO = "[no | actually] [make it]"

# What can be said, and what answers it. Every slot in every phrase costs the recogniser time and
# gives it one more way to be wrong, so a phrase stands for many sentences.
REPLIES: Mapping[str, Reply | Replier] = MappingProxyType(
    {
        f"{_WANT} a table [for {{party}} [people]] [[for] {{day}}] [at {{time}}]"
        " [(my name is | under the name) {name}] [please]": says.details,
        f"{_WANT} a table for {{party}} [people] at {{time}} {{day}} [please]": says.details,
        "{party} people {day} [at {time}]": says.details,
        "for {party} [people] {day} [at {time}]": says.details,
        "{day} [at {time}] for {party} [people]": says.details,
        "at {time} {day}": says.details,
        f"{_NO} [for] {{party}} people [please]": says.details,
        f"{_NO} for {{party}}": says.for_number,
        "[[no | actually] make it] {party}": says.bare_number,
        "(there are | there will be) {party} of us": says.details,
        "[it is] just me": says.just_me,
        f"{_NO} [for] {{day}} [at {{time}}]": says.details,
        f"{_NO} [at] {{time}} [o'clock] [please]": says.details,
        f"[[no | actually] {_NAME_IS}] {{name}}": says.details,
        "can i change the {detail} [please]": says.change,
        "yes [please]": says.yes,
        "[yes] (that is | that's) (right | correct)": says.yes,
        "[yes] book it [please]": says.yes,
        "no": says.no,
        "no (that is | that's) (wrong | not right)": says.no,
        "no thank you": says.no,
        "no that is all": says.no,
        "what times do you have": says.times,
        "what time are you open": says.times,
        "are you open {day}": says.opening_days,
        "what days are you open": says.opening_days,
        "help [me] [please]": says.help,
        "what can i say": says.help,
        "[can you] (repeat that | say that again) please": says.repeat,
        "thank you [very much]": says.thanks,
        "[thank you] goodbye": says.goodbye,
        "thank you bye bye": says.goodbye,
        "hello [there]": says.hello,
        "good evening": says.hello,
        "start again": says.start_again,
        "forget it": says.start_again,
    }
)


# Understood when typed, and not listened for: too short, or too much like something above.
TYPED: Mapping[str, Reply | Replier] = MappingProxyType(
    {
        "hi [there]": says.hello,
        "(yeah | yep | ok | okay | sure | correct)": says.yes,
        "nope": says.no,
        "[(i want | i would like) to] change the {detail}": says.change,
        "thanks": says.thanks,
        "(bye | bye bye)": says.goodbye,
        "(could | can | may) (i | we) (have | book | get | reserve) a table": says.details,
        "(could | can | may) (i | we) (have | book | get | reserve) a table for {party} [people]"
        " [{day}] [at {time} [pm]]": says.details,
        "[at] {time} pm": says.details,
        "(my name's | i'm | i am) {name}": says.details,
        "{name} here": says.details,
        "(what's | what are) your (times | hours)": says.times,
    }
)


def book(party_size: int, day: str, time: str, name: str) -> dict[str, object]:
    """Book a table in a book that is never full; the same values give the same reference.

    Args:
        party_size: 1 to 12.
        day: "today", "tomorrow" or a day of the week.
        time: On the 24-hour clock, "19:30".
        name: Whose table it is.

    Returns:
        The booking, with its three-digit "reference"; or an "error" that says what is wrong.
    """
    if not 1 <= party_size <= LARGEST_PARTY:
        return {"error": f"We seat up to {number_in_words(LARGEST_PARTY)} people."}
    if time not in TIMES.values():
        return {"error": "We have tables from five to ten."}
    reference = 100 + zlib.crc32(f"{party_size}|{day}|{time}|{name}".lower().encode()) % 900
    return {
        "status": "booked",
        "reference": str(reference),
        "party_size": party_size,
        "day": day,
        "time": time,
        "name": name,
    }


async def book_table(params: FunctionCallParams) -> None:
    """Handle the tool `book_table` with `book`. Runs on the session's loop."""
    await params.result_callback(book(**params.arguments))


@dataclass(frozen=True)
class BookingDesk:
    """What a voice agent for the booking desk is made of; see `booking_desk`.

    Attributes:
        instructions: For `VoiceAgent`; what a real language model would be told.
        greeting: The agent's first line.
        phrases: What the caller can say.
        slots: The values of the phrases' slots.
        replies: What answers each phrase.
        try_saying: Sentences for a person who calls for the first time.
    """

    instructions: str = INSTRUCTIONS
    greeting: str = GREETING
    phrases: tuple[str, ...] = tuple(REPLIES)
    slots: Mapping[str, Sequence[str]] = field(default_factory=lambda: SLOTS)
    replies: Mapping[str, Reply | Replier] = field(default_factory=lambda: REPLIES)
    try_saying: tuple[str, ...] = (
        "a table for two tomorrow at seven",
        "what times do you have",
        "what can I say",
    )

    @property
    def tools(self) -> list[FunctionSchema]:
        """The schema of `book_table`, carrying its handler: ``VoiceAgent(tools=desk.tools)``."""
        from pipecat.adapters.llm.schemas.function_schema import FunctionSchema

        return [
            FunctionSchema(
                name="book_table",
                description="Book a table at the restaurant.",
                properties={
                    "party_size": {"type": "integer", "minimum": 1, "maximum": LARGEST_PARTY},
                    "day": {"type": "string", "description": "today, tomorrow or a day's name"},
                    "time": {"type": "string", "description": "24-hour clock, as in 19:30"},
                    "name": {"type": "string"},
                },
                required=["party_size", "day", "time", "name"],
                handler=book_table,
            )
        ]

    def rules(self) -> RuleBook:
        """Build the rules; a new book each time."""
        return RuleBook(
            {**self.replies, **TYPED},
            slots=self.slots,
            phrases=self.phrases,
            fallback=says.not_understood,
            opening=self.greeting,
        )


def booking_desk() -> BookingDesk:
    """Return the booking desk: its words, and its tool, for use with or without a real model.

    Example::

        desk = booking_desk()
        agent = VoiceAgent(
            instructions=desk.instructions, greeting=desk.greeting, tools=desk.tools
        )
    """
    return BookingDesk()
