"""The turn rule as a calculation, and what it does to pauses: by hand."""

from __future__ import annotations

import pytest

from piopiy_lab.turn_lab.judging import judged
from piopiy_lab.turn_lab.rule import Rule, Voice, run
from piopiy_lab.turn_lab.spoken import SpokenTurn, labelled
from piopiy_lab.turn_lab.turn_score import pareto, score

#: Two stretches with a pause of 0.8 s, and what a detector makes of them.
TURN = SpokenTurn(((1.0, 2.0), (2.8, 3.5)))
VOICES = [Voice(1.2, 2.0, 2.2), Voice(3.0, 3.5, 3.7)]


def sure(**answers):
    """Return a model: how sure it is by the second that it is asked at, and what it was asked."""
    asked = []

    def model(since, until):
        asked.append((round(since, 3), round(until, 3)))
        return answers[f"at_{round(until * 10)}"]

    return model, asked


def ends(rule, model, voices=VOICES):
    return [round(end.at, 3) for end in run(rule, voices, model).ends]


def test_a_complete_verdict_ends_the_turn_when_the_detector_is_sure():
    model, asked = sure(at_22=0.9, at_37=0.9)
    assert ends(Rule(), model) == [2.2, 3.7]
    assert asked == [(0.5, 2.2), (2.3, 3.7)]  # each turn has its own sound


def test_an_incomplete_one_is_waited_for_and_the_sound_goes_on():
    model, asked = sure(at_22=0.1, at_37=0.9)
    assert ends(Rule(), model) == [3.7]
    assert asked == [(0.5, 2.2), (0.5, 3.7)]
    model, _ = sure(at_22=0.1, at_37=0.1)
    assert ends(Rule(), model) == [5.2]


def test_a_wait_that_is_shorter_than_the_pause_cuts():
    model, asked = sure(at_22=0.1, at_37=0.9)
    assert ends(Rule(wait_secs=0.5), model) == [2.7, 3.7]
    assert asked[1] == (2.7, 3.7)  # what was before is forgotten


def test_without_the_model_silence_alone_ends_turns():
    model, asked = sure()
    assert ends(Rule(threshold=0.0), model) == [2.2, 3.7]
    assert not asked


def test_the_threshold_is_what_it_takes():
    model, _ = sure(at_22=0.6, at_37=0.9)
    assert ends(Rule(threshold=0.5), model) == [2.2, 3.7]
    assert ends(Rule(threshold=0.7), model) == [3.7]


def test_an_early_complete_counts_and_an_early_incomplete_is_looked_at_again():
    rule = Rule(look_secs=0.1)
    model, asked = sure(at_21=0.9, at_36=0.1, at_37=0.9)
    assert ends(rule, model) == [2.2, 3.7]
    assert [until for _, until in asked] == [2.1, 3.6, 3.7]
    model, _ = sure(at_21=0.1, at_22=0.2, at_36=0.9)
    assert ends(rule, model) == [3.7]


def test_a_voice_that_never_stops_ends_nothing():
    model, _ = sure(at_22=0.1)
    assert ends(Rule(), model, [VOICES[0], Voice(3.0, 9.9, None)]) == []
    assert ends(Rule(), model, VOICES[:1]) == [3.7]  # behind the sound there is silence


def test_a_voice_beside_the_turns_begins_none_and_is_forgotten():
    model, asked = sure(at_37=0.9)
    beside = [(1.1, 2.0)]
    found = run(Rule(), VOICES, model, beside=beside)
    assert [round(end.at, 3) for end in found.ends] == [3.7]
    assert [look.quiet for look in found.looks] == [3.5]
    assert asked == [(2.3, 3.7)]  # half a second before what was sure at 3.0, start_secs earlier
    model, asked = sure(at_29=0.9)
    soon = [Voice(1.2, 2.0, 2.2), Voice(2.4, 2.7, 2.9)]
    run(Rule(), soon, model, beside=beside)
    assert asked == [(2.2, 2.9)]  # what was said beside is no part of the next turn


def test_a_voice_that_is_mostly_a_turns_begins_it():
    model, _ = sure(at_22=0.9, at_37=0.9)
    for beside in ([(0.5, 1.4)], [(2.1, 2.6)], []):
        assert [round(end.at, 3) for end in run(Rule(), VOICES, model, beside=beside).ends] == [
            2.2,
            3.7,
        ]


# --- pauses and ends ---------------------------------------------------------------------------


def gaps(rule, turns=(TURN,), voices=VOICES, **answers):
    model, _ = sure(**answers)
    return judged(run(rule, voices, model), turns)


def test_a_pause_is_cut_or_not_and_an_end_has_its_delay():
    pause, end = gaps(Rule(), at_22=0.9, at_37=0.9)
    assert (pause.cut, pause.held, pause.probability, end.cut) == (True, False, 0.9, False)
    assert (pause.start, pause.secs) == (2.0, pytest.approx(0.8))
    assert end.delay == pytest.approx(0.2)
    pause, end = gaps(Rule(), at_22=0.1, at_37=0.1)
    assert (pause.cut, pause.held, end.held) == (False, True, True)
    assert end.delay == pytest.approx(1.7)


