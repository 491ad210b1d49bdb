"""What a Call asks of whoever runs it: the way down, where the event log is the way up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol


class CommandPort(Protocol):
    """Whoever runs the call. Its methods are thread-safe and return at once."""

    def hang_up(self) -> None:
        """End the call with the reason "hung_up"."""
        ...

    def say(self, text: str) -> None:
        """Let the agent speak the text."""
        ...

    def user_says(self, text: str) -> None:
        """Give the agent a typed user turn."""
        ...

    def press(self, digits: str) -> None:
        """Press keys for the caller."""
        ...

    def interrupt(self) -> None:
        """Stop the agent's speech and thought."""
        ...

    def tune(self, **settings: float) -> None:
        """Change detector and turn settings."""
        ...

    def switch_service(self, service: Any) -> None:
        """Make a service, or the one of that name, the active one."""
        ...

    def transfer(self, to: str) -> None:
        """Hand the caller over to another number, once the agent has finished speaking."""
        ...

    def mute(self, muted: bool) -> None:
        """Close or open the user's side."""
        ...

    @property
    def agent(self) -> Any:
        """The VoiceAgent, once the session has made one."""
        ...

    @property
    def services(self) -> Mapping[str, Any]:
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
