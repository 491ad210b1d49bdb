"""What a Call asks of whoever runs it: the way down, where the event log is the way up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from piopiy_lab.session.commands import Command
from piopiy_lab.session.running_agent import AgentInCall


class CommandPort(Protocol):
    """Whoever runs the call. Thread-safe; nothing here waits for the call."""

    def send(self, command: Command) -> None:
        """Let a command happen soon; what the call can't follow is refused here and now.

        Raises:
            CallError: No VoiceAgent is running yet, or this end of the call takes no such command.
            ArgumentError: A setting or service that the call doesn't have.
            ServiceError: The service can no longer do its job.
        """
        ...

    @property
    def agent(self) -> AgentInCall | None:
        """The VoiceAgent, once the session has made one."""
        ...

    @property
    def services(self) -> Mapping[str, object]:
        """Names to services."""
        ...

    @property
    def error(self) -> BaseException | None:
        """What ended the call, if it ended badly."""
        ...

    @property
    def loop_thread_ident(self) -> int | None:
        """``threading.get_ident()`` of the session's loop, if it has a thread of its own."""
        ...
