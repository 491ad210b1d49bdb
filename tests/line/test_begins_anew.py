"""What lies under an utterance is the same whatever was before, and however it is cut up."""

from __future__ import annotations

import numpy as np
import pytest
from carried_sound import HAS_OPUS, speech

from piopiy_lab.line.anew import CallersWay
from piopiy_lab.line.line import Line
from piopiy_lab.line.way import samples_of
from piopiy_lab.screenplay.behind import Background, Behind
from piopiy_lab.screenplay.mouth import Clip, Mouth
from piopiy_lab.screenplay.steps import Audio
from piopiy_lab.sound.anew import Anew

SHAKY = Line.phone(noise="street", snr_db=12.0, gain_db=-3.0, loss=0.1, burst=3.0, seed=4)
OPUS = {"codec": "opus", "loss": 0.1, "burst": 2.0, "noise": "cafe", "snr_db": 15.0}
RATE, EARLY = 16000, 320


def heard(line, starts, secs=1.5, sizes=(320,), rate=RATE, early=EARLY):
    """Return what is heard of utterances that begin at these samples, and of all there is."""
    said = speech(rate, secs)
    whole = np.zeros(starts[-1] + len(said) + rate, np.int16)
    for at in starts:
        whole[at : at + len(said)] = said
    way, out, at, turn = CallersWay(line, rate), [], 0, 0
    begun, ended = 0, 0
    while at < len(whole):
        n = min(sizes[turn % len(sizes)], len(whole) - at)
        if begun < len(starts) and starts[begun] - early < at + n:
            way.begin_anew(starts[begun] - early - at, Anew(begun + 1, early))
            begun += 1
        if ended < len(starts) and starts[ended] + len(said) <= at + n:
            way.end_utterance(starts[ended] + len(said) - at)
            ended += 1
        out.append(way.process(whole[at : at + n]))
        at, turn = at + n, turn + 1
    sound, late = np.concatenate(out), samples_of(line.delay, rate)
    fade = round(0.01 * rate)
    return [sound[at + late - early + fade : at + late + len(said)] for at in starts], sound


@pytest.mark.parametrize(
    "line",
    [
        SHAKY,
        Line(noise="hum", snr_db=10.0),
        Line(codec="pcma", jitter_ms=20.0),
        pytest.param(OPUS, marks=HAS_OPUS),
    ],
    ids=str,
)
def test_what_lies_under_an_utterance_does_not_depend_on_what_was_before(line):
    line = Line(**line) if isinstance(line, dict) else line
    one, whole = heard(line, [8000, 44441, 90001])
    other, _ = heard(line, [11003, 53333, 123456])
    assert len(whole)
    for first, second in zip(one, other, strict=True):
        np.testing.assert_array_equal(first, second)
        assert np.abs(first.astype(int)).max() > 1000
    assert not np.array_equal(one[0], one[1])  # each has a piece of its own


def test_by_the_clock_it_would_be_another_piece():
    """What is compared above is no silence, and what lies under it is not always the same."""
    said = speech(RATE, 1.5)
    late = samples_of(SHAKY.delay, RATE)
    pieces = []
    for start in (8000, 11003):
        whole = np.zeros(start + len(said) + RATE, np.int16)
        whole[start : start + len(said)] = said
        carried = CallersWay(SHAKY, RATE).process(whole)
        pieces.append(carried[start + late : start + late + len(said)])
    assert not np.array_equal(pieces[0], pieces[1])


