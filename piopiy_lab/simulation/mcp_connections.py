"""MCP connections that a session opens itself, before ``Action``, as outside work.

``await client.register_tools(llm)``, ``client.tools()`` and ``async with client`` start a server
and wait for it. A client that is given to ``Action`` is connected by ``tools.mcp``, which holds
time. Opened by the session's own code its connection would be an open stream, at whose pace the
whole call would run, and a server that never answers would be waited for until a guard of the
simulation's.
"""

from __future__ import annotations

import functools
from types import ModuleType
from typing import Any

from piopiy_lab.session.session import current_session
from piopiy_lab.simulation import seams
from piopiy_lab.simulation.current import current_virtual_loop
from piopiy_lab.simulation.outside import OWNS_CONNECTIONS, owned_connections


def patch_mcp(module: ModuleType) -> list[seams.Patch]:
    """Hold time for what clients wait for on a virtual loop; what is inside a hold is held."""
    return seams.replace_mcp(module, _opened_for_the_call, _held, _listed)


def _opened_for_the_call(opening: seams.Method) -> seams.Method:
    async def open_session(self: Any, **how: Any) -> object:
        if current_virtual_loop() is None or OWNS_CONNECTIONS.get():
            return await opening(self, **how)
        from piopiy_lab.tools.mcp import MCPConnections
        from piopiy_lab.tools.mcp_on_tape import listings_of, play_server

        session = current_session()
        if session is None:  # a virtual loop, and no call
            return await opening(self, **how)
        listings = listings_of(session)
        if listings is not None:
            listings.reach(self)
            if listings.played:
                return play_server(self, session)
        connections = MCPConnections(session)
        session.closers.append(connections.close)  # what the server said is kept until then
        try:
            return await connections.connect(self, functools.partial(opening, self, **how))
        except BaseException as error:
            if listings is not None:
                listings.fail(listings.ask(self), error, opening=True)
            raise

    return open_session


def _held(original: seams.Method) -> seams.Method:
    async def method(self: Any, *args: Any, **kwargs: Any) -> object:
        loop = current_virtual_loop()
        if loop is None or OWNS_CONNECTIONS.get():
            return await original(self, *args, **kwargs)
        with loop.hold("the answer of an MCP server"), owned_connections():
            return await original(self, *args, **kwargs)

    return method


def _listed(original: seams.Method) -> seams.Method:
    """Hold time for a listing that the session's own code asks for, and keep what is listed."""
    held = _held(original)

    async def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        listing = held(self, *args, **kwargs)
        if current_virtual_loop() is None or OWNS_CONNECTIONS.get():
            return await listing
        from piopiy_lab.tools.mcp_on_tape import listings_of, on_tape

        session = current_session()
        listings = listings_of(session)
        if listings is None or listings.played:
            return await listing
        return await on_tape(session, self, listing)

    return method
