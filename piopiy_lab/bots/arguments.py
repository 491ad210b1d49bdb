"""The runner arguments that a bot of pipecat's gets: pipecat's own classes, filled for this call.

Runs on the session's loop, in the bot's context.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import AsyncIterator, Mapping
from typing import Any

from pipecat.runner import types

from piopiy_lab.bots.kinds import Kind
from piopiy_lab.errors import BotError

#: What nobody connects to: the lab's transport stands where these would be used.
NOWHERE = "wss://lab.invalid"
_TOKEN = "no-token-in-the-lab"


class NoConnectionError(BotError, AttributeError):
    """The connection in the runner arguments was used for more than to make a transport."""


class Client:
    """Who is at the other end of a transport that the lab stands in for.

    A bot is given it where a real transport gives its connection: with an ``id``, and a ``pc_id``
    as a WebRTC connection has one; ``client["id"]`` works too.
    """

    def __init__(self, client_id: str) -> None:
        """Name the client."""
        self.id = client_id
        self.pc_id = client_id

    def __getitem__(self, key: str) -> str:
        """Return the id, as a participant of a room gives it."""
        if key != "id":
            raise KeyError(key)
        return self.id

    def __getattr__(self, name: str) -> Any:
        """Say that there is no connection behind it.

        Raises:
            NoConnectionError: Always.
        """
        raise NoConnectionError(
            f"{name} is asked of the runner arguments' connection, and in the lab there is none: "
            "the transport that a bot makes of it is the call's own. If this is a transport being "
            "made, it is made in a thread that knows nothing of the call (run_in_executor): make "
            "it in the bot itself, or with asyncio.to_thread(...)"
        )

    def __repr__(self) -> str:
        return f"<the caller {self.id!r}>"


class LineSocket(Client):
    """A telephone provider's WebSocket, up to where the audio would begin.

    It gives the provider's first two messages, from which pipecat learns who it is and whose call.
    """

    def __init__(self, client_id: str, messages: list[dict[str, Any]]) -> None:
        """Have the messages ready."""
        super().__init__(client_id)
        self._messages = messages

    async def iter_text(self) -> AsyncIterator[str]:
        """Give the messages, then end."""
        while self._messages:
            yield json.dumps(self._messages.pop(0))

    async def receive_text(self) -> str:
        """Give the next message; "" when there is none."""
        return json.dumps(self._messages.pop(0)) if self._messages else ""

    async def accept(self) -> None:
        """It is open."""

    async def close(self, *_: object, **__: object) -> None:
        """There is nothing to close."""


def runner_arguments(kind: Kind, fields: Mapping[str, Any]) -> types.RunnerArguments:
    """Return the arguments for a bot.

    Args:
        kind: What it is put on.
        fields: What a call tells its callback.
    """
    call_id = fields["call_id"]
    common: dict[str, Any] = {"body": _body(fields), "session_id": call_id}
    match kind.arguments:
        case "DailyRunnerArguments":
            return types.DailyRunnerArguments(room_url=NOWHERE, token=_TOKEN, **common)
        case "LiveKitRunnerArguments":
            return types.LiveKitRunnerArguments(
                room_name=fields.get("room_name") or call_id, url=NOWHERE, token=_TOKEN, **common
            )
        case "VonageRunnerArguments":
            return types.VonageRunnerArguments(
                application_id="lab", vonage_session_id=call_id, token=_TOKEN, **common
            )
        case "EvalRunnerArguments":
            with warnings.catch_warnings():  # its successor wants FastAPI
                warnings.simplefilter("ignore", DeprecationWarning)
                return types.EvalRunnerArguments(host="lab.invalid", port=0, **common)
        case "WebSocketRunnerArguments":
            plain = kind.name == "websocket"
            return types.WebSocketRunnerArguments(
                websocket=LineSocket(call_id, [] if plain else _handshake(kind.name, fields)),  # type: ignore[arg-type] - a WebSocket's part that is used before there is audio
                transport_type="websocket" if plain else None,
                **common,
            )
        case _:
            return types.SmallWebRTCRunnerArguments(webrtc_connection=Client(call_id), **common)


def _body(fields: Mapping[str, Any]) -> Any:
    """Return the request's body: the metadata, and {} where there is none."""
    metadata = fields.get("metadata")
    return {} if metadata is None else metadata


def _handshake(provider: str, fields: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what a provider's WebSocket says before the audio; shapes as pipecat reads them."""
    call_id = fields["call_id"]
    numbers = {"from": fields.get("from_number") or "", "to": fields.get("to_number") or ""}
    told = dict(fields.get("variables") or {})
    match provider:
        case "twilio":
            custom = {**told, "from_number": numbers["from"], "to_number": numbers["to"]}
            start = {"streamSid": f"MZ{call_id}", "callSid": call_id, "customParameters": custom}
            return [{"event": "connected"}, {"event": "start", "start": start}]
        case "telnyx":
            start = {
                "call_control_id": call_id,
                "media_format": {"encoding": "PCMU", "sample_rate": 8000, "channels": 1},
                **numbers,
            }
            return [
                {"event": "connected"},
                {"event": "start", "stream_id": call_id, "start": start},
            ]
        case "plivo":
            return [{"event": "start", "start": {"streamId": call_id, "callId": call_id}}]
        case _:
            start = {
                "stream_sid": call_id,
                "call_sid": call_id,
                "account_sid": "lab",
                "custom_parameters": json.dumps(told) if told else "",
                **numbers,
            }
            return [{"event": "connected"}, {"event": "start", "start": start}]
