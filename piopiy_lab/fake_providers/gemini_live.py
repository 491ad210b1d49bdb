"""Google's Gemini Live API over WebSocket (``BidiGenerateContent``), on loopback.

What the real one documents and this one does: ``setup`` answered by ``setupComplete``;
``realtimeInput`` with audio (automatic activity detection, or ``activityStart`` and
``activityEnd``) or text; ``clientContent`` with turns; ``serverContent`` with
``inputTranscription``, ``modelTurn`` audio at 24 kHz or text, ``outputTranscription``,
``interrupted``, ``generationComplete`` and ``turnComplete`` with usage; ``toolCall`` and
``toolResponse``; a wrong key and a limit as the closing codes 1007 and 1011.

google-genai speaks TLS to whatever ``base_url`` it is given, so this server has a certificate, and
`http_options` make the client trust it.
"""

from __future__ import annotations

import base64
import json
from typing import Any, ClassVar

import numpy as np
from aiohttp import web

from piopiy_lab.fake_providers.answers import typed
from piopiy_lab.fake_providers.certificate import loopback_contexts
from piopiy_lab.fake_providers.server import Connection
from piopiy_lab.fake_providers.speaking import Ear, FakeRealtime, Speaker
from piopiy_lab.offline.replies import Answer
from piopiy_lab.redaction import JsonObject

_PATH = "/ws/google.ai.generativelanguage.{version}.GenerativeService.BidiGenerateContent"
_PAUSE_SECS = 0.5


class FakeGeminiLive(FakeRealtime):
    """For ``GeminiLiveLLMService(api_key=server.key, http_options=server.http_options)``."""

    name: ClassVar[str] = "Gemini Live"

    def __init__(self, *args: Any, key: str = "fake-gemini-key", **options: Any) -> None:
        """Make it, with the arguments of `FakeRealtime`; ``async with`` opens it."""
        super().__init__(*args, key=key, **options)
        self.tls, self._trust = loopback_contexts()

    @property
    def http_options(self) -> dict[str, object]:
        """For ``GeminiLiveLLMService(http_options=)``: they lead google-genai here."""
        return {
            "base_url": f"https://{self.address}",
            "async_client_args": {"ssl": self._trust},
        }

    def routes(self) -> list[web.RouteDef]:
        """Serve the one method, in every version of the API."""
        return [web.get(_PATH, self._listen)]

    def unauthorized(self, given: str) -> web.Response:
        """Refuse; the real one upgrades first, and closes with 1007: see `_listen`."""
        return web.Response(status=401)

    def rate_limited(self) -> web.Response:
        """Refuse; the real one upgrades first, and closes with 1011: see `_listen`."""
        return web.Response(status=429)

    async def _listen(self, request: web.Request) -> web.StreamResponse:
        key = request.headers.get("x-goog-api-key") or request.query.get("key")
        refused = self.refusal(key)
        if refused is not None and refused.status == 503:
            return refused
        if refused is not None:
            code, reason = (
                (1007, "API key not valid. Please pass a valid API key.")
                if refused.status == 401
                else (1011, "You exceeded your current quota, please check your plan.")
            )
            return await self.talk(request, lambda c: c.close(code, reason))
        self.note(self.connections, "connect", {})
        return await self.talk(request, lambda connection: _Session(self, connection).run())


