"""What a ``Call`` can ask of a loopback call: to be hung up. The rest is the agent's side's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn, Protocol

from piopiy_lab.errors import CallError


class Ended(Protocol):
    """The call whose end is asked for."""

    error: BaseException | None

    def end_soon(self, reason: str) -> None:
        """End the call, from any thread."""
        ...


class CallerPort:
    """The ``CommandPort`` of the caller's end. Thread-safe; everything returns at once."""

    agent: Any = None
    services: Mapping[str, Any] = {}
    loop_thread_ident: int | None = None

    def __init__(self, call: Ended) -> None:
        """Command ``call``."""
        self._call = call

    @property
    def error(self) -> BaseException | None:
        """What ended the call badly."""
        return self._call.error

    def hang_up(self) -> None:
        """End the call."""
        self._call.end_soon("hung_up")

    def say(self, text: str) -> None:
        """Not from here."""
        self._refuse("say")

    def user_says(self, text: str) -> None:
        """Not from here."""
        self._refuse("user_says")

    def press(self, digits: str) -> None:
        """Not from here."""
        self._refuse("press")

    def interrupt(self) -> None:
        """Not from here."""
        self._refuse("interrupt")

    def tune(self, **settings: float) -> None:
        """Not from here."""
        self._refuse("tune")

    def switch_service(self, service: Any) -> None:
        """Not from here."""
        self._refuse("switch_service")

    def mute(self, muted: bool) -> None:
        """Not from here."""
        self._refuse("mute")

    def transfer(self, to: str) -> None:
        """Not from here."""
        self._refuse("transfer")

    def _refuse(self, command: str) -> NoReturn:
        raise CallError(
            f"{command}(): this is the caller's end of a call; command the agent's, which is in "
            "the agent's calls"
        )
