"""The tools of MCP servers on a cassette: what each server listed, in the order of the listings.

Where a server is and how it is started is not written down: that may hold a key.

Runs on the session's loop.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from piopiy_lab.cassette.tape import Answer
from piopiy_lab.checks.json_values import Record
from piopiy_lab.errors import CassetteError
from piopiy_lab.redaction import redact
from piopiy_lab.services.frame_values import plain

#: The kind of their lines, and the part.
KIND = "mcp"


class Listings:
    """What MCP servers list in one call."""

    def __init__(self, recorded: Sequence[Answer], *, asked_live: bool) -> None:
        """Take what is on the cassette.

        Args:
            recorded: Its listings, of all servers.
            asked_live: Whether servers are asked, whatever is there.
        """
        self._recorded = {one.asked["listing"]: one.asked["tools"] for one in recorded}
        self._asked_live = asked_live
        self._count = 0  # listings so far
        self._new: list[Record] = []  # until there is something to write them on
        self._ask: Callable[[str, str, Record], int] | None = None  # by write_on()

    @property
    def played(self) -> bool:
        """Whether no server is opened."""
        return bool(self._recorded) and not self._asked_live

    def find(self) -> list[Record] | None:
        """Return the tools that the next server listed; None if it is to be asked.

        Raises:
            CassetteError: There were fewer servers.
        """
        if not self.played:  # a cassette of an older version has none
            return None
        self._count += 1
        tools = self._recorded.get(self._count)
        if tools is None:
            raise CassetteError(
                f"the agent has {self._count} MCP servers or more, and on the cassette are the "
                f"tools of {len(self._recorded)}: record it anew with record_mode='all'"
            )
        return list(tools)

    def note(self, tools: Sequence[Any]) -> None:
        """Take what a server listed."""
        self._count += 1
        listed = redact(plain(list(tools)))
        if self._recorded.get(self._count) == listed:
            return
        line: Record = {"listing": self._count, "tools": listed}
        if self._ask is None:
            self._new.append(line)
        else:
            self._ask(KIND, KIND, line)

    def write_on(self, ask: Callable[[str, str, Record], int]) -> None:
        """Write what was listed, and what will be."""
        self._ask = ask
        for line in self._new:
            ask(KIND, KIND, line)
        self._new.clear()
