"""Whether a change changed any call: a dozen calls, simulated by two trees, compared byte by byte.

```console
python benchmarks/same_calls.py save /tmp/before   # in the tree before (PYTHONPATH=.)
python benchmarks/same_calls.py save /tmp/after    # in the tree after
python benchmarks/same_calls.py compare /tmp/before /tmp/after
```

Only the package's public names are used, so that the script runs on any tree that has them.
``compare`` reads ``events.jsonl`` and ``call.wav``; with ``--without-system-message`` it leaves out
of both sides what the LLM was told to be (a change of where that stands is no change of the call).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from pathlib import Path

from piopiy_lab import (
    Call,
    Caller,
    MinWordsInterruptionStrategy,
    SpeechAgent,
    VoiceAgent,
    calls_tool,
    offline_realtime,
    offline_stack,
    simulate,
    tool_options,
)
from piopiy_lab.offline import EspeakTTSService, booking_desk
from piopiy_lab.pipeline.service_switcher import ServiceSwitcher, ServiceSwitcherStrategyManual

ORDER = "a table for two tomorrow at seven"
BOOKING = (
    Caller()
    .hears_greeting()
    .says(ORDER)
    .hears("name")
    .says("my name is anna")
    .hears("right")
    .says("yes please")
    .expects_tool("book_table")
    .hears_reply()
    .hangs_up()
)


def desk(**action):
    """The booking desk; the arguments go to ``Action``."""

    async def create_session():
        told = booking_desk()
        agent = VoiceAgent(
            instructions=told.instructions, greeting=told.greeting, idle_timeout_secs=20
        )
        stt, llm, tts = offline_stack()
        await agent.Action(**{"stt": stt, "llm": llm, "tts": tts, "vad": True, **action})
        await agent.start()

    return create_session


def doors(handler):
    """An agent that opens doors with a tool."""

    async def create_session():
        stt, llm, tts = offline_stack(
            slots={"room": ["kitchen", "garden"]},
            replies={
                "open the {room} door": calls_tool("open_door", room="{room}"),
                "thank you": "You are welcome.",
            },
        )
        agent = VoiceAgent(instructions="You open doors.", greeting="Which door?", tools=[handler])
        await agent.Action(stt=stt, llm=llm, tts=tts, vad=True)
        await agent.start()

    return create_session


async def open_door(room: str) -> str:
    """Open a door.

    Args:
        room: The room behind it.
    """
    await asyncio.sleep(0.3)
    return f"The {room} door is open."


@tool_options(filler="One moment.")
async def open_slowly(room: str) -> str:
    """Open a door.

    Args:
        room: The room behind it.
    """
    await asyncio.sleep(3.0)
    return f"The {room} door is open."


open_slowly.__name__ = "open_door"


async def open_never(room: str) -> str:
    """Open a door.

    Args:
        room: The room behind it.
    """
    raise RuntimeError(f"the {room} door is stuck")


open_never.__name__ = "open_door"


async def switching():
    """Two voices, switched while the first one speaks."""
    told = booking_desk()
    stt, llm, tts = offline_stack()
    other = EspeakTTSService(voice="en-us+f3")
    agent = VoiceAgent(instructions=told.instructions, greeting=told.greeting)
    voices = ServiceSwitcher([tts, other], ServiceSwitcherStrategyManual)
    await agent.Action(stt=stt, llm=llm, tts_switcher=voices, vad=True)

    async def switch() -> None:
        await asyncio.sleep(4.0)
        await agent.switch_service(other)

    task = asyncio.create_task(switch())
    await agent.start()
    task.cancel()


def realtime(speaks):
    """A realtime model, with a voice of its own or not."""

    async def create_session():
        llm = offline_realtime(speaks=speaks)
        if speaks:
            agent = VoiceAgent(instructions="Take bookings.", greeting="Welcome to the grill.")
            await agent.Action(llm=llm, vad=True)
        else:
            agent = SpeechAgent(instructions="Take bookings.", greeting="Welcome to the grill.")
            await agent.Action(omni=llm, tts=EspeakTTSService(), vad=True)
        await agent.start()

    return create_session


DOOR = Caller().hears_greeting().says("open the kitchen door").hears("door is").hangs_up()
STUCK = Caller().hears_greeting().says("open the garden door").waits(3).hangs_up()
CUT = (
    Caller()
    .hears_greeting()
    .says(ORDER)
    .interrupts("my name is anna", after=0.8)
    .hears_reply()
    .hangs_up()
)
SCREENPLAY = {"replace": {"stt": "screenplay"}}

#: Name to session, caller and the options of ``simulate``.
CALLS = {
    "booking": (desk(), BOOKING, {}),
    "interrupted": (desk(), CUT, {}),
    "two-words-interrupt": (
        desk(interruption_strategy=MinWordsInterruptionStrategy(min_words=2)), CUT, {},
    ),
    "not-interruptible": (desk(allow_interruptions=False), CUT, {}),
    "keys": (desk(), Caller().hears_greeting().presses("12#").waits(2).hangs_up(), {}),
    "silence": (desk(), Caller().hears_greeting().waits(30), {}),
    "no-detector": (desk(vad=False), BOOKING, SCREENPLAY),
    "screenplay-recogniser": (desk(), BOOKING, SCREENPLAY),
    "slow-providers": (desk(), BOOKING, {"latency": {"stt": 0.2, "llm": 0.35, "tts": 0.2}}),
    "tool": (doors(open_door), DOOR, {}),
    "slow-tool": (doors(open_slowly), DOOR, {}),
    "failing-tool": (doors(open_never), STUCK, {}),
    "switched-voice": (switching, BOOKING, {}),
    "realtime": (realtime(True), BOOKING, {}),
    "hybrid": (realtime(False), BOOKING, {}),
}  # fmt: skip


def save(folder: Path) -> None:
    """Simulate the calls and save each; a call that ends badly is saved like the others."""
    for name, (session, caller, options) in CALLS.items():
        call = asyncio.run(simulate(session, caller, **options))
        call.save(folder / name, overwrite=True)
        print(f"{name:24}{call.duration:7.2f} s  {call.end_reason}  {call.error or ''}")


def compare(before: Path, after: Path, without_system: bool) -> int:
    """Print what differs; return how many calls do."""
    differ = 0
    for name in CALLS:
        same_sound = (before / name / "call.wav").read_bytes() == (
            after / name / "call.wav"
        ).read_bytes()
        old, new = (events(folder / name, without_system) for folder in (before, after))
        first = next((i for i, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), None)
        if first is None and len(old) != len(new):
            first = min(len(old), len(new))
        if same_sound and first is None:
            secs = Call.load(before / name).duration
            print(f"{name:24} the same: {len(old)} events, {secs:.1f} s")
            continue
        differ += 1
        print(f"{name:24} DIFFERS: sound {'the same' if same_sound else 'differs'}")
        if first is not None:
            for mark, lines in (("-", old), ("+", new)):
                print(f"  {mark} line {first + 1}: {''.join(lines[first : first + 1])[:300]}")
    print(f"{len(CALLS) - differ} of {len(CALLS)} calls are the same")
    return differ


def events(folder: Path, without_system: bool) -> list[str]:
    """Return the lines of a call's log."""
    lines = (folder / "events.jsonl").read_text("utf-8").splitlines()
    return [_stripped(line) for line in lines] if without_system else lines


def _stripped(line: str) -> str:
    """Return an event without what the LLM was told to be."""
    event = json.loads(line)
    for key, value in event.items():
        if isinstance(value, list):
            event[key] = [
                one for one in value if not (isinstance(one, dict) and one.get("role") == "system")
            ]
    event.pop("system_instruction", None)
    return json.dumps(event, sort_keys=True)


def main() -> None:
    """Save or compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    what = parser.add_subparsers(dest="what", required=True)
    what.add_parser("save").add_argument("folder", type=Path)
    comparing = what.add_parser("compare")
    comparing.add_argument("before", type=Path)
    comparing.add_argument("after", type=Path)
    comparing.add_argument("--without-system-message", action="store_true")
    given = parser.parse_args()
    if given.what == "save":
        save(given.folder)
    else:
        sys.exit(compare(given.before, given.after, given.without_system_message) > 0)


if __name__ == "__main__":
    main()
