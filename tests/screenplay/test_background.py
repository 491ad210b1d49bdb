"""What is heard behind a caller: in the sound, in the log, and in what is made of the call."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
import soundfile

from piopiy_lab import Audio, AudioFile, Background, Call, Caller, events, simulate
from piopiy_lab.errors import ArgumentError, ArgumentTypeError, AudioFileError
from piopiy_lab.screenplay.behind import Behind
from piopiy_lab.sound.background import background


def run(create_session, caller, **options):
    return asyncio.run(simulate(create_session, caller, **options))


def tone(secs, rate=16000):
    return (9000 * np.sin(2 * np.pi * 300 * np.arange(round(secs * rate)) / rate)).astype(np.int16)


def test_a_television_is_heard_all_the_time_and_told_passage_by_passage(booking):
    caller = Caller(background="television").hears_greeting().says("a table for two").hears_reply()
    call = run(booking(), caller)
    call.raise_for_error()
    passages = call.events.of(events.BackgroundHeard)
    assert len(passages) >= 2
    assert all(p.what == "television" and p.text for p in passages)
    assert passages[-1].end <= call.duration + 0.02
    assert [p.at for p in passages] == sorted(p.at for p in passages)
    (spoke,) = call.events.of(events.CallerSpoke)
    rate = call.recording.sample_rate
    before = call.recording[: round((spoke.at - 0.1) * rate), 0].astype(float)
    assert 20 < np.sqrt((before**2).mean()) < 400
    (described,) = call.events.of(events.CallerDescribed)
    assert described.background == "television"
    assert 'Caller(background="television")' in call.to_code()
    again = run(booking(), caller)
    np.testing.assert_array_equal(again.recording, call.recording)


def test_a_replay_has_the_same_television_and_is_the_same_call(booking, tmp_path):
    caller = (
        Caller(background=Background("television", -34, seed=3))
        .hears_greeting()
        .says("a table for two")
        .hears_reply()
        .hangs_up()
    )
    call = run(booking(), caller)
    recalled = Caller.from_call(Call.load(call.save(tmp_path / "call")))
    assert recalled.background == Background("television", -34, seed=3)
    code = call.to_code()
    assert "from piopiy_lab import Background, Caller\n" in code
    assert 'Caller(background=Background("television", level_db=-34, seed=3))' in code
    again = run(booking(), recalled)
    np.testing.assert_array_equal(again.recording, call.recording)
    steps = (events.CallerStepStarted, events.CallerStepFinished)
    assert [e.to_json() for e in again.events if not isinstance(e, steps)] == [
        e.to_json() for e in call.events if not isinstance(e, steps)
    ]


def test_its_level_is_that_below_a_callers_voice():
    loud, quiet = Background("speaker", 0.0).loop(16000), Background("speaker").loop(16000)
    assert np.abs(loud.samples).max() == pytest.approx(0.5 * 32767, rel=0.01)
    peaks = [float(np.abs(one.samples).max()) for one in (loud, quiet)]
    assert 20 * np.log10(peaks[1] / peaks[0]) == pytest.approx(-30, abs=0.1)
    assert background("speaker", 1).passages != background("speaker", 2).passages


def test_a_sound_of_ones_own_goes_round(tmp_path):
    soundfile.write(tmp_path / "street.wav", tone(0.5), 16000)
    for what in (
        Audio(tone(0.5), 16000),
        AudioFile(tmp_path / "street.wav"),
        tmp_path / "street.wav",
    ):
        behind = Behind(Background(what, 0.0), 8000)
        mixed = behind.under(np.zeros(9000, np.int16))
        np.testing.assert_array_equal(mixed[:4000], mixed[4000:8000])
        ends = [(p.text, p.at, p.end) for p in behind.heard(10.0)]
        assert ends == [(None, 10.0, 10.5), (None, 10.5, 11.0)]
        assert [p.end for p in behind.heard(10.0, over=True)] == [11.125]


def test_what_cant_be_behind_a_caller_is_refused(tmp_path, booking):
    soundfile.write(tmp_path / "nothing.wav", np.zeros(800, np.int16), 16000)
    for given, error, told in [
        ("radio", ArgumentError, "'television' or 'speaker'"),
        (7, ArgumentTypeError, "background=7"),
    ]:
        with pytest.raises(error, match=told):
            Caller(background=given)
    with pytest.raises(ArgumentError, match="dB from -80"):
        Background("speaker", 90.0)
    with pytest.raises(ArgumentTypeError, match="whole number"):
        Background("speaker", seed="a")
    for path, told in [(tmp_path / "nothing.wav", "is silent"), (tmp_path / "no.wav", "not there")]:
        with pytest.raises(AudioFileError, match=told):
            run(booking(), Caller(background=path).hears_greeting())


def test_a_short_sound_behind_the_caller_is_told_twice_a_second_at_most(booking):
    hum = (2000 * np.sin(2 * np.pi * 100 * np.arange(160) / 16000)).astype(np.int16)
    caller = Caller(background=Background(Audio(hum, 16000))).hears_greeting().hangs_up()
    call = run(booking(), caller)
    passages = call.events.of(events.BackgroundHeard)
    assert 1 <= len(passages) <= call.duration / 0.5 + 2
