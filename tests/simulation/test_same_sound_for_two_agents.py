"""Two agents, one slower, and one caller: under the same words lies the same sound."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
from kinds_of_calls import desk

from piopiy_lab import Background, Caller, Line, events, simulate
from piopiy_lab.line.way import samples_of

STEPS = (
    ("a table for two tomorrow at seven", "reply"),
    ("my name is anna", "reply"),
    ("yes please", "reply"),
)
BAD = Line.phone(noise="street", snr_db=15.0, loss=0.05, burst=2.0, seed=3)
FADE_SECS, LEAD_SECS = 0.01, 0.02


def caller(**options):
    who = Caller(**options).hears_greeting()
    for words, _ in STEPS:
        who = who.says(words).hears_reply()
    return who.hangs_up()


def both(who, **options):
    """Return the calls of two agents, one of which takes 0.4 s longer for each answer."""
    calls = []
    for llm in (0.1, 0.5):
        call = asyncio.run(
            simulate(desk(), who, replace={"stt": "screenplay"}, latency={"llm": llm}, **options)
        )
        call.raise_for_error()
        calls.append(call)
    return calls


def under(call, line=None, lead=LEAD_SECS - FADE_SECS - 0.005):  # what a filter remembers of it
    """Return what the agent heard under each utterance, from a lead on."""
    frames = call.heard.frames
    late = 0 if line is None else samples_of(line.delay, frames.rate)
    pieces = []
    for spoke in call.events.of(events.CallerSpoke):
        first, last = (round((at - frames.begins) * frames.rate) for at in (spoke.at, spoke.end))
        before = round(lead * frames.rate)
        pieces.append(call.heard.samples[first + late - before : last + late])
    return pieces


def starts(call):
    return [spoke.at for spoke in call.events.of(events.CallerSpoke)]


@pytest.mark.parametrize(
    ("apart", "options"),
    [
        (0.4, {"line": BAD}),
        (0.4, {"line": BAD, "perturb": 7}),
        # a television without a line's noise holds the one agent for longer than the other
        (0.1, {"background": Background("television", -34.0)}),
        (0.4, {"background": Background("television", -34.0), "line": BAD}),
        (0.4, {"background": Background("speaker", -34.0), "line": BAD, "perturb": 7}),
    ],
    ids=["line", "line-perturbed", "background", "both", "both-perturbed"],
)
def test_the_same_sound_lies_under_each_utterance(options, apart):
    options = dict(options)
    behind = {"background": options.pop("background")} if "background" in options else {}
    fast, slow = both(caller(**behind), **options)
    assert starts(slow)[2] - starts(fast)[2] > apart
    line = options.get("line")
    one, other = under(fast, line), under(slow, line)
    assert len(one) == len(other) == len(STEPS)
    for first, second in zip(one, other, strict=True):
        np.testing.assert_array_equal(first, second)
        assert np.abs(first[:160].astype(int)).max() > 0  # something lies in the lead


def test_the_noise_floor_of_a_perturbed_call_is_the_same_under_and_before_each():
    fast, slow = both(caller(), perturb=7)
    assert len(starts(fast)) == len(STEPS)
    for first, second in zip(under(fast, lead=0.0005), under(slow, lead=0.0005), strict=True):
        np.testing.assert_array_equal(first, second)


def test_between_utterances_it_runs_on():
    fast, _ = both(caller(), line=BAD)
    frames = fast.heard.frames
    (_, one), (two, _), _ = [(s.at, s.end) for s in fast.events.of(events.CallerSpoke)]
    gap = fast.heard.between(one + BAD.delay + 0.05, two + BAD.delay - 0.05).astype(float)
    pieces = gap[: len(gap) // 800 * 800].reshape(-1, 800)
    assert frames.rate == 16000
    assert (pieces.std(axis=1) > 10).mean() > 0.8  # the street, but for what is lost


def test_a_call_without_any_of_it_begins_no_later():
    """The lead is there for what begins anew: without, a caller speaks when they did."""
    clean, _ = both(caller(), line=Line(codec="pcmu"))
    noisy, _ = both(caller(), line=Line(codec="pcmu", noise="hum", snr_db=30.0))
    assert starts(noisy)[0] == pytest.approx(starts(clean)[0] + LEAD_SECS, abs=1e-3)
