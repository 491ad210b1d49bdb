"""How sure a call's verdicts are: found out, shown, kept, and the same as the call's own."""

from __future__ import annotations

import asyncio
import copy
import json
import pickle
import shutil

import numpy as np
import pytest
from kinds_of_calls import desk

from piopiy_lab import Audio, Call, Caller, Line, pause, simulate, what_if
from piopiy_lab import events as ev
from piopiy_lab.call.robustness import Robustness, told_of
from piopiy_lab.errors import ArgumentError, ArgumentTypeError, CallError, SavedCallError
from piopiy_lab.listening import early_looks, hold_options, turn_taking
from piopiy_lab.turn_lab.beside import began_none
from piopiy_lab.turn_lab.listened import Listened
from piopiy_lab.turn_lab.robust import (
    MOST_LATER_SECS,
    STOP_WINDOWS,
    Nudge,
    nudges,
    rule_of,
    sound_of,
)
from piopiy_lab.widgets.feed import CallFeed

CALLER = (
    Caller()
    .hears_greeting()
    .says("a table for two", pause(0.6), "tomorrow at seven")
    .hears_reply()
    .says("yes please")
    .hears_reply()
    .hangs_up()
)


def run(caller=CALLER, action=None, **options):
    session = desk(**(action or {}))
    call = asyncio.run(simulate(session, caller, replace={"stt": "screenplay"}, **options))
    return call.raise_for_error()


@pytest.fixture(scope="module")
def made():
    return run()


@pytest.fixture(scope="module")
def found(made):
    return made.robustness(4)


@pytest.fixture
def call(made):
    """The call as it was before anybody asked."""
    packed = pickle.loads(pickle.dumps(made))
    packed.meta.pop("robustness", None)
    return packed


# --- it is what ran in the call ----------------------------------------------------------------


@pytest.mark.parametrize("anchored", [True, False])
@pytest.mark.parametrize(
    "what", ["clean", "phone", "early looks", "early looks, phone", "early looks, 0.5"]
)
def test_undisturbed_it_is_what_the_call_itself_did(what, anchored, monkeypatch):
    """Detector and turn model are those of the call, asked at the same samples."""
    early = what.startswith("early looks")
    monkeypatch.setattr(turn_taking, "EARLY_LOOKS_BY_DEFAULT", early)
    monkeypatch.setattr(early_looks, "ANCHORED", anchored)
    monkeypatch.setattr(hold_options, "HOLD_BY_DEFAULT", False)  # words would judge its voices
    stop_secs = 0.5 if what.endswith("0.5") else 0.2
    line = Line.phone() if what.endswith("phone") else None
    call = run(action={"vad": {"stop_secs": stop_secs}}, line=line)
    if early:
        assert any(e.early for e in call.events.of(ev.TurnPredicted))
    sound = sound_of(call)
    begins = sound.begins
    rule = rule_of(call)
    listened = Listened(sound.samples, sound.rate, sound.sizes)
    voices = [(v.started + begins, v.stopped + begins) for v in listened.voices(rule)]
    live = zip(
        [e.at for e in call.events.of(ev.UserSpeechStarted)],
        [e.at for e in call.events.of(ev.UserSpeechStopped)],
        strict=True,
    )
    assert voices == [pytest.approx(one, abs=0.001) for one in live]
    judged = [e for e in call.events.of(ev.TurnPredicted) if e.outcome == "used"]
    course = listened.course(rule, [(at - begins, end - begins) for at, end in began_none(call)])
    looks = course.looks
    assert [look.complete for look in looks] == [e.complete for e in judged]
    sure = [look.probability for look in looks]
    assert sure == [pytest.approx(e.probability, abs=1e-5) for e in judged]
    ends = [end.at + begins for end in course.ends]
    assert ends == pytest.approx([e.at for e in call.events.of(ev.UserTurnStopped)], abs=0.03)


def test_each_pause_and_end_has_its_share(made, found):
    places = [(pause.turn, pause.number) for pause in found]
    assert places == [(1, 1), (1, None), (2, None)]
    inside, *ends = found
    (said, other) = made.events.of(ev.CallerSpoke)
    assert inside.at == pytest.approx(said.parts[0][2], abs=0.002)
    assert inside.secs == pytest.approx(0.6, abs=0.002)
    assert [end.at for end in ends] == pytest.approx([said.end, other.end], abs=0.002)
    assert all(one.cut.n == one.held.n == 4 for one in found)
    assert inside.cut.count + inside.held.count >= 4  # each run either cut it or held it
    assert 0 <= inside.cut.low <= inside.cut.share <= inside.cut.high <= 1
    assert inside.undisturbed == any(
        said.parts[0][2] < stop.at < said.end for stop in made.events.of(ev.UserTurnStopped)
    )
    low, high = inside.probabilities
    assert 0 <= low < high <= 1
    assert all(one.probes == 3 and one.flips <= 3 for one in found)


