"""A baseline: what is kept, what fails against it, and what is refused."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import numpy as np
import pytest
from made_rows import made_calls
from quick_agents import SURE, quick, says

from piopiy_lab import Line, simulate_many
from piopiy_lab.errors import ArgumentError, SavedCallError

TEN = dict.fromkeys("abcdefghij", "pp")


def noisy(seed, plus=0.0):
    rng = np.random.default_rng(seed)
    values = {(caller, run): rng.lognormal(-1, 0.3, 3) for caller in TEN for run in (1, 2, 3)}
    return lambda caller, run: tuple(values[caller, run] + plus)


def outcomes(check):
    return {finding.name: finding.outcome for finding in check}


@pytest.fixture
def kept(tmp_path):
    return made_calls(TEN, noisy(1)).save_baseline(tmp_path / "baseline.json")


def test_it_holds_figures_and_fingerprints_and_no_word(kept):
    told = json.loads(kept.read_text())
    assert list(told["callers"]) == list(TEN)
    one = told["callers"]["a"]
    assert (one["n"], one["passed"], len(one["means"])) == (2, 2, 2)
    assert one["p50"] < one["p95"]
    assert [run["sha"] for run in one["runs"]] == ["a-1-p", "a-2-p"]
    assert told["made_with"]["piopiy_lab"]
    assert "heard" not in kept.read_text()


def test_the_same_calls_are_the_same(kept):
    check = made_calls(TEN, noisy(1)).check_baseline(kept)
    assert not check.failed
    assert (check.paired, check.same) == (True, 20)
    assert set(outcomes(check).values()) == {"the same"}
    assert "holds against the baseline; 20 of 20 calls are the same" in repr(check)


def other(calls):
    from piopiy_lab import Calls
    from piopiy_lab.experiments.kept import Kept

    return Calls([replace(row, course=f"other {row.index}") for row in calls], Kept())


def test_what_is_certainly_slower_by_more_than_allowed_fails(kept):
    check = other(made_calls(TEN, noisy(1, 0.15))).check_baseline(kept)
    assert check.failed
    assert outcomes(check) == {
        "pass": "the same", "mean": "worse", "p50": "worse", "p95": "can't tell",
    }  # fmt: skip
    assert "worse than the baseline; 0 of 20 calls are the same" in repr(check)


def test_what_is_certainly_slower_by_less_does_not(kept):
    slower = other(made_calls(TEN, noisy(1, 0.05)))
    check = slower.check_baseline(kept)
    assert not check.failed
    assert outcomes(check)["mean"] == "within"
    assert "worse, within 100 ms" in repr(check)
    assert slower.check_baseline(kept, min_difference=0.04).failed
    by_name = slower.check_baseline(kept, min_difference={"mean": 0.04})
    assert [finding.name for finding in by_name if finding.failed] == ["mean"]


def test_calls_that_came_to_nothing_fail_though_those_that_are_left_are_as_ever(kept):
    hung = other(made_calls({**TEN, "a": "ph"}, noisy(1)))
    check = hung.check_baseline(kept)
    assert check.failed
    (finding,) = (one for one in check if one.failed)
    assert finding.name == "calls"
    assert finding.why == "1 of 20 calls came to nothing: a-2 hung"


def test_what_is_slower_by_chance_does_not(kept):
    check = other(made_calls(TEN, noisy(2))).check_baseline(kept, min_difference=0.0)
    assert not check.failed
    assert outcomes(check)["mean"] == "can't tell"


def test_passes_that_certainly_broke_fail_and_are_listed(tmp_path):
    kept = made_calls({"a": "p" * 10}).save_baseline(tmp_path / "b.json")
    five = other(made_calls({"a": "fffffppppp"})).check_baseline(kept)
    assert outcomes(five)["pass"] == "can't tell"
    assert not five.failed
    six = other(made_calls({"a": "ffffffpppp"})).check_baseline(kept)
    assert six.failed
    assert "broke: a, 1; a, 2; a, 3; a, 4; a, 5 and 1 more" in repr(six)
    assert (
        not other(made_calls({"a": "ffffffpppp"}))
        .check_baseline(kept, min_difference={"pass": 0.6})
        .failed
    )


def test_with_other_seeds_less_is_seen_and_that_is_said(kept):
    three = dict.fromkeys(TEN, "ppp")
    check = made_calls(three, noisy(3, 0.4)).check_baseline(kept)
    assert check.failed
    assert not check.paired
    assert outcomes(check)["mean"] == "worse"
    assert "less is seen" in repr(check)
    assert not made_calls(three, noisy(4, 0.02)).check_baseline(kept).failed


def test_with_other_seeds_shares_of_passes_must_not_overlap(tmp_path):
    kept = made_calls({"a": "p" * 20}).save_baseline(tmp_path / "b.json")
    assert not made_calls({"a": "p" * 19 + "fff"}).check_baseline(kept).failed
    check = made_calls({"a": "p" * 10 + "f" * 12}).check_baseline(kept)
    assert [finding.name for finding in check if finding.failed] == ["pass"]


def test_what_can_no_longer_be_measured_is_no_pass(kept):
    silent = other(made_calls(TEN))
    check = silent.check_baseline(kept)
    assert check.failed
    assert outcomes(check)["p95"] == "no data"
    assert "no call has an answer" in repr(check)
    unpaired = made_calls(dict.fromkeys(TEN, "p")).check_baseline(kept)
    assert outcomes(unpaired)["mean"] == "no data"


def test_what_raised_is_no_baseline():
    with pytest.raises(ArgumentError, match=r"a-2 raised \(ValueError: no table\): mend it"):
        made_calls({"a": "pr"}).baseline()
    with pytest.raises(ArgumentError, match="no calls"):
        made_calls({}).baseline()


def test_other_callers_are_refused_by_name(kept):
    with pytest.raises(ArgumentError, match="the baseline has 'j', and these calls have 'k'"):
        made_calls({**dict.fromkeys("abcdefghi", "pp"), "k": "pp"}).check_baseline(kept)
    with pytest.raises(ArgumentError, match="min_difference of 'p99': there are pass, mean"):
        made_calls(TEN, noisy(1)).check_baseline(kept, min_difference={"p99": 1})


def many(caller=SURE, **told):
    return asyncio.run(
        simulate_many(quick(), {"s": caller}, **{"repeat": 2, "executor": 0, **told})
    )


@pytest.fixture(scope="module")
def made():
    return many(perturb=3).baseline()


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"caller": says("anna")}, "'s' isn't the baseline's: what is said, pressed or waited for"),
        ({"caller": replace(SURE, voice="en-us+m3")}, "the voice is another"),
        ({"caller": replace(SURE, vary=3)}, "the voice is another"),
        ({"caller": replace(SURE, background="television")}, "times or background are others"),
        ({"line": Line(codec="pcmu")}, r"the line is another \(line=\)"),
        (
            {"caller": replace(says("anna"), voice="en-us+m3")},
            "waited for has changed and the voice is another, so what differs says nothing of the",
        ),
        ({"perturb": None, "repeat": 1}, r"calls were perturbed and these are not \(perturb=\)"),
    ],
)
def test_another_caller_line_or_perturbation_is_refused_and_told(made, told, said):
    with pytest.raises(ArgumentError, match=said) as refused:
        many(**{"perturb": 3, **told}).check_baseline(made)
    assert "write the baseline anew" in str(refused.value)


def test_the_same_caller_from_another_place_is_the_baselines(made, tmp_path):
    assert made["callers"]["s"]["made_of"].keys() == {"words", "voice", "manner"}
    assert "tomorrow" not in json.dumps(made)
    again = many(says("tomorrow"), perturb=3)
    assert again.check_baseline(made).same == 2
    assert not many(perturb=4).check_baseline(made).paired, "other seeds: less is seen, as told"
    older = json.loads(json.dumps(made))
    del older["callers"]["s"]["made_of"]
    assert not many(says("anna"), perturb=3).check_baseline(older).failed, "it says nothing of it"
    over = [many(perturb=3, line=Line(codec="pcmu")) for _ in range(2)]
    assert over[1].check_baseline(over[0].baseline()).same == 2, "its seed moves with the run"


def test_another_version_is_a_notice(kept):
    told = json.loads(kept.read_text())
    told["made_with"]["pipecat"] = "1.0.0"
    check = made_calls(TEN, noisy(1)).check_baseline(told)
    assert check.notices == ("the baseline was made with pipecat 1.0.0",)
    assert not check.failed


@pytest.mark.parametrize(
    ("mend", "said"),
    [
        (lambda text: text[:40], "is damaged"),
        (lambda text: "[]", "is no baseline"),
        (lambda text: text.replace('"version": 1', '"version": 9'), "has version 9"),
        (lambda text: text.replace('"kind": "passed"', '"kind": "fine"'), "is damaged"),
        (lambda text: text.replace('"runs"', '"snur"'), "is damaged"),
        (lambda text: '{"version": 1, "callers": {}}', "has no calls"),
    ],
)
def test_what_is_no_baseline_says_so(kept, mend, said):
    kept.write_text(mend(kept.read_text()))
    with pytest.raises(SavedCallError, match=said):
        made_calls(TEN, noisy(1)).check_baseline(kept)


def test_a_file_that_is_not_there_or_is(tmp_path, kept):
    with pytest.raises(SavedCallError, match="make it with"):
        made_calls(TEN).check_baseline(tmp_path / "none.json")
    with pytest.raises(SavedCallError, match="overwrite=True"):
        made_calls(TEN, noisy(1)).save_baseline(kept)


def test_real_calls_hold_against_themselves_and_a_slow_model_does_not(tmp_path):
    def calls(**told):
        return asyncio.run(simulate_many(quick(), {"s": SURE}, repeat=6, executor=0, **told))

    kept = calls().save_baseline(tmp_path / "baseline.json")
    again = calls().check_baseline(kept)
    assert (again.failed, again.same) == (False, 6)
    slow = calls(latency={"llm": 0.3}).check_baseline(kept)
    assert slow.failed
    assert slow.same == 0
    assert outcomes(slow)["mean"] == "worse"


def test_a_mean_has_no_rounding_that_depends_on_the_python():
    """Python 3.12 sums floats otherwise than 3.11, and otherwise than numpy's."""
    (call,) = made_calls({"a": "p"}, lambda caller, run: (0.1,) * 10)
    assert call.mean == 0.1
