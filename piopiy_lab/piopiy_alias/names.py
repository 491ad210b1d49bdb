"""The names that Piopiy's example code uses and that pipecat has renamed or dropped."""

from __future__ import annotations

from collections.abc import Coroutine, Generator
from typing import Any

from piopiy_lab import voice_agent


class VoiceAgent(voice_agent.VoiceAgent):
    """A VoiceAgent that also answers to the oldest name of ``Action``."""

    _late: AgentAction | None = None  # the last one; written by AgentAction()

    def AgentAction(self, **parts: Any) -> AgentAction:  # noqa: N802 - the SDK's name
        """Do what :meth:`Action` does, when it is awaited, or else when the agent starts.

        The oldest examples call it without ``await``.
        """
        self._late = AgentAction(self.Action(**parts))
        return self._late

    async def start(self) -> None:
        """Run the pipeline until the call ends or is cancelled; see ``VoiceAgent.start``."""
        if self._late is not None:
            await self._late
        await super().start()


class AgentAction:
    """An ``Action`` that is done once, by whoever awaits it first."""

    def __init__(self, action: Coroutine[object, object, None]) -> None:
        """Keep it."""
        self._action: Coroutine[object, object, None] | None = action

    def __await__(self) -> Generator[object, object, None]:
        action, self._action = self._action, None
        if action is not None:
            yield from action.__await__()

    def __del__(self) -> None:
        if self._action is not None:  # an agent that never started: nothing was to be done
            self._action.close()


def __getattr__(name: str) -> object:
    if name != "MCPClient":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from pipecat.services import mcp_service

    class MCPClient(mcp_service.MCPClient):
        """An MCP client whose ``register_tools`` works as it did."""

        async def register_tools(self, llm: object) -> Any:
            """Connect, and return the tools' schema, for ``Action(mcp_tools=...)``.

            The handlers register themselves, and the connection closes with the pipeline.
            """
            return await self.tools()

    globals()[name] = MCPClient
    return MCPClient
