"""A live call's cassette: recorded on the wall clock, played in virtual time."""

from __future__ import annotations

from taped import SHORT, desk_session, run

from piopiy_lab import start_call


def said(call):
    return [(entry.role, entry.text) for entry in call.transcript]


def test_a_live_call_is_played_in_virtual_time_at_its_pace(tmp_path):
    live = start_call(desk_session, SHORT.hangs_up(), cassette=tmp_path / "tape")
    live.join(60)
    live.raise_for_error()
    played = run(caller=SHORT.hangs_up(), cassette=tmp_path / "tape", record_mode="none")
    played.raise_for_error()
    assert said(played) == said(live)
