"""OpenAI's Realtime API over WebSocket (``/v1/realtime``), on loopback.

What the real one documents and this one does: ``session.created`` at once, ``session.updated`` for
``session.update``; ``input_audio_buffer.append``, ``commit`` and ``clear``; server VAD, which
announces speech, commits it, answers it and cuts the answer off when the caller speaks, or none
(``turn_detection: null``); transcripts of the input when asked for; items created, truncated and
answered; ``response.created`` to ``response.done`` with audio and its transcript, with text, or
with function calls; ``response.cancel``; ``error`` for what it doesn't know.

Which item a truncation cuts is the last one; what is heard is 24 kHz PCM.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, ClassVar

from aiohttp import web

from piopiy_lab.fake_providers.answers import typed
from piopiy_lab.fake_providers.openai_chat import refused_key, refused_rate
from piopiy_lab.fake_providers.server import Connection
from piopiy_lab.fake_providers.speaking import RATE, Ear, FakeRealtime, Speaker, samples_of
from piopiy_lab.offline.replies import Answer, ToolCall
from piopiy_lab.redaction import JsonObject

_SILENCE_MS = 500


class FakeOpenAIRealtime(FakeRealtime):
    """For ``OpenAIRealtimeLLMService(api_key=server.key, base_url=server.base_url)``."""

    name: ClassVar[str] = "OpenAI Realtime"

    def __init__(self, *args: Any, key: str = "fake-openai-key", **options: Any) -> None:
        """Make it, with the arguments of `FakeRealtime`; ``async with`` opens it."""
        super().__init__(*args, key=key, **options)

    @property
    def base_url(self) -> str:
        """For ``OpenAIRealtimeLLMService(base_url=)``."""
        return f"ws://{self.address}/v1/realtime"

    def routes(self) -> list[web.RouteDef]:
        """Serve ``/v1/realtime``."""
        return [web.get("/v1/realtime", self._listen)]

    def unauthorized(self, given: str) -> web.Response:
        """Answer a wrong key."""
        return refused_key(given)

    def rate_limited(self) -> web.Response:
        """Answer too many requests."""
        return refused_rate()

    async def _listen(self, request: web.Request) -> web.StreamResponse:
        scheme, _, key = request.headers.get("Authorization", "").partition(" ")
        refused = self.refusal(key if scheme.lower() == "bearer" else None)
        if refused is not None:
            return refused
        self.note(self.connections, "connect", dict(request.query))
        model = request.query.get("model", "gpt-realtime")
        return await self.talk(request, lambda c: _Session(self, c, model).run())


class _Session:
    """One realtime session."""

    def __init__(self, provider: FakeOpenAIRealtime, connection: Connection, model: str) -> None:
        self._provider = provider
        self._speaker = Speaker(connection, provider)
        self._ear = Ear(RATE, _SILENCE_MS / 1000)
        self._settings: dict[str, Any] = {
            "type": "realtime",
            "object": "realtime.session",
            "id": "sess_fake",
            "model": model,
            "output_modalities": ["audio"],
            "audio": {"input": {"turn_detection": {"type": "server_vad"}}},
            "tools": [],
        }
        self._messages: list[dict[str, Any]] = []  # the conversation, as chat messages
        self._count = 0  # ids of items and responses given so far
        self._sent = 0  # events posted so far
        self._last_item: str | None = None
        self._hearing = False  # speech_started was sent, speech_stopped was not
        self._response: str | None = None  # the id of the response that is being made
        self._handlers = {
            "session.update": self._update,
            "input_audio_buffer.append": self._append,
            "input_audio_buffer.commit": self._commit,
            "input_audio_buffer.clear": self._clear,
            "conversation.item.create": self._create,
            "conversation.item.truncate": self._truncate,
            "response.create": self._respond,
            "response.cancel": self._cancel,
        }

    async def run(self) -> None:
        """Serve until the client goes."""
        self._send("session.created", session=self._settings)
        while (message := await self._speaker.connection.receive()) is not None:
            if isinstance(message, bytes):
                continue
            handler = self._handlers.get(str(message.get("type")))
            if handler is None:
                self._error("invalid_value", f"Invalid value: '{message.get('type')}'.")
                continue
            try:
                handler(message)
            except (KeyError, TypeError, ValueError) as error:
                self._error("invalid_request", f"The event is not valid: {error!r}")

    # --- the client's events -----------------------------------------------------------------

    def _update(self, event: JsonObject) -> None:
        _merge(self._settings, event["session"])
        detection = self._detection
        if detection:
            silence = detection.get("silence_duration_ms", _SILENCE_MS)
            self._ear = Ear(RATE, silence / 1000)
        self._send("session.updated", session=self._settings)

    @property
    def _detection(self) -> JsonObject | None:
        return ((self._settings.get("audio") or {}).get("input") or {}).get("turn_detection")

    def _append(self, event: JsonObject) -> None:
        ended = self._ear.feed(samples_of(event["audio"]))
        if not self._detection:
            return  # the client decides: it commits
        if (self._ear.open_secs is not None or ended) and not self._hearing:
            self._hearing = True
            if self._speaker.active and self._response is not None:
                self._stop("turn_detected")
            start = ended[0].start if ended else self._ear.heard_secs - (self._ear.open_secs or 0)
            self._send(
                "input_audio_buffer.speech_started",
                audio_start_ms=round(start * 1000),
                item_id=self._next_item(),
            )
        for utterance in ended:
            self._hearing = False
            end = round(utterance.end * 1000)
            item_id = self._this_item()
            self._send("input_audio_buffer.speech_stopped", audio_end_ms=end, item_id=item_id)
            self._take(utterance, item_id)
            self._respond({})

    def _commit(self, _: Mapping[str, object]) -> None:
        utterance = self._ear.finish()
        if utterance is None:
            self._error("input_audio_buffer_commit_empty", "The buffer has no speech in it.")
            return
        self._take(utterance, self._next_item())

    def _clear(self, _: Mapping[str, object]) -> None:
        self._ear.finish()
        self._send("input_audio_buffer.cleared")

    def _create(self, event: JsonObject) -> None:
        item = event["item"]
        if item["type"] == "function_call_output":
            self._messages.append(
                {"role": "tool", "tool_call_id": item["call_id"], "content": item["output"]}
            )
        elif item["type"] == "message":
            parts = [part.get("text") or part.get("transcript") for part in item["content"]]
            text = " ".join(part for part in parts if part)
            self._messages.append({"role": item["role"], "content": text})
        self._added({**item, "object": "realtime.item", "status": "completed"})

    def _truncate(self, event: JsonObject) -> None:
        values = {name: event[name] for name in ("item_id", "content_index", "audio_end_ms")}
        for message in reversed(self._messages):
            if message["role"] == "assistant" and message.get("item") == event["item_id"]:
                heard = event["audio_end_ms"] / 1000 / max(0.1, message["secs"])
                words = message["content"].split()
                message["content"] = " ".join(words[: round(heard * len(words))])
        self._send("conversation.item.truncated", **values)

    def _cancel(self, _: Mapping[str, object]) -> None:
        if self._response is None or not self._speaker.active:
            self._error("response_cancel_not_active", "Cancellation failed: no active response.")
            return
        self._stop("client_cancelled")

    def _respond(self, event: JsonObject) -> None:
        if self._response is not None and self._speaker.active:
            self._error(
                "conversation_already_has_active_response",
                "Conversation already has an active response in progress.",
            )
            return
        plain = [
            {k: v for k, v in message.items() if k not in ("item", "secs")}
            for message in self._messages
        ]
        answer = self._provider.answers.to(plain)
        asked = event.get("response") or {}
        modalities = asked.get("output_modalities") or self._settings["output_modalities"]
        self._give(answer, "audio" in modalities)

    # --- what is sent ------------------------------------------------------------------------

    def _take(self, utterance: Any, item_id: str) -> None:
        """Add what was heard to the conversation."""
        words = self._provider.recogniser.words(utterance, RATE)
        text = " ".join(word for word, _, _ in words)
        self._messages.append({"role": "user", "content": text})
        previous = self._last_item
        self._send("input_audio_buffer.committed", previous_item_id=previous, item_id=item_id)
        content: list[dict[str, Any]] = [{"type": "input_audio", "transcript": None}]
        self._added({"id": item_id, "type": "message", "role": "user", "content": content})
        wants = ((self._settings.get("audio") or {}).get("input") or {}).get("transcription")
        if wants:
            kind = "conversation.item.input_audio_transcription"
            place = {"item_id": item_id, "content_index": 0}
            self._send(f"{kind}.delta", **place, delta=text)
            self._send(f"{kind}.completed", **place, transcript=text)

    def _give(self, answer: Answer, aloud: bool) -> None:
        """Post a response."""
        self._count += 1
        response_id = self._response = f"resp_fake{self._count}"
        self._speaker.begin()
        self._send("response.created", response=_response(response_id, "in_progress", []))
        output = []
        if answer.text:
            output.append(self._say(answer.text, response_id, aloud))
        output += [
            self._call(call, response_id, index)
            for index, call in enumerate(answer.calls, len(output))
        ]
        done = _response(response_id, "completed", output)
        size = len(answer.text.split())
        done["usage"] = {"total_tokens": size, "input_tokens": 0, "output_tokens": size}
        self._send("response.done", response=done)

    def _say(self, text: str, response_id: str, aloud: bool) -> dict[str, Any]:
        item_id = self._next_item()
        empty = {"id": item_id, "type": "message", "role": "assistant", "content": []}
        place: dict[str, Any] = {"response_id": response_id, "item_id": item_id, "output_index": 0}
        head = {"response_id": response_id, "output_index": 0}
        self._send("response.output_item.added", **head, item={**empty, "status": "in_progress"})
        self._added({**empty, "status": "in_progress"})
        place["content_index"] = 0
        kind = "output_audio" if aloud else "output_text"
        part = {"type": kind, "transcript": ""} if aloud else {"type": kind, "text": ""}
        self._send("response.content_part.added", **place, part=part)
        secs = 0.0
        if aloud:
            for data, words, length in self._speaker.speech(text):
                if words:
                    delta = words if not secs else f" {words}"
                    self._send("response.output_audio_transcript.delta", **place, delta=delta)
                self._send("response.output_audio.delta", **place, delta=data, sound_secs=length)
                secs += length
            self._send("response.output_audio.done", **place)
            self._send("response.output_audio_transcript.done", **place, transcript=text)
            part = {"type": kind, "transcript": text}
        else:
            for index, word in enumerate(text.split()):
                delta = f" {word}" if index else word
                self._send("response.output_text.delta", **place, delta=delta)
            self._send("response.output_text.done", **place, text=text)
            part = {"type": kind, "text": text}
        self._send("response.content_part.done", **place, part=part)
        item = {**empty, "content": [part], "status": "completed"}
        self._send("response.output_item.done", **head, item=item)
        self._send("conversation.item.done", item=item)
        self._messages.append(
            {"role": "assistant", "content": text, "item": item_id, "secs": secs or 1.0}
        )
        return item

    def _call(self, call: ToolCall, response_id: str, index: int) -> dict[str, Any]:
        arguments = json.dumps(typed(call, self._settings.get("tools") or ()))
        item_id = self._next_item()
        call_id = f"call_{item_id}"
        item = {"id": item_id, "type": "function_call", "call_id": call_id, "name": call.tool}
        head = {"response_id": response_id, "output_index": index}
        begun = {**item, "arguments": "", "status": "in_progress"}
        self._send("response.output_item.added", **head, item=begun)
        self._added(begun)
        place = {**head, "item_id": item_id, "call_id": call_id}
        self._send("response.function_call_arguments.delta", **place, delta=arguments)
        self._send("response.function_call_arguments.done", **place, arguments=arguments)
        done = {**item, "arguments": arguments, "status": "completed"}
        self._send("response.output_item.done", **head, item=done)
        function = {"name": call.tool, "arguments": arguments}
        self._messages.append(
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"id": call_id, "type": "function", "function": function}],
            }
        )
        return done

    def _stop(self, reason: str) -> None:
        """Cut the active response off."""
        self._speaker.stop()
        cancelled = _response(self._response or "", "cancelled", [])
        cancelled["status_details"] = {"type": "cancelled", "reason": reason}
        self._response = None
        self._send("response.done", response=cancelled)

    def _added(self, item: JsonObject) -> None:
        previous, self._last_item = self._last_item, item["id"]
        self._send("conversation.item.added", previous_item_id=previous, item=item)

    def _next_item(self) -> str:
        self._count += 1
        return self._this_item()

    def _this_item(self) -> str:
        return f"item_fake{self._count}"

    def _error(self, code: str, message: str) -> None:
        error = {"type": "invalid_request_error", "code": code, "message": message, "param": None}
        self._send("error", error=error)

    def _send(self, kind: str, *, sound_secs: float = 0.0, **values: object) -> None:
        self._sent += 1
        message = {"type": kind, "event_id": f"event_fake{self._sent}", **values}
        self._speaker.post(message, sound_secs=sound_secs)


def _response(response_id: str, status: str, output: list[Mapping[str, object]]) -> dict[str, Any]:
    made = {"id": response_id, "object": "realtime.response", "status": status, "output": output}
    return {**made, "output_modalities": ["audio"]}


def _merge(settings: dict[str, Any], changes: JsonObject) -> None:
    """Put changed values in place, deep inside of mappings too."""
    for name, value in changes.items():
        if isinstance(value, Mapping) and isinstance(settings.get(name), dict):
            _merge(settings[name], value)
        else:
            settings[name] = value
