"""What a simulation needs of the insides of pipecat's services and of HTTP clients.

How its time gets into pipecat's modules is in ``clock.py``, and found by a scan of their sources
(``scan.py``). None of the modules here is imported: what is relied on is checked when a simulation
runs and a module is loaded. What takes the place of a method is made by who calls this.

Missing: a hook around a request and around each part of its answer, for HTTP clients that somebody
else makes; and one around an MCP client's connecting and calling.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import TYPE_CHECKING, Any

from piopiy_lab.services.fitting import Reliance, attributes, method

if TYPE_CHECKING:
    from pipecat.services.stt_service import STTService

#: Of pipecat: its recognisers, and its MCP client.
STT = "pipecat.services.stt_service"
MCP = "pipecat.services.mcp_service"
#: Of HTTP clients: httpx and httpx2 (which openai uses), and aiohttp.
HTTPX = ("httpx._transports.default", "httpx2._transports.default")
AIOHTTP_CLIENT, AIOHTTP_STREAMS = "aiohttp.client", "aiohttp.streams"
_AIOHTTP_PROTOCOL = "aiohttp.client_proto"

# The class of a connection's protocol that aiohttp's client has, and its server doesn't.
_CLIENTS_PROTOCOL = "ResponseHandler"

_HTTP = "holding a simulation's time while an HTTP answer is awaited"
_SERVER = "holding a simulation's time while an MCP server is waited for"

#: A class, the name of a method that was replaced, and what it was.
Patch = tuple[type, str, object]
#: A method as its class has it, whatever it takes.
Method = Callable[..., Any]
#: Makes a method of the one that it takes the place of.
Making = Callable[[Method], Method]


def _relied_on_of_stt(module: ModuleType) -> tuple[Reliance, ...]:
    """Return what a recogniser relies on; as pipecat's own do, for a transcript says who spoke."""
    return attributes(module.STTService, "_user_id", needed_by="the 'screenplay' recogniser")


def _relied_on_of_mcp(module: ModuleType) -> tuple[Reliance, ...]:
    """Return what holding time for MCP servers relies on in pipecat's module of MCP."""
    client = module.MCPClient
    return (
        method(client, "_open_session", "as_owner", needed_by=_SERVER),
        method(client, "_list_tools_helper", "session", "attach_handlers", needed_by=_SERVER),
        method(client, "_call_tool_text", "function_name", "arguments", needed_by=_SERVER),
    )


def _relied_on_of_httpx(module: ModuleType) -> tuple[Reliance, ...]:
    """Return what holding httpx's requests relies on, or httpx2's."""
    transport, stream = module.AsyncHTTPTransport, module.AsyncByteStream
    return (
        method(transport, "handle_async_request", "request", needed_by=_HTTP),
        *attributes(stream, "__aiter__", "aclose", needed_by=_HTTP),
        *attributes(module.Response, "stream", needed_by=_HTTP),
    )


def _relied_on_of_aiohttp_client(module: ModuleType) -> tuple[Reliance, ...]:
    """Return what holding aiohttp's requests relies on, in its module of the client."""
    session = module.ClientSession
    return (
        method(session, "_request", "method", "str_or_url", needed_by=_HTTP),
        method(session, "_ws_connect", "url", needed_by=_HTTP),
        method(session, "_build_url", "str_or_url", needed_by=_HTTP),
    )


def _relied_on_of_aiohttp_streams(module: ModuleType) -> tuple[Reliance, ...]:
    """Return what holding the rest of aiohttp's answers relies on, in its module of streams."""
    reader = module.StreamReader
    return (
        method(reader, "_wait", "func_name", needed_by=_HTTP),
        *attributes(reader, "_protocol", needed_by=_HTTP),
    )


def _relied_on_of_aiohttp_protocol(module: ModuleType) -> tuple[Reliance, ...]:
    """Return what telling aiohttp's client from its server relies on."""
    return attributes(module, _CLIENTS_PROTOCOL, needed_by=_HTTP)


#: What is relied on in each module; checked when a simulation runs and the module is loaded.
LATE: dict[str, Callable[[ModuleType], tuple[Reliance, ...]]] = {
    **dict.fromkeys(HTTPX, _relied_on_of_httpx),
    AIOHTTP_CLIENT: _relied_on_of_aiohttp_client,
    AIOHTTP_STREAMS: _relied_on_of_aiohttp_streams,
    _AIOHTTP_PROTOCOL: _relied_on_of_aiohttp_protocol,
    MCP: _relied_on_of_mcp,
    STT: _relied_on_of_stt,
}


def user_of(service: STTService) -> str:
    """Return whom a recogniser hears. Missing: its public form."""
    return service._user_id


# --- methods replaced while a simulation runs -----------------------------------------------------


def replace_httpx(module: ModuleType, request: Making) -> list[Patch]:
    """Replace what asks for an answer in httpx's module of its transport, or httpx2's."""
    return [_replace(module.AsyncHTTPTransport, "handle_async_request", request)]


def replace_aiohttp_client(module: ModuleType, request: Making, upgrade: Making) -> list[Patch]:
    """Replace what asks for an answer, and what opens a websocket, in aiohttp's client."""
    session = module.ClientSession
    return [_replace(session, "_request", request), _replace(session, "_ws_connect", upgrade)]


def replace_aiohttp_streams(module: ModuleType, wait: Making) -> list[Patch]:
    """Replace what awaits a part of a body in aiohttp's module of streams."""
    return [_replace(module.StreamReader, "_wait", wait)]


def replace_mcp(
    module: ModuleType, opening: Making, asking: Making, listing: Making
) -> list[Patch]:
    """Replace what connects pipecat's MCP clients, and what asks their servers."""
    client = module.MCPClient
    return [
        _replace(client, "_open_session", opening),
        _replace(client, "_list_tools_helper", listing),
        _replace(client, "_call_tool_text", asking),
    ]


def _replace(cls: type, name: str, making: Making) -> Patch:
    original = getattr(cls, name)
    setattr(cls, name, functools.wraps(original)(making(original)))
    return cls, name, original


def put_back(patches: Iterable[Patch]) -> None:
    """Let methods be what they were."""
    for cls, name, original in patches:
        setattr(cls, name, original)


# --- what a method knows that was replaced --------------------------------------------------------


def url_of(session: Any, str_or_url: object) -> Any:
    """Return the URL that an aiohttp session asks for. Missing: its public form."""
    return session._build_url(str_or_url)


def peer_of(reader: Any) -> tuple[str | None, int | None] | None:
    """Return the server's host and port whose body an aiohttp client reads; None if none does.

    Missing: the connection as an attribute of a body.
    """
    protocol = reader._protocol
    if type(protocol).__name__ != _CLIENTS_PROTOCOL or protocol.transport is None:
        return None
    peer = protocol.transport.get_extra_info("peername")
    return (peer[0], peer[1]) if isinstance(peer, tuple) else (None, None)
