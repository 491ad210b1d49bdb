"""What a call is told, on its way to the agent that runs in it."""

from __future__ import annotations

import asyncio

import pytest

from piopiy_lab.errors import ArgumentError, CallError
from piopiy_lab.hosting.commands import CallCommands
from piopiy_lab.session import commands


class Agent:
    """Prepares whatever it is told and takes down what was then done."""

    services = {}

    def __init__(self):
        self.done = []

    def prepare(self, command):
        if command == commands.SwitchService("nobody"):
            raise ArgumentError("no such service")

        async def act():
            self.done.append(command)

        return act


class Session:
    def __init__(self, *agents):
        self.agents = list(agents)
        self.by_hand = []

    def now(self):
        return 0.0


async def told(command, *, before=None, agent=None):
    """Send one command to a call of one agent; return what the agent did."""
    agent = agent or Agent()
    port = CallCommands(asyncio.get_running_loop().call_soon)
    port.session = Session(agent)
    port.send(command)
    if before is not None:
        before(port.session)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return agent.done


def test_a_command_happens_after_it_was_sent():
    assert asyncio.run(told(commands.Say("Hello"))) == [commands.Say("Hello")]


def test_what_the_agent_refuses_is_raised_where_it_was_sent():
    with pytest.raises(ArgumentError, match="no such service"):
        asyncio.run(told(commands.SwitchService("nobody")))


def test_a_command_to_an_agent_that_has_ended_since_is_dropped():
    other = Agent()

    def ended(session):
        session.agents[:] = [other]

    assert asyncio.run(told(commands.Interrupt(), before=ended)) == []
    assert other.done == []  # it was checked by the one that has ended


def test_before_an_agent_runs_there_is_nobody_to_tell():
    async def main():
        port = CallCommands(asyncio.get_running_loop().call_soon)
        with pytest.raises(CallError, match="say: no VoiceAgent is running in this call yet"):
            port.send(commands.Say("Hello"))
        port.send(commands.Mute(True))  # the call's own: kept for when there is a session
        await asyncio.sleep(0)
        return port.pending_mute

    assert asyncio.run(main())
