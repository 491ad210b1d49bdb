"""Simulated calls over a phone line, and with small changes: the same bytes every time."""

from __future__ import annotations

import asyncio
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from kinds_of_calls import desk

from piopiy_lab import AudioFile, Call, Caller, Line, Perturb, events, simulate
from piopiy_lab.errors import ArgumentTypeError
from piopiy_lab.line.anew import CallersWay
from piopiy_lab.line.way import Way, samples_of
from piopiy_lab.sound.anew import LEAD_SECS, Anew

CALLER = (
    Caller()
    .hears_greeting()
    .says("a table for two tomorrow at seven")
    .hears_reply()
    .says("my name is anna")
    .hears_reply()
    .says("yes please")
    .expects_tool("book_table", name="Anna")
    .hears_reply()
    .hangs_up()
)
LOSSY = Line(codec="pcmu", loss=0.03, burst=2.0)


def run(caller=CALLER, create_session=None, *, stt="screenplay", **options):
    call = asyncio.run(
        simulate(create_session or desk(), caller, replace={"stt": stt} if stt else None, **options)
    )
    call.raise_for_error()
    return call


def story(call):
    """Who said what, which tools were called, how it ended."""
    return (
        [(e.role, e.text, e.interrupted) for e in call.transcript],
        [(t.name, t.arguments, t.result) for t in call.tool_calls],
        call.end_reason,
    )


def digest(folder):
    """One hash of what happened, of the recording and of what was heard."""
    return [
        hashlib.sha256((Path(folder) / name).read_bytes()).hexdigest()
        for name in ("events.jsonl", "call.wav", "caller.flac")
    ]


def spoken(call):
    return [(e.at, e.end) for e in call.events.of(events.CallerSpoke)]


# --- what is heard, and what is kept -----------------------------------------------------------


def test_a_booking_over_a_good_phone_line_is_the_same_conversation():
    assert story(run(line=Line.phone())) == story(run())


def test_what_is_heard_is_what_the_line_makes_of_the_recorded_caller():
    call = run(line=LOSSY)
    heard = call.heard
    rate = heard.sample_rate
    clean = call.recording.caller
    way = CallersWay(LOSSY, rate)
    (start, end), *_ = spoken(call)
    first, last = (round((at - heard.frames.begins) * rate) for at in (start, end))
    early = round(LEAD_SECS * rate)
    way.begin_anew(first - early, Anew(1, early))
    # the recording is at 24 kHz: bring it to the pipeline's rate, from where it was fed
    from piopiy_lab.sound import pcm

    fed = pcm.resample(clean[round(heard.frames.begins * 24000) :], 24000, rate)[:last]
    again = way.process(fed).astype(float)
    there = heard.samples[:last].astype(float)
    assert np.abs(there[first:]).max() > 3000
    likeness = np.corrcoef(again[first:], there[first:])[0, 1]
    assert likeness > 0.99  # but for the rounding of two resamplings, which G.711 makes larger
    assert np.corrcoef(fed[first:].astype(float), there[first:])[0, 1] < 0.9  # not what was said


def test_the_recording_keeps_the_caller_as_they_spoke():
    clean, over = run(), run(line=Line.phone(noise="street", snr_db=10.0))
    (start, end), *_ = spoken(clean)
    (start_over, end_over), *_ = spoken(over)
    assert end_over - start_over == pytest.approx(end - start, abs=1e-6)
    first, first_over = (round(at * 24000) for at in (start, start_over))
    count = round((end - start) * 24000)
    said = clean.recording.caller[first : first + count].astype(float)
    kept = over.recording.caller[first_over : first_over + count].astype(float)
    assert np.corrcoef(said, kept)[0, 1] > 0.999


def test_the_caller_is_heard_by_the_lines_delay_later_and_the_call_says_so():
    line = Line(codec="pcmu", delay_ms=100.0)
    call = run(line=line)
    (start, end), *_ = spoken(call)
    heard = call.heard
    rate = heard.sample_rate
    loud = np.flatnonzero(np.abs(heard.samples.astype(int)) > 500)
    early = samples_of(start + line.delay - heard.frames.begins, rate)
    assert early - 0.01 * rate < loud[0] < early + 0.1 * rate
    notices = [e.message for e in call.events.of(events.NoticeGiven)]
    assert f"heard {line.delay * 1000:.0f} ms later" in notices[0]
    stopped = call.events.of(events.UserSpeechStopped)[0]
    assert stopped.at - stopped.stop_secs > end + line.delay - 0.1
    without = run()
    assert call.turns[0].total > line.delay + 0.15  # as the caller has to wait
    assert without.turns[0].total < call.turns[0].total


