"""The demo: a restaurant's booking desk and a caller for it, on this computer alone.

A file to copy and change: ``piopiy-lab demo --source > my_agent.py``, then ``python my_agent.py``.
"""

import asyncio

from piopiy_lab import Caller, VoiceAgent, offline_stack, simulate
from piopiy_lab.offline import booking_desk


async def create_session(call_id):
    """Answer one call. The same function runs on a microphone, in a test and on the phone."""
    desk = booking_desk()
    agent = VoiceAgent(instructions=desk.instructions, greeting=desk.greeting, tools=desk.tools)
    stt, llm, tts = offline_stack()  # or DeepgramSTTService(...), OpenAILLMService(...), ...
    await agent.Action(stt=stt, llm=llm, tts=tts, vad=True)
    await agent.start()


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
    print(asyncio.run(simulate(create_session, caller)))
