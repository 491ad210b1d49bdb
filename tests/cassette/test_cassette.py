"""A cassette keeps what services answered, and plays it: the same call, and nobody is asked."""

from __future__ import annotations

import json
import re

import pytest
import soundfile
from taped import BOOKING, SHORT, lines, run, sound

from piopiy_lab import Agent, VoiceAgent, events, offline_stack
from piopiy_lab.cassette import Cassette
from piopiy_lab.cassette.tape import Writer
from piopiy_lab.errors import ArgumentError, ArgumentTypeError, CassetteError
from piopiy_lab.offline import booking_desk
from piopiy_lab.offline.llm import RuleLLMService
from piopiy_lab.offline.stt import PhraseSTTService
from piopiy_lab.offline.tts import EspeakTTSService


@pytest.fixture
def tape(tmp_path):
    run(cassette=tmp_path / "tape")
    return tmp_path / "tape"


@pytest.fixture
def nobody_is_asked(monkeypatch):
    def asked(*args):
        pytest.fail("a service was asked")

    monkeypatch.setattr(RuleLLMService, "_process_context", asked)
    monkeypatch.setattr(PhraseSTTService, "_begin", asked)
    monkeypatch.setattr(EspeakTTSService, "_place", asked)


def desk_with(*, instructions="You take bookings.", tools=()):
    async def create_session():
        desk = booking_desk()
        agent = VoiceAgent(instructions=instructions, greeting=desk.greeting, tools=list(tools))
        stt, llm, tts = offline_stack()
        await agent.Action(stt=stt, llm=llm, tts=tts, vad=True)
        await agent.start()

    return create_session


def test_a_recorded_call_is_the_call_and_a_play_is_its_recording(tmp_path, nobody_is_asked_after):
    plain = run(caller=BOOKING)
    recorded = run(caller=BOOKING, cassette=tmp_path / "tape")
    assert lines(recorded) == lines(plain)
    assert sound(recorded) == sound(plain)
    nobody_is_asked_after()
    played = [run(caller=BOOKING, cassette=tmp_path / "tape", record_mode="none") for _ in "12"]
    assert played[0].error is None
    assert lines(played[0]) == lines(played[1])
    assert sorted(lines(played[0])) == sorted(lines(recorded))
    assert sound(played[0]) == sound(played[1]) == sound(recorded)
    assert [e.name for e in played[0].events.of(events.ToolCalled)] == ["book_table"]


@pytest.fixture
def nobody_is_asked_after(request):
    return lambda: request.getfixturevalue("nobody_is_asked")


def test_once_records_and_then_plays(tape, nobody_is_asked):
    assert run(cassette=tape).error is None


def test_all_records_anew(tape):
    before = (tape / "cassette.jsonl").read_bytes()
    run(caller=BOOKING, cassette=tape, record_mode="all")
    assert len((tape / "cassette.jsonl").read_bytes()) > len(before)


def test_another_prompt_is_played_and_named_once(tape, tmp_path):
    run(desk_with(), BOOKING, cassette=tmp_path / "prompt")
    cassette = Cassette(tmp_path / "prompt", "none")
    call = run(desk_with(instructions="Ask for a deposit."), BOOKING, cassette=cassette)
    assert call.error is None
    (notice,) = cassette.notices
    assert "the instructions of the agent are not those" in notice
    assert "the old prompt's answers" in notice
    assert notice in [e.message for e in call.events.of(events.NoticeGiven)]


def test_another_message_is_a_miss_that_is_named(tape):
    cassette = Cassette(tape, "none")
    other = SHORT.says("my name is anna").hears_reply()
    call = run(caller=other, cassette=cassette)
    assert isinstance(call.error, CassetteError)
    (miss,) = cassette.misses
    assert (miss.kind, miss.turn) == ("stt", 1)
    assert "my name is anna" in miss.asked
    assert "my name is anna" in str(call.error)
    assert "record_mode='all'" in str(call.error)


