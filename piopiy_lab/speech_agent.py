"""``SpeechAgent``: the older name of a VoiceAgent in hybrid mode."""

from __future__ import annotations

from typing import Any

from pipecat.processors.frame_processor import FrameProcessor

from piopiy_lab.errors import ArgumentError, ArgumentTypeError
from piopiy_lab.voice_agent import VoiceAgent


class SpeechAgent(VoiceAgent):
    """An agent whose "omni" model hears the caller itself, and whose words a ``tts`` speaks.

    The same as a :class:`VoiceAgent` with ``Action(llm=omni, tts=tts)``. ``omni`` and ``tts`` may
    be given here or to ``Action``.
    """

    def __init__(
        self, *, omni: FrameProcessor | None = None, tts: FrameProcessor | None = None, **agent: Any
    ) -> None:
        """Describe the agent.

        Args:
            omni: The realtime model's service.
            tts: Speech synthesis; left out where the model speaks itself.
            **agent: As for :class:`VoiceAgent`: ``instructions``, ``greeting``, ...
        """
        super().__init__(**agent)
        self._omni = omni
        self._tts = tts

    async def Action(  # noqa: N802 - the API reference's name
        self,
        *,
        omni: FrameProcessor | None = None,
        tts: FrameProcessor | None = None,
        **parts: Any,
    ) -> None:
        """Say what the pipeline is made of; see :meth:`VoiceAgent.Action`.

        Args:
            omni: The realtime model's service, unless the constructor was given it.
            tts: Speech synthesis, unless the constructor was given it.
            **parts: ``vad`` and the rest of ``VoiceAgent.Action``'s; no ``stt`` and no ``llm``.

        Raises:
            ArgumentError: ``stt`` or ``llm`` was given.
            ArgumentTypeError: There is no ``omni``.
        """
        for name in ("stt", "stt_switcher", "llm", "llm_switcher"):
            if parts.get(name) is not None:
                raise ArgumentError(
                    f"SpeechAgent.Action({name}=...): its omni model hears and thinks; give omni= "
                    "and tts=, or use VoiceAgent"
                )
        omni = self._omni if omni is None else omni
        if omni is None:
            raise ArgumentTypeError("SpeechAgent is missing 'omni': give the realtime model")
        if parts.get("tts_switcher") is None:
            parts["tts"] = self._tts if tts is None else tts
        elif tts is not None:
            parts["tts"] = tts
        await super().Action(llm=omni, **parts)


__all__ = ["SpeechAgent"]
