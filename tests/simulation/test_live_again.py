"""What a live call's replay takes over of it: each verdict's time, the line, when speech ended."""

from __future__ import annotations

import asyncio
import json

import numpy as np
import pytest
import soundfile
from kinds_of_calls import desk

from piopiy_lab import AudioFile, Call, Caller, events, simulate
from piopiy_lab.screenplay.mouth import Clip, Mouth
from piopiy_lab.simulation.again import latency_of
from piopiy_lab.simulation.turn_model import TurnModelSecs, measured_in

#: Nobody is silent for so long that a simulation takes larger frames, which a live line hasn't.
TALK = (
    Caller()
    .hears_greeting()
    .says("a table for two tomorrow at seven")
    .interrupts("no make it friday", after=1.2)
    .hears_reply()
    .says("my name is anna")
    .waits(1.5)
    .hangs_up()
)


def run(coroutine):
    return asyncio.run(coroutine)


@pytest.fixture(scope="module")
def talked():
    return run(simulate(desk(), TALK))


# --- the turn model's own time ----------------------------------------------------------------


def test_measured_times_come_one_after_the_other_and_then_their_mean():
    secs = TurnModelSecs([0.05, 0.15])
    assert [secs([1]), secs([1]), secs([1])] == [0.05, 0.15, pytest.approx(0.1)]
    assert TurnModelSecs([])([1]) == 0.0


def test_a_model_that_is_given_nothing_takes_no_time():
    secs = TurnModelSecs([0.05, 0.15])
    assert [secs([]), secs([1])] == [0.0, 0.05]


def test_a_verdicts_time_is_counted_from_the_stop_that_it_judges():
    log = [
        events.UserSpeechStopped(at=3.0, cause="vad", stop_secs=0.2),
        events.TurnPredicted(at=3.18, complete=True, probability=0.9, inference_secs=0.17),
        events.UserSpeechStopped(at=7.0, cause="vad", stop_secs=0.2),
        events.TurnPredicted(at=9.0, complete=True, probability=0.9, inference_secs=0.1),
        events.TurnPredicted(at=9.5, complete=True, probability=0.9, inference_secs=None),
    ]
    assert measured_in(log) == [pytest.approx(0.18), 0.1]


def test_each_turn_takes_what_its_verdict_took():
    given = [0.16, 0.31, 0.21]  # from when it is asked, 0.1 s before the detector is sure
    caller = Caller().hears_greeting()
    for text in ("a table for two tomorrow at seven", "my name is anna", "yes please"):
        caller = caller.says(text).hears_reply()
    call = run(simulate(desk(), caller, latency={"turn": given}))
    stops = call.events.of(events.UserSpeechStopped)
    verdicts = call.events.of(events.TurnPredicted)
    assert [v.at - v.asked_at for v in verdicts] == pytest.approx(given, abs=1e-3)
    assert all(v.asked_at < s.at < v.at for s, v in zip(stops, verdicts, strict=True))
    assert run(call.replay(desk())).identical


def test_an_incomplete_turn_waits_no_longer_for_a_slow_model():
    caller = Caller().hears_greeting().says("i would like a").hears_reply()
    quick, slow = (run(simulate(desk(), caller, latency={"turn": secs})) for secs in (0.0, 0.15))
    assert not quick.events.of(events.TurnPredicted)[0].complete
    waited = [
        call.events.of(events.UserTurnStopped)[0].at
        - call.events.of(events.UserSpeechStopped)[0].at
        for call in (quick, slow)
    ]
    assert waited[1] == pytest.approx(waited[0], abs=0.021)  # a frame


# --- a real caller's sounds, found by the detector ----------------------------------------------


def as_live(call, folder):
    """Save a call as one of a real caller: nobody knows when they spoke."""
    call.save(folder)
    lines = (folder / "events.jsonl").read_text().splitlines()
    kept = [line for line in lines if '"type": "Caller' not in line]
    (folder / "events.jsonl").write_text("\n".join(kept) + "\n")
    meta = json.loads((folder / "meta.json").read_text())
    meta["heard"]["words"] = []
    (folder / "meta.json").write_text(json.dumps(meta))
    return Call.load(folder)


def test_a_real_callers_latencies_are_counted_alike_in_call_and_replay(talked, tmp_path):
    live = as_live(talked, tmp_path / "live")
    again = run(live.replay(desk()))
    spoke = again.call.events.of(events.CallerSpoke)
    assert spoke
    assert all(event.found for event in spoke)
    assert again.divergence is None, str(again)
    for was, now in zip(live.turns, again.call.turns, strict=True):
        assert now.parts["vad"] == pytest.approx(was.parts["vad"]) == 0.2
        assert now.total == pytest.approx(was.total, abs=0.03)


def test_whose_sound_it_was_is_written_only_where_it_was_found(talked):
    spoke = talked.events.of(events.CallerSpoke)[0]
    assert "found" not in spoke.to_json()
    told = events.CallerSpoke(at=1.0, text=None, end=2.0, found=True)
    assert events.from_json(told.to_json()) == told


def test_the_replay_of_a_real_callers_replay_is_the_same_call(talked, tmp_path):
    live = as_live(talked, tmp_path / "live")
    first = run(live.replay(desk()))
    second = run(first.call.replay(desk()))
    assert second.identical, str(second)
    assert np.array_equal(first.call.heard.samples, second.call.heard.samples)


def test_a_lines_noise_is_the_same_in_a_replays_replay(talked, tmp_path):
    rng = np.random.default_rng(1)
    noisy = talked.heard.samples + rng.integers(-25, 25, len(talked.heard.samples))
    soundfile.write(tmp_path / "caller.wav", noisy.astype(np.int16), 16000)
    live = run(simulate(desk(), AudioFile(tmp_path / "caller.wav")))
    first = run(live.replay(desk()))
    second = run(first.call.replay(desk()))
    assert first.call.heard.samples[:16000].any()
    assert second.identical, str(second)


def test_the_lines_noise_stands_still_while_something_is_said():
    mouth = Mouth(np.arange(1, 9, dtype=np.int16))
    mouth.speak(Clip(np.full(5, 100, np.int16)), lead=3)
    heard = [mouth.read(4)[0].tolist() for _ in range(3)]
    assert heard == [[1, 2, 3, 100], [100, 100, 100, 100], [4, 5, 6, 7]]


def test_a_slow_and_a_live_line_are_told_apart():
    live = events.TurnPredicted(at=1.0, complete=True, probability=1.0, inference_secs=0.07)
    call = run(simulate(desk(), Caller().hears_greeting()))
    assert latency_of(call) == {}
    call.events.append(live)
    call.meta["virtual"] = False
    assert latency_of(call) == {"turn": [0.07]}