def test_a_cassette_of_another_call_is_named(tape):
    async def other():
        agent = VoiceAgent(instructions="Another.", greeting="Good evening.")
        stt, llm, tts = offline_stack()
        await agent.Action(stt=stt, llm=llm, tts=tts, vad=True)
        await agent.start()

    call = run(other, cassette=tape, record_mode="none")
    assert isinstance(call.error, CassetteError)
    assert "asked 'Good evening.', recorded is 'Hello, this is the booking desk" in str(call.error)


def test_no_cassette_in_mode_none_is_refused_early(tmp_path):
    with pytest.raises(CassetteError, match="there is no cassette in .*'once'"):
        run(cassette=tmp_path / "none", record_mode="none")


def test_bad_arguments_are_refused_early(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(CassetteError, match="is a file: a cassette is a folder"):
        run(cassette=tmp_path / "file")
    with pytest.raises(ArgumentError, match=r"record_mode='sometimes': the modes are 'once'"):
        run(cassette=tmp_path / "tape", record_mode="sometimes")
    with pytest.raises(ArgumentError, match="none is given"):
        run(record_mode="none")
    with pytest.raises(ArgumentTypeError, match="give the path of a folder"):
        run(cassette=7)
    (tmp_path / "call").mkdir()
    (tmp_path / "call" / "events.jsonl").write_text("")
    with pytest.raises(CassetteError, match="with other files"):
        run(cassette=tmp_path / "call")


def test_half_a_line_at_the_end_is_left_out_and_said(tape):
    path = tape / "cassette.jsonl"
    path.write_bytes(path.read_bytes()[:-9])
    cassette = Cassette(tape, "none")
    run(cassette=cassette)
    assert "was cut off while it was written" in cassette.notices[0]


def test_a_torn_line_in_the_middle_is_named(tape):
    path = tape / "cassette.jsonl"
    content = path.read_text().splitlines()
    content[4] = content[4][:20]
    path.write_text("\n".join(content) + "\n")
    with pytest.raises(CassetteError, match="is torn: line 5 of"):
        run(cassette=tape)


def test_missing_sound_is_named(tape):
    size = 2 * soundfile.info(tape / "sound.flac").frames
    (tape / "sound.flac").unlink()
    with pytest.raises(CassetteError, match="has no sound.flac"):
        run(cassette=tape)
    (tape / "sound.raw").write_bytes(b"\0" * 100)
    with pytest.raises(CassetteError, match=f"lost some of its sound.raw: 100 of {size} bytes"):
        run(cassette=tape)


def test_another_version_is_refused(tape):
    path = tape / "cassette.jsonl"
    path.write_text(path.read_text().replace('{"cassette": 1,', '{"cassette": 9,', 1))
    with pytest.raises(CassetteError, match="has the format 9 .*and this version reads 1"):
        run(cassette=tape)


def test_what_is_no_cassette_is_refused(tape):
    path = tape / "cassette.jsonl"
    path.write_text('{"type": "CallStarted"}\n')
    with pytest.raises(CassetteError, match="is no cassette"):
        run(cassette=tape)
    path.write_text("")
    with pytest.raises(CassetteError, match="is empty"):
        run(cassette=tape)


def test_messages_are_kept_once(tmp_path):
    run(caller=BOOKING, cassette=tmp_path)
    text = (tmp_path / "cassette.jsonl").read_text()
    asked = [json.loads(line) for line in text.splitlines() if '"kind": "llm"' in line]
    assert len(asked) > 3
    assert len(re.findall(r'"role": "user", "content": "a table for two tomorrow', text)) == 1
    assert text.count('"instructions": [') == 1


def test_a_full_disk_ends_the_cassette_and_not_the_call(tmp_path, monkeypatch):
    def full(self, write):
        self._failed = True
        self.on_failure(OSError(28, "No space left on device"))

    monkeypatch.setattr(Writer, "_write", full)
    cassette = Cassette(tmp_path / "tape")
    run(cassette=cassette).raise_for_error()
    assert "ends here, for it can't be written" in cassette.notices[0]


def test_an_agent_with_a_cassette_needs_a_folder():
    with pytest.raises(ArgumentError, match="give record='calls'"):
        Agent("a1", "a-token", desk_with(), cassette=True)
