"""The tools of MCP servers on a cassette: what each listed, in the order in which they are asked.

A server has its number before it answers, so that it is the same in a play, in which all answer at
once. One that failed has a line too: it fails there again. Where a server is and how it is started
is not written down: that may hold a key.

Runs on the session's loop.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from weakref import WeakKeyDictionary

from piopiy_lab.cassette.tape import Answer
from piopiy_lab.checks.json_values import Record
from piopiy_lab.errors import CassetteError, ServiceError
from piopiy_lab.redaction import redact
from piopiy_lab.services.frame_values import plain

#: The kind of their lines, and the part.
KIND = "mcp"

#: A listing: the number of its server, and of its listings, from 1.
Place = tuple[int, int]


class Listings:
    """What MCP servers list in one call."""

    def __init__(self, recorded: Sequence[Answer] = (), *, asked_live: bool = True) -> None:
        """Take what is on the cassette.

        Args:
            recorded: Its listings, of all servers.
            asked_live: Whether servers are asked, whatever is there.
        """
        lines = [one.asked for one in recorded]
        self._recorded = {(line["listing"], line.get("time", 1)): line for line in lines}
        self._asked_live = asked_live
        self._numbers: WeakKeyDictionary[object, int] = WeakKeyDictionary()  # by client
        self._times: list[int] = []  # of each client, how often it was asked
        self._new: list[Record] = []  # until there is something to write them on
        self._ask: Callable[[str, str, Record], int] | None = None  # by write_on()

    @property
    def played(self) -> bool:
        """Whether no server is opened."""
        return bool(self._recorded) and not self._asked_live

    def reach(self, client: object) -> None:
        """Take note that a server is about to be opened.

        Raises:
            ServiceError: It is played, and could not be opened when it was recorded.
        """
        number = self._number(client)
        line = self._recorded.get((number, self._times[number - 1] + 1), {})
        if self.played and line.get("opening"):
            self.find(client)

    def ask(self, client: object) -> Place:
        """Return the place of what a server is about to list."""
        number = self._number(client)
        self._times[number - 1] += 1
        return number, self._times[number - 1]

    def find(self, client: object) -> list[Record] | None:
        """Return the tools that a server listed; None if it is to be asked.

        Raises:
            CassetteError: There were fewer servers.
            ServiceError: It failed then.
        """
        if not self.played:  # a cassette of an older version has none
            return None
        number, time = self.ask(client)
        while time > 1 and (number, time) not in self._recorded:
            time -= 1  # it was asked less often then
        line = self._recorded.get((number, time))
        if line is None:
            raise CassetteError(
                f"the agent has {number} MCP servers or more, and on the cassette are the "
                f"tools of {len({known for known, _ in self._recorded})}: record it anew with "
                "record_mode='all'"
            )
        if "failed" in line:
            raise ServiceError(
                f"MCP server {number} of the agent failed when the cassette was recorded "
                f"({line['failed']}), and none is opened in a play: if it works now, record it "
                "anew with record_mode='all'"
            )
        return list(line["tools"])

    def note(self, place: Place, tools: Sequence[Any]) -> None:
        """Take what a server listed."""
        self._write(place, {"tools": redact(plain(list(tools)))})

    def fail(self, place: Place, error: BaseException, *, opening: bool = False) -> None:
        """Take note that a server listed nothing.

        Args:
            place: Of its listing.
            error: Why; only its class is written, as a message may hold anything.
            opening: Whether it was not even asked.
        """
        line: Record = {"failed": type(error.__cause__ or error).__name__}
        self._write(place, {**line, "opening": True} if opening else line)

    def write_on(self, ask: Callable[[str, str, Record], int]) -> None:
        """Write what was listed, and what will be."""
        self._ask = ask
        for line in self._new:
            ask(KIND, KIND, line)
        self._new.clear()

    def _number(self, client: object) -> int:
        if client not in self._numbers:
            self._times.append(0)
            self._numbers[client] = len(self._times)
        return self._numbers[client]

    def _write(self, place: Place, line: Record) -> None:
        number, time = place
        line = {"listing": number, **({"time": time} if time > 1 else {}), **line}
        if self._recorded.get(place) == line:
            return
        if self._ask is None:
            self._new.append(line)
        else:
            self._ask(KIND, KIND, line)
