"""What is said of a run beside its rows, and how far it is."""

from __future__ import annotations

import asyncio
import errno
import io
import sys

import pytest
from live_calls import desk

from piopiy_lab import Caller, VoiceAgent, calls_tool, display, offline_stack, simulate_many
from piopiy_lab.errors import CallError
from piopiy_lab.experiments import kept
from piopiy_lab.experiments.figures.rows import CallRow
from piopiy_lab.experiments.running.progress import Tally

SHORT = Caller().hears_greeting()
OPENS = SHORT.says("open the kitchen door").hears_reply()


def many(session, callers, **told):
    return asyncio.run(simulate_many(session, callers, **{"executor": 0, **told}))


async def open_door(room: str) -> str:
    """Open a door.

    Args:
        room: The room behind it.
    """
    return f"The {room} door is open."


counted = []


async def counting(call_id):
    counted.append(call_id)
    stt, llm, tts = offline_stack()
    agent = VoiceAgent(instructions="You take bookings.", greeting=f"You are {len(counted)}.")
    await agent.Action(stt=stt, llm=llm, tts=tts, vad=True)
    await agent.start()


def test_a_session_that_counts_its_calls_is_told_of():
    calls = many(counting, SHORT, repeat=10)
    (notice,) = calls.notices
    assert "caller-1-1, made once more behind all others, was another call" in notice
    assert len(counted) == 11
    assert many(desk, SHORT, repeat=10).notices == ()


async def doors(call_id):
    stt, llm, tts = offline_stack(
        slots={"room": ["kitchen", "garden"]},
        replies={"open the {room} door": calls_tool("open_door", room="{room}")},
    )
    agent = VoiceAgent(instructions="You open doors.", greeting="Which door?", tools=[open_door])
    await agent.Action(stt=stt, llm=llm, tts=tts, vad=True)
    await agent.start()


def test_tools_that_were_really_run_are_named_once_they_run_more_than_once(tmp_path):
    calls = many(doors, OPENS, repeat=2)
    (said,) = calls.notices
    assert said.startswith("real tools were run: open_door in 2 calls")
    assert "replace={'tools': {'open_door': ...}}" in said
    assert many(doors, OPENS).notices == ()
    assert many(doors, OPENS, repeat=2, replace={"tools": {"open_door": open_door}}).notices == ()
    booked = SHORT.says("a table for two tomorrow at seven").hears_reply()
    assert many(desk, booked, repeat=2).notices == (), "the stand-in's own booking is none"


def test_a_cassette_has_a_folder_whatever_its_caller_is_called(tmp_path):
    names = ["a" * 300, "nul\x00", "लंबा " * 60, "plain"]
    told = {"cassette": tmp_path / "tapes", "record_mode": "once"}
    for _ in ("recorded", "played"):
        calls = many(desk, dict.fromkeys(names, SHORT), **told)
        assert [row.error for row in calls] == [None] * 4
    folders = sorted(path.name for path in (tmp_path / "tapes").iterdir())
    assert len(folders) == 4
    assert "plain-1" in folders
    (tmp_path / "tapes" / "plain-1").rename(tmp_path / "tapes" / "a plain one-1")
    many(desk, {"a plain one": SHORT}, cassette=tmp_path / "tapes", record_mode="none")


def test_tools_on_a_cassette_are_run_while_it_is_recorded_and_not_when_it_is_played(tmp_path):
    told = {"repeat": 2, "cassette": tmp_path / "tapes", "record_mode": "once"}
    first, second = many(doors, OPENS, **told), many(doors, OPENS, **told)
    assert "open_door in 2 calls" in first.notices[0]
    assert second.notices == ()
    assert all(row.passed and row.tools == ("open_door",) for row in second)


def test_a_full_disk_costs_the_calls_and_not_the_rows(monkeypatch):
    write, files = kept.write_packed, []

    def full(packed, path):
        files.append(path)
        if len(files) > 1:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        write(packed, path)

    monkeypatch.setattr(kept, "write_packed", full)
    calls = many(desk, {"a": SHORT}, repeat=3)
    assert [row.passed for row in calls] == [True, True, True]
    assert [row.kept for row in calls] == [True, False, False]
    (said,) = calls.notices
    assert "2 calls were not kept" in said
    assert "No space left on device" in said
    assert "TMPDIR" in said
    with pytest.raises(CallError):
        calls["a", 2]


class Line:
    """A front end's progress line."""

    def __init__(self):
        self.told, self.closed = [], 0

    def update(self, part, text):
        self.told.append((round(part, 2), text))

    def close(self):
        self.closed += 1


@pytest.fixture
def line():
    shown = Line()
    hook = display.Hook(show=print, progress=lambda: shown, progress_after_secs=0.0)
    before = display.set_hook(hook)
    yield shown
    display.set_hook(before)


def test_a_front_end_shows_how_far_it_is_with_the_failing_ones_first(line, monkeypatch):
    monkeypatch.setattr("piopiy_lab.experiments.running.progress._PAUSE_SECS", 0.0)
    many(desk, {"good": SHORT, "bad": SHORT.hears("nonsense", within=1)}, executor=0)
    assert line.told == [
        (0.5, "1 of 2 calls done, 1 passed"),
        (
            1.0,
            "bad-1 failed at hears('nonsense', within=1.0) | 2 of 2 calls done, 1 passed",
        ),
    ], "and nothing of simulate()'s own"
    assert line.closed == 1


def test_a_terminal_has_one_line_and_anything_else_none(monkeypatch):
    class Screen(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr("piopiy_lab.experiments.running.progress._PAUSE_SECS", 0.0)
    monkeypatch.setattr(display.Hook, "progress_after_secs", 0.0)
    for stream in (Screen(), io.StringIO()):
        monkeypatch.setattr(sys, "stderr", stream)
        tally = Tally(5)
        for run in range(5):
            tally.add(CallRow(run, "a", run + 1, kind="died" if run else "passed"))
        tally.close()
        text = stream.getvalue()
        assert ("\r\x1b[K 20% 1 of 5 calls done, 1 passed" in text) is stream.isatty()
        assert ("a-2 died; a-3 died; a-4 died; 1 more | 5 of 5" in text) is stream.isatty()
        assert not stream.isatty() or text.endswith("\r\x1b[K")
