"""The REST v3 endpoints of call control: look at a call, hang it up, transfer it.

They speak as the platform's own client (PyPI ``piopiy-agent``) listens: every answer is JSON, and
one that says no is ``{"error": "a_code", "message": ...}``. Runs on the platform's loop.
"""

from __future__ import annotations

import hmac
import json
import uuid
from collections.abc import Awaitable, Callable, Iterable, Mapping

from aiohttp import web

from piopiy_lab.loopback.hand_over import HandOver
from piopiy_lab.loopback.phone_call import PhoneCall
from piopiy_lab.loopback.transfer_request import TransferRequest, read_transfer_request

#: Longest body that is read, in bytes.
MAX_BODY = 64 * 1024

#: Begins a transfer of a call that is answered.
StartTransfer = Callable[[PhoneCall, TransferRequest], HandOver]

#: A status, and the JSON of an answer.
Answer = tuple[int, dict[str, object]]


class RestError(Exception):
    """An answer that says no."""

    def __init__(
        self, status: int, code: str, message: str, *, request_id: str | None = None
    ) -> None:
        """Say no with an HTTP status, a code for programs, and a message for people."""
        super().__init__(message)
        self.status: int = status
        self.code: str = code
        self.request_id: str | None = request_id

    def response(self) -> web.Response:
        """Return it as the answer."""
        headers = {"WWW-Authenticate": "Bearer"} if self.status == 401 else {}
        told = {"error": self.code, "message": str(self)}
        if self.request_id is not None:
            told["request_id"] = self.request_id
        return web.json_response(told, status=self.status, headers=headers)


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
            web.get("/v3/transfers/{request_id}", self._transfer_state),
        ]

    def _answering(
        self, handle: Callable[[PhoneCall, object], Answer]
    ) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def answer(request: web.Request) -> web.Response:
            try:
                call = self._call(request)
                status, body = handle(call, await _json_of(request))
            except RestError as error:
                return error.response()
            return web.json_response(body, status=status)

        return answer

    # --- who may ask ---------------------------------------------------------------------------

    def _call(self, request: web.Request) -> PhoneCall:
        """Return the call that is asked for, if whoever asks may know of it and it isn't over."""
        given, call_id = _token(request), request.match_info["call_id"]
        call = self._calls.get(call_id)
        self._check(given, [call] if call is not None else self._calls.values())
        if call is None or call.over:
            raise RestError(404, "CALL_NOT_FOUND", f"there is no call {call_id!r}, or no more")
        return call

    def _check(self, given: bytes, calls: Iterable[PhoneCall]) -> None:
        """Let in whoever has the token of one of the calls' agents.

        Without it nobody learns which calls there are.
        """
        for agent_id in {call.agent_id for call in calls}:
            known = self._token_of(agent_id)
            if known is not None and hmac.compare_digest(known.encode(), given):
                return
        raise RestError(401, "unauthorized", "this token may not act on this call")

    # --- what is asked -------------------------------------------------------------------------

    def _get(self, call: PhoneCall, body: object) -> Answer:
        return 200, call.describe()

    def _hang_up(self, call: PhoneCall, body: object) -> Answer:
        texts = {} if body is None else body
        if not isinstance(texts, dict) or any(
            not isinstance(texts.get(name, ""), str) for name in ("cause", "reason")
        ):
            raise RestError(400, "bad_request", 'send {"cause": "normal", "reason": "a text"}')
        call.end("hung_up")
        return 200, {"request_id": f"hu-{uuid.uuid4().hex[:16]}", "call_id": call.call_id}

    def _transfer(self, call: PhoneCall, body: object) -> Answer:
        try:
            request = read_transfer_request(body)
        except ValueError as error:
            raise RestError(400, "bad_request", str(error)) from None
        if call.status != "answered":
            raise RestError(409, "call_not_answered", f"call {call.call_id!r} still rings")
        running = next((one for one in call.transfers if one.under_way), None)
        if running is not None:
            raise RestError(
                409,
                "transfer_in_progress",
                f"call {call.call_id!r} is being transferred already",
                request_id=running.request_id,
            )
        transfer = self._start_transfer(call, request)
        return 202, {"request_id": transfer.request_id, "call_id": call.call_id}

    async def _transfer_state(self, request: web.Request) -> web.Response:
        try:
            given, request_id = _token(request), request.match_info["request_id"]
            transfers = [t for call in self._calls.values() for t in call.transfers]
            wanted = next((t for t in transfers if t.request_id == request_id and t.known), None)
            if wanted is None:
                self._check(given, self._calls.values())
                raise RestError(404, "TRANSFER_NOT_FOUND", f"no transfer {request_id!r}")
            self._check(given, [self._calls[wanted.call.call_id]])
        except RestError as error:
            return error.response()
        return web.json_response(wanted.describe())


def _token(request: web.Request) -> bytes:
    """Return the bearer token of a request."""
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() != "bearer" or not token.strip():
        raise RestError(401, "unauthorized", "send 'Authorization: Bearer <agent token>'")
    return token.strip().encode("utf-8", "replace")


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
