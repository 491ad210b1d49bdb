"""``piopiy-lab replay``: a saved call again; what differs is printed, and the exit code says it."""

from __future__ import annotations

import shutil

import pytest

from piopiy_lab import Call
from piopiy_lab.cli import main

DEMO = "piopiy_lab.cli.demo_session:create_session"
CHANGED = """
from piopiy_lab import VoiceAgent, offline_stack


async def create_session():
    stt, llm, tts = offline_stack(
        replies={"yes that is right": "Good.", "a table for two tomorrow at eight": "For whom?"}
    )
    agent = VoiceAgent(instructions="x", greeting="Hello.")
    await agent.Action(stt=stt, llm=llm, tts=tts, vad=True)
    await agent.start()
"""


def test_the_demo_again_is_the_same_call(demo_run, tmp_path, capsys):
    page, folder = tmp_path / "both.html", tmp_path / "again"
    told = ["--html", str(page), "--save", str(folder)]
    assert main(["replay", str(demo_run.folder), DEMO, *told]) == 0
    out = capsys.readouterr().out
    assert "the same call, to the last sample" in out.splitlines()[0]
    assert "agent   Your table is booked." in out
    assert page.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert Call.load(folder).transcript == Call.load(demo_run.folder).transcript


def test_another_agent_parts_from_it(demo_run, tmp_path, capsys):
    (tmp_path / "changed.py").write_text(CHANGED)
    assert main(["replay", str(demo_run.folder), str(tmp_path / "changed.py")]) == 1
    out = capsys.readouterr().out
    assert ">>> diverged at turn " in out
    assert "--- what follows came after the divergence ---" in out


@pytest.mark.parametrize("lost", ["caller.flac", "events.jsonl"])
def test_a_folder_that_cant_be_replayed_says_why(demo_run, tmp_path, capsys, lost):
    shutil.copytree(demo_run.folder, tmp_path / "call")
    (tmp_path / "call" / lost).unlink()
    assert main(["replay", str(tmp_path / "call"), DEMO]) == 2
    err = capsys.readouterr().err
    wanted = {"caller.flac": "has not kept what its agent heard", "events.jsonl": "no saved call"}
    assert wanted[lost] in err