class _Session:
    """One session."""

    def __init__(self, provider: FakeGeminiLive, connection: Connection) -> None:
        self._provider = provider
        self._connection = connection
        self._speaker = Speaker(connection, provider)
        self._setup: JsonObject = {}
        self._ear: Ear | None = None
        self._messages: list[dict[str, Any]] = []  # the conversation, as chat messages
        self._calls = 0
        self._heard = False  # the open utterance has interrupted what was said

    async def run(self) -> None:
        """Serve until the client goes."""
        while (message := await self._connection.receive()) is not None:
            if isinstance(message, bytes):  # the SDK may send its JSON as bytes
                message = json.loads(message)
            if (setup := message.get("setup")) is not None:
                self._setup = setup
                self._speaker.post({"setupComplete": {}})
            elif (
                given := message.get("realtimeInput") or message.get("realtime_input")
            ) is not None:
                self._hear(given)
            elif (
                content := message.get("clientContent") or message.get("client_content")
            ) is not None:
                self._read(content)
            elif (
                results := message.get("toolResponse") or message.get("tool_response")
            ) is not None:
                self._take_results(results)
            else:
                await self._connection.close(1007, f"Invalid JSON payload: {sorted(message)}")
                return

    # --- what comes --------------------------------------------------------------------------

    @property
    def _detects(self) -> bool:
        detection = (self._setup.get("realtimeInputConfig") or {}).get("automaticActivityDetection")
        return not (detection or {}).get("disabled")

    def _hear(self, given: JsonObject) -> None:
        chunks = given.get("mediaChunks") or [given.get("audio")]
        for blob in chunks:
            if blob:
                self._hear_sound(blob)
        if "activityEnd" in given and self._ear is not None:
            self._end(self._ear.finish())
        if "activityStart" in given:
            self._interrupt()
        if text := given.get("text"):
            if text.strip():
                self._messages.append({"role": "user", "content": text})
            self._answer()

    def _hear_sound(self, blob: JsonObject) -> None:
        rate = int(blob.get("mimeType", "").partition("rate=")[2] or 16000)
        if self._ear is None or self._ear.sample_rate != rate:
            self._ear = Ear(rate, _PAUSE_SECS)
        raw = base64.urlsafe_b64decode(blob["data"].replace("+", "-").replace("/", "_"))
        ended = self._ear.feed(np.frombuffer(raw[: len(raw) // 2 * 2], "<i2"))
        if not self._detects:
            return
        if self._ear.open_secs is not None and not self._heard:
            self._heard = True
            self._interrupt()
        for utterance in ended:
            self._heard = False
            self._end(utterance)

    def _end(self, utterance: Any) -> None:
        """Answer an utterance that has ended."""
        if utterance is None or self._ear is None:
            return
        words = self._provider.recogniser.words(utterance, self._ear.sample_rate)
        text = " ".join(word for word, _, _ in words)
        if "inputAudioTranscription" in self._setup:
            self._content(inputTranscription={"text": text})
        self._messages.append({"role": "user", "content": text})
        self._answer()

    def _read(self, content: JsonObject) -> None:
        for turn in content.get("turns") or ():
            text = " ".join(p["text"] for p in turn.get("parts") or () if p.get("text"))
            role = "assistant" if turn.get("role") == "model" else "user"
            if text.strip():
                self._messages.append({"role": role, "content": text})
        # Since Gemini 3, the end of a turn that seeds the conversation is not answered yet: the
        # next realtime input is, be it a blank text.
        seeds = not str(self._setup.get("model", "")).startswith("models/gemini-2")
        if content.get("turnComplete") and self._messages and not seeds:
            self._answer()

    def _take_results(self, results: JsonObject) -> None:
        for result in results.get("functionResponses") or ():
            response = result.get("response") or {}
            value = response.get("result", response.get("output", response))
            text = value if isinstance(value, str) else json.dumps(value)
            self._messages.append({"role": "tool", "tool_call_id": result["id"], "content": text})
        self._answer()

    # --- what is sent ------------------------------------------------------------------------

    def _answer(self) -> None:
        self._give(self._provider.answers.to(self._messages))

    def _give(self, answer: Answer) -> None:
        self._speaker.begin()
        if answer.calls:
            self._call(answer)
        if not answer.text:
            return
        generation = self._setup.get("generationConfig") or {}
        modalities = generation.get("responseModalities") or generation.get("response_modalities")
        aloud = modalities != ["TEXT"]
        self._messages.append({"role": "assistant", "content": answer.text})
        if aloud:
            for data, words, secs in self._speaker.speech(answer.text):
                if words and "outputAudioTranscription" in self._setup:
                    self._content(outputTranscription={"text": f"{words} "})
                sound = {"mimeType": "audio/pcm;rate=24000", "data": data}
                self._content(secs, modelTurn={"role": "model", "parts": [{"inlineData": sound}]})
        else:
            for word in answer.text.split():
                self._content(modelTurn={"role": "model", "parts": [{"text": f"{word} "}]})
        self._content(generationComplete=True)
        size = len(answer.text.split())
        usage = {"promptTokenCount": 0, "responseTokenCount": size, "totalTokenCount": size}
        self._speaker.post({"serverContent": {"turnComplete": True}, "usageMetadata": usage})

    def _call(self, answer: Answer) -> None:
        declared = [
            function
            for tool in self._setup.get("tools") or ()
            for function in tool.get("functionDeclarations") or ()
        ]
        made, calls = [], []
        for call in answer.calls:
            self._calls += 1
            call_id, arguments = f"function-call-fake{self._calls}", typed(call, declared)
            made.append({"id": call_id, "name": call.tool, "args": arguments})
            function = {"name": call.tool, "arguments": json.dumps(arguments)}
            calls.append({"id": call_id, "type": "function", "function": function})
        self._messages.append({"role": "assistant", "content": None, "tool_calls": calls})
        self._speaker.post({"toolCall": {"functionCalls": made}})

    def _interrupt(self) -> None:
        """Cut off what is being said."""
        if self._speaker.active:
            self._speaker.stop()
            self._content(interrupted=True)
            self._speaker.post({"serverContent": {"turnComplete": True}, "usageMetadata": {}})

    def _content(self, sound_secs: float = 0.0, **values: object) -> None:
        self._speaker.post({"serverContent": values}, sound_secs=sound_secs)
