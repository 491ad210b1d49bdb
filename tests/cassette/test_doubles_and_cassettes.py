"""A tool's double beside a cassette: the double answers, and the cassette doesn't."""

from __future__ import annotations

import pytest
from heavy_door import CALLER, House
from taped import run, sound

from piopiy_lab.cassette import Cassette
from piopiy_lab.errors import CassetteError


@pytest.fixture(params=[False, True], ids=["cascade", "realtime"])
def house(request):
    return House(realtime=request.param)


def test_the_double_answers_and_not_the_cassette(house, tmp_path):
    recorded = run(house.create_session, CALLER, cassette=tmp_path / "tape").raise_for_error()
    played = run(
        house.create_session, CALLER, cassette=tmp_path / "tape", replace=house.doubled()
    ).raise_for_error()
    assert house.ran == ["tool", "double"]
    (tool,), (was,) = played.tool_calls, recorded.tool_calls
    assert tool.result == was.result
    assert (was.secs, tool.secs) == (pytest.approx(0.7), 0.0)
    assert played.transcript[-1].text == recorded.transcript[-1].text


def test_a_double_that_says_something_else_is_a_question_that_was_not_asked(house, tmp_path):
    run(house.create_session, CALLER, cassette=tmp_path / "tape").raise_for_error()
    cassette = Cassette(tmp_path / "tape", "none")
    stuck = house.doubled("The kitchen door is stuck.")
    played = run(house.create_session, CALLER, cassette=cassette, replace=stuck)
    assert house.ran == ["tool", "double"]
    assert isinstance(played.error, CassetteError)
    (miss,) = cassette.misses
    assert "is stuck" in miss.asked
    assert "is open" in miss.recorded


def test_what_a_double_gives_is_recorded(house, tmp_path):
    recorded = run(
        house.create_session, CALLER, cassette=tmp_path / "tape", replace=house.doubled()
    ).raise_for_error()
    assert house.ran == ["double"]
    played = run(house.create_session, CALLER, cassette=tmp_path / "tape").raise_for_error()
    assert house.ran == ["double"]
    assert played.tool_calls[0].result == recorded.tool_calls[0].result
    assert sound(played) == sound(recorded)
