"""What the booking desk answers: its reply functions, and what they remember.

Functions of the slots that were heard and a `DialogueState`. The state holds the details by name
("party", "day", "time", "name"), under "asked" what the agent asked last (a detail, "confirm",
"change" or "else"), and "booked" once the table is. Lines are short and have few commas: the
offline voice pauses at each. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from piopiy_lab.offline.replies import DialogueState, Reply, calls_tool
from piopiy_lab.offline.wording import digits_in_words, number_from_words

GREETING = "Hello, this is the booking desk. How can I help?"

_HOURS = {"five": 17, "six": 18, "seven": 19, "eight": 20, "nine": 21, "ten": 22}
# What can be said for a time, and its value on the 24-hour clock.
TIMES: Mapping[str, str] = MappingProxyType(
    {word: f"{hour}:00" for word, hour in _HOURS.items()}
    | {f"{word} thirty": f"{hour}:30" for word, hour in _HOURS.items() if hour < 22}
    | {f"half past {word}": f"{hour}:30" for word, hour in _HOURS.items() if hour < 22}
)
_DETAILS = ("party", "day", "time", "name")
_QUESTIONS = {
    "party": "For how many people?",
    "day": "For which day?",
    "time": "At what time?",
    "name": "What name is it under?",
    "change": "What would you like to change?",
    "else": "Is there anything else?",
}
_HINTS = {
    "party": "two people",
    "day": "on friday",
    "time": "at seven thirty",
    "name": "my name is anna",
    "confirm": "yes that is right, or: no make it friday",
    "change": "make it friday, or: at eight",
    "else": "no thank you, or: make it friday",
}


def details(slots: Mapping[str, str], state: DialogueState) -> Reply:
    """Take what was said, acknowledge it, and go on to what is missing."""
    said = {name: slots[name].removeprefix("on ") for name in _DETAILS if name in slots}
    if not said:
        state.setdefault("asked", "party")
        return _question(state)
    state.update(said)
    state.pop("booked", None)
    if all(name in state for name in _DETAILS):
        state["asked"] = "confirm"
        return f"{_summary(state)} Is that right?"
    return f"{_summary(said)} {_question(state)}"


def bare_number(slots: Mapping[str, str], state: DialogueState) -> Reply:
    """Take a number that may be a party or a time: the party, until that is known.

    After that it is a time whenever it can be one, also as a correction ("make it eight").
    """
    (value,) = slots.values()
    known = "party" in state and state.get("asked") != "party"
    return details({"time" if known and value in TIMES else "party": value}, state)


def for_number(slots: Mapping[str, str], state: DialogueState) -> Reply:
    """Take "for seven": a time only when a time was just asked for."""
    if state.get("asked") == "time" and slots["party"] in TIMES:
        return details({"time": slots["party"]}, state)
    return details(slots, state)


def just_me(slots: Mapping[str, str], state: DialogueState) -> Reply:
    """Take a party of one."""
    return details({"party": "one"}, state)


def change(slots: Mapping[str, str], state: DialogueState) -> Reply:
    """Forget one detail and ask for it again."""
    detail = {"number of people": "party"}.get(slots["detail"], slots["detail"])
    state.pop(detail, None)
    state.pop("booked", None)
    state["asked"] = detail
    return _QUESTIONS[detail]


def yes(slots: Mapping[str, str], state: DialogueState) -> Reply:
    """Book the table when that was the question; else ask what is still open."""
    asked = state.get("asked")
    if asked == "confirm":
        return calls_tool(
            "book_table",
            party_size=number_from_words(state["party"]),
            day=state["day"].lower(),
            time=TIMES[state["time"]],
            name=state["name"],
        ).says(booked)
    if asked == "else":
        state["asked"] = "change"
        return "What would you like?"
    return _question(state)


def no(slots: Mapping[str, str], state: DialogueState) -> Reply:
    """Ask what to change, say goodbye, or ask again: by what was asked."""
    asked = state.get("asked")
    if asked == "confirm":
        state["asked"] = "change"
        return f"{_QUESTIONS['change']} You can say: make it friday, or: at eight."
    if asked == "else":
        return goodbye(slots, state)
    return _question(state)


def booked(result: object, state: DialogueState) -> str:
    """Say the result of `book_table`: the reference, or the tool's own words."""
    state["booked"] = True
    state["asked"] = "else"
    if isinstance(result, str) and result:
        return f"{result} {_QUESTIONS['else']}"
    reference = result.get("reference") if isinstance(result, Mapping) else None
    told = f" The reference is {digits_in_words(str(reference))}." if reference else ""
    return f"Your table is booked.{told} {_QUESTIONS['else']}"


def times(slots: Mapping[str, str], state: DialogueState) -> Reply:
    """Say when there are tables."""
    return f"We have tables from five to ten. {_question(state)}"


def opening_days(slots: Mapping[str, str], state: DialogueState) -> Reply:
    """Say which days the restaurant is open."""
    return f"We are open every day. {_question(state)}"


def thanks(slots: Mapping[str, str], state: DialogueState) -> Reply:
    """Answer thanks and go on."""
    return f"You are welcome. {_question(state)}"


def goodbye(slots: Mapping[str, str], state: DialogueState) -> Reply:
    """Say goodbye."""
    return "Thank you for calling. Goodbye." if state.get("booked") else "Goodbye."


def hello(slots: Mapping[str, str], state: DialogueState) -> Reply:
    """Greet and go on."""
    return f"Hello. {_question(state)}"


def help(slots: Mapping[str, str], state: DialogueState) -> Reply:
    """Say what can be said at this point."""
    return f"You can say: {_hint(state)}."


def repeat(slots: Mapping[str, str], state: DialogueState) -> Reply:
    """Say the last line again, all of it."""
    return state.said or GREETING


def start_again(slots: Mapping[str, str], state: DialogueState) -> Reply:
    """Forget every detail."""
    state.clear()
    return "All right. What would you like to book?"


def not_understood(nearest: Sequence[str], state: DialogueState) -> str:
    """Offer what is nearest to what was said, then what answers the open question."""
    offers = list(dict.fromkeys([*nearest, *_hint(state).split(", or: ")]))
    return f"Sorry I did not get that. You can say: {', or: '.join(offers[:2])}."


def _question(state: DialogueState) -> str:
    """Ask for the first missing detail, for agreement, or whether there is anything else."""
    if state.get("booked"):
        state["asked"] = "else"
        return _QUESTIONS["else"]
    if not state:
        return "How can I help?"
    missing = [name for name in _DETAILS if name not in state]
    if not missing:
        state["asked"] = "confirm"
        return f"{_summary(state)} Is that right?"
    state["asked"] = missing[0]
    return _QUESTIONS[missing[0]]


def _hint(state: DialogueState) -> str:
    return _HINTS.get(state.get("asked", ""), "a table for two tomorrow at seven")


def _summary(details: Mapping[str, str]) -> str:
    """Say some details: "A table for two on Friday at seven for Anna.", "Two people."."""
    party, day = details.get("party"), details.get("day")
    words = []
    if party and len(details) > 1:
        words.append(f"a table for {party}")
    elif party:
        words.append(f"{party} {'person' if party == 'one' else 'people'}")
    if day:
        words.append(day if day in ("today", "tomorrow") else f"on {day}")
    if "time" in details:
        words.append(f"at {details['time']}")
    if "name" in details:
        words.append(f"for {details['name']}" if words else f"thank you {details['name']}")
    text = " ".join(words)
    return f"{text[:1].upper()}{text[1:]}."
