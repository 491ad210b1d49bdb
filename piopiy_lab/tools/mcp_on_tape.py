"""MCP servers that a cassette stands in for: their tools are those that it has, and none is opened.

Runs on the session's loop.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from pipecat.adapters.llm.schemas.tools_schema import ToolsSchema

from piopiy_lab.checks.json_values import Record
from piopiy_lab.errors import ToolError
from piopiy_lab.tools import seams
from piopiy_lab.tools.box import Tool
from piopiy_lab.tools.schemas import read_tool
from piopiy_lab.tools.signatures import Signature

if TYPE_CHECKING:
    from piopiy_lab.session.session import Session


def played_listing(session: Session | None) -> list[Record] | None:
    """Return what the call's cassette has of the next MCP server's tools; None to ask the server.

    Raises:
        CassetteError: There were fewer servers when it was recorded.
    """
    cassette = None if session is None else session.settings.cassette
    return None if cassette is None else cassette.find_mcp()


def note_listing(session: Session | None, schemas: ToolsSchema) -> None:
    """Let the call's cassette keep what an MCP server has listed."""
    cassette = None if session is None else session.settings.cassette
    if cassette is not None:
        cassette.note_mcp([tool.to_default_dict() for tool in schemas.standard_tools])


def played_tool(listed: Record) -> Tool:
    """Return a tool of a server that is not there; the cassette answers it."""
    schema = read_tool(listed).schema
    return Tool(schema, Signature(schema.name, _not_there, True, (), False))


async def _not_there(params: object) -> None:
    raise ToolError("its MCP server is not opened: a cassette is played in its place")


class PlayedServer:
    """The session of a client that connects to nothing, as pipecat's client asks it."""

    def __init__(self, session: Session) -> None:
        """Take the call whose cassette it is."""
        self._session = session

    async def list_tools(self) -> Any:
        """Return what the server listed, in the form of the MCP SDK."""
        listed = played_listing(self._session) or ()
        return SimpleNamespace(
            tools=[
                SimpleNamespace(
                    name=tool["name"],
                    description=tool.get("description", ""),
                    input_schema=tool.get("parameters", {}),
                )
                for tool in listed
            ]
        )

    async def call_tool(self, name: str, arguments: object = None) -> Any:
        """Refuse: what a tool returned is on the cassette."""
        raise ToolError(
            f"the MCP tool {name!r} can't be run: its server is not opened while a cassette is "
            "played"
        )


def play_server(client: Any, session: Session) -> PlayedServer:
    """Let a client take the cassette for its server, until the call is over."""
    played = PlayedServer(session)
    seams.stand_in_for_session(client, played)

    async def leave() -> None:
        seams.stand_in_for_session(client, None)

    session.closers.append(leave)
    return played
