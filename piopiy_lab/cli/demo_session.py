"""The demo: a restaurant's booking desk and a caller for it, on this computer alone.

A file to copy and change: ``piopiy-lab demo --source > my_agent.py``, then ``python my_agent.py``.
``piopiy-lab new my-agent`` makes a smaller one, with tests.
"""

import asyncio

from piopiy_lab import Caller, VoiceAgent, calls_tool, offline_stack, simulate

# --- what it can do: a tool is a function ---------------------------------------------

bookings = []


def book_table(party_size: int, day: str, time: str, name: str) -> dict:
    """Book a table at the restaurant.

    Args:
        party_size: For how many people.
        day: "today", "tomorrow" or a day of the week.
        time: On the 24-hour clock, as in 19:30.
        name: Whose table it is.
    """
    bookings.append((party_size, day, time, name))
    return {"status": "booked", "reference": "nine two three"}


# --- what callers may say, for the offline model; a real one needs none of this -------

HOURS = {"six": "18:00", "seven": "19:00", "eight": "20:00", "nine": "21:00"}
DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
NUMBERS = ["one", "two", "three", "four", "five", "six", "seven", "eight"]
SLOTS = {
    "party": NUMBERS,
    "day": ["today", "tomorrow", *DAYS],
    "time": list(HOURS),
    "name": ["Anna", "David", "Helen", "Oliver", "Peter", "Sophia"],
}


def details(slots, state):
    """Take what the caller said, say what is known, and ask for what is missing."""
    state.update(slots)
    said = "A table"
    if "party" in state:
        said += f" for {state['party']}"
    if "day" in state:
        said += f" on {state['day']}" if state["day"] in DAYS else f" {state['day']}"
    if "time" in state:
        said += f" at {state['time']}"
    if "name" in state:
        said += f" for {state['name']}"
    for detail, question in (
        ("party", "For how many people?"),
        ("day", "For which day?"),
        ("time", "At what time?"),
        ("name", "What name is it under?"),
    ):
        if detail not in state:
            return f"{said}. {question}"
    return f"{said}. Is that right?"


def yes(slots, state):
    """Book the table, once all is known."""
    if not {"party", "day", "time", "name"} <= state.keys():
        return details({}, state)
    return calls_tool(
        "book_table",
        party_size=NUMBERS.index(state["party"]) + 1,
        day=state["day"].lower(),
        time=HOURS[state["time"]],
        name=state["name"],
    ).says("Your table is booked. The reference is {reference}. Is there anything else?")


REPLIES = {
    "[i would like] a table [for {party} [people]] [[on] {day}] [at {time}] [please]": details,
    "for {party} [people]": details,
    "[no | actually] [make it] [on] {day}": details,
    "[no | actually] [make it] at {time}": details,
    "my name is {name}": details,
    "yes [that is right]": yes,
    "no thank you": "Thank you for calling. Goodbye.",
}

# --- what it is told, and how it answers a call ---------------------------------------


async def create_session(call_id):
    """Answer one call. The same function runs on a microphone, in a test and on the phone."""
    agent = VoiceAgent(
        instructions=(
            "You take bookings for a restaurant. Find out the number of people, the day, the time "
            "and the name, in any order. Read them back, and when the caller agrees call "
            "book_table. Tell the caller the reference. Keep every line short, for it is spoken."
        ),
        greeting="Hello, this is the booking desk. How can I help?",
        tools=[book_table],
    )
    stt, llm, tts = offline_stack(slots=SLOTS, replies=REPLIES)
    # with keys in the environment: stt, llm, tts = stack("deepgram+openai+cartesia")
    await agent.Action(stt=stt, llm=llm, tts=tts, vad=True)
    await agent.start()


# --- who calls ------------------------------------------------------------------------

caller: Caller = (
    Caller()
    .hears_greeting()
    .says("a table for two tomorrow at eight")
    .interrupts("my name is oliver", after=0.9)
    .hears("is that right")
    .says("actually make it friday")
    .hears("on friday at eight for oliver is that right")
    .says("yes that is right")
    .expects_tool("book_table", party_size=2, day="friday", time="20:00", name="Oliver")
    .hears("your table is booked")
    .says("no thank you")
    .hears_reply()
    .hangs_up()
)

if __name__ == "__main__":
    call = asyncio.run(simulate(create_session, caller))
    print(call)
    call.raise_for_error()  # for whoever looks at the exit code
