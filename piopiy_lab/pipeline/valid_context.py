"""The conversation that the language model is sent: text that every encoding takes.

Half an emoji, of a model that streams bytes or of a caller who types, would make each request
after it fail, since a request's body is UTF-8. Runs on the session's loop.
"""

from __future__ import annotations

from pipecat.processors.aggregators.llm_context import LLMContext, LLMContextMessage

from piopiy_lab.redaction import made_valid


class ValidContext(LLMContext):
    """A context in which halves of surrogate pairs are joined, or replaced."""

    def add_message(self, message: LLMContextMessage) -> None:
        """Add a message."""
        super().add_message(_valid(message))

    def add_messages(self, messages: list[LLMContextMessage]) -> None:
        """Add messages."""
        super().add_messages([_valid(message) for message in messages])

    def set_messages(self, messages: list[LLMContextMessage]) -> None:
        """Replace the messages."""
        super().set_messages([_valid(message) for message in messages])


def _valid(message: LLMContextMessage) -> LLMContextMessage:
    """Return the message itself, if nothing is wrong with it: who added it may change it later."""
    valid = made_valid(message)
    return message if valid == message else valid
