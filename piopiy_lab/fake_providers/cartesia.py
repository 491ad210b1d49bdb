"""Cartesia's speech synthesis over WebSocket (``/tts/websocket``), on loopback; real speech.

What the real one (API version 2026-03-01) documents and this one does: the key in ``X-API-Key``;
contexts, continued by further transcripts and ended by ``continue: false``; raw ``pcm_s16le`` at
the asked rate in ``chunk`` messages, ``timestamps`` of words on the context's own clock when asked
for, ``flush_done`` when ``max_buffer_delay_ms`` is 0, ``done``; ``cancel``; ``error`` messages with
``error_code``, ``title`` and ``message``. Voices are espeak-ng's: a voice id that is one of ours
("agent", "second_agent", "en-us+m3", ...) is that voice, any other id is the agent's.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from aiohttp import web

from piopiy_lab.errors import ArgumentError
from piopiy_lab.fake_providers.scenario import Scenario
from piopiy_lab.fake_providers.server import Connection, FakeProvider
from piopiy_lab.redaction import JsonObject
from piopiy_lab.sound import pcm
from piopiy_lab.sound.speech import AGENT_VOICE, Voice, find_voice, synthesize

#: Seconds of sound in a chunk.
CHUNK_SECS = 0.1
#: Seconds of silence after each transcript of a context.
GAP_SECS = 0.15


class FakeCartesia(FakeProvider):
    """A Cartesia for ``CartesiaTTSService(api_key=server.key, url=server.url)``."""

    name: ClassVar[str] = "Cartesia"

    def __init__(
        self,
        *,
        voice: Voice | str = AGENT_VOICE,
        speed: float | None = None,
        scenario: Scenario | None = None,
        key: str = "fake-cartesia-key",
    ) -> None:
        """Make it; ``async with`` opens it.

        Args:
            voice: Who speaks where the client's voice id is none of ours.
            speed: How many times faster than it is played sound is made; None is at once.
            scenario: How it behaves.
            key: The key that it accepts.

        Raises:
            ArgumentError: There is no such voice, or ``speed`` is not above 0.
            MissingExtraError: The ``offline`` extra isn't installed.
        """
        super().__init__(scenario=scenario, key=key)
        if speed is not None and not speed > 0:
            raise ArgumentError(f"speed={speed!r}: use a number above 0, or None for at once")
        self._voice = find_voice(voice)
        self._speed = speed

    @property
    def url(self) -> str:
        """For ``CartesiaTTSService(url=)``."""
        return f"ws://{self.address}/tts/websocket"

    def routes(self) -> list[web.RouteDef]:
        """Serve ``/tts/websocket``."""
        return [web.get("/tts/websocket", self._speak)]

    def kind_of(self, message: Mapping[str, object]) -> str:
        """Return "cancel", "end" (the last of a context) or "transcript"."""
        if message.get("cancel"):
            return "cancel"
        return "transcript" if message.get("continue") else "end"

    def unauthorized(self, given: str) -> web.Response:
        """Answer a wrong key."""
        return _refused(401, "unauthorized", "Unauthorized", "The API key is not valid.")

    def rate_limited(self) -> web.Response:
        """Answer too many connections."""
        message = "You have exceeded your plan's concurrency limit."
        return _refused(429, "concurrency_limited", "Too many concurrent requests", message)

    async def _speak(self, request: web.Request) -> web.StreamResponse:
        refused = self.refusal(request.headers.get("X-API-Key"))
        if refused is not None:
            return refused
        self.note(self.connections, "connect", dict(request.query))
        return await self.talk(request, self._serve)

    async def _serve(self, connection: Connection) -> None:
        contexts: dict[str, _Context] = {}
        while (message := await connection.receive()) is not None:
            if isinstance(message, bytes):
                continue
            context_id = str(message.get("context_id", ""))
            if message.get("cancel"):
                if (cancelled := contexts.pop(context_id, None)) is not None:
                    cancelled.cancel()
                continue
            try:
                context = contexts.get(context_id)
                if context is None:
                    voice = self._voice_of(message)
                    context = _Context(connection, context_id, message, voice, self._speed)
                    contexts[context_id] = context
            except (ArgumentError, KeyError, TypeError, ValueError) as error:
                connection.post(_wrong(context_id, str(error)))
                continue
            context.say(str(message.get("transcript", "")))
            if not message.get("continue"):
                context.finish()
                del contexts[context_id]

    def _voice_of(self, message: JsonObject) -> Voice:
        try:
            return find_voice(str(message["voice"]["id"]))
        except ArgumentError:
            return self._voice


def _refused(status: int, code: str, title: str, message: str) -> web.Response:
    body = {"error_code": code, "title": title, "message": message}
    request_id = "00000000-0000-4000-8000-000000000002"
    return web.json_response({**body, "request_id": request_id}, status=status)


def _wrong(context_id: str, why: str) -> dict[str, object]:
    return {
        "type": "error",
        "done": True,
        "status_code": 400,
        "error_code": "invalid_request",
        "title": "Invalid request",
        "message": f"The request is not valid: {why}",
        "context_id": context_id,
    }


class _Context:
    """One context: transcripts that are spoken one after the other."""

    def __init__(
        self,
        connection: Connection,
        context_id: str,
        first: JsonObject,
        voice: Voice,
        speed: float | None,
    ) -> None:
        form = first["output_format"]
        if (form.get("container"), form.get("encoding")) != ("raw", "pcm_s16le"):
            raise ArgumentError("this fake speaks raw pcm_s16le only")
        self._rate = int(form["sample_rate"])
        self._connection = connection
        self._id = context_id
        self._voice = voice
        self._speed = speed
        self._free_at = 0.0  # the loop's time at which the sound so far is made
        self._timestamps = bool(first.get("add_timestamps"))
        self._flushes = first.get("max_buffer_delay_ms") == 0
        self._secs = 0.0  # of speech so far: where the next transcript begins
        self._spoken = 0

    def say(self, text: str) -> None:
        """Post a transcript's sound, and its words' times."""
        clip = synthesize(text, self._voice, sample_rate=self._rate)
        if not len(clip.samples):
            return
        self._spoken += 1
        timed = self._timestamps and self._connection.scenario.word_times
        if timed:
            self._post(
                "timestamps",
                word_timestamps={
                    "words": [word.text for word in clip.words],
                    "start": [round(self._secs + word.start, 3) for word in clip.words],
                    "end": [round(self._secs + word.end, 3) for word in clip.words],
                },
            )
        size = round(CHUNK_SECS * self._rate)
        silence = np.zeros(round(GAP_SECS * self._rate), np.int16)
        samples = np.concatenate([clip.samples, silence])
        for at in range(0, len(samples), size):
            data = base64.b64encode(pcm.to_bytes(samples[at : at + size]))
            self._post("chunk", data=data.decode(), step_time=1.0)
            if self._speed is not None:
                self._free_at += CHUNK_SECS / self._speed
        self._secs += len(samples) / self._rate
        if self._flushes:
            self._post("flush_done", flush_done=True, flush_id=self._spoken)

    def finish(self) -> None:
        """Post the end."""
        self._post("done")

    def cancel(self) -> None:
        """Say nothing more; what is posted is taken back."""
        self._connection.take_back(lambda message: message.get("context_id") == self._id)

    def _post(self, kind: str, **values: object) -> None:
        now = asyncio.get_running_loop().time()
        self._free_at = max(self._free_at, now + self._connection.scenario.first_byte_secs)
        message = {"type": kind, "done": kind == "done", "status_code": 206, **values}
        self._connection.post({**message, "context_id": self._id}, delay=self._free_at - now)