def test_the_same_seed_gives_the_same_and_another_another(call, found):
    assert call.robustness(4) == found
    assert call.robustness(4, seed=2) != found
    assert call.known_robustness.seed == 2


# --- what is changed ---------------------------------------------------------------------------


def test_what_is_changed_is_small_and_drawn_run_by_run():
    some = nudges(200, 7, 16000)
    later = np.array([one.later for one in some])
    gain = np.array([one.gain_db for one in some])
    assert (later.min() >= 0, later.max() <= MOST_LATER_SECS * 16000) == (True, True)
    assert later.mean() == pytest.approx(640, abs=80)
    assert np.abs(gain).max() <= 3
    assert gain.std() == pytest.approx(3 / np.sqrt(3), abs=0.2)
    assert nudges(5, 7, 16000) == some[:5]
    assert nudges(5, 8, 16000) != some[:5]


def test_a_nudge_moves_lifts_and_resamples():
    sound = (8000 * np.sin(np.arange(16000) / 20)).astype(np.int16)
    moved = Nudge(later=100, gain_db=-6.0).of(sound, 16000)
    assert len(moved) == 16100
    assert not moved[:100].any()
    assert np.abs(moved).max() == pytest.approx(4009, abs=3)
    there_and_back = Nudge(rate=44100).of(sound, 16000)
    assert len(there_and_back) == len(sound)
    difference = (there_and_back[500:-500].astype(float) - sound[500:-500]).std()
    assert 0 < difference < 40


# --- shown and kept ----------------------------------------------------------------------------


def test_turns_the_picture_and_print_show_it_from_then_on(call):
    before = call.turns.text()
    assert "cut in runs" not in before
    assert "would have been cut" not in str(call)
    known = Robustness.from_json(
        {
            "n": 30, "seed": 1, "rule": {"stop_secs": 0.2, "look_secs": None},
            "pauses": [
                {"turn": 1, "number": 1, "at": 5.0, "secs": 0.6, "cut": 14, "held": 16,
                 "undisturbed": False, "probabilities": [0.1, 0.9], "flips": 1, "probes": 3},
                {"turn": 1, "number": None, "at": 6.5, "secs": None, "cut": 0, "held": 2,
                 "undisturbed": False, "probabilities": None, "flips": 0, "probes": 3},
            ],
        }
    )  # fmt: skip
    call.meta["robustness"] = known.to_json()
    assert call.known_robustness == known
    assert [one.sure for one in known] == [False, False]
    assert "cut in runs" in call.turns.text().splitlines()[0]
    assert "  14/30 (0.30 to 0.64)  " in call.turns.text().splitlines()[1]
    assert "cut in runs" in call.turns._repr_html_()
    assert call.turns[:1].pauses == call.turns.pauses[:1]
    assert call.turns == pickle.loads(pickle.dumps(call)).turns
    assert "14 of 30, 0.47 (0.30 to 0.64)" in str(call)
    texts = [text.get_text() for axes in call.plot().axes for text in axes.texts]
    assert {"14/30", ".30–.64", "pause cut in so many runs (95 % interval)"} <= set(texts)
    assert "of 1 pause 1 would have been cut in some run; 2 of 2 verdicts change" in str(known)
    assert "<table>" in known._repr_html_()
    frame = known.to_pandas()
    assert list(frame["cut"]) == [14, 0]
    assert frame["number"].isna().tolist() == [False, True]


def pauses_of(counts, secs=1.0, n=30):
    """Return what is known of pauses that so many runs cut, one a second."""
    return Robustness.from_json({"n": n, "seed": 1, "rule": {}, "pauses": [
        {"turn": 1, "number": number, "at": number * secs, "secs": 0.3, "cut": count, "held": 0,
         "undisturbed": False, "probabilities": None, "flips": 0, "probes": 3}
        for number, count in enumerate(counts, 1)
    ]})  # fmt: skip


def test_pauses_that_no_run_cuts_have_their_interval_too(call):
    assert told_of(pauses_of([0])) == "0/30 (0.00 to 0.11)"
    assert told_of(pauses_of([0, 14, 0])) == "14/30 (0.30 to 0.64), 2 pauses 0/30 (0.00 to 0.11)"
    call.meta["robustness"] = pauses_of([0, 14, 0]).to_json()
    found = {text.get_text() for axes in call.plot().axes for text in axes.texts}
    assert {"0/30", "0–.11", "14/30", ".30–.64"} <= found


def test_in_the_picture_no_figure_covers_another(call):
    call.meta["robustness"] = pauses_of([0, 3, 0, 7, 0], secs=0.1).to_json()
    drawn = [text for axes in call.plot().axes for text in axes.texts if text.get_gid() == "risk"]
    assert [text.get_text() for text in drawn] == ["3/30", ".03–.26"]  # whoever is cut comes first


def test_it_is_saved_loaded_and_sent_with_the_call(call, found, tmp_path):
    call.meta["robustness"] = found.to_json()
    assert Call.load(call.save(tmp_path / "call")).known_robustness == found
    assert pickle.loads(pickle.dumps(call)).known_robustness == found


