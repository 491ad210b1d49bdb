"""Call control through the platform's REST API, version 3.

``POST /calls/{call_id}/actions/transfer`` with ``{"to": ...}``, ``POST .../hangup`` and
``GET /calls/{call_id}``, each with a bearer token. A transfer's outcome comes as data in the room
(``piopiy_lab.transports.transfer_status``), unless the answer tells it already.

Runs on the agent's loop.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from piopiy_lab.errors import ArgumentError, ArgumentTypeError, CallControlError, MissingExtraError
from piopiy_lab.redaction import redact_text, shown_url
from piopiy_lab.transports.transfer_status import outcome_of

if TYPE_CHECKING:
    import aiohttp

#: Piopiy's own.
REST_URL = "https://rest.piopiy.com/v3"
#: Seconds that one request may take.
REQUEST_SECS = 10.0


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
                f"{method} {where}: the API can't be reached ({redact_text(str(error))})"
            ) from None

    async def close(self) -> None:
        """Close the kept connections; a later request opens others."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()


class RestCallControl:
    """The ``CallControl`` of one call on the phone."""

    def __init__(self, api: RestApi, call_id: str) -> None:
        """Act on the call of that id."""
        self._api = api
        self._path = f"/calls/{quote(call_id, safe='')}"
        self.transferring_to: str | None = None  # while a transfer is under way
        self._outcome: asyncio.Future[str | None] | None = None  # an error's text, or None

    async def hang_up(self) -> None:
        """End the caller's line; one that is gone already is no error.

        Raises:
            CallControlError: The platform refused, or can't be reached.
        """
        status, told = await self._api.request("POST", f"{self._path}/actions/hangup", {})
        if status >= 400 and status not in (404, 409, 410):
            raise CallControlError(f"the platform refused to hang up: {_words(status, told)}")

    async def transfer(self, to: str) -> None:
        """Hand the caller over, and return when the platform says that it is done.

        Raises:
            CallControlError: The platform refused, nobody took the call, another transfer is
                under way, or the platform can't be reached.
        """
        if self._outcome is not None:
            raise CallControlError(f"a transfer to {self.transferring_to} is under way already")
        outcome = self._outcome = asyncio.get_running_loop().create_future()
        self.transferring_to = to  # before the request: the outcome may be quicker than its answer
        try:
            status, told = await self._api.request(
                "POST", f"{self._path}/actions/transfer", {"to": to}
            )
            if status >= 400:
                raise CallControlError(f"the platform refused: {_words(status, told)}")
            done = outcome_of(told.get("status")) if isinstance(told, dict) else None
            if done is False:
                raise CallControlError(_words(status, told))
            if done is None and (error := await outcome) is not None:
                raise CallControlError(error)
        finally:
            self._outcome = self.transferring_to = None

    def transfer_ended(self, error: str | None) -> bool:
        """Take the outcome that the room told; returns whether a transfer waited for one."""
        if self._outcome is None or self._outcome.done():
            return False
        self._outcome.set_result(error)
        return True

    async def state(self) -> dict[str, object]:
        """Return what the platform knows of the call.

        Raises:
            CallControlError: It knows no such call, refused, or can't be reached.
        """
        status, told = await self._api.request("GET", self._path)
        if status >= 400 or not isinstance(told, dict):
            raise CallControlError(f"the platform did not tell: {_words(status, told)}")
        return told


def _words(status: int, told: object) -> str:
    """Return an answer's own words, or its status."""
    if isinstance(told, dict):
        if isinstance(told.get("error"), dict):  # {"error": {"code": ..., "message": ...}}
            return _words(status, told["error"])
        for name in ("message", "error", "reason", "status"):
            if isinstance(told.get(name), str):
                return f"{redact_text(told[name])[:300]} (HTTP {status})"
    return f"HTTP {status}" + (f" {redact_text(told)[:200]}" if isinstance(told, str) else "")
