"""MCP connections that a session opens itself, before ``Action``, as outside work.

``await client.register_tools(llm)``, ``client.tools()`` and ``async with client`` start a server
and wait for it. A client that is given to ``Action`` is connected by ``tools.mcp``, which holds
time. Opened by the session's own code its connection would be an open stream, at whose pace the
whole call would run, and a server that never answers would be waited for until a guard of the
simulation's.

Missing: a hook around a client's connecting and calling.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import ModuleType
from typing import Any

from piopiy_lab.services.fitting import Reliance, method
from piopiy_lab.session.session import current_session
from piopiy_lab.simulation.current import current_virtual_loop
from piopiy_lab.simulation.outside import OWNS_CONNECTIONS, owned_connections

MODULE = "pipecat.services.mcp_service"
_WHAT = "holding a simulation's time while an MCP server is waited for"


def relied_on_of_mcp(module: ModuleType) -> tuple[Reliance, ...]:
    """Return what this relies on in pipecat's module of MCP."""
    client = module.MCPClient
    return (
        method(client, "_open_session", "as_owner", needed_by=_WHAT),
        method(client, "_list_tools_helper", "session", "attach_handlers", needed_by=_WHAT),
        method(client, "_call_tool_text", "function_name", "arguments", needed_by=_WHAT),
    )


def patch_mcp(module: ModuleType) -> list[tuple[type, str, object]]:
    """Hold time for what clients wait for on a virtual loop; what is inside a hold is held."""
    client = module.MCPClient
    opening = client._open_session
    patched: list[tuple[type, str, object]] = [(client, "_open_session", opening)]

    @functools.wraps(opening)
    async def _open_session(self: Any, **how: Any) -> object:
        if current_virtual_loop() is None or OWNS_CONNECTIONS.get():
            return await opening(self, **how)
        from piopiy_lab.tools.mcp import MCPConnections

        session = current_session()
        if session is None:  # a virtual loop, and no call
            return await opening(self, **how)
        connections = MCPConnections(session)
        session.closers.append(connections.close)  # what the server said is kept until then
        return await connections.connect(self, functools.partial(opening, self, **how))

    client._open_session = _open_session
    for name in ("_list_tools_helper", "_call_tool_text"):
        original = getattr(client, name)
        patched.append((client, name, original))
        setattr(client, name, _held(original))
    return patched


def _held(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    async def method(self: Any, *args: Any, **kwargs: Any) -> object:
        loop = current_virtual_loop()
        if loop is None or OWNS_CONNECTIONS.get():
            return await original(self, *args, **kwargs)
        with loop.hold("the answer of an MCP server"), owned_connections():
            return await original(self, *args, **kwargs)

    return method
