"""Agents that the bench calls where no other is given: a plain one, and pipecat's own defaults."""

from __future__ import annotations

from piopiy_lab.bench.talker import make_talker, make_voice
from piopiy_lab.simulation.screenplay_stt import ScreenplaySTTService
from piopiy_lab.voice_agent import VoiceAgent

#: Short, so that it is over before anything is measured.
GREETING = "Hello."


async def plain_session(call_id: str) -> None:
    """Run an agent with this package's defaults."""
    agent = VoiceAgent(instructions="You tell callers about a restaurant.", greeting=GREETING)
    await agent.Action(stt=ScreenplaySTTService(), llm=make_talker(), tts=make_voice(), vad=True)
    await agent.start()
