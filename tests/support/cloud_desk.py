"""The booking desk on pipecat's cloud services, with the providers faked on loopback."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

from piopiy_lab import Caller, VoiceAgent, simulate
from piopiy_lab.fake_providers import FakeCartesia, FakeDeepgram, FakeOpenAI
from piopiy_lab.offline import booking_desk

SAYS = ("a table for two tomorrow at seven", "my name is anna", "yes please")
BOOKS = (
    Caller()
    .hears_greeting()
    .says(SAYS[0])
    .hears("what name", within=5)
    .hears_reply()
    .says(SAYS[1])
    .hears("is that right", within=5)
    .hears_reply()
    .says(SAYS[2])
    .expects_tool("book_table", party_size=2, name="Anna")
    .hears("booked", within=5)
    .hears_reply()
    .hangs_up()
)
GREETING = "Hello, how can I help?"


@dataclass
class Desk:
    """The booking desk on pipecat's Deepgram, OpenAI and Cartesia services; the servers are fakes.

    Every call of ``create_session`` opens new servers on the call's own loop. Keyword arguments of
    ``stt``, ``llm`` and ``tts`` go to the services, so a test can give them a wrong key.
    """

    scenarios: dict[str, Any] = field(default_factory=dict)
    hears: dict[str, Any] = field(default_factory=lambda: {"script": SAYS})
    rules: Any = None
    stt: dict[str, Any] = field(default_factory=dict)
    llm: dict[str, Any] = field(default_factory=dict)
    tts: dict[str, Any] = field(default_factory=dict)
    token_secs: float = 0.0
    speed: float | None = None
    action: dict[str, Any] = field(default_factory=dict)
    during: Any = None
    # The servers of the last call; written by create_session.
    deepgram: Any = None
    openai: Any = None
    cartesia: Any = None

    async def create_session(self):
        from pipecat.services.cartesia.tts import CartesiaTTSService
        from pipecat.services.deepgram.stt import DeepgramSTTService
        from pipecat.services.openai.llm import OpenAILLMService

        desk = booking_desk()
        rules = self.rules or desk.rules()
        async with AsyncExitStack() as stack:
            enter = stack.enter_async_context
            self.deepgram = deepgram = await enter(
                FakeDeepgram(**self.hears, scenario=self.scenarios.get("stt"))
            )
            self.openai = openai = await enter(
                FakeOpenAI(
                    rules=rules, token_secs=self.token_secs, scenario=self.scenarios.get("llm")
                )
            )
            self.cartesia = cartesia = await enter(
                FakeCartesia(speed=self.speed, scenario=self.scenarios.get("tts"))
            )
            agent = VoiceAgent(
                instructions=desk.instructions, greeting=GREETING, tools=list(desk.tools)
            )
            stt = DeepgramSTTService(
                **{"api_key": deepgram.key, "base_url": deepgram.base_url, **self.stt}
            )
            llm = OpenAILLMService(
                **{"api_key": openai.key, "base_url": openai.base_url, **self.llm}
            )
            settings = CartesiaTTSService.Settings(voice="agent")
            tts = CartesiaTTSService(
                **{"api_key": cartesia.key, "url": cartesia.url, "settings": settings, **self.tts}
            )
            await agent.Action(**{"vad": True, **self.parts(stt, llm, tts), **self.action})
            if self.during is not None:
                self.during(agent)
            await agent.start()

    def parts(self, stt, llm, tts):
        """Return the parts of Action."""
        return {"stt": stt, "llm": llm, "tts": tts}

    def call(self, caller=BOOKS, **options):
        """Simulate a call."""
        return asyncio.run(simulate(self.create_session, caller, **options))


def errors_of(call):
    """Return the call's ErrorOccurred events."""
    from piopiy_lab import events

    return [event for event in call.events if isinstance(event, events.ErrorOccurred)]


def said(call, role):
    return [entry.text for entry in call.transcript if entry.role == role]


def said_and_done(call):
    """Return the conversation without its times.

    On a very busy machine bytes on loopback may be a moment late, and the virtual clock be ahead.
    """
    turns = [(entry.role, entry.text, entry.interrupted) for entry in call.transcript]
    return turns, [(tool.name, tool.arguments) for tool in call.tool_calls], call.end_reason
