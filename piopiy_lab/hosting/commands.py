"""A running call's commands: what a ``Call`` asks for, carried to the agent on the session's loop.

Every method here is thread-safe and returns at once; what it asks for happens on the session's
loop, and shows in the event log when it has happened.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Protocol

from piopiy_lab.errors import CallError
from piopiy_lab.events.values import EndReason
from piopiy_lab.session import by_hand
from piopiy_lab.session.commands import AgentCommand, Command, HangUp, Mute
from piopiy_lab.session.running_agent import Act, AgentInCall, RunningAgent
from piopiy_lab.session.session import Session


class CallOnLoop(Protocol):
    """Calls a function on the session's loop, soon; from any thread."""

    def __call__(self, function: Callable[..., object], /, *args: object) -> object:
        """Have it called."""
        ...


class CallCommands:
    """The ``CommandPort`` of one running call; ``host.CallHost`` is one."""

    def __init__(self, call_on_loop: CallOnLoop) -> None:
        """Take the way to the session's loop: a function that calls another one there soon."""
        self._call_on_loop = call_on_loop
        self.session: Session | None = None  # made on the session's loop, by the runner
        self._error: BaseException | None = None  # what ended the call badly; by the runner
        self._pending_end: EndReason | None = None  # a hang-up that came before there was a session
        self.pending_mute = False  # a mute that came before there was a session
        self.pending_hand_over = False  # hand_over() came before there was a session
        self._commands: set[asyncio.Task[None]] = set()  # the loop holds its tasks only weakly

    @property
    def error(self) -> BaseException | None:
        """What ended the call badly."""
        return self._error

    @property
    def agent(self) -> AgentInCall | None:
        """The VoiceAgent, once the session has started one."""
        session = self.session
        if session is None or session.latest_agent is None:
            return None
        return session.latest_agent.agent

    @property
    def services(self) -> Mapping[str, object]:
        """The services by name: "stt", "llm", "tts"."""
        session = self.session
        if session is None or session.latest_agent is None:
            return {}
        return session.latest_agent.services

    def end(self, reason: EndReason, error: BaseException | None = None) -> None:
        """Ask for the end, for a reason; from any thread."""

        def end() -> None:
            if self.session is None:
                self._pending_end = self._pending_end or reason
            else:
                self.session.end(reason, error)

        self._call_on_loop(end)

    def hand_over(self) -> None:
        """Take that the caller isn't ours to hang up on. Only on the session's loop."""
        self.pending_hand_over = True
        if self.session is not None:
            self.session.handed_over = True

    def send(self, command: Command) -> None:
        """Let a command happen on the session's loop; what the call can't follow is refused here.

        Raises:
            CallError: No VoiceAgent is running yet.
            ArgumentError: A setting or service that the call doesn't have.
            ServiceError: The service can no longer do its job.
        """
        match command:
            case HangUp():
                self.end("hung_up")
            case Mute(muted=muted):
                self._call_on_loop(self._mute, muted)
            case _:
                agent = self._running_agent(command.verb)
                self._call_on_loop(self._start, agent, agent.prepare(command), command)

    def _mute(self, muted: bool) -> None:
        if self.session is None:  # as soon as there is one
            self.pending_mute = muted
        else:
            self.session.mute(muted)

    def _running_agent(self, verb: str) -> RunningAgent:
        session = self.session
        agents = [] if session is None else session.agents
        if not agents:
            raise CallError(
                f"{verb}: no VoiceAgent is running in this call yet; wait until call.state is "
                "'listening'"
            )
        return agents[-1]

    def _start(self, agent: RunningAgent, act: Act, command: AgentCommand) -> None:
        if self.session is None or agent not in self.session.agents:
            return  # it has ended meanwhile
        record = by_hand.told(command, self.session.now(), agent.services)
        if record is not None:
            self.session.by_hand.append(record)
        task = asyncio.get_running_loop().create_task(act())
        self._commands.add(task)
        task.add_done_callback(self._commands.discard)
