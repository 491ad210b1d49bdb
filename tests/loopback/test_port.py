"""What the caller's end of a loopback call can be told."""

from __future__ import annotations

import pytest

from piopiy_lab.errors import CallError
from piopiy_lab.loopback.port import CallerPort
from piopiy_lab.session import commands


class Line:
    error: BaseException | None = None

    def __init__(self):
        self.ended = []

    def end_soon(self, reason):
        self.ended.append(reason)


@pytest.mark.parametrize(
    "command",
    [
        commands.Say("Hello"),
        commands.UserSays("hi"),
        commands.Press("1"),
        commands.Interrupt(),
        commands.Tune({"stop_secs": 0.3}),
        commands.SwitchService("anna"),
        commands.Mute(True),
        commands.Transfer("+442012345678"),
    ],
)
def test_the_callers_end_refuses_what_is_the_agents(command):
    line = Line()
    with pytest.raises(CallError, match=rf"^{command.verb}\(\): this is the caller's end"):
        CallerPort(line).send(command)
    assert line.ended == []


def test_the_callers_end_hangs_up():
    line = Line()
    CallerPort(line).send(commands.HangUp())
    assert line.ended == ["hung_up"]
