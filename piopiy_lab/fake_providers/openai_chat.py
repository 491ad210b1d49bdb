"""OpenAI's chat completions (``/v1/chat/completions``), streamed and whole, on loopback.

What it answers is decided by rules (`piopiy_lab.offline.rules`) or by a script. What the real one
documents and this one does: the key as ``Authorization: Bearer ...``; server-sent events with
``delta`` chunks, tool calls in pieces with an index, ``finish_reason``, a ``usage`` chunk when
``stream_options.include_usage`` is set, ``[DONE]``; errors as ``{"error": {...}}`` with 401, 400
and 429 (with ``retry-after``). A client that goes away ends its stream, and `cancelled` counts it.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from aiohttp import web

from piopiy_lab.errors import ArgumentError
from piopiy_lab.fake_providers.answers import Answers, typed
from piopiy_lab.fake_providers.scenario import Scenario
from piopiy_lab.fake_providers.server import MALFORMED, FakeProvider
from piopiy_lab.offline.replies import Answer, ToolCall, calls_tool
from piopiy_lab.offline.rules import RuleBook
from piopiy_lab.redaction import JsonObject

__all__ = ["FakeOpenAI", "calls_tool"]

_TOKEN = re.compile(r"\s*\S+")


class FakeOpenAI(FakeProvider):
    """An OpenAI for ``OpenAILLMService(api_key=server.key, base_url=server.base_url)``.

    Attributes:
        cancelled: How many answers the client didn't wait for (a barge-in).
    """

    name: ClassVar[str] = "OpenAI"

    def __init__(
        self,
        script: Sequence[str | ToolCall] | None = None,
        *,
        rules: RuleBook | None = None,
        token_secs: float = 0.0,
        scenario: Scenario | None = None,
        key: str = "fake-openai-key",
    ) -> None:
        """Make it; ``async with`` opens it.

        Args:
            script: What it answers, request by request: a text, or ``calls_tool(name, ...)``.
            rules: Instead of a script: what is answered to what, as in ``offline_stack``.
            token_secs: Seconds between two tokens.
            scenario: How it behaves.
            key: The key that it accepts.

        Raises:
            ArgumentError: Neither or both of ``script`` and ``rules``.
        """
        super().__init__(scenario=scenario, key=key)
        self._answers = Answers(script, rules)
        if not token_secs >= 0:
            raise ArgumentError(f"token_secs={token_secs!r}: use seconds, 0 or more")
        self._token_secs = token_secs
        self.cancelled: int = 0

    @property
    def base_url(self) -> str:
        """For ``OpenAILLMService(base_url=)``."""
        return f"http://{self.address}/v1"

    def routes(self) -> list[web.RouteDef]:
        """Serve ``/v1/chat/completions``."""
        return [web.post("/v1/chat/completions", self._complete)]

    def unauthorized(self, given: str) -> web.Response:
        """Answer a wrong key, as the real one does: with its beginning and its end."""
        return refused_key(given)

    def rate_limited(self) -> web.Response:
        """Answer too many requests."""
        return refused_rate()

    async def _complete(self, request: web.Request) -> web.StreamResponse:
        scheme, _, key = request.headers.get("Authorization", "").partition(" ")
        refused = self.refusal(key if scheme.lower() == "bearer" else None)
        if refused is not None:
            return refused
        try:
            body = json.loads(await request.read())
            messages = body["messages"]
        except (ValueError, KeyError, TypeError):
            message = "We could not parse the JSON body of your request."
            return _error(400, message, "invalid_request_error", None)
        number = self.connections
        self.note(number, "completion", body)
        scenario, breaks = self.scenario, self.breaks()
        answer = self._answers.to(messages)
        if not body.get("stream"):
            await asyncio.sleep(scenario.first_byte_secs)
            return web.json_response(_whole(body, number, answer))
        return await self._stream(request, body, number, answer, scenario, breaks)

    async def _stream(
        self,
        request: web.Request,
        body: Mapping[str, object],
        number: int,
        answer: Answer,
        scenario: Scenario,
        breaks: bool,
    ) -> web.StreamResponse:
        loop = asyncio.get_running_loop()
        transport = request.transport
        began = loop.time()
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        response.enable_chunked_encoding()
        await response.prepare(request)
        for sent, (is_token, part) in enumerate(_parts(body, number, answer), 1):
            due = scenario.first_byte_secs if sent == 1 else self._token_secs * is_token
            over = scenario.drops_after_secs
            if breaks and over is not None and loop.time() + due - began >= over:
                await asyncio.sleep(max(0.0, began + over - loop.time()))
                return self._break(transport, response)
            if due:
                await asyncio.sleep(due)
            text = MALFORMED if sent == scenario.malformed_at else part
            try:
                await response.write(f"data: {text}\n\n".encode())
            except ConnectionError:  # the client has gone
                self.cancelled += 1
                return response
            if breaks and sent == scenario.drops_after_messages:
                return self._break(transport, response)
        await response.write_eof()
        return response

    def _break(self, transport: Any, response: web.StreamResponse) -> web.StreamResponse:
        self.drops_done += 1
        if transport is not None:
            transport.abort()
        return response


def refused_key(given: str) -> web.Response:
    """Answer a wrong key, as OpenAI does: with its beginning and its end."""
    masked = f"{given[:8]}{'*' * max(3, len(given) - 12)}{given[-4:]}"
    message = (
        f"Incorrect API key provided: {masked}. You can find your API key at "
        "https://platform.openai.com/account/api-keys."
    )
    return _error(401, message, "invalid_request_error", "invalid_api_key")


def refused_rate() -> web.Response:
    """Answer too many requests, as OpenAI does."""
    message = "Rate limit reached for requests. Please try again in 1s."
    response = _error(429, message, "requests", "rate_limit_exceeded")
    response.headers["retry-after"] = "1"
    return response


def _error(status: int, message: str, kind: str, code: str | None) -> web.Response:
    error = {"message": message, "type": kind, "param": None, "code": code}
    return web.json_response({"error": error}, status=status)


def _base(body: Mapping[str, object], number: int, kind: str) -> dict[str, object]:
    return {
        "id": f"chatcmpl-fake{number}",
        "object": kind,
        "created": 1_767_225_600,
        "model": body.get("model", "gpt-fake"),
    }


def _usage(body: Mapping[str, object], answer: Answer) -> dict[str, object]:
    """Return the usage; a "token" is a word."""
    prompt = len(json.dumps(body["messages"]).split())
    said = len(answer.text.split()) + sum(1 + len(call.arguments) for call in answer.calls)
    return {"prompt_tokens": prompt, "completion_tokens": said, "total_tokens": prompt + said}


def _parts(body: JsonObject, number: int, answer: Answer) -> Iterator[tuple[bool, str]]:
    """Return each server-sent event: whether it is a token of text, and its data."""
    base = _base(body, number, "chat.completion.chunk")

    def chunk(delta: Mapping[str, object], finish: str | None = None) -> str:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return json.dumps({**base, "choices": [choice]})

    yield False, chunk({"role": "assistant", "content": ""})
    for token in _TOKEN.findall(answer.text):
        yield True, chunk({"content": token})
    for index, call in enumerate(answer.calls):
        function = {"name": call.tool, "arguments": ""}
        head = {"index": index, "id": f"call_fake{number}_{index}", "type": "function"}
        yield False, chunk({"tool_calls": [{**head, "function": function}]})
        arguments = json.dumps(typed(call, body.get("tools") or ()))
        for piece in re.findall(r".{1,12}", arguments):
            yield False, chunk({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})
    yield False, chunk({}, "tool_calls" if answer.calls else "stop")
    if (body.get("stream_options") or {}).get("include_usage"):
        yield False, json.dumps({**base, "choices": [], "usage": _usage(body, answer)})
    yield False, "[DONE]"


def _whole(body: JsonObject, number: int, answer: Answer) -> dict[str, object]:
    """Return an answer that isn't streamed."""
    calls = [
        {
            "id": f"call_fake{number}_{index}",
            "type": "function",
            "function": {
                "name": call.tool,
                "arguments": json.dumps(typed(call, body.get("tools") or ())),
            },
        }
        for index, call in enumerate(answer.calls)
    ]
    message: dict[str, Any] = {"role": "assistant", "content": answer.text or None}
    if calls:
        message["tool_calls"] = calls
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if calls else "stop"}
    base = _base(body, number, "chat.completion")
    return {**base, "choices": [choice], "usage": _usage(body, answer)}
