"""The booking desk on realtime models of OpenAI and Google, faked on loopback."""

from __future__ import annotations

import asyncio

import pytest
from cloud_desk import GREETING, SAYS

from piopiy_lab import Caller, VoiceAgent, simulate
from piopiy_lab.fake_providers import FakeGeminiLive, FakeOpenAIRealtime
from piopiy_lab.offline import EspeakTTSService, booking_desk

CALLER = (
    Caller()
    .hears("how can I help")
    .hears_reply()
    .says(SAYS[0])
    .hears("what name", within=6)
    .hears_reply()
    .says(SAYS[1])
    .hears("is that right", within=6)
    .hears_reply()
    .says(SAYS[2])
    .expects_tool("book_table", party_size=2, name="Anna")
    .hears("booked", within=6)
    .hears_reply()
)


def openai_llm(server, key, manual, text):
    from pipecat.services.openai.realtime import events as ev
    from pipecat.services.openai.realtime.llm import OpenAIRealtimeLLMService

    listening = ev.AudioInput(
        transcription=ev.InputAudioTranscription(), turn_detection=False if manual else None
    )
    properties = ev.SessionProperties(
        audio=ev.AudioConfiguration(input=listening),
        output_modalities=["text"] if text else ["audio"],
    )
    settings = OpenAIRealtimeLLMService.Settings(session_properties=properties)
    return OpenAIRealtimeLLMService(
        api_key=key or server.key, base_url=server.base_url, settings=settings
    )


def gemini_llm(server, key, manual, text):
    pytest.importorskip("google.genai")
    from pipecat.services.google.gemini_live.llm import (
        GeminiLiveLLMService,
        GeminiModalities,
        GeminiVADParams,
    )

    settings = GeminiLiveLLMService.Settings(
        vad=GeminiVADParams(disabled=True) if manual else None,
        modalities=GeminiModalities.TEXT if text else GeminiModalities.AUDIO,
    )
    return GeminiLiveLLMService(
        api_key=key or server.key, http_options=server.http_options, settings=settings
    )


class Desk:
    """The booking desk on a realtime model; its server is opened with each call."""

    def __init__(self, fake, make, *, manual, key=None, hears=SAYS, text=False, **options):
        self._fake, self._make, self._options = fake, make, options
        self._manual, self._key, self._hears, self._text = manual, key, hears, text
        self.server = None

    async def create_session(self):
        desk = booking_desk()
        fake = self._fake(self._hears, rules=desk.rules(), **self._options)
        async with fake as self.server:
            agent = VoiceAgent(instructions="Book.", greeting=GREETING, tools=list(desk.tools))
            llm = self._make(self.server, self._key, self._manual, self._text)
            parts = {"tts": EspeakTTSService()} if self._text else {}
            vad = self._manual or self._fake is FakeGeminiLive
            await agent.Action(llm=llm, vad=vad, **parts)
            await agent.start()

    def call(self, caller=CALLER, **options):
        return asyncio.run(simulate(self.create_session, caller, **options))


OPENAI, GEMINI = (FakeOpenAIRealtime, openai_llm), (FakeGeminiLive, gemini_llm)
