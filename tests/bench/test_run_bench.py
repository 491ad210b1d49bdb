"""The bench end to end, on a handful of stimuli in virtual time."""

from __future__ import annotations

import asyncio

import pytest

from piopiy_lab.bench.running import run_bench
from piopiy_lab.bench.stimuli import load_stimuli
from piopiy_lab.errors import ArgumentError

WANTED = ("backchannel-01", "backchannel-03", "interruption-05", "interruption-07")
FEW = [one for one in load_stimuli() if one.id in WANTED]


def bench(*args, **options):
    return asyncio.run(run_bench(*args, **{"executor": 0, **options}))


def test_a_plain_agent_is_measured_by_the_public_definitions():
    report = bench(stimuli=FEW)
    assert not report.failed
    assert (report.tau.s_bc.n, report.tau.r_y.n) == (2, 2)
    assert report.tau.r_y.count == 2, "it stops for whoever breaks in"
    assert 0.2 <= report.tau.l_y.mean <= 0.8
    assert "R_Y" in str(report)


def test_nothing_to_measure_is_refused():
    with pytest.raises(ArgumentError, match="there are no stimuli"):
        bench(stimuli=[])
