"""record_mode="new_episodes": what is on the cassette is played, the rest is asked and added."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest
from cloud_desk import SAYS, Desk
from taped import SHORT, lines, run, sound
from test_taped_tools import CALLER, House
from tone_voice import ToneTTS

from piopiy_lab import Caller
from piopiy_lab.cassette import Cassette
from piopiy_lab.cassette.tape import Answer, Came
from piopiy_lab.cassette.tts_playing import PlayingTTS

LONGER = SHORT.says("my name is anna").hears_reply()


def test_what_is_new_is_asked_and_added(tmp_path):
    whole = run(caller=LONGER)
    run(caller=SHORT, cassette=tmp_path / "tape")
    cassette = Cassette(tmp_path / "tape", "new_episodes")
    added = run(caller=LONGER, cassette=cassette)
    added.raise_for_error()
    assert [(miss.kind, miss.turn) for miss in cassette.misses] == [
        ("stt", 1), ("llm", 2), ("tts", 2),
    ]  # fmt: skip
    assert "so it was asked: turn 2 (llm" in " ".join(cassette.notices)
    said = [(e.role, e.text) for e in added.transcript]
    assert said == [(e.role, e.text) for e in whole.transcript]
    played = [run(caller=LONGER, cassette=tmp_path / "tape", record_mode="none") for _ in "12"]
    played[0].raise_for_error()
    assert [(e.role, e.text) for e in played[0].transcript] == said
    assert lines(played[0]) == lines(played[1])
    assert sound(played[0]) == sound(added)


def test_only_a_tool_that_is_new_runs(tmp_path):
    house = House()
    longer = CALLER.says("open the garden door").hears_reply()
    run(house.create_session, CALLER, cassette=tmp_path / "tape")
    run(house.create_session, longer, cassette=tmp_path / "tape", record_mode="new_episodes")
    assert house.ran == ["kitchen", "garden"]
    run(house.create_session, longer, cassette=tmp_path / "tape", record_mode="none")
    assert house.ran == ["kitchen", "garden"]


def test_providers_are_asked_only_what_is_new(tmp_path):
    desk = Desk()
    short = Caller().hears_greeting().says(SAYS[0]).hears_reply()
    run(desk.create_session, short, cassette=tmp_path / "tape").raise_for_error()
    longer = short.says(SAYS[1]).hears_reply()
    desk.hears = {"script": SAYS[1:]}
    call = run(desk.create_session, longer, cassette=tmp_path / "tape", record_mode="new_episodes")
    call.raise_for_error()
    assert len(desk.openai.received) == 1
    assert [e.text for e in call.transcript if e.role == "user"] == list(SAYS[:2])
    played = run(desk.create_session, longer, cassette=tmp_path / "tape", record_mode="none")
    played.raise_for_error()
    assert [e.text for e in played.transcript] == [e.text for e in call.transcript]


def test_a_recorded_text_that_can_not_be_played_holds_up_no_other():
    """What is spoken beside run_tts fails: the context's next text, another one, doesn't wait."""
    sound = {"frame": "TTSAudioRawFrame", "sound": [0, 2], "sample_rate": 8000}
    broken = Came(0.0, "append_to_audio_context", [{"context_id": True}, sound])
    answers = {
        "one": Answer(1, "tts", "tts", 0, 0.0, {}, [broken], ["one"]),
        "two": Answer(2, "tts", "tts", 0, 0.0, {}, [], ["two"]),
    }

    def damaged(place):
        raise OSError("the sound is damaged")

    player = SimpleNamespace(
        sound=damaged,
        find_start=lambda part: None,
        find_tts=lambda part, text, settings: answers[text],
    )
    failed = []

    async def play():
        voice = ToneTTS()
        voice.get_clock = lambda: SimpleNamespace(get_time=lambda: 0)
        voice.create_task = lambda made: failed.append(asyncio.create_task(made)) or failed[0]
        voice.cancel_task = lambda task: asyncio.wait([task])
        playing = PlayingTTS(player, "tts", voice)
        async with asyncio.timeout(10):
            for text in answers:
                assert [frame async for frame in playing._run_tts(text, "a context")] == []

    asyncio.run(play())
    with pytest.raises(OSError, match="damaged"):
        failed[0].result()
