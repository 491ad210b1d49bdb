"""A call whose truth is known: the offline voices at the booking desk, in virtual time."""

from __future__ import annotations

from piopiy_lab import Caller, VoiceAgent, offline_stack
from piopiy_lab.offline import booking_desk

#: A barge-in, four turns, a tool.
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


async def desk_session():
    desk = booking_desk()
    agent = VoiceAgent(instructions=desk.instructions, greeting=desk.greeting)
    stt, llm, tts = offline_stack()
    # a platform's call: none of them turns the agent down before it is cut
    await agent.Action(stt=stt, llm=llm, tts=tts, vad=True, hold_backchannels=False)
    await agent.start()
