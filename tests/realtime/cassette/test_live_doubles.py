"""On the wall clock: a tool's double answers beside a cassette, and not the cassette."""

from __future__ import annotations

from heavy_door import CALLER, House

from piopiy_lab import start_call


def test_the_double_answers_in_a_live_call(tmp_path):
    house, texts = House(), []
    for replace in (None, house.doubled()):
        call = start_call(
            house.create_session,
            CALLER.hangs_up(),
            cassette=tmp_path / "tape",
            **({"replace": replace} if replace else {}),
        )
        call.join(60)
        call.raise_for_error()
        texts.append(call.transcript[-1].text)
    assert house.ran == ["tool", "double"]
    assert texts[0] == texts[1]
