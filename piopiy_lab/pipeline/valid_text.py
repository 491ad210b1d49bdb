"""What the language model and the voice are sent: text that every encoding takes.

Half an emoji, of a model that streams bytes or of a caller who types, would make a request fail,
since its body is UTF-8, and each one after it that carries the conversation. Runs on the session's
loop.
"""

from __future__ import annotations

from collections.abc import Iterable

from pipecat.processors.aggregators.llm_context import LLMContext, LLMContextMessage
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.services.tts_service import TTSService

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


def speak_valid_text(voices: Iterable[FrameProcessor]) -> None:
    """Make voices speak valid text, after what their own transforms make of it."""
    for voice in voices:
        if isinstance(voice, TTSService):
            voice.remove_text_transformer(_valid_words)  # of a call before
            voice.add_text_transformer(_valid_words)


async def _valid_words(text: str, text_type: str) -> str:
    return made_valid(text)


def _valid(message: LLMContextMessage) -> LLMContextMessage:
    """Return the message itself, if nothing is wrong with it: who added it may change it later."""
    valid = made_valid(message)
    return message if valid == message else valid
