"""Files that somebody else wrote may hold anything: a call comes of it, or an error of ours."""

from __future__ import annotations

import copy
import json
import random

import pytest
from test_from_platforms import READERS, report, retell, vapi  # noqa: F401  (fixtures)

from piopiy_lab import Call
from piopiy_lab.elsewhere import building, hearing, pipecat_spans
from piopiy_lab.errors import PiopiyLabError

#: What stands in the place of something, one at a time.
ODD = (None, True, 0, -1, 1e30, -1e30, float("nan"), float("inf"), 10**400, "", "x", "1e999", [],
       [None], [[]], [{}], {}, {"a": 1}, {"stringValue": 1}, {"kvlistValue": None})  # fmt: skip


def places_in(value, way=()):
    """Every place in a value of JSON."""
    yield way
    if isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places_in(item, (*way, key))


def changed(told, rng):
    told = copy.deepcopy(told)
    for _ in range(rng.choice((1, 1, 2))):
        ways = list(places_in(told))[1:]
        if not ways:
            break
        *steps, last = rng.choice(ways)
        inner = told
        for step in steps:
            inner = inner[step]
        if rng.random() < 0.2:
            del inner[last]
        else:
            inner[last] = rng.choice(ODD)
    return told


@pytest.fixture
def heard_before(booking, monkeypatch):
    """The detector's answer of the real recording, once for all: it is not what is tried here."""
    known = []

    def hear(sides):
        if not known:
            known.append(hearing.hear(sides))
        return known[0]

    for module in (building, pipecat_spans):
        monkeypatch.setattr(module, "hear", hear)


def taken_or_refused(read, told):
    try:
        call = read()
    except PiopiyLabError:
        return False
    assert str(call), told
    assert call.turns is not None
    assert all(event.at >= 0 for event in call.events), told
    return True


@pytest.mark.parametrize("name", sorted(READERS))
def test_a_platforms_file_with_something_odd_in_it(name, request, booking, heard_before, tmp_path):
    told, rng = request.getfixturevalue(name), random.Random(name)
    sound, taken = booking / "call.wav", 0
    for _ in range(60):
        odd = changed(told, rng)
        taken += taken_or_refused(lambda odd=odd: READERS[name](odd, sound), odd)
    assert 5 < taken < 60


def test_spans_with_something_odd_in_them(truth, booking, heard_before, tmp_path):
    ours = json.loads(truth.save_otlp(tmp_path / "ours.json").read_text())
    theirs = copy.deepcopy(ours)
    for span in theirs["resourceSpans"][0]["scopeSpans"][0]["spans"]:
        span["events"] = []
    rng, taken, path = random.Random(1), 0, tmp_path / "odd.json"
    for number in range(80):
        odd = changed((ours, theirs)[number % 2], rng)
        path.write_text(json.dumps(odd))
        taken += taken_or_refused(lambda: Call.from_pipecat(booking / "call.wav", path), odd)
    assert 8 < taken < 80
