"""What a tool's handler is given, and what it may ask of the call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from pipecat.services.llm_service import FunctionCallParams

from piopiy_lab.errors import CallError
from piopiy_lab.events.values import TransferCause
from piopiy_lab.session.targets import check_target


class ToolHost(Protocol):
    """The running agent, as a tool sees it."""

    @property
    def over(self) -> bool:
        """Whether the call is ending."""
        ...

    async def remark(self, text: str) -> None:
        """Let the agent speak, beside the conversation that the LLM knows."""
        ...

    async def end_call(self) -> None:
        """End the call once the agent has been heard out."""
        ...

    async def transfer(self, to: str, cause: TransferCause) -> None:
        """Hand the caller over once the agent has been heard out."""
        ...


@dataclass
class ToolCallParams(FunctionCallParams):
    """pipecat's parameters of a tool call, with the names that Piopiy's examples use, and more.

    Attributes:
        host: The running agent; None outside of a call of ours.
    """

    host: ToolHost | None = None

    @property
    def args(self) -> Any:
        """The arguments: an alias of ``arguments``."""
        return self.arguments

    async def say(self, text: str) -> None:
        """Let the agent say something while the tool works. Returns before it is heard.

        The LLM isn't told of it: what it should know belongs in the result.
        """
        await self._host("say").remark(text)

    async def end_call(self) -> None:
        """End the call once the agent has been heard out; the reason is "agent_ended".

        An interruption before that cancels the tool, and the call goes on.
        """
        await self._host("end_call").end_call()

    async def transfer(self, number: str) -> None:
        """Hand the caller over to a number once the agent has been heard out.

        Raises:
            ArgumentError: It is no number.
            CallControlError: The platform refused; the call goes on.
        """
        await self._host("transfer").transfer(check_target(number), "tool")

    def _host(self, what: str) -> ToolHost:
        if self.host is None:
            raise CallError(f"params.{what}(): this tool was not called in a call of piopiy_lab")
        return self.host
