"""What a line may be: errors that say what to give, and a line that is read back."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest

from piopiy_lab.errors import ArgumentError, ArgumentTypeError, MissingExtraError, SavedCallError
from piopiy_lab.line.line import Line
from piopiy_lab.line.perturb import Perturb


@pytest.mark.parametrize(
    ("values", "kind", "message"),
    [
        ({"codec": "g729"}, ArgumentError, "codec='g729'.*'pcmu'"),
        ({"noise": "rain", "snr_db": 10}, ArgumentError, "noise='rain'.*'street'"),
        ({"snr_db": 15}, ArgumentError, "there is no noise to have a ratio to"),
        ({"noise": "cafe"}, ArgumentError, "say how loud it is: snr_db=15"),
        ({"bitrate": 16000}, ArgumentError, "only Opus has a choice of bitrates"),
        ({"loss": 2}, ArgumentError, "loss=2.*0 to 0.5"),
        ({"loss": "2%"}, ArgumentTypeError, "loss='2%'.*give a number"),
        ({"loss": 0.5, "burst": 0.5}, ArgumentError, "burst=0.5.*1 to 50"),
        ({"band": (3400, 300)}, ArgumentError, "from 0 to 24000, at least 200 apart"),
        ({"band": (300, 5000), "codec": "pcmu"}, ArgumentError, "from 0 to 4000"),
        ({"band": 3400}, ArgumentTypeError, r"give \(low, high\) in Hz"),
        ({"echo_db": -30}, ArgumentError, "echo_db=-30.*0 to 80"),
        ({"clip_db": 3}, ArgumentError, "clip_db=3.*-40 to 0"),
        ({"jitter_ms": -1}, ArgumentError, "jitter_ms=-1"),
        ({"sides": "left"}, ArgumentError, "sides='left'.*'both'"),
        ({"seed": 1.5}, ArgumentTypeError, "seed=1.5.*whole number"),
        ({"seed": -1}, ArgumentError, "seed=-1.*0 or more"),
    ],
)
def test_a_value_that_can_not_be_says_what_to_give(values, kind, message):
    with pytest.raises(kind, match=message):
        Line(**values)


def test_without_pyav_opus_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(MissingExtraError, match=r"Opus needs the 'line' extra.*piopiy-lab\[line\]"):
        Line(codec="opus")


def test_a_pyav_that_lacks_opus_says_what_to_do(monkeypatch):
    av = pytest.importorskip("av", reason="PyAV, the 'line' extra, is not installed")
    monkeypatch.setattr(av, "codecs_available", {"pcm_mulaw"})
    with pytest.raises(ArgumentError, match='built without libopus.*give codec="pcmu"'):
        Line(codec="opus")


@pytest.mark.parametrize(
    "line",
    [
        Line(),
        Line.phone(seed=3),
        Line.speakerphone(band=(200, 3600)),
        Line(codec="pcma", noise="cafe", snr_db=12, clip_db=-10, sides="caller"),
    ],
    ids=str,
)
def test_a_line_is_read_back_from_json_and_from_its_repr(line):
    assert Line.from_json(json.loads(json.dumps(line.to_json()))) == line
    assert eval(repr(line), {"Line": Line}) == line


@pytest.mark.parametrize("told", ["phone", {"codec": "g729"}, {"loss": "much"}, None])
def test_what_a_folder_says_may_be_no_line(told):
    with pytest.raises(SavedCallError, match="is no line"):
        Line.from_json(told)


def test_a_preset_can_be_changed():
    assert Line.phone(loss=0.1, codec="pcma").loss == 0.1
    assert Line.speakerphone(noise=None, snr_db=None).echo_db == 30.0
    with pytest.raises(TypeError):
        Line.phone(packets=3)


def test_the_echo_comes_after_both_ways():
    line = Line(echo_db=30, echo_ms=50, delay_ms=100)
    assert line.echo_secs == pytest.approx(2 * line.delay + 0.05)
    assert line.notices() == []
    late = Line(echo_db=30, delay_ms=250)
    assert "no echo canceller finds it" in late.notices()[0]


@pytest.mark.parametrize("seed", [-1, 1.5, True])
def test_a_perturbs_seed_is_a_whole_number(seed):
    with pytest.raises((ArgumentError, ArgumentTypeError), match="seed"):
        Perturb(seed)


def test_packets_that_come_too_late_are_told_and_too_many_refused():
    assert Line.phone().late_part < 0.001
    assert Line.phone().notices() == []
    (told,) = Line(jitter_ms=20, buffer_ms=40).notices()
    assert told.startswith("14% of the packets come too late")
    with pytest.raises(ArgumentError, match=r"buffer_ms=0\): 100% of the packets would come"):
        Line(jitter_ms=5, buffer_ms=0)


def test_a_noise_that_is_an_array_is_refused_by_name():
    with pytest.raises(ArgumentError, match=r"Line\(noise=array"):
        Line(noise=np.array([1, 2]))
