"""The names that Piopiy's example code uses and that pipecat has renamed or dropped."""

from __future__ import annotations

from typing import Any

from piopiy_lab import voice_agent


class VoiceAgent(voice_agent.VoiceAgent):
    """A VoiceAgent that also answers to the oldest name of ``Action``."""

    async def AgentAction(self, **parts: Any) -> None:  # noqa: N802 - the SDK's name
        """Do what :meth:`Action` does."""
        await self.Action(**parts)


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
