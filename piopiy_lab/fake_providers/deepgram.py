"""Deepgram's live transcription over WebSocket (``/v1/listen``), on loopback.

What the real one documents and this one does: the key in ``Authorization: Token ...``; audio as
linear16 in binary messages; ``KeepAlive``, ``Finalize`` and ``CloseStream``; ``Results`` with
``is_final``, ``speech_final`` and ``from_finalize``; ``SpeechStarted`` when ``vad_events`` is
asked for, ``UtteranceEnd`` when ``utterance_end_ms`` is; ``Metadata`` at the end of the stream; the
connection closed with 1011 (NET-0001) after ten seconds without a message.

What differs: an utterance ends at a pause of 0.3 s (or ``endpointing``, if longer), where the real
one by default cuts a sentence at every breath; only channel 1 of linear16 is heard.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np
from aiohttp import web

from piopiy_lab.fake_providers.hearing import Ear, Utterance
from piopiy_lab.fake_providers.recognition import Recogniser, Words, make_recogniser
from piopiy_lab.fake_providers.scenario import Scenario
from piopiy_lab.fake_providers.server import Connection, FakeProvider
from piopiy_lab.redaction import JsonObject

#: The shortest pause that ends an utterance.
PAUSE_SECS = 0.3
#: Seconds of speech between two guesses.
INTERIM_SECS = 0.5
#: Seconds without a message after which the stream is closed.
IDLE_SECS = 10.0

_MODEL = {"name": "general-nova-3", "version": "2025-04-17.21547", "arch": "nova-3"}
_UUID = "00000000-0000-4000-8000-000000000001"


class FakeDeepgram(FakeProvider):
    """A Deepgram for ``DeepgramSTTService(api_key=server.key, base_url=server.base_url)``."""

    name: ClassVar[str] = "Deepgram"

    def __init__(
        self,
        script: Sequence[str] | None = None,
        *,
        phrases: Sequence[str] | None = None,
        slots: Mapping[str, Sequence[str]] | None = None,
        scenario: Scenario | None = None,
        key: str = "fake-deepgram-key",
    ) -> None:
        """Make it; ``async with`` opens it.

        Args:
            script: What it "recognises", utterance by utterance, whatever is said.
            phrases: Instead of a script: what the offline recogniser listens for in the audio.
            slots: The phrases' slots.
            scenario: How it behaves.
            key: The key that it accepts.

        Raises:
            ArgumentError: Neither or both of ``script`` and ``phrases``.
            PhraseError: A phrase can't be listened for.
        """
        super().__init__(scenario=scenario, key=key)
        self._recogniser = make_recogniser(script, phrases, slots)

    @property
    def base_url(self) -> str:
        """For ``DeepgramSTTService(base_url=)``."""
        return f"ws://{self.address}"

    def routes(self) -> list[web.RouteDef]:
        """Serve ``/v1/listen``."""
        return [web.get("/v1/listen", self._listen)]

    def unauthorized(self, given: str) -> web.Response:
        """Answer a wrong key."""
        return _refused(401, "INVALID_AUTH", "Invalid credentials.")

    def rate_limited(self) -> web.Response:
        """Answer too many requests."""
        return _refused(429, "TOO_MANY_REQUESTS", "Too many requests. Please try again later")

    async def _listen(self, request: web.Request) -> web.StreamResponse:
        scheme, _, key = request.headers.get("Authorization", "").partition(" ")
        refused = self.refusal(key if scheme.lower() == "token" else None)
        if refused is not None:
            return refused
        query = dict(request.query)
        if query.get("encoding", "linear16") != "linear16":
            return _refused(400, "Bad Request", "this fake hears linear16 only")
        self.note(self.connections, "connect", query)
        return await self.talk(
            request, lambda connection: _Stream(connection, self._recogniser, query).run()
        )


def _refused(status: int, code: str, message: str) -> web.Response:
    body = {"err_code": code, "err_msg": message, "request_id": _UUID}
    headers = {"dg-error": message, "dg-request-id": _UUID}
    return web.json_response(body, status=status, headers=headers)


class _Stream:
    """One live transcription."""

    def __init__(self, connection: Connection, recogniser: Recogniser, query: JsonObject):
        self._connection = connection
        self._scenario = connection.scenario
        self._recogniser = recogniser
        self._query = query
        self._channels = int(query.get("channels", 1))
        endpointing = query.get("endpointing", "")
        pause = int(endpointing) / 1000 if endpointing.isdigit() else 0.0
        self._ear = Ear(int(query.get("sample_rate", 16000)), max(PAUSE_SECS, pause))
        self._guessed = 0.0  # seconds of the open utterance at the last guess
        self._announced = False  # SpeechStarted was sent for the open utterance
        self._told = 0.0  # seconds of the stream that final results cover

    async def run(self) -> None:
        """Serve until the client or the silence ends it."""
        while True:
            try:
                message = await self._connection.receive(IDLE_SECS)
            except TimeoutError:
                await self._connection.close(1011, "NET-0001")
                return
            if message is None:
                return
            if isinstance(message, bytes):
                self._hear(message)
            elif message.get("type") == "Finalize":
                self._finalize()
            elif message.get("type") == "CloseStream":
                await self._close()
                return

    def _hear(self, data: bytes) -> None:
        samples = np.frombuffer(data[: len(data) // 2 * 2], "<i2")
        for utterance in self._ear.feed(samples[:: self._channels]):
            self._final(utterance, speech_final=True)
        secs = self._ear.open_secs
        if secs is None:
            return
        if not self._announced:
            self._announced = True
            if self._query.get("vad_events") == "true":
                started = {"type": "SpeechStarted", "channel": [0, 1]}
                self._post({**started, "timestamp": round(self._ear.heard_secs - secs, 3)})
        if self._query.get("interim_results") == "true" and secs - self._guessed >= INTERIM_SECS:
            self._guessed = secs
            if guess := self._recogniser.guess(secs):
                self._post(self._results(guess, [], self._ear.heard_secs, is_final=False))

    def _final(self, utterance: Utterance, **marks: bool) -> None:
        """Post a final result, and with ``utterance_end_ms`` the end of the utterance."""
        words = self._recogniser.words(utterance, self._ear.sample_rate)
        self._guessed, self._announced = 0.0, False
        text = " ".join(word for word, _, _ in words)
        results = self._results(text, words, self._ear.heard_secs, is_final=True, **marks)
        self._told = self._ear.heard_secs
        self._post(results, late=self._scenario.late_final_secs)
        if words and self._query.get("utterance_end_ms") and marks.get("speech_final"):
            end = {"type": "UtteranceEnd", "channel": [0, 1], "last_word_end": words[-1][2]}
            self._post(end)

    def _finalize(self) -> None:
        utterance = self._ear.finish()
        if utterance is not None:
            self._final(utterance, speech_final=True, from_finalize=True)
        else:  # all was told already: the answer to Finalize is empty
            results = self._results("", [], self._ear.heard_secs, is_final=True, from_finalize=True)
            self._post(results, late=self._scenario.late_final_secs)

    async def _close(self) -> None:
        utterance = self._ear.finish()
        if utterance is not None:
            self._final(utterance, speech_final=True)
        self._post(
            {
                "type": "Metadata",
                "transaction_key": "deprecated",
                "request_id": _UUID,
                "sha256": "0" * 64,
                "created": "2026-01-01T00:00:00.000Z",
                "duration": round(self._ear.heard_secs, 3),
                "channels": self._channels,
            }
        )
        await self._connection.close(1000)

    def _post(self, message: Mapping[str, object], late: float = 0.0) -> None:
        self._connection.post(message, delay=self._scenario.first_byte_secs + late)

    def _results(
        self,
        text: str,
        words: Words,
        until: float,
        *,
        is_final: bool,
        speech_final: bool = False,
        from_finalize: bool = False,
    ) -> dict[str, object]:
        timed = [
            {"word": w.lower().strip(",.?!"), "start": a, "end": b, "confidence": 0.99}
            | ({"punctuated_word": w} if self._query.get("punctuate") == "true" else {})
            for w, a, b in words
        ]
        alternative = {
            "transcript": text,
            "confidence": 0.99 if text else 0.0,
            "words": timed if self._scenario.word_times else [],
        }
        return {
            "type": "Results",
            "channel_index": [0, self._channels],
            "duration": round(until - self._told, 3),
            "start": round(self._told, 3),
            "is_final": is_final,
            "speech_final": speech_final,
            "from_finalize": from_finalize,
            "channel": {"alternatives": [alternative]},
            "metadata": {"request_id": _UUID, "model_info": _MODEL, "model_uuid": _UUID},
        }
