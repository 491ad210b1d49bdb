"""A forked child has no loop thread and no calls of its parent's; its own calls work."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

SCRIPT = """
import multiprocessing, time
from piopiy_lab import Caller, VoiceAgent, offline_stack, start_call

async def create_session():
    stt, llm, tts = offline_stack()
    agent = VoiceAgent(instructions="x", greeting="Hello.")
    await agent.Action(stt=stt, llm=llm, tts=tts, vad=True)
    await agent.start()

def start(caller):
    return start_call(create_session, caller, record=False)

def child():
    call = start(Caller().hears_greeting().hangs_up()).join(30).raise_for_error()
    print("child", call.end_reason, [entry.text for entry in call.transcript], flush=True)

if __name__ == "__main__":
    call = start(Caller().hears_greeting().waits(60))
    while not call.transcript:
        time.sleep(0.02)
    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    process.join()
    print("exit", process.exitcode, "parent", call.state, flush=True)
    call.hang_up()
    print("then", call.join(10).end_reason)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here")
def test_a_call_in_a_forked_child_while_the_parent_has_one():
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=90
    )
    assert done.stdout.splitlines() == [
        "child caller_hung_up ['Hello.']",
        "exit 0 parent listening",
        "then hung_up",
    ], done.stderr
