"""Comparisons of calls that nobody made: pairs, verdicts, what is left out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from made_rows import made_calls

from piopiy_lab import Calls
from piopiy_lab.errors import ArgumentError
from piopiy_lab.experiments.comparison import Comparison
from piopiy_lab.experiments.kept import Kept

TEN = dict.fromkeys("abcdefghij", "p")


def noisy(seed, plus=0.0):
    rng = np.random.default_rng(seed)
    values = {caller: rng.lognormal(-1, 0.4, 3) for caller in TEN}
    return lambda caller, run: tuple(values[caller] + plus)


def changed(calls):
    """The same calls with other fingerprints: they went another way."""
    return made_calls_of(calls, course="other")


def made_calls_of(calls, **told):
    return Calls([replace(row, **told) for row in calls], Kept())


def test_a_constant_difference_is_certain():
    both = Comparison(made_calls(TEN, noisy(1)), changed(made_calls(TEN, noisy(1, 0.1))))
    assert both["mean"].difference == pytest.approx(0.1)
    assert both["mean"].low == pytest.approx(both["mean"].high)
    assert both.verdict == "worse"
    assert "intervals are of callers like these" in str(both)


def test_noise_is_no_difference():
    both = Comparison(made_calls(TEN, noisy(1)), changed(made_calls(TEN, noisy(2))))
    assert both.verdict == "can't tell"
    assert both["mean"].low < 0 < both["mean"].high
    assert both["mean"].p > 0.05
    assert both["mean"].p_of_all >= both["mean"].p


def test_four_calls_that_differ_are_too_few_and_that_is_said():
    before = made_calls(TEN, noisy(1))
    rows = [
        replace(row, course="other", answers=tuple(secs + 0.3 for secs in row.answers))
        if row.caller in "abcd"
        else row
        for row in before
    ]
    both = Comparison(before, Calls(rows, Kept()))
    assert len(both.differing) == 4
    assert both["mean"].p == pytest.approx(2 / 16)
    assert "Of the 4 calls that differ, 0 answer quicker and 4 slower." in str(both)
    assert "chance alone would give as much" in str(both)
    assert both["mean"].verdict == "can't tell"
    more = Comparison(before, changed(made_calls(TEN, noisy(1, 0.3))))
    assert more["mean"].verdict == "worse"


def test_copies_of_callers_are_not_pairs_of_their_own():
    """Ten callers with five runs each are ten units."""
    before = made_calls(dict.fromkeys(TEN, "ppppp"), noisy(1))
    after = changed(made_calls(dict.fromkeys(TEN, "ppppp"), noisy(2)))
    assert Comparison(before, after)["mean"].units == 10


def test_five_that_break_prove_nothing_and_six_do():
    before = made_calls({"a": "pppppppppp"})
    five = Comparison(before, changed(made_calls({"a": "fffffppppp"})))
    assert five.mcnemar == pytest.approx(0.0625)
    assert five["pass"].verdict == "can't tell"
    assert "it takes 6 for p < 0.05, and 5 did" in str(five)
    six = Comparison(before, changed(made_calls({"a": "ffffffpppp"})))
    assert six["pass"].verdict == six.verdict == "worse"
    assert Comparison(six.after, before).verdict == "better"


def test_runs_of_one_caller_that_all_break_are_one_caller():
    """Of ten callers one breaks, in each of its eight runs: no McNemar over 80 pairs."""
    before = made_calls(dict.fromkeys(TEN, "p" * 8))
    after = changed(made_calls({**dict.fromkeys(TEN, "p" * 8), "a": "f" * 8}))
    both = Comparison(before, after)
    assert both.mcnemar < 0.05
    assert both["pass"].verdict == "can't tell"
    assert "8 broke and 0 mended" in str(both)
    assert "too few callers to speak of others" in str(both)


def test_fewer_passes_are_worse_whatever_is_quicker():
    before = made_calls({"a": "pppppppp"}, lambda c, r: (0.5,))
    after = changed(made_calls({"a": "ffffffff"}, lambda c, r: (0.2,)))
    both = Comparison(before, after)
    assert both["mean"].verdict == "better"
    assert both.verdict == "worse"


def test_quicker_is_not_better_where_more_calls_break_than_mend():
    before = made_calls({"a": "pppppppp"}, lambda c, r: (0.5,))
    after = changed(made_calls({"a": "ppppppff"}, lambda c, r: (0.2,)))
    both = Comparison(before, after)
    assert both["pass"].verdict == "can't tell"
    assert both["mean"].verdict == "better"
    assert both.verdict == "mixed"


def test_one_of_two_deciding_figures_counts_as_one_of_two():
    before = made_calls({"a": "pppppf"}, lambda c, r: (0.5,))
    after = changed(made_calls({"a": "pppppp"}, lambda c, r: (0.6,)))
    both = Comparison(before, after)
    assert 0.025 < both["mean"].p < 0.05
    assert (both["mean"].verdict, both["pass"].verdict) == ("worse", "can't tell")
    assert both.verdict == "can't tell"


def test_callers_in_another_order_are_paired_by_name():
    before = made_calls({"a": "ppp", "b": "fff"})
    after = made_calls({"b": "fff", "a": "ppp"})
    assert all(pair.before.kind == pair.after.kind for pair in Comparison(before, after).pairs)


def test_who_shares_only_a_name_is_not_compared():
    before = Calls(made_calls({"a": "ppp"}), Kept(), settings={"caller a": "says('two')"})
    after = Calls(made_calls({"a": "ppp"}), Kept(), settings={"caller a": "says('ten')"})
    with pytest.raises(ArgumentError, match="the caller a was says.'two'. before"):
        Comparison(before, after)
    line = Calls(
        made_calls({"a": "ppp"}), Kept(), settings={"caller a": "says('two')", "line": "Line()"}
    )
    with pytest.raises(ArgumentError, match="the line was None before and is Line"):
        Comparison(before, line)


def test_what_is_said_of_either_agents_calls_is_said_of_both():
    before = Calls(made_calls({"a": "ppp"}), Kept(), notices=["it counts"])
    told = Comparison(before, made_calls({"a": "ppp"}))
    assert told.notices == ("before: it counts",)
    assert "before: it counts" in str(told)


def test_quicker_and_more_often_interrupted_is_mixed():
    before = made_calls({"a": "pppppppp"}, lambda c, r: (0.5,))
    after = changed(made_calls({"a": "pppppppp"}, lambda c, r: (0.2,), interruptions=2))
    assert Comparison(before, after).verdict == "mixed"


def test_it_says_what_could_have_been_seen_and_what_a_difference_takes():
    before, after = made_calls(TEN, noisy(1)), changed(made_calls(TEN, noisy(2)))
    mean = Comparison(before, after)["mean"]
    assert mean.could_be_seen == pytest.approx(2.8 * mean.sd / 10**0.5, rel=0.01)
    assert mean.needed(mean.could_be_seen) in (10, 11), "as many as there were"
    assert mean.needed(mean.could_be_seen / 2) in range(38, 43), "four times as many"
    told = str(Comparison(before, after, min_difference=0.02))
    assert "found 4 times in 5" in told
    assert f"20 ms take {mean.needed(0.02)} callers." in told
    assert Comparison(before, changed(before))["mean"].could_be_seen is None, "nothing scatters"


def test_a_difference_that_matters_can_be_ruled_out():
    before, after = made_calls(TEN, noisy(1)), changed(made_calls(TEN, noisy(1, 0.001)))
    told = str(Comparison(before, after, min_difference=0.05))
    assert "A difference of 50 ms or more is ruled out." in told


def test_calls_that_are_no_pairs_are_refused():
    with pytest.raises(ArgumentError, match="b-1 has no other side"):
        Comparison(made_calls({"a": "p"}), made_calls({"b": "p", "a": "p"}))
    with pytest.raises(ArgumentError, match="no calls"):
        Comparison(made_calls({}), made_calls({}))
    both = Comparison(made_calls({"a": "p"}), made_calls({"a": "p"}))
    with pytest.raises(ArgumentError, match="the figures are pass, mean"):
        both["p99"]


def test_a_caller_who_broke_for_good_is_named_below_the_verdict_and_whose_p_it_is_told():
    """1 of 8 callers passed 10 of 10 and now none: nothing is certain of callers, and yet."""
    eight = dict.fromkeys("abcdefgh", "p" * 10)
    both = Comparison(made_calls(eight), made_calls({**eight, "c": "f" * 10, "d": "f" * 9 + "p"}))
    assert both["pass"].p > 0.05 > both.mcnemar
    assert str(both).splitlines()[1] == "Broke for good: c (10 of 10 before, 0 of 10 after)."
    assert "Broke for good: c (" in both._repr_html_()
    assert "which is of these callers' calls" in str(both)
    assert "The table's p, 0.500, is of callers" in str(both)
    once = Comparison(made_calls(TEN), made_calls({**TEN, "c": "f"}))
    assert "for good" not in str(once), "one run of a caller is a call that broke"
    many = Comparison(made_calls(eight), made_calls(dict.fromkeys(eight, "f" * 10)))
    assert str(many).splitlines()[1].endswith("e (10 of 10 before, 0 of 10 after) and 3 more.")
