"""``piopiy-lab talk`` in a process of its own, on the virtual sound card."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading


def test_talk_shows_the_call_takes_typed_turns_and_hangs_up_at_ctrl_c(card):
    process = subprocess.Popen(
        [sys.executable, "-m", "piopiy_lab.cli", "talk"],
        env=card.env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    stop = threading.Timer(60, process.kill)
    stop.start()
    try:
        assert process.stdin is not None
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            if "How can I help?" in line:
                process.stdin.write("a table for two tomorrow at seven\n")
                process.stdin.flush()
            elif "What name is it under?" in line:
                process.send_signal(signal.SIGINT)
        assert process.wait() == 0, lines
    finally:
        stop.cancel()
        process.kill()
        process.wait()
    text = "".join(lines)
    assert 'Try saying: "a table for two tomorrow at seven"' in text
    assert "[typed]" in text
    assert "hung up" in text
    assert 'stack("deepgram+openai+cartesia")' in text
    assert "  caller  a table for two tomorrow at seven [typed]" in text
