"""Many calls from a real kernel: what cells define travels; an interrupted cell leaves nothing."""

from __future__ import annotations

from kernel_cells import run

DEFINED = """
from piopiy_lab import Caller, VoiceAgent, offline_stack, simulate_many

class Words:
    greeting = "Hello number one."

def words():
    return Words()

async def create_session(call_id):
    agent = VoiceAgent(instructions="x", greeting=words().greeting)
    stt, llm, tts = offline_stack()
    await agent.Action(stt=stt, llm=llm, tts=tts, vad=True)
    await agent.start()

polite = Caller().hears_greeting().says("a table for two").hears_reply()

def says_hello(call):
    return call.transcript[0].text == Words.greeting

def left():
    import psutil
    found = psutil.Process().children(recursive=True)
    return [p.cmdline() for p in found if "resource_tracker" not in " ".join(p.cmdline())]
"""
ONE = """
who = {{"polite": polite}}
calls = await simulate_many(create_session, who, executor={executor}, checks=[says_hello])
print(calls[0].kind, calls[0].error, calls[0].sha)
"""
BREAKS = """
async def breaks(call_id):
    raise ValueError("no such table")

rows = [(await simulate_many(breaks, polite, executor=n)).rows[0] for n in (0, 2)]
print(rows[0] == rows[1], rows[1].error)
"""
ENDLESS = """
await simulate_many(
    create_session, {"polite": polite}, repeat=60, executor=2, on_call=lambda row: print(row.run)
)
"""


async def test_cells_travel_and_an_interrupted_cell_leaves_no_process():
    from jupyter_client.manager import start_new_async_kernel

    manager, client = await start_new_async_kernel()
    try:
        _, failed = await run(client, DEFINED)
        assert failed is None
        here, failed = await run(client, ONE.format(executor=0))
        assert here.startswith("passed None"), (here, failed)
        there, failed = await run(client, ONE.format(executor=2))
        assert there == here, failed
        await run(client, "Words.greeting = 'Hello number two.'")
        changed, failed = await run(client, ONE.format(executor=2))
        assert changed.startswith("passed None"), (changed, failed)
        assert changed != there, "the class is what it is now"

        broken, failed = await run(client, BREAKS)
        place = "(cell, line 2, in breaks: raise ValueError("
        assert broken.startswith(f"True ValueError: no such table {place}"), (broken, failed)

        _, failed = await run(client, ENDLESS, interrupt=manager.interrupt_kernel)
        assert failed in ("KeyboardInterrupt", "CancelledError")
        shown, failed = await run(client, "print(left())")
        assert (shown.strip(), failed) == ("[]", None)
        again, failed = await run(client, ONE.format(executor=2))
        assert again == changed, failed
    finally:
        client.stop_channels()
        await manager.shutdown_kernel(now=True)