@pytest.mark.parametrize("rate", [8000, 16000, 24000])
def test_the_same_bytes_come_out_however_it_is_cut_up(rate):
    starts, early = [rate // 2, 3 * rate + 77, 6 * rate + 5], rate // 50
    _, whole = heard(SHAKY, starts, sizes=(rate,), rate=rate, early=early)
    for sizes in ((rate // 50,), (1, 7, 1000, 333), (rate // 100, rate // 2)):
        _, again = heard(SHAKY, starts, sizes=sizes, rate=rate, early=early)
        np.testing.assert_array_equal(again, whole)


def test_another_seed_and_another_utterance_are_another_piece():
    said = [heard(Line(noise="street", snr_db=5.0, seed=seed), [8000])[0][0] for seed in (1, 2)]
    assert not np.array_equal(said[0], said[1])


def test_nothing_clicks_where_a_line_begins_anew():
    """A hum that goes on at another place would jump: it is faded within 10 ms."""
    line = Line(noise="hum", snr_db=20.0)
    way = CallersWay(line, RATE)
    way.begin_anew(RATE, Anew(1, EARLY))
    sound = way.process(np.zeros(2 * RATE, np.int16)).astype(int)
    steps = np.abs(np.diff(sound[RATE // 4 :]))
    around = RATE + samples_of(line.delay, RATE) - RATE // 4
    assert steps[around - 50 : around + 300].max() <= 1.2 * steps[: around - 400].max()


def test_how_loud_the_caller_speaks_is_kept_from_one_utterance_to_the_next():
    line = Line(noise="hum", snr_db=10.0)
    silence = np.zeros(RATE, np.int16)

    def levels(gain):
        way = CallersWay(line, RATE)
        found = []
        for number in (1, 2, 3):
            said = (speech(RATE, 2.0) * gain).astype(np.int16)
            way.begin_anew(len(silence) - EARLY, Anew(number, EARLY))
            out = way.process(silence)
            found.append(np.std(out[-3 * EARLY :].astype(float)))
            way.end_utterance(len(said))
            way.process(said)
        return found

    loud, quiet = levels(1.0), levels(0.1)
    assert loud[0] == pytest.approx(quiet[0], rel=0.05)  # not known yet
    assert 20 * np.log10(loud[2] / quiet[2]) == pytest.approx(20, abs=0.5)


@pytest.mark.parametrize("sizes", [(320,), (1, 7, 1000, 333)])
def test_a_background_begins_anew_with_each_utterance(sizes):
    rng = np.random.default_rng(3)
    street = Audio(rng.integers(-6000, 6000, 4 * RATE).astype(np.int16), RATE)

    def under(starts):
        behind, mouth = Behind(Background(street, 0.0), RATE), Mouth()
        mouth.put_behind(behind)
        out, at, turn, begun = [], 0, 0, 0
        while at < starts[-1] + 2 * RATE:
            n = sizes[turn % len(sizes)]
            if begun < len(starts) and starts[begun] - EARLY < at + n:
                clip = Clip(np.zeros(RATE, np.int16))
                mouth.speak(clip, starts[begun] - at, Anew(begun + 1, EARLY))
                begun += 1
            out.append(mouth.read(n)[0])
            at, turn = at + n, turn + 1
        sound = np.concatenate(out)
        return [sound[start - 160 : start + RATE] for start in starts], behind

    (one, behind), (other, _) = under([9000, 50000]), under([17003, 123001])
    for first, second in zip(one, other, strict=True):
        np.testing.assert_array_equal(first, second)
    assert not np.array_equal(one[0], one[1])
    told = list(behind.heard(0.0, over=True))
    assert [round(p.end, 3) for p in told[:-1]] == [round(p.at, 3) for p in told[1:]]
    assert (9000 - EARLY) / RATE in [p.at for p in told]


def test_what_is_said_behind_is_told_from_where_it_began_anew():
    behind = Behind(Background("speaker"), RATE)
    silence = np.zeros(RATE, np.int16)
    for number in range(1, 40):
        behind.under(silence)
        behind.begin_anew(Anew(number, EARLY))
    behind.under(silence)
    told = list(behind.heard(100.0, over=True))
    assert told
    assert [p.at for p in told] == sorted(p.at for p in told)
    assert all(p.at < p.end <= 140.0 for p in told)
    assert all(one.end <= other.at + 1e-6 for one, other in zip(told, told[1:], strict=False))
