"""Testing the tester: every planted fault is found by the check that is there for it."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest

from piopiy_lab.bench.broken import CALLERS, CHECKS, DESKS, SOUND, run_trial, trial_checks
from piopiy_lab.bench.broken.trial import MEANT, Alarm, Trial
from piopiy_lab.errors import ArgumentError


@pytest.mark.parametrize("fault", [name for name in DESKS if name != SOUND])
def test_a_planted_fault_is_found_by_the_check_that_is_there_for_it(fault):
    trial = asyncio.run(run_trial([fault], executor=0))
    assert trial.missed == (), str(trial)
    assert MEANT[fault] in trial.found(fault)


def test_the_sound_desk_is_not_blamed():
    trial = asyncio.run(run_trial([SOUND], executor=0))
    assert trial.alarms == ()
    assert (trial.false_alarms.count, trial.false_alarms.n) == (0, 1)


@pytest.mark.timeout(300)
def test_the_sound_desk_is_not_blamed_where_the_callers_are_perturbed():
    trial = asyncio.run(run_trial([SOUND], repeat=3, executor=0))
    assert trial.alarms == (), [str(one) for one in trial.alarms]
    assert trial.false_alarms.n == 3


def test_a_trial_counts_runs_and_says_what_was_not_found():
    alarms = [
        Alarm(SOUND, "books", 2, 7, "once", "it booked twice"),
        Alarm(SOUND, "coughs", 2, 8, "ignores_noise", "it answered"),
        Alarm("books twice", "books", 1, None, "asks_first", "it booked"),
    ]
    count = 3 * len(CALLERS)
    trial = Trial(alarms, {SOUND: count, "books twice": count}, len(CALLERS))
    assert (trial.false_alarms.count, trial.false_alarms.n) == (1, 3)
    assert trial.missed == ("books twice",)
    assert trial.found("books twice") == {"asks_first"}
    text = str(trial)
    assert "not found: books twice" in text
    assert "1 of 3" in text
    assert "it booked twice" in text
    with pytest.raises(ArgumentError, match="no desk 'wrong digit' was tried"):
        trial.found("wrong digit")


@pytest.mark.parametrize(("gap", "over"), [(0.3, False), (1.2, True)])
def test_an_agent_between_two_sentences_does_not_begin(monkeypatch, gap, over):
    spans = ((0.0, 4.0), (4.0 + gap, 9.0))
    monkeypatch.setattr(trial_checks, "agent_spans", lambda call: spans)
    spoke = SimpleNamespace(at=3.7, end=6.0, manner="interruption", text="wait a second please")
    call = SimpleNamespace(events=SimpleNamespace(of=lambda kind: [spoke]))
    if over:
        with pytest.raises(AssertionError, match="began at 5.20 s, while the caller said 'wait a"):
            CHECKS["no_talking_over"](call)
    else:
        CHECKS["no_talking_over"](call)


def test_there_is_a_check_for_every_fault_and_ten_of_them():
    assert set(MEANT) == set(DESKS) - {SOUND}
    assert set(MEANT.values()) == set(CHECKS)
    assert len(MEANT) == 10
    with pytest.raises(ArgumentError, match="no desk 'rude'"):
        asyncio.run(run_trial(["rude"]))