def test_a_wait_that_runs_out_in_the_pause_cuts_it():
    pause, _ = gaps(Rule(wait_secs=0.5), at_22=0.1, at_37=0.9)
    assert (pause.cut, pause.held) == (True, True)


def test_a_silence_between_words_is_a_pause_of_no_length():
    whole = SpokenTurn(((1.0, 3.5),))
    breath, end = gaps(Rule(), turns=[whole], at_22=0.9, at_37=0.9)
    assert (breath.start, breath.secs, breath.cut) == (2.0, 0.0, True)
    assert end.delay == pytest.approx(0.2)


def test_an_end_that_the_detector_hears_early_is_an_end():
    """A clip has some silence behind its words: the caller is done all the same."""
    late = SpokenTurn(((1.0, 2.0), (2.8, 3.75)))
    pause, end = gaps(Rule(), turns=[late], at_22=0.1, at_37=0.9)
    assert not pause.cut
    assert end.delay == 0.0


def test_words_that_nobody_heard_leave_an_end_open():
    (_, end) = gaps(Rule(), voices=VOICES[:1], at_22=0.9)
    assert end.delay is None


def test_each_turn_has_its_own():
    found = gaps(Rule(), turns=[SpokenTurn((TURN.parts[0],)), SpokenTurn((TURN.parts[1],))],
                 at_22=0.9, at_37=0.1)  # fmt: skip
    assert [(gap.turn, gap.end, gap.held) for gap in found] == [(1, True, False), (2, True, True)]
    assert [gap.delay for gap in found] == [pytest.approx(0.2), pytest.approx(1.7)]


# --- scores ------------------------------------------------------------------------------------


def test_a_score_counts_and_names_what_is_cut():
    cut = gaps(Rule(), at_22=0.9, at_37=0.9)
    kept = gaps(Rule(), at_22=0.1, at_37=0.1)
    found = score(Rule(), [("a", cut), ("b", kept)], seed=1)
    assert (found.pauses, found.ends, found.slow, found.missed) == (2, 2, 1, 0)
    assert found.told == (
        "of 2 pauses this one would have been cut:\n  a, turn 1, 00:02.0: 0.80 s, P(end) 0.90"
    )
    assert found.share.value == 0.5
    assert (found.share.low, found.share.high) == (pytest.approx(0.0945, abs=1e-3),
                                                   pytest.approx(0.9055, abs=1e-3))  # fmt: skip
    assert found.delay.value == pytest.approx(0.95)
    assert found.delay.low is None  # two ends
    assert score(Rule(), [("b", kept)], seed=1).told == "of 1 pause none would have been cut"


def test_intervals_are_over_recordings_from_six_on_and_the_same_for_a_seed():
    cut = gaps(Rule(), at_22=0.9, at_37=0.9)
    kept = gaps(Rule(), at_22=0.1, at_37=0.1)
    many = [(str(n), cut if n % 4 == 0 else kept) for n in range(12)]
    found = score(Rule(), many, seed=1)
    assert found.share.value == pytest.approx(0.25)
    assert 0.0 <= found.share.low < 0.25 < found.share.high <= 0.6
    assert found.delay.low < found.delay.value < found.delay.high
    assert score(Rule(), many, seed=1) == found
    none = score(Rule(), [(str(n), kept) for n in range(12)], seed=1)
    assert none.share.low == 0.0
    assert none.share.high == pytest.approx(0.24, abs=0.01)  # 12 of 12 is no proof of never


def test_the_curve_has_what_no_other_beats():
    def point(cuts, late):
        verdicts = [0.9] * cuts + [0.1] * (4 - cuts)
        found = [
            gaps(Rule(wait_secs=1.0), at_22=sure_of, at_37=0.9 if late == 0 else 0.1)
            for sure_of in verdicts
        ]
        return score(Rule(), [(str(n), one) for n, one in enumerate(found)], seed=1)

    quick, safe, worse = point(3, 0), point(1, 1), point(3, 1)
    assert pareto([worse, safe, quick]) == [quick, safe]


def test_a_setting_that_hears_less_is_not_quick():
    whole = score(Rule(), [("a", gaps(Rule(), at_22=0.9, at_37=0.1))], seed=1)
    unheard = gaps(Rule(), turns=[TURN, SpokenTurn(((6.0, 6.5),))], at_22=0.1, at_37=0.9)
    one_missed = score(Rule(), [("a", unheard)], seed=1)
    assert (whole.missed, one_missed.missed) == (0, 1)
    assert one_missed not in pareto([whole, one_missed])
    assert pareto([whole, one_missed], missed=1) == [one_missed]


@pytest.mark.parametrize(
    "bad", [[], [[]], [[(1.0, 1.0)]], [[(2.0, 3.0), (1.0, 1.5)]], [[(-1.0, 1.0)]], [["ab"]], [7]]
)
def test_labels_that_are_none_are_refused(bad):
    with pytest.raises((TypeError, ValueError)):
        labelled(bad)
