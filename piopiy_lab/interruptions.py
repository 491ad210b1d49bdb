"""What may interrupt the agent, in the words of Piopiy's examples.

pipecat 1.14 has no interruption strategies any more: a *turn start strategy* decides when the
caller has the turn, and that interrupts. The old class is still what Piopiy's examples write; a
VoiceAgent takes it and makes of it what pipecat has now.
"""

from __future__ import annotations

from pipecat.turns.user_start import BaseUserTurnStartStrategy, MinWordsUserTurnStartStrategy

from piopiy_lab.checks.arguments import check_count


class BaseInterruptionStrategy:
    """Says what the caller must do to interrupt the agent."""

    def start_strategies(self, *, enable_interruptions: bool) -> list[BaseUserTurnStartStrategy]:
        """Return pipecat's turn start strategies that do the same."""
        raise NotImplementedError


class MinWordsInterruptionStrategy(BaseInterruptionStrategy):
    """The caller interrupts with a number of words; while the agent is silent one is enough.

    What they say in fewer words while the agent speaks ("mhm") is dropped.
    """

    def __init__(self, *, min_words: int) -> None:
        """Ask for a number of words.

        Args:
            min_words: 1 or more.

        Raises:
            ArgumentTypeError: It is no whole number.
            ArgumentError: It is less than 1.
        """
        check_count("min_words", min_words, least=1, of="MinWordsInterruptionStrategy")
        self.min_words = min_words

    def start_strategies(self, *, enable_interruptions: bool) -> list[BaseUserTurnStartStrategy]:
        """Return pipecat's strategy of the same meaning."""
        return [
            MinWordsUserTurnStartStrategy(
                min_words=self.min_words, enable_interruptions=enable_interruptions
            )
        ]

    def __repr__(self) -> str:
        return f"MinWordsInterruptionStrategy(min_words={self.min_words})"


__all__ = ["BaseInterruptionStrategy", "MinWordsInterruptionStrategy"]
