"""``call.save_test()`` and ``piopiy-lab make-test``: a call becomes a test that pytest runs."""

from __future__ import annotations

import asyncio
import importlib
import re
import subprocess
import sys

import numpy as np
import pytest

from piopiy_lab import Call, Caller, Line, events, simulate
from piopiy_lab.cli import main
from piopiy_lab.errors import ArgumentError, ArgumentTypeError, SavedCallError
from piopiy_lab.simulation.scrubbing import Scrubber
from piopiy_lab.simulation.talking_over import sound_of

AGENT = '''
from pathlib import Path

from piopiy_lab import VoiceAgent, offline_stack

TABLES = Path(__file__).parent / "tables.txt"


def book_table(party_size: int, day: str, time: str, name: str):
    """Book a table.

    Args:
        party_size: How many.
        day: Which day.
        time: When.
        name: For whom.
    """
    TABLES.write_text(TABLES.read_text() + name if TABLES.exists() else name)
    return {"status": "booked", "reference": "12", "token": "sk-a1B2c3D4a1B2c3D4a1B2c3D4"}


async def create_session(from_number=None):
    agent = VoiceAgent(instructions="x", greeting="Hello, how can I help?", tools=[book_table])
    stt, llm, tts = offline_stack()
    await agent.Action(stt=stt, llm=llm, tts=tts, vad=True)
    await agent.start()
'''
BOOKS = (
    Caller()
    .hears_greeting()
    .says("a table for two tomorrow at seven")
    .hears_reply()
    .says("my name is anna")
    .hears_reply()
    .says("yes please")
    .hears_reply()
    .hangs_up()
)


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """The module of an agent, in a project of its own."""
    (tmp_path / "desk_agent.py").write_text(AGENT)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    sys.modules.pop("desk_agent", None)
    yield importlib.import_module("desk_agent")
    sys.modules.pop("desk_agent", None)


@pytest.fixture
def call(desk):
    call = asyncio.run(simulate(desk.create_session, BOOKS, from_number="+918012345678"))
    desk.TABLES.unlink()
    return call


def passes(*arguments):
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "ignore"]
    ran = subprocess.run([*command, *arguments], capture_output=True, text=True)
    return ran.returncode == 0, ran.stdout


def _texts(folder):
    return [p for p in folder.rglob("*") if p.is_file() and "__pycache__" not in p.parts]


def everything(folder):
    return "\n".join(f"{path}\n{path.read_text()}" for path in _texts(folder))


def test_a_test_of_a_call_over_a_line_has_the_line(desk, tmp_path):
    """A screenplay speaks over all of it; a recorded caller was heard over it already."""
    line = Line(codec="pcmu", delay_ms=40.0)
    call = asyncio.run(simulate(desk.create_session, BOOKS, line=line, perturb=3))
    path = call.save_test(tmp_path / "tests", name="spoken")
    assert "line=Line(codec='pcmu', delay_ms=40.0),\n        perturb=3," in path.read_text()
    path = call.save_test(tmp_path / "tests", name="heard", sound=True)
    text = path.read_text()
    assert "line=Line(codec='pcmu', delay_ms=40.0, sides='agent')," in text
    assert "perturb" not in text
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", "tests"],
        capture_output=True,
        text=True,
    )
    assert "2 passed" in done.stdout, done.stdout


def test_a_call_becomes_a_test_that_runs_at_once_and_books_nothing(call, desk, tmp_path):
    path = call.save_test(tmp_path / "tests")
    assert path == tmp_path / "tests" / "test_call_sim_1.py"
    ok, said = passes("tests")
    assert ok, said
    assert "1 passed" in said
    assert not desk.TABLES.exists(), "the real tool ran"
    assert "sk-a1B2" not in everything(tmp_path / "tests")
    assert "from desk_agent import create_session" in path.read_text()
    # it finds a change
    (tmp_path / "desk_agent.py").write_text(AGENT.replace("how can I help", "what is it"))
    ok, said = passes("tests")
    assert not ok
    assert "what is it" in said


def test_names_and_numbers_are_left_out_of_all_of_it(call, desk, tmp_path):
    scrub = {"anna": "oliver", "+918012345678": "+910000000000"}
    call.save_test(tmp_path / "tests", name="booking", scrub=scrub)
    kept = everything(tmp_path / "tests")
    assert not re.search("anna|8012345678", kept, re.IGNORECASE)
    assert "for Oliver. Is that right?" in kept
    ok, said = passes("tests")
    assert ok, said
    assert not desk.TABLES.exists()


def test_with_its_sound_the_caller_is_the_recorded_one(call, desk, tmp_path):
    path = call.save_test(tmp_path / "tests", name="booking", sound=True)
    kept = Call.load(tmp_path / "tests" / "calls" / "booking")
    assert np.array_equal(kept.heard.samples, call.heard.samples)
    assert "Caller.from_call(Call.load(HERE))" in path.read_text()
    ok, said = passes("tests")
    assert ok, said
    assert not desk.TABLES.exists()
    again = asyncio.run(simulate(desk.create_session, Caller.from_call(kept)))
    assert again.recording.tobytes() == call.recording.tobytes()
    # without it the next one has none
    call.save_test(tmp_path / "tests", name="booking", overwrite=True)
    assert Call.load(tmp_path / "tests" / "calls" / "booking").heard is None