def test_what_the_agent_says_goes_over_the_line_too_to_its_last_sample():
    line = Line(codec="pcmu", delay_ms=80.0, sides="agent")
    over, without = run(line=line), run()
    said, heard = without.recording.agent.astype(float), over.recording.agent.astype(float)
    greeting = without.transcript[0]
    first, last = (round(at * 24000) for at in (greeting.start, greeting.end + 0.2))
    way = Way(line, 24000, "agent")
    late = samples_of(line.delay, 24000)
    expected = way.process(np.pad(without.recording.agent[: last + 4800], (0, late)))
    expected = expected[late : late + last].astype(float)
    got = heard[late : late + last]
    assert np.corrcoef(expected[first:], got[first:])[0, 1] > 0.98
    assert np.abs(said[first:last]).max() > 3000


def test_the_agents_last_words_are_not_cut_off_by_the_line():
    """What is on its way when the agent stops is heard, and it stops speaking only then."""
    line = Line(codec="pcmu", delay_ms=300.0)
    over, without = run(line=line), run()
    stop, stop_without = (
        call.events.of(events.AgentSpeechStopped)[0].at for call in (over, without)
    )
    assert stop == pytest.approx(stop_without + line.delay, abs=0.02)


def test_an_interrupted_agent_is_heard_until_the_line_is_empty():
    caller = (
        Caller()
        .hears_greeting()
        .says("a table for two tomorrow at seven")
        .interrupts("no make it friday", after=1.0)
        .hears("friday")
        .hears_reply()
        .hangs_up()
    )
    line = Line(codec="pcmu", delay_ms=200.0)
    call = run(caller, desk(hold="pause"), line=line)
    cut = call.events.of(events.AgentSpeechHeld)[0].at  # and given up where it was held
    agent = np.abs(call.recording.agent.astype(int))
    rate = call.recording.sample_rate
    under_way = agent[round((cut + 0.02) * rate) : round((cut + line.delay - 0.02) * rate)]
    after = agent[round((cut + line.delay + 0.02) * rate) : round((cut + line.delay + 0.2) * rate)]
    assert under_way.max() > 500
    assert after.max() < 50


def test_the_agent_hears_its_own_echo_when_it_comes():
    line = Line(echo_db=20.0, echo_ms=50.0)
    call = run(Caller().hears_greeting().waits(1.0).hangs_up(), line=line)
    heard = call.heard.samples.astype(float)
    from piopiy_lab.sound import pcm

    rate = call.heard.sample_rate
    begins = round(call.heard.frames.begins * 24000)
    agent = pcm.resample(call.recording.agent[begins:], 24000, rate).astype(float)
    spectrum = np.fft.rfft(heard, 1 << 18) * np.conj(np.fft.rfft(agent, 1 << 18))
    lag = int(np.argmax(np.fft.irfft(spectrum))) / rate
    # the recording has the agent as the caller heard it: after the line's first half
    assert lag == pytest.approx(0.05 + line.delay + 0.0015, abs=0.003)
    power = np.sum(heard**2) / np.sum(agent**2)
    assert 10 * np.log10(power) == pytest.approx(-20, abs=3)


# --- the same bytes ----------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_bytes_in_every_process(tmp_path):
    code = (
        "import sys; sys.path[:0] = [sys.argv[2], sys.argv[3]];"
        "from test_calls_over_a_line import *; run(line=SHAKY, perturb=7, record=sys.argv[1])"
    )
    here = Path(__file__).parent
    support = here.parent / "support"
    running = [
        subprocess.Popen(
            [sys.executable, "-c", code, tmp_path / seed, here, support],
            env={**os.environ, "PYTHONHASHSEED": seed},
        )
        for seed in ("0", "4242")
    ]
    assert [process.wait(100) for process in running] == [0, 0]
    run(line=SHAKY, perturb=7, record=tmp_path / "here")
    expected = digest(tmp_path / "here")
    assert [digest(tmp_path / seed) for seed in ("0", "4242")] == [expected, expected]


SHAKY = Line.phone(noise="cafe", snr_db=20.0, echo_db=45.0, seed=3)


def test_another_seed_gives_another_line_and_no_line_nothing():
    """With loss=0 and no noise a seed has nothing to change."""
    one, other = (run(line=Line(codec="pcmu", loss=0.05, seed=seed)) for seed in (1, 2))
    assert not np.array_equal(one.heard.samples, other.heard.samples)
    assert run().meta.get("line") is None


# --- saved, and again --------------------------------------------------------------------------


def test_a_saved_call_names_its_line_and_what_was_changed(tmp_path):
    line = Line.phone(seed=5)
    run(line=line, perturb=Perturb(7), record=tmp_path / "call")
    meta = Call.load(tmp_path / "call").meta
    assert Line.from_json(meta["line"]) == line
    assert meta["perturb"] == 7


