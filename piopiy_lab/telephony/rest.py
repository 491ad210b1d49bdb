"""Call control through the platform's REST API, version 3.

``POST /calls/{call_id}/actions/transfer`` and ``.../hangup``, ``GET /calls/{call_id}`` and
``GET /transfers/{request_id}``, each with a bearer token, as the platform's own client speaks it
(PyPI ``piopiy-agent``). A transfer's outcome comes as data in the room
(``piopiy_lab.transports.transfer_status``).

Runs on the agent's loop.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from piopiy_lab.errors import ArgumentError, ArgumentTypeError, CallControlError, MissingExtraError
from piopiy_lab.logs import warn_of_clear_address
from piopiy_lab.redaction import shown_url
from piopiy_lab.redaction import told as told_by
from piopiy_lab.session.call_control import REQUEST_SECS, TransferNews
from piopiy_lab.session.targets import is_sip
from piopiy_lab.session.transfer_order import TransferOrder
from piopiy_lab.telephony.log_lines import log
from piopiy_lab.transports.transfer_status import news_of

if TYPE_CHECKING:
    import aiohttp

#: Piopiy's own.
REST_URL = "https://rest.piopiy.com/v3"


class RestApi:
    """The platform's REST API with one agent's token. Connections are kept for all its calls."""

    def __init__(self, url: str, token: str) -> None:
        """Remember where; nothing is sent yet.

        Raises:
            ArgumentTypeError: ``url`` or ``token`` is no text.
            ArgumentError: ``url`` is no http address, or the token is empty.
        """
        if not isinstance(url, str):
            raise ArgumentTypeError(f"rest_url={url!r}: give an address as a text")
        if not isinstance(token, str):
            raise ArgumentTypeError(f"rest_token must be a text, not a {type(token).__name__}")
        if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).netloc:
            raise ArgumentError(f"rest_url={shown_url(url)!r}: give http(s)://host/v3")
        if not token.strip():
            raise ArgumentError("rest_token is empty")
        self._url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token.strip()}"}
        self._session: aiohttp.ClientSession | None = None  # made by the first request

    async def request(self, method: str, path: str, body: object = None) -> tuple[int, object]:
        """Send a request.

        Returns:
            The status, and the answer's JSON (its text if it is none).

        Raises:
            CallControlError: The API can't be reached.
        """
        try:
            import aiohttp
        except ImportError as error:
            raise MissingExtraError("call control", "telephony", detail=str(error)) from error
        if self._session is None or self._session.closed:
            warn_of_clear_address(log, self._url, "the API's token")
            self._session = aiohttp.ClientSession(
                headers=self._headers, timeout=aiohttp.ClientTimeout(total=REQUEST_SECS)
            )
        where = shown_url(f"{self._url}{path}")
        try:
            async with self._session.request(method, f"{self._url}{path}", json=body) as answer:
                try:
                    told = await answer.json(content_type=None)
                except (ValueError, UnicodeDecodeError):
                    told = (await answer.text(errors="replace"))[:300]
                return answer.status, told
        except TimeoutError:
            raise CallControlError(f"{method} {where}: no answer in {REQUEST_SECS:g} s") from None
        except aiohttp.ClientError as error:
            raise CallControlError(
                f"{method} {where}: the API can't be reached ({told_by(error)})"
            ) from None

    async def close(self) -> None:
        """Close the kept connections; a later request opens others."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()


