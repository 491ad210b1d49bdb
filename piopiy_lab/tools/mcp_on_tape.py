"""MCP servers that a cassette stands in for: their tools are those that it has, and none is opened.

Runs on the session's loop.
"""

from __future__ import annotations

from collections.abc import Awaitable
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
    from piopiy_lab.session.session import Session, TapesListings


def listings_of(session: Session | None) -> TapesListings | None:
    """Return what a call's cassette has of its MCP servers; None without a cassette."""
    cassette = None if session is None else session.settings.cassette
    return None if cassette is None else cassette.listings


def played_listing(session: Session | None, client: object) -> list[Record] | None:
    """Return what the call's cassette has of an MCP server's tools; None to ask the server.

    Raises:
        CassetteError: There were fewer servers when it was recorded.
        ServiceError: The server failed then.
    """
    listings = listings_of(session)
    return None if listings is None else listings.find(client)


async def on_tape(
    session: Session | None, client: object, listing: Awaitable[ToolsSchema]
) -> ToolsSchema:
    """Ask a server for its tools; the call's cassette keeps them, or that it failed."""
    listings = listings_of(session)
    if listings is None:
        return await listing
    place = listings.ask(client)  # before the answer: several may be asked at once
    try:
        schemas = await listing
    except BaseException as error:
        listings.fail(place, error)
        raise
    listings.note(place, [tool.to_default_dict() for tool in schemas.standard_tools])
    return schemas


def played_tool(listed: Record) -> Tool:
    """Return a tool of a server that is not there; the cassette answers it."""
    schema = read_tool(listed).schema
    return Tool(schema, Signature(schema.name, _not_there, True, (), False))


async def _not_there(params: object) -> None:
    raise ToolError("its MCP server is not opened: a cassette is played in its place")


class PlayedServer:
    """The session of a client that connects to nothing, as pipecat's client asks it."""

    def __init__(self, session: Session, client: object) -> None:
        """Take the call whose cassette it is, and the client."""
        self._session, self._client = session, client

    async def list_tools(self) -> Any:
        """Return what the server listed, in the form of the MCP SDK."""
        listed = played_listing(self._session, self._client) or ()
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
    played = PlayedServer(session, client)
    seams.stand_in_for_session(client, played)

    async def leave() -> None:
        seams.stand_in_for_session(client, None)

    session.closers.append(leave)
    return played