def test_a_name_that_is_left_out_is_babble(call, desk, tmp_path):
    scrub = {"anna": "oliver", "+918012345678": "+910000000000"}
    path = call.save_test(tmp_path / "tests", name="booking", scrub=scrub, sound=True)
    text = path.read_text() + (path.parent / "calls" / "booking" / "meta.json").read_text()
    assert not re.search("anna|8012345678", text, re.IGNORECASE)
    kept = Call.load(tmp_path / "tests" / "calls" / "booking")
    (word,) = (one for one in call.heard.frames.words if one[0] == "anna")
    now = kept.heard.between(word[1], word[2])
    assert abs(np.corrcoef(now, call.heard.between(word[1], word[2]))[0, 1]) < 0.1
    same = kept.heard.samples == call.heard.samples
    changed = np.flatnonzero(~same) / 16000 + call.heard.frames.begins
    assert changed.min() > word[1] - 0.1
    assert changed.max() < word[2] + 0.1
    ok, said = passes("tests")
    assert ok, said


def test_words_without_times_take_the_whole_utterance_with_them(call):
    from dataclasses import replace

    from piopiy_lab.events.log import EventLog
    from piopiy_lab.sound.heard import Heard

    log = EventLog()
    for event in call.events:
        log.append(replace(event, words=[]) if isinstance(event, events.Transcribed) else event)

    class Recorder:
        sample_rate, frames = 24000, 0

        def heard(self):
            return Heard(replace(call.heard.frames, words=()), call.heard.samples)

    lost = Call(log, Recorder(), None, dict(call.meta))
    nothing_known = EventLog()
    for event in log:
        if not isinstance(event, events.Transcribed | events.CallerSpoke):
            nothing_known.append(event)
    quiet = sound_of(Call(nothing_known, Recorder(), None, dict(call.meta)), Scrubber(["anna"]))
    assert not np.array_equal(quiet.samples, call.heard.samples)  # it may have been said anywhere
    heard = sound_of(lost, Scrubber({"anna": "oliver"}))
    spoke = next(e for e in call.events.of(events.CallerSpoke) if "anna" in e.text)
    assert not np.array_equal(
        heard.between(spoke.at, spoke.at + 0.2), call.heard.between(spoke.at, spoke.at + 0.2)
    )
    assert "oliver" in [word for word, _, _ in heard.frames.words]
    assert "anna" not in [word for word, _, _ in heard.frames.words]


def test_a_name_of_two_words_is_left_out_too(call, desk, tmp_path):
    call.save_test(tmp_path / "tests", name="x", scrub=["name is anna", "one two"], sound=True)
    kept = tmp_path / "tests"
    text = "".join(p.read_text() for p in kept.rglob("*") if p.suffix in (".py", ".txt", ".jsonl"))
    assert "name is anna" not in text.lower()
    assert "one two" not in text


def test_a_call_that_was_hung_up_on_our_side_becomes_a_test_that_passes(desk, tmp_path):
    from piopiy_lab.session.session import current_session

    async def create_session():
        session = current_session()
        asyncio.get_running_loop().call_later(9.0, lambda: session.end("hung_up"))
        await desk.create_session()

    caller = Caller().hears_greeting().says("a table for two tomorrow at seven").waits(30)
    call = asyncio.run(simulate(create_session, caller))
    assert call.end_reason == "hung_up"
    call.save_test(tmp_path / "tests", session="desk_agent:create_session", sound=True)
    ok, said = passes("tests")
    assert ok, said


def test_of_a_saved_call_on_the_command_line(call, tmp_path, capsys):
    call.save(tmp_path / "calls" / "bad")
    command = ["make-test", "calls/bad", "tests", "--name", "it books", "--scrub", "anna=maria"]
    assert main(command) == 0
    assert "tests/test_it_books.py" in capsys.readouterr().out
    assert "maria" in (tmp_path / "tests" / "test_it_books.py").read_text()
    assert main(command) == 2
    assert "is there already" in capsys.readouterr().err
    assert main([*command, "--overwrite"]) == 0
    ok, said = passes("tests")
    assert ok, said


def test_what_can_not_be_a_test_is_refused_with_the_remedy(call, tmp_path):
    async def inside():
        raise OSError("x")

    async def other():
        return await simulate(inside, BOOKS)

    lost = asyncio.run(other())
    with pytest.raises(ArgumentError, match="nobody knows which session call sim-1 ran"):
        lost.save_test(tmp_path / "tests")
    for session, error in (
        ("no place", ArgumentError),
        ("a:b c", ArgumentError),
        (3, ArgumentTypeError),
    ):
        with pytest.raises(error, match="save_test"):
            call.save_test(tmp_path / "tests", session=session)
    with pytest.raises(ArgumentError, match="letters or digits"):
        call.save_test(tmp_path / "tests", name="///")
    (tmp_path / "file").write_text("")
    with pytest.raises(SavedCallError):
        call.save_test(tmp_path / "file")
    assert not (tmp_path / "tests").exists()


def test_scrubbing():
    scrubber = Scrubber(["Anna", re.compile(r"\+?\d[\d ]{6,}")])
    assert scrubber.text("Anna, annabel and ANNA: +91 8012 345678.") == (
        "Someone, annabel and Someone: +00 0000 000000."
    )
    assert scrubber.value({"anna": ["anna", 3, None]}) == {"anna": ["someone", 3, None]}
    for wrong, error in (
        ("Anna", ArgumentTypeError),
        ([3], ArgumentTypeError),
        ([""], ArgumentError),
        ([re.compile("a*")], ArgumentError),
        ({"a": 3}, ArgumentTypeError),
    ):
        with pytest.raises(error):
            Scrubber(wrong)


def test_a_call_knows_its_session(call, tmp_path):
    assert call.meta["session"] == "desk_agent:create_session"
    assert Call.load(call.save(tmp_path / "x")).meta["session"] == "desk_agent:create_session"