class RestCallControl:
    """The ``CallControl`` of one call on the phone."""

    def __init__(
        self, api: RestApi, call_id: str, is_ours: Callable[[], bool] | None = None
    ) -> None:
        """Act on the call of that id.

        Args:
            api: The platform's API.
            call_id: Which call.
            is_ours: Whether the call is this agent's by now; always if None. The caller of one that
                isn't is hung up on by nobody: another agent has the call.
        """
        self._api = api
        self._is_ours = is_ours
        self._path = f"/calls/{quote(call_id, safe='')}"

    async def hang_up(self, reason: str | None = None) -> None:
        """End the caller's line; one that is gone already is no error.

        Raises:
            CallControlError: The platform refused, or can't be reached.
        """
        if self._is_ours is not None and not self._is_ours():
            return
        body = {"cause": "normal"} if reason is None else {"cause": "normal", "reason": reason}
        status, told = await self._api.request("POST", f"{self._path}/actions/hangup", body)
        if status >= 400 and status not in (404, 409, 410):
            raise CallControlError(f"the platform refused to hang up: {_words(status, told)}")

    async def transfer(self, order: TransferOrder) -> str:
        """Ask for a transfer; returns the request's id when the platform has accepted it.

        Raises:
            CallControlError: The platform refused (another transfer is under way, say), or can't
                be reached.
        """
        path = f"{self._path}/actions/transfer"
        status, told = await self._api.request("POST", path, transfer_body(order))
        if status >= 400:
            raise CallControlError(f"the platform refused: {_words(status, told)}")
        request_id = told.get("request_id") if isinstance(told, dict) else None
        if not isinstance(request_id, str) or not request_id:
            raise CallControlError(
                f"the platform answered a transfer without a request_id: {_words(status, told)}"
            )
        return request_id

    async def transfer_state(self, request_id: str) -> TransferNews:
        """Return where a transfer stands; the platform knows for 15 minutes.

        Raises:
            CallControlError: It knows no such transfer, refused, or can't be reached.
        """
        status, told = await self._api.request("GET", f"/transfers/{quote(request_id, safe='')}")
        news = news_of(told) if status < 400 and isinstance(told, dict) else None
        if news is None:
            raise CallControlError(
                f"the platform did not tell of the transfer: {_words(status, told)}"
            )
        return news

    async def state(self) -> dict[str, object]:
        """Return what the platform knows of the call.

        Raises:
            CallControlError: It knows no such call (any more), refused, or can't be reached.
        """
        status, told = await self._api.request("GET", self._path)
        if status >= 400 or not isinstance(told, dict):
            raise CallControlError(f"the platform did not tell: {_words(status, told)}")
        return told


def transfer_body(order: TransferOrder) -> dict[str, object]:
    """Return a transfer in the platform's own words."""
    number = order.to.removeprefix("+")
    caller_id = None if order.caller_id is None else order.caller_id.removeprefix("+")
    if order.blind:  # a call flow of one step
        endpoint = {"type": "pstn", "number": number}
        params = {} if caller_id is None else {"caller_id": caller_id}
        return {"pipeline": [{"action": "connect", "params": params, "endpoints": [endpoint]}]}
    body = {
        "caller_id": caller_id,
        "timeout_sec": None if order.timeout_secs is None else math.ceil(order.timeout_secs),
        "confirm": order.confirm,
        "hold_audio": order.hold_audio,
        "transfer_summary": order.summary,
        "sip_headers": None if order.sip_headers is None else dict(order.sip_headers),
        "variables": None if order.variables is None else dict(order.variables),
    }
    target = {"sip_uri": order.to} if is_sip(order.to) else {"to_number": number}
    return {**target, **{name: value for name, value in body.items() if value is not None}}


def _words(status: int, told: object) -> str:
    """Return an answer's own words, or its status."""
    if isinstance(told, dict):
        if isinstance(told.get("error"), dict):  # {"error": {"code": ..., "message": ...}}
            return _words(status, told["error"])
        said = [told[n] for n in ("error", "message", "reason") if isinstance(told.get(n), str)]
        if said:
            request_id = told.get("request_id")
            which = f", request {request_id}" if isinstance(request_id, str) else ""
            words = ": ".join(dict.fromkeys(said))
            return f"{told_by(words, 300)} (HTTP {status}{told_by(which, 100)})"
    return f"HTTP {status}" + (f" {told_by(told, 200)}" if isinstance(told, str) else "")
