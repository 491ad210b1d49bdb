"""What the tests of cassettes share: a desk to call, and what two calls have in common."""

from __future__ import annotations

import asyncio
import hashlib

import numpy as np

from piopiy_lab import Caller, VoiceAgent, offline_stack, simulate
from piopiy_lab.offline import booking_desk

BOOKING = (
    Caller()
    .hears_greeting()
    .says("a table for two tomorrow at seven")
    .interrupts("no make it friday", after=1.2)
    .hears("friday")
    .hears_reply()
    .says("my name is anna")
    .hears_reply()
    .says("yes please")
    .expects_tool("book_table", day="friday")
    .hears_reply()
)
SHORT = Caller().hears_greeting().says("a table for two tomorrow at seven").hears_reply()


async def desk_session():
    """The offline stack's booking desk."""
    desk = booking_desk()
    agent = VoiceAgent(instructions=desk.instructions, greeting=desk.greeting)
    stt, llm, tts = offline_stack()
    await agent.Action(stt=stt, llm=llm, tts=tts, vad=True)
    await agent.start()


def run(create_session=desk_session, caller=SHORT, **options):
    return asyncio.run(simulate(create_session, caller, **options))


def lines(call):
    """The log, but for what only the caller's screenplay says."""
    return [e.to_json() for e in call.events if not type(e).__name__.startswith("CallerStep")]


def sound(call):
    return hashlib.sha256(np.ascontiguousarray(call.recording).tobytes()).hexdigest()
