"""What a tool's handler is given, and what it may ask of the call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Protocol, Unpack

from pipecat.services.llm_service import FunctionCallParams

from piopiy_lab.errors import CallError
from piopiy_lab.events.values import TransferCause
from piopiy_lab.session.transfer_order import TransferOptions, TransferOrder


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

    async def transfer(self, order: TransferOrder, cause: TransferCause) -> object:
        """Ask for a transfer once the agent has been heard out; None where there is no phone."""
        ...


@dataclass
class ToolCallParams(FunctionCallParams):
    """pipecat's parameters of a tool call, with the names that Piopiy's examples use, and more.

    Attributes:
        host: The running agent; None outside of a call of ours.
        filler: What is said meanwhile if the tool takes long; None for nothing.
    """

    host: ToolHost | None = None
    filler: str | None = None

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

    async def transfer(
        self, number: str, **options: Unpack[TransferOptions]
    ) -> Literal["ringing", "transferred"]:
        """Hand the caller over once the agent has been heard out.

        On the phone it returns when it rings: the caller stays with the agent until somebody
        answers, hears how it comes out, and the LLM is told. Off the phone, and with
        ``blind=True``, the call with the agent is over.

        Args:
            number: A telephone number with its country code, or a SIP address.
            **options: Those of :meth:`piopiy_lab.call.call.Call.transfer`.

        Returns:
            "ringing" or "transferred".

        Raises:
            ArgumentError: It is no number, or an option can't be used.
            CallControlError: The platform refused; the call goes on.
        """
        return await self.transfer_as(TransferOrder(number, **options))

    async def transfer_as(self, order: TransferOrder) -> Literal["ringing", "transferred"]:
        """Do what :meth:`transfer` does, for an order that was made before."""
        running = await self._host("transfer").transfer(order, "tool")
        return "transferred" if running is None or order.blind else "ringing"

    def _host(self, what: str) -> ToolHost:
        if self.host is None:
            raise CallError(f"params.{what}(): this tool was not called in a call of piopiy_lab")
        return self.host
