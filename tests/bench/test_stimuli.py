"""The list that ships: enough of each kind, in two parts, and every one can be performed."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from piopiy_lab.bench.noise_clips import NOISES, noise_clip
from piopiy_lab.bench.scripting import caller_of
from piopiy_lab.bench.stimuli import KINDS, load_stimuli, read_stimuli
from piopiy_lab.errors import ArgumentError, ArgumentTypeError
from piopiy_lab.screenplay.sounds import check_screenplay

LEAST = {"backchannel": 60, "interruption": 60, "noise": 30, "aside": 30, "pause": 30, "end": 30}


def test_there_are_enough_of_each_kind_and_half_of_them_are_kept_for_acceptance():
    listed = load_stimuli()
    counts = Counter(one.kind for one in listed)
    assert all(counts[kind] >= LEAST[kind] for kind in KINDS), counts
    for kind in KINDS:
        tune = len(load_stimuli(kinds=[kind], split="tune"))
        assert tune == len(load_stimuli(kinds=[kind], split="accept")) == counts[kind] // 2


def test_no_text_and_no_voice_of_one_part_is_in_the_other():
    tune, accept = load_stimuli(split="tune"), load_stimuli(split="accept")
    assert not {(one.kind, one.words) for one in tune} & {(one.kind, one.words) for one in accept}
    assert not {one.voice for one in tune} & {one.voice for one in accept}
    assert len({one.id for one in (*tune, *accept)}) == len(tune) + len(accept)


def test_every_stimulus_can_be_performed():
    for one in load_stimuli():
        check_screenplay(caller_of(one))


@pytest.mark.parametrize("name", NOISES)
def test_noises_are_the_same_every_time_and_differ_by_their_seed(name):
    first, again, other = (noise_clip(f"{name}:{seed}", 16000) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert first.dtype == np.int16
    assert 0.1 < len(first) / 16000 < 2.5
    assert len(first) != len(other) or (first != other).any()


def test_what_is_no_stimulus_is_refused_by_name():
    good = {"id": "a", "kind": "end", "text": "yes", "voice": "caller"}
    assert read_stimuli([good])[0].manner == "says"
    with pytest.raises(ArgumentError, match="two stimuli have the id 'a'"):
        read_stimuli([good, good])
    with pytest.raises(ArgumentError, match="'voice'"):
        read_stimuli([{"id": "a", "kind": "end", "text": "yes"}])
    with pytest.raises(ArgumentError, match="kind='hum'"):
        read_stimuli([{**good, "kind": "hum"}])
    with pytest.raises(ArgumentError, match="after='soon'"):
        read_stimuli([{**good, "after": "soon"}])
    for text in (7, None, [], ["a", None], {"a": 1}):
        with pytest.raises(ArgumentError, match="stimulus 'a' has text="):
            read_stimuli([{**good, "text": text}])
    with pytest.raises(ArgumentError, match="stimulus 'a' has 'spilt': it may have after, during"):
        read_stimuli([{**good, "spilt": "tune"}])
    with pytest.raises(ArgumentTypeError, match="stimulus 1 is 'yes'"):
        read_stimuli(["yes"])
    with pytest.raises(ArgumentError, match="there is no noise 'bark:1'"):
        noise_clip("bark:1", 16000)
    with pytest.raises(ArgumentError, match="'noise' during 'speech'|no noise"):
        caller_of(read_stimuli([{**good, "kind": "noise", "text": "bark"}])[0])
    with pytest.raises(ArgumentError, match="'says' during 'speech' can't be"):
        caller_of(read_stimuli([{**good, "during": "speech"}])[0])
    with pytest.raises(ArgumentError, match="kinds has 'hum'"):
        load_stimuli(kinds=["hum"])
    with pytest.raises(ArgumentError, match="split='test'"):
        load_stimuli(split="test")
