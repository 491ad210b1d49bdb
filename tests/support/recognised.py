"""What recognisers make of voices over lines: the booking call, and sentences one by one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from real_desk import SAID, booking, desk_on, heard
from word_errors import WordErrors, word_errors

from piopiy_lab import Audio, Caller, Line, VoiceAgent, events, offline_stack, simulate, stack
from piopiy_lab.call.call import Call
from piopiy_lab.offline import booking_desk

#: A text as the sound of a voice, or as itself for the caller's own.
Voice = Callable[[str], str | Audio]
#: What callers say to the desk.
SENTENCES = (
    "a table for two tomorrow at seven",
    "my name is anna",
    "yes please",
    "a table for six on friday at eight",
    "the name is robert",
    "no make it saturday",
    "what times do you have",
    "can i change the number of people",
    "there will be five of us",
    "my name is victor",
    "that is right",
    "thank you goodbye",
)
PAUSE = 3.5  # s after each, for the end of the turn and a short answer


@dataclass(frozen=True)
class Booked:
    """One booking call.

    Attributes:
        errors: The caller's words that were not understood.
        booked: Whether the table was booked as wanted.
        answered: How many of the caller's turns were answered.
        cut: How many turns the agent took before the caller had ended.
        wait: The median seconds from the end of the caller's speech to the answer's first sound;
            None without an answer. The recogniser's computing is not in it.
    """

    errors: WordErrors
    booked: bool
    answered: int
    cut: int
    wait: float | None


def book(
    models: Path, stt: str, voice: Voice, *, line: Line | None = None, seed: int | None = None
) -> Booked:
    """Run the booking call on virtual time, and judge it; a caller who gives up is no error.

    Args:
        models: The folder with the weights.
        stt: The recogniser, as ``stack`` names it.
        voice: The caller's.
        line: What the call goes over; None for a perfect line.
        seed: Perturbs the call a little, as nobody hears.
    """
    caller = booking(voice)
    session = desk_on(models, stt, tts="offline")
    call = asyncio.run(simulate(session, caller, line=line, perturb=seed))
    done = [tool for tool in call.tool_calls if tool.name == "book_table"]
    wanted = {"party_size": 2, "day": "tomorrow", "time": "19:00", "name": "Anna"}
    spoken = call.events.of(events.CallerSpoke)
    turns = call.events.of(events.UserTurnStopped)
    return Booked(
        errors=word_errors(" ".join(SAID[: len(spoken)]), " ".join(heard(call))),
        booked=any(dict(tool.arguments) == wanted for tool in done),
        answered=len(call.turns),
        cut=sum(1 for turn in turns if any(s.at < turn.at < s.end for s in spoken)),
        wait=call.turns.median() if call.turns else None,
    )


def recognise(models: Path, stt: str, said: Sequence[tuple[str, str | Audio]]) -> WordErrors:
    """Say one thing after the other to an agent that only takes note, and count the word errors.

    Args:
        models: The folder with the weights.
        stt: The recogniser, as ``stack`` names it.
        said: Texts, and their sound.
    """

    async def create_session() -> None:
        agent = VoiceAgent(instructions="You take note.", greeting="Go ahead.")
        ears = stack(stt=stt, models=models, offline=_phrases(stt)).stt
        _, llm, tts = offline_stack(replies={"hello": "yes"}, fallback="Yes.")
        await agent.Action(stt=ears, llm=llm, tts=tts, vad=True)
        await agent.start()

    caller = Caller().hears_greeting()
    for _, sound in said:
        caller = caller.says(sound).waits(PAUSE)
    call: Call = asyncio.run(simulate(create_session, caller)).raise_for_error()
    return word_errors(" ".join(text for text, _ in said), " ".join(heard(call)))


def _phrases(stt: str) -> dict[str, object] | None:
    """Return what the offline recogniser listens for: the desk's phrases, alone."""
    if stt != "offline":
        return None
    desk = booking_desk()
    return {"phrases": list(desk.phrases), "slots": dict(desk.slots)}


def as_audio(samples: np.ndarray, rate: int) -> Audio:
    """Return sound of -1 to 1 for ``Caller.says``."""
    return Audio((np.clip(samples, -1, 1) * 32767).astype(np.int16), rate)
