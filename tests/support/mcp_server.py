"""A small MCP server: ``python mcp_server.py [stdio | http PORT] [more tools]``."""

from __future__ import annotations

import os
import sys
import time

from mcp.server import MCPServer

server = MCPServer("lamps")


@server.tool()
def weather(city: str = "Chennai") -> str:
    """Tell the weather.

    Args:
        city: Where.
    """
    return f"It is sunny in {city}."


@server.tool()
def breaks(why: str = "no fuse") -> str:
    """Fail."""
    raise ValueError(why)


@server.tool()
def dies() -> str:
    """End the server's process."""
    os._exit(3)


@server.tool()
def slow(secs: float = 0.3) -> dict[str, float]:
    """Take a while."""
    time.sleep(secs)
    return {"secs": secs}


if __name__ == "__main__":
    if "clash" in sys.argv:

        @server.tool()
        def open_door(room: str) -> str:
            """Open a door too."""
            return room

    if sys.argv[1] == "http":
        server.run(transport="streamable-http", host="127.0.0.1", port=int(sys.argv[2]))
    else:
        server.run(transport="stdio")
