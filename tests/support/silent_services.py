"""Services that give nothing: a recogniser without words, an LLM without answer, a silent voice."""

from __future__ import annotations

import asyncio
from dataclasses import fields

from pipecat.frames.frames import (
    LLMContextFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    LLMMarkerFrame,
    LLMTextFrame,
    TranscriptionFrame,
    TTSAudioRawFrame,
)
from pipecat.services.llm_service import LLMService
from pipecat.services.settings import LLMSettings, STTSettings, TTSSettings
from pipecat.services.stt_service import SegmentedSTTService, STTService
from pipecat.services.tts_service import TTSService


class DeafSTT(SegmentedSTTService):
    """Hears nothing; or gives always the same text, or an error."""

    def __init__(self, text=None, error=None):
        settings = STTSettings(model=None, language=None)
        super().__init__(settings=settings, ttfs_p99_latency=0.2)
        self.given, self.error = text, error

    async def run_stt(self, audio):
        if self.error is not None:
            raise self.error
        if self.given is not None:
            yield TranscriptionFrame(self.given, "", "")


class DeafStreamingSTT(STTService):
    """Hears nothing, and needs no detector to tell it where speech ends."""

    def __init__(self):
        settings = STTSettings(model=None, language=None)
        super().__init__(settings=settings, ttfs_p99_latency=0.2)

    async def run_stt(self, audio):
        return
        yield


class DumbLLM(LLMService):
    """Answers with nothing, in one of several ways."""

    def __init__(self, how):
        unset = {field.name: None for field in fields(LLMSettings) if field.init}
        super().__init__(settings=LLMSettings(**{**unset, "extra": {}}))
        self.how = how

    async def process_frame(self, frame, direction):
        await super().process_frame(frame, direction)
        if not isinstance(frame, LLMContextFrame):
            await self.push_frame(frame, direction)
        elif self.how != "swallows":
            await self.push_frame(LLMFullResponseStartFrame())
            await self.answer()
            await self.push_frame(LLMFullResponseEndFrame())

    async def answer(self):
        match self.how:
            case "blank":
                await self.push_frame(LLMTextFrame("  \n"))
            case "hangs":
                await asyncio.sleep(100)
            case "waits":  # for a caller who isn't done
                await self.push_frame(LLMMarkerFrame("○"))
            case "writes":  # what is for reading only
                frame = LLMTextFrame("Look at your screen.")
                frame.skip_tts = True
                await self.push_frame(frame)


class SilentTTS(TTSService):
    """Gives no sound, in one of several ways."""

    def __init__(self, how):
        marks = how != "no frames"
        super().__init__(
            settings=TTSSettings(model=None, voice=None, language=None),
            sample_rate=24000,
            push_start_frame=marks,
            push_stop_frames=marks,
        )
        self.how = how

    async def run_tts(self, text, context_id):
        sounds = {"no samples": b"", "silence": bytes(48000)}
        if self.how in sounds:
            yield TTSAudioRawFrame(sounds[self.how], 24000, 1, context_id=context_id)