def test_a_replay_hears_what_was_heard_and_no_second_line(tmp_path):
    run(line=LOSSY, record=tmp_path / "call")
    call = Call.load(tmp_path / "call")
    again = asyncio.run(call.replay(desk(), replace={"stt": "screenplay"}))
    assert again.divergence is None
    assert story(again.call) == story(call)
    np.testing.assert_array_equal(again.call.heard.samples, call.heard.samples)
    np.testing.assert_allclose(spoken(again.call), spoken(call), atol=1e-6)
    assert again.call.meta["line"]["sides"] == "agent"
    np.testing.assert_array_equal(again.call.recording.agent, call.recording.agent)
    third = asyncio.run(again.call.replay(desk(), replace={"stt": "screenplay"}))
    np.testing.assert_array_equal(third.call.heard.samples, call.heard.samples)
    np.testing.assert_allclose(spoken(third.call), spoken(call), atol=1e-6)


def test_a_saved_folder_is_played_as_it_was_heard(tmp_path):
    caller = Caller().hears_greeting().says("a table for two").hears_reply().hangs_up()
    call = run(caller, line=LOSSY, stt=None, record=tmp_path / "call")
    played = run(AudioFile(tmp_path / "call"), stt=None)
    np.testing.assert_array_equal(
        played.heard.samples[: len(call.heard.samples)], call.heard.samples
    )
    np.testing.assert_allclose(spoken(played), spoken(call), atol=1e-6)


def test_a_second_line_is_a_notice(tmp_path):
    caller = Caller().hears_greeting().says("a table for two").hears_reply().hangs_up()
    call = run(caller, line=LOSSY)
    again = run(Caller.from_call(call), line=LOSSY)
    notices = [e.message for e in again.events.of(events.NoticeGiven)]
    assert any("goes over a second line" in one for one in notices)


# --- small changes -----------------------------------------------------------------------------


def test_small_changes_are_drawn_by_seed_and_number_and_are_small():
    changes = [Perturb(seed).change(number) for seed in range(50) for number in range(1, 9)]
    later, gain = np.array([(c.later_secs, c.gain_db) for c in changes]).T
    assert later.min() >= 0
    assert later.max() <= 0.16
    assert later.mean() == pytest.approx(0.08, abs=0.01)
    assert np.abs(gain).max() <= 3
    assert gain.mean() == pytest.approx(0, abs=0.3)
    assert Perturb(7).change(2) == Perturb(7).change(2)
    assert Perturb(7).change(2) != Perturb(8).change(2)
    assert Perturb(7).change(2) != Perturb(7).change(3)


def test_each_utterance_is_later_and_louder_by_what_was_drawn():
    plain, changed = run(), run(perturb=7)
    starts = spoken(changed)
    for number, (start, end) in enumerate(starts, 1):
        change = Perturb(7).change(number)
        rate = changed.recording.sample_rate
        was, _ = spoken(plain)[number - 1]
        if number == 1:  # the later ones also follow what the agent made of the first
            assert start == pytest.approx(was + change.later_secs, abs=1e-4)
        count = round((end - start) * rate)
        piece = changed.recording.caller[round(start * rate) :][:count].astype(float)
        before = plain.recording.caller[round(was * rate) :][:count].astype(float)
        gain = 10 * np.log10(np.sum(piece**2) / np.sum(before**2))
        assert gain == pytest.approx(change.gain_db, abs=0.1)


def test_there_is_a_noise_floor_between_utterances():
    call = run(perturb=7)
    start = spoken(call)[0][0]
    quiet = call.heard.between(0.5, start - 0.2).astype(float)
    level = 20 * np.log10(np.sqrt(np.mean(quiet**2)) / 32768)
    assert level == pytest.approx(-65, abs=0.3)


def test_a_seed_is_a_perturb():
    assert story(run(perturb=7)) == story(run(perturb=Perturb(7)))
    assert spoken(run(perturb=7)) != spoken(run(perturb=8))


def test_what_is_fed_as_it_was_heard_is_not_changed_and_the_call_says_so(tmp_path):
    caller = Caller().hears_greeting().says("a table for two").hears_reply().hangs_up()
    call = run(caller, stt=None, record=tmp_path / "call")
    again = run(AudioFile(tmp_path / "call"), stt=None, perturb=7)
    np.testing.assert_array_equal(again.heard.samples, call.heard.samples)
    notices = [e.message for e in again.events.of(events.NoticeGiven)]
    assert any("perturb= changes nothing here" in one for one in notices)


# --- bad input ---------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", ["phone", 0.02, Line])
def test_something_else_than_a_line_is_refused(bad):
    with pytest.raises(ArgumentTypeError, match="give a Line"):
        run(line=bad)


@pytest.mark.parametrize("bad", ["7", 1.5, True])
def test_something_else_than_a_perturb_is_refused(bad):
    with pytest.raises(ArgumentTypeError, match="give a seed"):
        run(perturb=bad)


def test_a_line_whose_echo_no_canceller_finds_is_a_notice():
    call = run(line=Line(echo_db=40.0, delay_ms=300.0))
    notices = [e.message for e in call.events.of(events.NoticeGiven)]
    assert any("no echo canceller finds it there" in one for one in notices)
