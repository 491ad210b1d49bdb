"""A house with a heavy door, and a double of it that is light: for tools beside a cassette."""

from __future__ import annotations

import asyncio

from piopiy_lab import Caller, VoiceAgent, calls_tool, offline_realtime, offline_stack

CALLER = Caller().hears_greeting().says("open the kitchen door").hears_reply()
HOUSE = {
    "phrases": ["open the {room} door"],
    "slots": {"room": ["kitchen", "garden"]},
    "replies": {"open the {room} door": calls_tool("open_door", room="{room}")},
}


class House:
    """A house whose door is heavy; its double's is not."""

    def __init__(self, *, realtime=False):
        self.ran, self.realtime = [], realtime

    async def create_session(self):
        async def open_door(room: str):
            """Open a door."""
            self.ran.append("tool")
            await asyncio.sleep(0.7)
            return f"The {room} door is open."

        agent = VoiceAgent(instructions="Open doors.", greeting="Hello.", tools=[open_door])
        if self.realtime:
            parts = {"llm": offline_realtime(**HOUSE)}
        else:
            parts = dict(zip(("stt", "llm", "tts"), offline_stack(**HOUSE), strict=True))
        await agent.Action(**parts, vad=True)
        await agent.start()

    def doubled(self, says="The kitchen door is open."):
        async def double(room: str):
            self.ran.append("double")
            return says

        return {"tools": {"open_door": double}}
