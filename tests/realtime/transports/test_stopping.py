"""An interrupted cell, and Ctrl-C in a script, on a bare ``await voice_agent.start()``."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time

import numpy as np
from jupyter_client.manager import start_new_kernel
from wait_until import wait_until

from piopiy_lab.cli.audio_checks import audio_checks

SESSION = """
from piopiy_lab import VoiceAgent, offline_stack

async def create_session():
    agent = VoiceAgent(instructions="x", greeting="Good day. " * 10)
    stt, llm, tts = offline_stack()
    await agent.Action(stt=stt, llm=llm, tts=tts, vad=True)
    await agent.start()
"""
LEFT = """
import threading
from piopiy_lab.transports import devices
left = [t.name for t in threading.enumerate() if "piopiy" in t.name.lower()]
print("streams", devices.open_streams, "threads", left)
"""


def playing(card):
    """Say whether some program plays to the virtual speaker."""
    return "PortAudio" in card.pactl("list", "sink-inputs") or "python" in card.pactl(
        "list", "sink-inputs"
    )


def test_ctrl_c_in_a_script_hangs_up(card):
    process = subprocess.Popen(
        [sys.executable, "-c", SESSION + "\nimport asyncio\ntry:\n    asyncio.run(create_session())"
         "\nexcept KeyboardInterrupt:\n    pass\n" + LEFT],
        env=card.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    stop = threading.Timer(40, process.kill)
    stop.start()
    try:
        wait_until(lambda: playing(card), 20)
        time.sleep(0.5)  # it is to be stopped while it plays, not while it begins to
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=10)
    finally:
        stop.cancel()
        process.kill()
        process.wait()
    assert process.returncode == 0, err
    assert out.strip() == "streams 0 threads []"
    assert "never awaited" not in err
    assert not playing(card)


def test_an_interrupted_cell_hangs_up_and_the_next_one_works(card):
    manager, client = start_new_kernel(kernel_name="python3", env=card.env)
    try:
        client.execute_interactive(SESSION, timeout=60)
        number = client.execute("await create_session()")
        wait_until(lambda: playing(card), 20)
        time.sleep(0.5)  # it is to be stopped while it plays, not while it begins to
        manager.interrupt_kernel()
        while True:
            reply = client.get_shell_msg(timeout=10)
            if reply["parent_header"].get("msg_id") == number:
                break
        assert reply["content"]["status"] == "error"
        assert reply["content"]["ename"] in ("KeyboardInterrupt", "CancelledError")
        printed = []

        def keep(message):
            if message["msg_type"] == "stream":
                printed.append(message["content"]["text"])

        client.execute_interactive(LEFT, timeout=10, output_hook=keep)
        assert "".join(printed).strip() == "streams 0 threads []"
        assert not playing(card)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def test_doctor_opens_each_default_for_a_second_and_says_what_it_heard(card):
    wave = (np.sin(np.arange(16000 * 6) / 5) * 3000).astype("i2")
    player = card.speak(wave)
    try:
        checks = {check.name: check for check in audio_checks()}
    finally:
        player.kill()
        player.wait()
    assert checks["microphone"].status == checks["speaker"].status == "ok", checks
    assert "heard -2" in checks["microphone"].detail
    assert "played a second of silence" in checks["speaker"].detail
    assert "open for a second each" in checks["audio devices"].detail
    time.sleep(0.5)  # what was played is out of PulseAudio's buffers
    silent = {check.name: check for check in audio_checks()}["microphone"]
    assert "heard nothing at all" in silent.detail
    assert "muted" in str(silent.remedy)
