"""Leaving the interpreter in a live call: its end and its whole sound are written at once."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time

import pytest
import soundfile

SCRIPT = """
import asyncio, os, signal, sys, time
from piopiy_lab import Caller, VoiceAgent, offline_stack, start_call

GREETING = "This is a long greeting that goes on and on, so that it is being spoken when we leave."

async def create_session():
    stt, llm, tts = offline_stack()
    agent = VoiceAgent(instructions="x", greeting=GREETING)
    await agent.Action(stt=stt, llm=llm, tts=tts, vad=True)
    await agent.start()
    await asyncio.sleep({after})

call = start_call(create_session, Caller().waits(60), record=sys.argv[1])
while not call.transcript:
    time.sleep(0.02)
time.sleep(1.5)
print(call.duration, time.time(), flush=True)
{leave}
"""


def left(folder, leave, after=0):
    """Leave a call; return its seconds then, and how many seconds the process took to be gone."""
    script = SCRIPT.format(leave=leave, after=after)
    done = subprocess.run(
        [sys.executable, "-c", script, str(folder)], capture_output=True, text=True, timeout=60
    )
    gone = time.time()
    assert done.stdout, done.stderr
    duration, at = map(float, done.stdout.split())
    return duration, gone - at, done.returncode


@pytest.mark.parametrize(
    ("leave", "code", "after"),
    [("", 0, 0), ("raise ValueError('x')", 1, 0), ("sys.exit(3)", 3, 0), ("", 0, 20)],
)
def test_the_end_and_the_sound_are_written(tmp_path, leave, code, after):
    duration, secs, returned = left(tmp_path / "call", leave, after)
    assert returned == code
    assert secs < 3.0  # one for the call, the rest for the interpreter on a busy machine
    *_, last = (tmp_path / "call" / "events.jsonl").read_text().splitlines()
    end = json.loads(last)
    assert (end["type"], end["reason"]) == ("CallEnded", "hung_up")
    assert end["at"] - duration < 1.0
    assert (tmp_path / "call" / "meta.json").exists()
    sound, rate = soundfile.read(tmp_path / "call" / "call.wav", dtype="int16")
    assert len(sound) / rate == pytest.approx(end["at"], abs=0.001)
    said = sound[round((duration - 0.5) * rate) : round((duration - 0.1) * rate), 1]
    assert abs(said).max() > 1000  # of the agent's words, up to the last


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no kill -9 here")
def test_kill_9_loses_a_fifth_of_a_second(tmp_path):
    duration, _, returned = left(tmp_path / "call", "os.kill(os.getpid(), signal.SIGKILL)")
    assert returned == -signal.SIGKILL
    from piopiy_lab import Call

    sound = Call.load(tmp_path / "call").recording
    kept = len(sound) / sound.sample_rate
    assert kept > duration - 0.2
    said = sound.agent[round((kept - 0.5) * sound.sample_rate) :]
    assert abs(said).max() > 1000
