"""Rooms that are cancelled while they are being joined, in a process of its own; then a good call.

LiveKit's library would send SIGTERM to its process when one of those joins were left half done.
"""

from __future__ import annotations

import asyncio
import sys

from livekit import rtc
from wait_until import until

from piopiy_lab import Agent, Caller, VoiceAgent, events, offline_stack
from piopiy_lab.loopback import LoopbackPlatform
from piopiy_lab.transports import room_client

#: Seconds for which the library waits for our "ready" after its answer, measured; and a bit more.
LIBRARY_WAITS_SECS = 15.0 + 2.5
WAYS = ["cancel", "hang_up", "slow", "again", "cancel"]


def say(line):
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


async def create_session():
    agent = VoiceAgent(instructions="You are a desk.", greeting="Hello there.")
    stt, llm, tts = offline_stack()
    await agent.Action(stt=stt, llm=llm, tts=tts, vad=True)
    await agent.start()


async def main():
    begun, joined = [], []
    connect = rtc.Room.connect

    async def watched(room, *args, **kwargs):
        begun.append(room)
        await connect(room, *args, **kwargs)
        joined.append(room)

    rtc.Room.connect = watched
    async with LoopbackPlatform() as platform:
        agent = Agent("a1", platform.agent_token("a1"), create_session, platform.signaling_url)
        serving = asyncio.create_task(agent.connect())
        await until(lambda: agent.state == "connected", 20)
        for how in WAYS:
            room_client.JOIN_SECS = 0.005 if how == "slow" else 15.0
            ticket = platform.open_room()
            rooms = len(begun)
            invitation = {
                "room_name": ticket.room_name,
                "token": ticket.token,
                "url": ticket.url,
            }
            await platform.invite(invitation)
            await until(lambda rooms=rooms: len(begun) > rooms, 20)
            if how == "again":  # the cancelled join is still under way when the room is joined anew
                calls = len(agent.calls)
                await platform.cancel(ticket.room_name)
                await platform.invite(invitation)
                await until(lambda calls=calls: len(agent.calls) > calls, 20)
                await until(lambda: agent.calls[-1].events.of(events.RoomJoined), 20)
                await asyncio.sleep(1.0)  # and the cancelled one does not push it out
                say(f"again: {agent.calls[-1].state}")
            if how in ("cancel", "again"):
                await platform.cancel(ticket.room_name)
            elif how == "hang_up":
                agent.calls[-1].hang_up()
            await until(lambda: not agent.sessions.running, 20)
            say(f"{how}: {agent.calls[-1].end_reason}")
        left_alone = len(begun) - len(joined)
        await asyncio.sleep(LIBRARY_WAITS_SECS)
        call = await platform.place_call("a1", Caller().hears_greeting().hangs_up())
        call.raise_for_error()
        say(f"served {call.transcript[0].text}")
        await until(lambda: not agent.sessions.running)
        await agent.shutdown()
        await serving  # the joins that are still under way are waited for
        say(f"abandoned {left_alone > 0}")


asyncio.run(main())
