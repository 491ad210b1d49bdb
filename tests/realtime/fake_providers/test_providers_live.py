"""The fake providers on the wall clock."""

from __future__ import annotations

from cloud_desk import SAYS, Desk, errors_of, said

from piopiy_lab import Caller, start_call


def test_a_call_in_real_time_twice_in_a_row():
    caller = Caller().hears_greeting().says(SAYS[0]).hears("what name", within=5).hangs_up()
    for _ in range(2):
        desk = Desk()
        call = start_call(desk.create_session, caller).join(30)
        call.raise_for_error()
        assert said(call, "user") == [SAYS[0]]
        assert not errors_of(call)
        assert call.turns[0].total < 3.0  # in real time Smart Turn may wait its 1.5 s
