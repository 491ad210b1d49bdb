"""The names that Piopiy's example code uses and that pipecat has renamed or dropped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipecat.turns.user_start import MinWordsUserTurnStartStrategy

from piopiy_lab import voice_agent

if TYPE_CHECKING:
    pass


class VoiceAgent(voice_agent.VoiceAgent):
    """A VoiceAgent that also answers to the oldest name of ``Action``."""

    async def AgentAction(self, **parts: Any) -> None:  # noqa: N802 - the SDK's name
        """Do what :meth:`Action` does."""
        await self.Action(**parts)


class MinWordsInterruptionStrategy(MinWordsUserTurnStartStrategy):
    """Lets a caller interrupt only with at least so many words."""

    def __init__(self, *, min_words: int, **options: Any) -> None:
        """Take the number of words.

        Args:
            min_words: How many.
            **options: pipecat's own, ``use_interim`` say.
        """
        super().__init__(min_words=min_words, **options)


def __getattr__(name: str) -> Any:
    if name != "MCPClient":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from pipecat.services import mcp_service

    class MCPClient(mcp_service.MCPClient):
        """An MCP client whose ``register_tools`` works as it did."""

        async def register_tools(self, llm: Any) -> Any:
            """Connect, and return the tools' schema, for ``Action(mcp_tools=...)``.

            The handlers register themselves, and the connection closes with the pipeline.
            """
            return await self.tools()

    globals()[name] = MCPClient
    return MCPClient
