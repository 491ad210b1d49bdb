"""Settings of detector and turn rule on callers' sound: scores, the curve, what to take."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
from kinds_of_calls import PAUSING, desk

from piopiy_lab import Caller, simulate, smart_turn, turn_sweep, what_if
from piopiy_lab import events as ev
from piopiy_lab.display import Hook, set_hook
from piopiy_lab.errors import ArgumentError, ArgumentTypeError, CallError
from piopiy_lab.listening.seams import ThresholdSmartTurn
from piopiy_lab.transports.telecmi import TelecmiParams
from piopiy_lab.turn_lab.spans import caller_samples

#: Few enough for a test, with every kind of axis.
FEW = {"stop_secs": (0.2, 0.8), "threshold": (0.0, 0.5, 0.97), "wait_secs": (0.4, 1.5)}


def run(create_session=None, **options):
    session = create_session or desk()
    return asyncio.run(simulate(session, PAUSING, replace={"stt": "screenplay"}, **options))


@pytest.fixture(scope="module")
def call():
    return run()


@pytest.fixture(scope="module")
def sweep(call):
    return turn_sweep(call, **FEW)


def test_every_setting_is_scored_on_the_same_pauses_and_ends(sweep):
    assert len(sweep) == 2 * 3 * 2
    assert {one.ends for one in sweep} == {2}
    assert all(one.pauses >= 2 for one in sweep)
    assert sweep.axes["threshold"] == (0.0, 0.5, 0.97)
    assert all(one.missed == 0 for one in sweep)


def test_what_a_setting_does_follows_from_what_it_is(sweep):
    def of(**wanted):
        return next(
            one for one in sweep if all(getattr(one.rule, k) == v for k, v in wanted.items())
        )

    silence = of(threshold=0.0, stop_secs=0.2, wait_secs=1.5)
    assert len(silence.cuts) == silence.pauses  # whoever draws breath has had their turn
    assert silence.delay.value == pytest.approx(0.25, abs=0.1)
    patient = of(threshold=0.97, stop_secs=0.8, wait_secs=1.5)
    assert len(patient.cuts) < len(silence.cuts)
    assert all(cut.probability > 0.95 for cut in patient.cuts)
    assert patient.delay.value > 0.75
    hasty = of(threshold=0.97, stop_secs=0.2, wait_secs=0.4)
    assert {cut.turn for cut in hasty.cuts} == {1, 2}  # 0.6 s after each pause began
    assert hasty.cuts[0].secs == pytest.approx(0.6, abs=0.01)


def test_the_calls_own_setting_gives_the_calls_own_cuts(call, sweep):
    cut = [
        said
        for said in call.events.of(ev.CallerSpoke)
        for stop in call.events.of(ev.UserTurnStopped)
        if said.at < stop.at < said.end
    ]
    assert len(sweep.usual.cuts) == len(cut)
    at = [e.at for e in call.events.of(ev.CallerSpoke)]
    assert all(any(start < one.at for start in at) for one in sweep.usual.cuts)


def test_the_curve_has_fewer_cuts_for_each_longer_delay(sweep):
    delays = [one.delay.value for one in sweep.curve]
    cuts = [len(one.cuts) for one in sweep.curve]
    assert delays == sorted(delays)
    assert cuts == sorted(cuts, reverse=True)
    assert len(set(cuts)) == len(cuts)
    for one in sweep:
        quicker = [best for best in sweep.curve if best.delay.value <= one.delay.value]
        assert min(len(best.cuts) for best in quicker) <= len(one.cuts)


def test_the_recommended_one_is_ready_to_paste(call, sweep):
    slow = turn_sweep(call, **FEW, max_delay=1.0)
    assert len(slow.best.cuts) == min(
        len(one.cuts) for one in slow if one.delay.value <= 1.0 + 0.05
    )
    assert slow.best.delay.value <= 1.05
    given = eval(f"dict({slow.code})", {"TelecmiParams": TelecmiParams, "smart_turn": smart_turn})
    assert given["vad"] == slow.best.rule.detector
    model = given.get("telecmi_params")
    if (slow.best.rule.threshold, slow.best.rule.wait_secs) != (0.5, 1.5):
        assert model.turn_analyzer.threshold == slow.best.rule.threshold
    assert slow.recommended == slow.best.rule.to_json()
    assert sweep.best.delay.value <= sweep.usual.delay.value + 0.05


def test_it_shows_itself(sweep):
    text = str(sweep)
    assert f"12 settings on {sweep.usual.pauses} pauses and 2 ends of 1 recording" in text
    assert "recommended" in text
    assert "today's" in text
    assert text.endswith(sweep.code)
    assert "<table>" in sweep._repr_html_()
    assert len(sweep.to_pandas()) == 12
    assert sweep.to_pandas()["share_low"].notna().all()
    figure = sweep.plot()
    axes = figure.axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("mean delay", "share of pauses cut")
    found = {artist.get_gid() for artist in axes.get_children()}
    assert {"curve", "interval", "best", "usual", "recommended"} <= found
    shares = [one.share.value for one in sweep.curve]
    (best,) = [artist for artist in axes.collections if artist.get_gid() == "best"]
    assert [y for _, y in best.get_offsets()] == pytest.approx(shares)


def test_what_if_says_which_pauses_would_have_been_cut(call):
    told = what_if(call, threshold=0.0)
    assert told.told.startswith(f"of {told.pauses} pauses these {told.pauses} would have been cut:")
    assert "turn 1" in told.told
    assert what_if(call, threshold=0.0) == told
    assert "none would have been cut" in str(what_if(call, stop_secs=1.2))


def test_calls_folders_labels_and_names(call, tmp_path):
    one = what_if(call)
    call.save(tmp_path / "calls" / "monday")
    call.save(tmp_path / "calls" / "tuesday")
    both = what_if(tmp_path / "calls")
    assert (both.pauses, both.ends) == (2 * one.pauses, 2 * one.ends)
    names = {cut.recording for cut in what_if(tmp_path / "calls", threshold=0.0).cuts}
    assert names == {"monday", "tuesday"}
    said = call.events.of(ev.CallerSpoke)
    turns = [[part[1:] for part in one.parts] for one in said]
    pair = ((caller_samples(call), 16000), turns)
    assert what_if({"mine": pair}, threshold=0.0).cuts[0].recording == "mine"
    assert what_if([pair, call]).pauses >= 4
    assert {cut.recording for cut in what_if([call, call], threshold=0.0).cuts} == {
        f"{call.call_id} (1)",
        f"{call.call_id} (2)",
    }


def test_progress_is_shown_and_taken_away(call):
    seen = []

    class Bar:
        def update(self, share, text):
            seen.append(text)

        def close(self):
            seen.append("closed")

    set_hook(Hook(show=seen.append, progress=Bar))
    try:
        what_if(call)
    finally:
        set_hook(None)
    assert seen == ["0 of 1 recordings", "closed"]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"threshold": 1.5}, "threshold=1.5 is out of range: give a number from 0 to 1"),
        ({"wait_secs": 0}, "wait_secs=0 is out of range"),
        ({"stop_secs": []}, "give at least one value"),
        ({"confidence": "high"}, "confidence='high' is out of range"),
        ({"max_delay": -1}, "max_delay=-1"),
        ({"threshold": [n / 5000 for n in range(5000)], "wait_secs": (1, 2)}, "fewer values"),
    ],
)
def test_settings_that_are_none_are_refused(call, options, told):
    with pytest.raises(ArgumentError, match=told):
        turn_sweep(call, **options)


def test_what_is_no_recording_is_refused(call, tmp_path):
    with pytest.raises(ArgumentTypeError, match="give calls, folders"):
        turn_sweep(7)
    with pytest.raises(ArgumentError, match="has no recordings"):
        turn_sweep([])
    with pytest.raises(ArgumentError, match="no saved call, and no folder of them"):
        turn_sweep(tmp_path)
    pair = (caller_samples(call), 16000)
    with pytest.raises(ArgumentError, match="give a list of turns"):
        turn_sweep((pair, [[(2.0, 1.0)]]))
    with pytest.raises(ArgumentTypeError, match="a recording can't be ndarray: give"):
        turn_sweep((caller_samples(call), [[(1.0, 2.0)]]))  # its rate is missing
    with pytest.raises(ArgumentError, match="go on until 900 s"):
        turn_sweep((pair, [[(1.0, 900.0)]]))
    with pytest.raises(ArgumentError, match="what_if has no key 'stop'"):
        what_if(call, stop=0.3)
    silent = asyncio.run(simulate(desk(), Caller().hears_greeting().hangs_up(), record=False))
    with pytest.raises(CallError, match="no sound of its caller"):
        turn_sweep(silent)


# --- too little to say -------------------------------------------------------------------------


def sounds_of(call, turns):
    return ((caller_samples(call), 16000), turns)


def test_where_nobody_paused_todays_setting_stays(call):
    """Every setting cuts nothing then, and the quickest, silence alone, would win by that."""
    (first, _) = call.events.of(ev.CallerSpoke)
    (_, start, end) = first.parts[0]
    found = turn_sweep(
        sounds_of(call, [[(start, end)]]), stop_secs=(0.1, 0.2), threshold=(0.0, 0.999)
    )
    assert found.usual.pauses == 0
    assert found.usual.slow == 1, "or nothing would be quicker"
    assert min(one.delay.value for one in found) < found.usual.delay.value - 0.2
    assert found.best == found.usual
    assert "Nobody paused, so nothing can be said of cuts: today's setting." in str(found)
    assert "nan" not in str(found)
    assert "nan" not in found._repr_html_()


def test_where_nothing_is_heard_nothing_is_said():
    silence = ((np.zeros(48000, np.int16), 16000), [[(0.5, 1.0)]])
    found = turn_sweep(silence, stop_secs=0.2)
    assert "Nothing was heard of any turn's end" in str(found)
    assert "nan" not in str(found)
    assert found.best == found.usual
    found.plot()


def test_todays_setting_is_in_the_picture_also_where_all_that_beat_it_are_quicker(call):
    (first, _) = call.events.of(ev.CallerSpoke)
    (_, start, end) = first.parts[0]
    whole = sounds_of(call, [[(start, end)]])
    found = turn_sweep(whole, stop_secs=0.2, threshold=0.0, wait_secs=1.5)
    assert found.usual.delay.value > 2 * max(one.delay.value for one in found.curve)
    (axes, around) = found.plot().axes
    assert axes.get_xlim()[1] >= found.usual.delay.value
    assert "1 setting · 0 pauses · 1 end of turns" in [one.get_text() for one in around.texts]


# --- the setting in a call ---------------------------------------------------------------------


def test_a_call_with_the_recommended_threshold_does_what_the_lab_says(call):
    """From the curve to a call: the same pauses are cut, and the call knows its threshold."""

    def session(threshold, wait_secs):
        analyzer = smart_turn(threshold=threshold, wait_secs=wait_secs)
        return desk(telecmi_params=TelecmiParams(turn_analyzer=analyzer))

    for threshold in (0.02, 0.98):
        said = run(session(threshold, 2.0))
        (first, _) = said.events.of(ev.CallerSpoke)
        cut = [e for e in said.events.of(ev.UserTurnStopped) if first.at < e.at < first.end]
        lab = what_if(call, threshold=threshold, wait_secs=2.0)
        assert bool(cut) == any(one.turn == 1 for one in lab.cuts)
        (started,) = said.events.of(ev.PipelineStarted)
        assert started.turn_params["turn_threshold"] == threshold
        assert started.turn_params["incomplete_wait_secs"] == 2.0
        for judged in said.events.of(ev.TurnPredicted):
            assert judged.complete == (judged.probability > threshold)


@pytest.mark.parametrize(("name", "value"), [("threshold", 2), ("wait_secs", 0.0)])
def test_a_turn_model_that_cant_be_is_refused(name, value):
    with pytest.raises(ArgumentError, match=f"smart_turn\\({name}={value}"):
        smart_turn(**{name: value})
    with pytest.raises(ArgumentTypeError):
        smart_turn(**{name: "high"})
    assert isinstance(smart_turn(), ThresholdSmartTurn)
