"""Where the offline services rely on pipecat's insides: an instance that serves call after call.

pipecat has no way to take a service through a second pipeline: a processor's queues belong to the
loop that they first waited on, and a cancelled one takes no more frames. Providers' services are
made anew for each call; ours keep nothing of it, so the same instance may serve the next.
"""

from __future__ import annotations

from typing import Any, ClassVar

from pipecat.processors.frame_processor import FrameProcessor
from pipecat.services.ai_service import AIService
from pipecat.services.llm_service import LLMService
from pipecat.services.stt_service import STTService
from pipecat.services.tts_service import TTSService

from piopiy_lab.services.fitting import attributes, expect, expect_attributes, method

#: What every service takes along: who it is, who feeds it (linked before it is), who listens.
_ALWAYS_KEPT = ("_id", "_name", "_prev", "_settings", "_event_handlers")

_LLM, _STT, _TTS = "the offline llm", "the offline stt", "the offline tts"

#: What the services use of the classes that they derive from, as pipecat's own services do; to a
#: service it is an interface, though its names are private.
RELIED_ON = (
    *attributes(LLMService, "_functions", "_filter_incomplete_user_turns", needed_by=_LLM),
    *attributes(LLMService, "_user_turn_completion_config", needed_by=_LLM),
    method(LLMService, "_push_llm_text", "text", needed_by=_LLM),
    method(LLMService, "_sync_registered_tool_handlers", "tools", needed_by=_LLM),
    *attributes(STTService, "_user_id", needed_by=_STT),
    method(TTSService, "_update_settings", "delta", needed_by=_TTS),
    method(AIService, "_warn_unhandled_updated_settings", "unhandled", needed_by=_TTS),
    *attributes(AIService, *_ALWAYS_KEPT, needed_by="a service's second call"),
)
expect(RELIED_ON)


class ServesAgain(FrameProcessor):
    """A service that becomes as new when it is linked after an earlier pipeline.

    Stands before pipecat's class among the bases; everything runs on the session's loop.

    Raises:
        IncompatibleVersionError: pipecat's class has no longer what is to be kept; raised where
            the service's class is made.
    """

    #: What the service takes along besides, by pipecat's name.
    KEPT: ClassVar[tuple[str, ...]] = ()

    #: pipecat's own.
    _settings: Any
    #: For pipecat's ``__init__``, beside the settings and the name; the service sets it once.
    _arguments: dict[str, Any]
    #: Whether a pipeline has had it and is done with it; written by cleanup() and link().
    _left_behind = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        expect_attributes(cls, *_ALWAYS_KEPT, *cls.KEPT, needed_by="a service's second call")

    def link(self, processor: FrameProcessor) -> None:
        """Link to the next processor; after an earlier pipeline, become as new first.

        pipecat's classes are initialised again. Settings, name, event handlers and whatever else
        is in ``KEPT`` stay.

        Args:
            processor: The next processor.
        """
        if self._left_behind:
            self._left_behind = False
            kept = {name: getattr(self, name) for name in ("_id", "_prev", "_event_handlers")}
            kept |= {name: getattr(self, name) for name in self.KEPT}
            super().__init__(**{**self._arguments, "settings": self._settings, "name": self._name})
            for name, value in kept.items():
                setattr(self, name, value)
        super().link(processor)

    async def cleanup(self) -> None:
        """Let go of the pipeline."""
        await super().cleanup()
        self._left_behind = True