def test_of_a_call_on_disk_the_folder_has_it_and_nothing_else_changes(call, tmp_path):
    folder = call.save(tmp_path / "call")
    before = json.loads((folder / "meta.json").read_text())
    sums = {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix != ".json"}
    found = Call.load(folder).robustness(1)
    after = json.loads((folder / "meta.json").read_text())
    assert {name: value for name, value in after.items() if name != "robustness"} == before
    assert Call.load(folder).known_robustness == found
    assert sums == {
        path.name: path.read_bytes() for path in folder.iterdir() if path.suffix != ".json"
    }


def test_what_is_known_is_not_found_out_again(call, monkeypatch):
    first = call.robustness(1)
    monkeypatch.setattr("piopiy_lab.turn_lab.robust.Listened", None)
    assert call.robustness(1) == first


@pytest.mark.parametrize("told", [None, 7, {}, {"n": 3, "seed": 1, "rule": {}, "pauses": [{}]},
                                  {"n": 1, "seed": 1, "rule": 7, "pauses": []}])  # fmt: skip
def test_what_somebody_else_wrote_there_is_nothing(call, told):
    call.meta["robustness"] = told
    assert call.known_robustness is None
    assert "cut in runs" not in call.turns.text()


# --- real callers, and bad input ---------------------------------------------------------------


def test_a_real_callers_turns_are_what_the_detector_found(made):
    """Of a call without a screenplay: the same sound as one long piece of audio."""
    heard = made.heard
    sound = Audio(heard.samples[round(3.5 * 16000) : round(8.0 * 16000)], 16000)
    caller = Caller().hears_greeting().says(sound).hears_reply().hangs_up()
    call = asyncio.run(simulate(desk(), caller)).raise_for_error()
    found = call.robustness(1)
    assert [one.number for one in found if one.turn == 1][-1] is None
    assert len(found) >= 2


def test_what_cant_be_run_again_is_refused(call, made):
    for n, error in ((0, ArgumentError), (1001, ArgumentError), (1.5, ArgumentTypeError)):
        with pytest.raises(error, match="robustness"):
            call.robustness(n)
    silent = asyncio.run(simulate(desk(), CALLER, record=False, replace={"stt": "screenplay"}))
    with pytest.raises(CallError, match="no sound of its caller"):
        silent.robustness(1)
    deaf = asyncio.run(
        simulate(
            desk(vad=False), Caller().hears_greeting().hangs_up(), replace={"stt": "screenplay"}
        )
    )
    with pytest.raises(CallError, match="no verdicts of a detector and a turn model"):
        deaf.robustness(1)
    short = run(Caller().hears_greeting().says("yes").hears_reply().hangs_up())
    with pytest.raises(CallError, match="its voices were too short for the detector"):
        short.robustness(1)
    assert made.state == "ended"


def test_a_folder_that_is_gone_is_an_error_and_the_call_has_it(call, tmp_path):
    loaded = Call.load(call.save(tmp_path / "call"))
    assert loaded.heard is not None
    assert len(loaded.recording)
    shutil.rmtree(tmp_path / "call")
    with pytest.raises(SavedCallError, match="can't write the folder"):
        loaded.robustness(1)
    assert loaded.known_robustness.n == 1
    assert copy.copy(loaded.meta)["robustness"]["n"] == 1


# --- other stop windows ------------------------------------------------------------------------


def test_what_other_stop_windows_do_is_found_out_with_it(made, found):
    assert [stop.stop_secs for stop in found.stops] == sorted(STOP_WINDOWS)
    for stop in (found.stops[0], found.stops[4], found.stops[-1]):
        told = what_if(made, stop_secs=stop.stop_secs, look_secs=found.rule["look_secs"] or 0.0)
        assert stop.cuts == tuple((round(cut.at, 3), round(cut.secs, 3)) for cut in told.cuts)
        assert (stop.pauses, stop.delay) == (told.pauses, round(told.delay.value, 3))
    (own,) = [stop for stop in found.stops if stop.stop_secs == 0.2]
    cut = [one.at for one in found if one.number is not None and one.undisturbed]
    assert [at for at, _ in own.cuts] == pytest.approx(cut, abs=0.01)


def test_a_call_that_was_asked_before_there_were_any_is_asked_again(call, found):
    told = found.to_json()
    del told["stops"]
    call.meta["robustness"] = told
    assert call.known_robustness.pauses == found.pauses
    assert call.known_robustness.stops == ()
    assert call.robustness(4) == found


def test_the_panel_has_them(call, found):
    assert "stops" not in CallFeed(call).pull()[0]
    call.meta["robustness"] = found.to_json()
    stops = CallFeed(call).pull()[0]["stops"]
    assert [stop["stop_secs"] for stop in stops] == sorted(STOP_WINDOWS)
    assert {"stop_secs", "pauses", "cuts", "delay"} == set(stops[0])
