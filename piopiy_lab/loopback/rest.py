"""The REST v3 endpoints of call control: look at a call, hang it up, transfer it.

Every answer is JSON; one that says no is ``{"error": {"code": ..., "message": ...}}``. Runs on the
platform's loop.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import web

from piopiy_lab.loopback.phone_call import PhoneCall
from piopiy_lab.session.targets import check_target

#: Longest body that is read, in bytes.
MAX_BODY = 64 * 1024

#: Answers a transfer; returns why it can't be made, or None when it is under way.
StartTransfer = Callable[[PhoneCall, str], str | None]


class RestError(Exception):
    """An answer that says no."""

    def __init__(self, status: int, code: str, message: str) -> None:
        """Say no with an HTTP status, a code for programs, and a message for people."""
        super().__init__(message)
        self.status, self.code = status, code

    def response(self) -> web.Response:
        """Return it as the answer."""
        headers = {"WWW-Authenticate": "Bearer"} if self.status == 401 else {}
        error = {"code": self.code, "message": str(self)}
        return web.json_response({"error": error}, status=self.status, headers=headers)


class RestServer:
    """The endpoints, over the calls of one platform."""

    def __init__(
        self,
        calls: Mapping[str, PhoneCall],
        token_of: Callable[[str], str | None],
        start_transfer: StartTransfer,
    ) -> None:
        """Serve calls.

        Args:
            calls: By id, ended ones too.
            token_of: Knows the agents' tokens: whoever has a call's agent's token may act on it.
            start_transfer: Transfers a call.
        """
        self._calls = calls
        self._token_of = token_of
        self._start_transfer = start_transfer

    def routes(self) -> list[web.RouteDef]:
        """Return what a web application serves."""
        base = "/v3/calls/{call_id}"
        return [
            web.get(base, self._answering(self._get)),
            web.post(f"{base}/actions/hangup", self._answering(self._hang_up)),
            web.post(f"{base}/actions/transfer", self._answering(self._transfer)),
        ]

    def _answering(
        self, handle: Callable[[PhoneCall, object], tuple[int, dict[str, object]]]
    ) -> Any:
        async def answer(request: web.Request) -> web.Response:
            try:
                call = self._call(request)
                status, body = handle(call, await _json_of(request))
            except RestError as error:
                return error.response()
            return web.json_response(body, status=status)

        return answer

    def _call(self, request: web.Request) -> PhoneCall:
        """Return the call that is asked for, if whoever asks may know of it."""
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        if kind.lower() != "bearer" or not token.strip():
            raise RestError(401, "unauthorized", "send 'Authorization: Bearer <agent token>'")
        call = self._calls.get(request.match_info["call_id"])
        # Without the right token nobody learns which calls there are.
        right = None if call is None else self._token_of(call.agent_id)
        given = token.strip().encode("utf-8", "replace")
        if call is None and any(
            hmac.compare_digest(known.encode(), given)
            for agent_id in {c.agent_id for c in self._calls.values()}
            if (known := self._token_of(agent_id)) is not None
        ):
            raise RestError(404, "not_found", f"no call {request.match_info['call_id']!r}")
        if call is None or right is None or not hmac.compare_digest(right.encode(), given):
            raise RestError(401, "unauthorized", "this token may not act on this call")
        return call

    def _get(self, call: PhoneCall, body: object) -> tuple[int, dict[str, Any]]:
        return 200, call.describe()

    def _hang_up(self, call: PhoneCall, body: object) -> tuple[int, dict[str, Any]]:
        if call.over:
            raise RestError(410, "call_ended", f"call {call.call_id!r} has ended")
        call.end("hung_up")
        return 200, {"call_id": call.call_id, "action": "hangup", "status": "accepted"}

    def _transfer(self, call: PhoneCall, body: object) -> tuple[int, dict[str, Any]]:
        if not isinstance(body, dict):
            raise RestError(400, "bad_request", 'send a JSON object: {"to": "+4420..."}')
        try:
            to = check_target(body.get("to"))
        except (TypeError, ValueError) as error:
            raise RestError(400, "bad_request", f"to: {error}") from None
        if call.over:
            raise RestError(410, "call_ended", f"call {call.call_id!r} has ended")
        if (refusal := self._start_transfer(call, to)) is not None:
            raise RestError(409, "conflict", refusal)
        accepted = {"call_id": call.call_id, "action": "transfer", "to": to, "status": "accepted"}
        return 202, accepted


async def _json_of(request: web.Request) -> object:
    """Return a request's body; None when there is none."""
    data = await request.content.read(MAX_BODY + 1)
    if len(data) > MAX_BODY:
        raise RestError(413, "too_large", f"a body of more than {MAX_BODY} bytes")
    if not data:
        return None
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        raise RestError(400, "bad_request", "the body is no JSON") from None
