"""What a session knows of a VoiceAgent that runs in it, and what a ``Call`` offers of it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import Protocol, Unpack

from piopiy_lab.session.call_control import TransferNews
from piopiy_lab.session.commands import AgentCommand
from piopiy_lab.session.transfer_order import TransferOptions

#: Does what a command asks for, on the session's loop; made by :meth:`RunningAgent.prepare`.
Act = Callable[[], Coroutine[object, object, None]]


class AgentInCall(Protocol):
    """The VoiceAgent of a call: what can be read and changed while it talks.

    ``VoiceAgent`` describes each of these, and says from which thread it may be called.
    """

    greeting: str | None
    idle_timeout_secs: int
    transfer_lines: Mapping[str, str]

    @property
    def instructions(self) -> str:
        """What the LLM is told; a new text acts from the next turn on."""
        ...

    @instructions.setter
    def instructions(self, instructions: str) -> None: ...

    def add_tool(
        self,
        schema: object,
        handler: Callable[..., object] | None = None,
        *,
        timeout_secs: float | None = None,
        cancel_on_interruption: bool | None = None,
        filler: str | None = None,
        filler_after_secs: float | None = None,
    ) -> None:
        """Offer a tool from the next turn on."""
        ...

    def register_tool(
        self,
        name: str,
        handler: Callable[..., object],
        *,
        timeout_secs: float | None = None,
        cancel_on_interruption: bool | None = None,
        filler: str | None = None,
        filler_after_secs: float | None = None,
    ) -> None:
        """Give the handler of a tool that has a schema already."""
        ...

    async def switch_service(self, service: object) -> None:
        """Make another service of a switcher the active one."""
        ...

    async def end_call(self) -> None:
        """End the call once the agent has been heard out."""
        ...

    async def transfer_call(self, number: str, **options: Unpack[TransferOptions]) -> None:
        """Hand the caller over once the agent has been heard out."""
        ...


class RunningAgent(Protocol):
    """What a session, and whoever runs it, knows of a VoiceAgent that is running in it."""

    @property
    def agent(self) -> AgentInCall | None:
        """The VoiceAgent; None where a bot has made its own pipeline."""
        ...

    @property
    def services(self) -> Mapping[str, object]:
        """Names to services."""
        ...

    def prepare(self, command: AgentCommand) -> Act:
        """Check a command and return what does it; any thread.

        Raises:
            ArgumentError: A setting or service that this call doesn't have.
            ServiceError: The service can no longer do its job.
        """
        ...

    async def narrate(self, news: TransferNews) -> None:
        """Tell the caller and the LLM how a transfer stands."""
        ...

    async def stop(self, *, graceful: bool) -> None:
        """End the pipeline: let queued speech play out, or at once."""
        ...
