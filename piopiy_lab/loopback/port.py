"""What a ``Call`` can ask of a loopback call: to be hung up. The rest is the agent's side's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from piopiy_lab.errors import CallError
from piopiy_lab.events.values import EndReason
from piopiy_lab.session.commands import Command, HangUp
from piopiy_lab.session.running_agent import AgentInCall


class Ended(Protocol):
    """The call whose end is asked for."""

    error: BaseException | None

    def end_soon(self, reason: EndReason) -> None:
        """End the call, from any thread."""
        ...


class CallerPort:
    """The ``CommandPort`` of the caller's end. Thread-safe; everything returns at once."""

    agent: AgentInCall | None = None
    services: Mapping[str, Any] = {}
    loop_thread_ident: int | None = None

    def __init__(self, call: Ended) -> None:
        """Command ``call``."""
        self._call = call

    @property
    def error(self) -> BaseException | None:
        """What ended the call badly."""
        return self._call.error

    def send(self, command: Command) -> None:
        """End the call; every other command is refused.

        Raises:
            CallError: It is another command.
        """
        if not isinstance(command, HangUp):
            raise CallError(
                f"{command.verb}(): this is the caller's end of a call; command the agent's, "
                "which is in the agent's calls"
            )
        self._call.end_soon("hung_up")
