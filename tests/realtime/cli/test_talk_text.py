"""``piopiy-lab talk --text``: a call by typing, from a pipe and on a terminal; no device needed."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys

import pytest

from piopiy_lab.call.call import Call
from piopiy_lab.cli import main

AGENT = """
from piopiy_lab import VoiceAgent, calls_tool, offline_stack


def opening_hours(day: str) -> str:
    return {"sunday": "We are closed."}[day]


async def create_session(call_id):
    agent = VoiceAgent(instructions="x", greeting="Hello, this is the shop.", tools=[opening_hours])
    stt, llm, tts = offline_stack(
        slots={"day": ["friday", "sunday"]},
        replies={"are you open on {day}": calls_tool("opening_hours", day="{day}")},
    )
    await agent.Action(stt=stt, llm=llm, tts=tts, vad=True)
    await agent.start()
"""
TYPED = [sys.executable, "-m", "piopiy_lab.cli", "talk", "agent.py", "--text", "--no-voice"]


@pytest.fixture
def agent(tmp_path):
    file = tmp_path / "agent.py"
    file.write_text(AGENT)
    return file


def test_lines_from_a_pipe_are_turns_one_after_the_other_and_the_call_is_kept(agent):
    done = subprocess.run(
        [*TYPED, "--record", "calls/first"],
        input="are you open on sunday\nare you open on friday",
        cwd=agent.parent,
        capture_output=True,
        text=True,
        timeout=90,
    )
    assert done.returncode == 0, done.stderr
    said = re.findall(r"^\S+  (agent |caller|error |tool  )  (.+)$", done.stdout, re.M)
    assert [(who.strip(), text) for who, text in said] == [
        ("agent", "Hello, this is the shop."),
        ("caller", "are you open on sunday [typed]"),
        ("tool", "opening_hours(day='sunday')"),
        ("tool", "-> 'We are closed.'"),
        ("agent", "We are closed."),
        ("caller", "are you open on friday [typed]"),
        ("tool", "opening_hours(day='friday')"),
        ("error", said[7][1]),
        ("tool", "-> failed: KeyError: 'friday'"),
        ("agent", "Sorry, that did not work. KeyError: 'friday'."),
    ]
    assert 'agent.py, line 6, in opening_hours: return {"sunday"' in said[7][1]
    assert "hung up" in done.stdout
    folder = agent.parent / "calls" / "first"
    assert f"piopiy-lab show {folder}" in done.stdout
    call = Call.load(folder)
    assert call.meta["origin"] == "keyboard"
    assert len(call.turns) == 2
    assert len(call.recording) / call.recording.sample_rate == pytest.approx(call.duration, abs=0.5)


@pytest.mark.parametrize("debug", [False, True])
def test_the_line_at_which_a_session_failed_comes_first_and_the_exit_code_is_1(
    debug, agent, capsys, monkeypatch
):
    monkeypatch.setattr("sys.stdin", io.StringIO())
    agent.write_text(
        "def helper():\n    return {}['no']\nasync def create_session():\n    helper()\n"
    )
    options = ["--text", "--no-voice", *(["--debug"] if debug else [])]
    assert main(["talk", str(agent), *options]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[1:3] == ["agent.py, line 2, in helper: return {}['no']", "KeyError: 'no'"]
    assert ("Traceback (most recent call last):" in lines) == debug


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are POSIX's")
def test_a_saved_file_is_called_anew_and_a_mistake_in_it_waits_for_the_next_save(agent):
    from pty_terminal import PtyProgram

    told = ["-m", *TYPED[2:4], str(agent), *TYPED[5:], "--reload"]
    program = PtyProgram(told, dict(os.environ))
    try:
        program.until(lambda: "agent   Hello, this is the shop." in program.text)
        program.press("are you open on sunday\n")
        program.until(lambda: "agent   We are closed." in program.text)
        agent.write_text(AGENT.replace("this is the shop", "this is the bakery"))
        program.until(lambda: "agent.py was saved: calling anew" in program.text)
        program.until(lambda: "agent   Hello, this is the bakery." in program.text)
        agent.write_text(f"{AGENT}\noops(\n")
        program.until(lambda: ": oops(" in program.text)
        program.until(lambda: "Save agent.py to call anew" in program.text)
        agent.write_text(AGENT)
        program.until(lambda: program.text.count("agent   Hello, this is the shop.") == 2)
        program.press("\x03")
        program.until(lambda: program.process.poll() is not None)
        assert program.process.returncode == 0
        assert program.modes_now() == program.modes
        assert "Traceback" not in program.text
    finally:
        program.close()


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are POSIX's")
def test_ctrl_d_on_a_terminal_hangs_up(agent):
    from pty_terminal import PtyProgram

    program = PtyProgram(["-m", *TYPED[2:4], str(agent), *TYPED[5:]], dict(os.environ))
    try:
        program.until(lambda: "agent   Hello" in program.text)
        program.press("\x04")
        program.until(lambda: program.process.poll() is not None)
        program.until(lambda: "hung up" in program.text)
        assert program.process.returncode == 0
    finally:
        program.close()
