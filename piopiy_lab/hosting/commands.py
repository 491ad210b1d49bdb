"""A running call's commands: what a ``Call`` asks for, carried to the agent on the session's loop.

Every method here is thread-safe and returns at once; what it asks for happens on the session's
loop, and shows in the event log when it has happened.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from typing import Any

from piopiy_lab.errors import ArgumentError, CallControlError, CallError
from piopiy_lab.session.session import Session


class CallCommands:
    """The ``CommandPort`` of one running call; ``runner.CallHost`` is one."""

    def __init__(self, call_on_loop: Callable[..., Any]) -> None:
        """Take the way to the session's loop: a function that calls another one there soon."""
        self._call_on_loop = call_on_loop
        self.session: Session | None = None  # made on the session's loop, by the runner
        self._error: BaseException | None = None  # what ended the call badly; by the runner
        self._pending_end: str | None = None  # a hang-up that came before there was a session
        self.pending_mute = False  # a mute that came before there was a session
        self._commands: set[asyncio.Task[Any]] = set()  # the loop holds its tasks only weakly

    @property
    def error(self) -> BaseException | None:
        """What ended the call badly."""
        return self._error

    @property
    def agent(self) -> Any:
        """The VoiceAgent, once the session has started one."""
        session = self.session
        return (
            None
            if session is None or session.latest_agent is None
            else (session.latest_agent.agent)
        )

    @property
    def services(self) -> Mapping[str, Any]:
        """The services by name: "stt", "llm", "tts"."""
        session = self.session
        if session is None or session.latest_agent is None:
            return {}
        return session.latest_agent.services

    def hang_up(self) -> None:
        """End the call."""
        self.end("hung_up")

    def end(self, reason: str, error: BaseException | None = None) -> None:
        """Ask for the end, for a reason; from any thread."""

        def end() -> None:
            if self.session is None:
                self._pending_end = self._pending_end or reason
            else:
                self.session.end(reason, error)

        self._call_on_loop(end)

    def say(self, text: str) -> None:
        """Let the agent speak."""
        self._command("say", lambda agent: agent.say(text))

    def user_says(self, text: str) -> None:
        """Give the agent a typed user turn."""
        self._command("user_says", lambda agent: agent.user_says(text))

    def press(self, digits: str) -> None:
        """Press keys for the caller."""
        self._command("press", lambda agent: agent.press(digits))

    def interrupt(self) -> None:
        """Stop the agent's speech and thought."""
        self._command("interrupt", lambda agent: agent.interrupt())

    def tune(self, **settings: float) -> None:
        """Change detector and turn settings."""
        if not settings:
            raise ArgumentError("tune() without settings: tune(stop_secs=0.3), say")
        self._running_agent("tune").check_tune(settings)
        self._command("tune", lambda agent: agent.tune(settings))

    def switch_service(self, service: Any) -> None:
        """Switch to another service of a switcher.

        Raises:
            ArgumentError: There is no such service in a switcher of the call.
            ServiceError: It can no longer do its job.
        """
        self._running_agent("switch_service").check_switch(service)
        self._command("switch_service", lambda agent: agent.switch_service(service))

    def transfer(self, to: str) -> None:
        """Hand the caller over; a refusal is in the log, and the call goes on."""

        async def transfer(agent: Any) -> None:
            with contextlib.suppress(CallControlError):
                await agent.transfer(to, "command")

        self._command("transfer", transfer)

    def mute(self, muted: bool) -> None:
        """Close or open the user's side, now or as soon as there is one."""

        def mute() -> None:
            if self.session is None:
                self.pending_mute = muted
            else:
                self.session.mute(muted)

        self._call_on_loop(mute)

    def _running_agent(self, what: str) -> Any:
        session = self.session
        agents = [] if session is None else session.agents
        if not agents:
            raise CallError(
                f"{what}: no VoiceAgent is running in this call yet; wait until call.state is "
                "'listening'"
            )
        return agents[-1]

    def _command(self, what: str, command: Callable[[Any], Any]) -> None:
        self._running_agent(what)

        def start() -> None:
            agents = [] if self.session is None else self.session.agents
            if agents:
                task = asyncio.get_running_loop().create_task(command(agents[-1]))
                self._commands.add(task)
                task.add_done_callback(self._commands.discard)

        self._call_on_loop(start)
