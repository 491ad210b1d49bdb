"""A call that an Agent in a notebook serves, while the notebook does something else."""

from __future__ import annotations

import asyncio

from kernel_cells import BUSY, run

from piopiy_lab import Caller
from piopiy_lab.loopback import LoopbackPlatform

DESK = """
from piopiy_lab import Agent, VoiceAgent, offline_stack
from piopiy_lab.offline import booking_desk

async def create_session():
    desk = booking_desk()
    agent = VoiceAgent(instructions=desk.instructions, greeting=desk.greeting)
    stt, llm, tts = offline_stack()
    await agent.Action(stt=stt, llm=llm, tts=tts, vad=True)
    await agent.start()

agent = Agent("a1", {token!r}, create_session, signaling_url={url!r})
handle = agent.start()
await handle.wait_connected()
"""


LINE = "a table for two tomorrow at seven"


async def test_interrupting_another_cell_in_mid_call_is_not_heard_by_the_caller():
    from jupyter_client.manager import start_new_async_kernel

    caller = Caller().hears_reply().waits(5).says(LINE).hears_reply().hangs_up()
    async with LoopbackPlatform() as platform:
        manager, client = await start_new_async_kernel()
        try:
            code = DESK.format(token=platform.agent_token("a1"), url=platform.signaling_url)
            shown, failed = await run(client, code)
            assert failed is None, shown
            placed = asyncio.create_task(platform.place_call("a1", caller))
            await platform.wait_answered()

            _, failed = await run(client, BUSY, interrupt=manager.interrupt_kernel)
            assert failed == "KeyboardInterrupt"
            assert not placed.done()
            heard = (await placed).raise_for_error()
            assert heard.end_reason == "caller_hung_up"
            assert len(heard.turns) == 1  # what was said afterwards was answered
            shown, failed = await run(
                client,
                "ours = handle.calls[0]\nawait ours.wait()\n"
                "print(ours.end_reason, ours.error, ours.transcript[1].text)",
            )
            assert shown.strip() == f"caller_hung_up None {LINE}", failed
            await run(client, "handle.stop()\nhandle.join(10)")
        finally:
            client.stop_channels()
            await manager.shutdown_kernel(now=True)
