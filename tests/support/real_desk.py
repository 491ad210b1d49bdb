"""The booking desk with Whisper and Piper, and its caller: for tests with real weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import real_weights

from piopiy_lab import Audio, Caller, VoiceAgent, stack
from piopiy_lab.call.call import Call
from piopiy_lab.offline import booking_desk
from piopiy_lab.offline.wording import spoken_form

#: int8: half the time of the default on two cores, and the same words.
WHISPER = "whisper?compute_type=int8"
#: Seconds that an answer may take on a busy machine, where the computing counts.
TIMEOUT = 40.0
#: What the caller says, turn by turn.
SAID = ("a table for two tomorrow at seven", "my name is anna", "yes please")


@pytest.fixture(scope="session")
def models() -> Path:
    """The folder with the weights of Whisper base and Piper's joe."""
    return real_weights.needed()


@pytest.fixture(scope="session")
def joe(models: Path) -> real_weights.Joe:
    """A caller's neural voice."""
    return real_weights.Joe(models)


def desk_on(models: Path, stt: str = WHISPER, tts: str = "piper") -> Callable:
    """Return a session callback: the desk, heard and spoken by services of that folder."""
    desk = booking_desk()

    async def create_session() -> None:
        agent = VoiceAgent(instructions=desk.instructions, greeting=desk.greeting)
        await agent.Action(**stack(f"{stt}+offline+{tts}", models=models), vad=True)
        await agent.start()

    return create_session


def booking(voice: Callable[[str], str | Audio]) -> Caller:
    """Return the caller who books a table, by a voice."""
    caller = Caller().hears_greeting(timeout=TIMEOUT)
    for text in SAID[:-1]:
        caller = caller.says(voice(text)).hears_reply(timeout=TIMEOUT)
    return (
        caller.says(voice(SAID[-1]))
        .expects_tool("book_table", party_size=2, day="tomorrow", time="19:00", name="Anna")
        .hears_reply(timeout=TIMEOUT)
    )


def heard(call: Call) -> list[str]:
    """Return what the agent understood, turn by turn, as one says it."""
    return [spoken_form(said.text) for said in call.transcript if said.role == "user"]
