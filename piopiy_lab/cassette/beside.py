"""A cassette that is recorded beside a call of somebody's: what can't be taped is a notice.

Runs on the session's loop.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from piopiy_lab.cassette.listings import Listings
from piopiy_lab.errors import CassetteError
from piopiy_lab.session.session import Session

if TYPE_CHECKING:
    from piopiy_lab.cassette.cassette import Cassette

#: The cassette's folder, in that of its call.
FOLDER = "cassette"


class CassetteBeside:
    """Records a call's services in its folder; the call goes on if that fails."""

    def __init__(self, call: Path) -> None:
        """Take the call's folder."""
        self._folder = call / FOLDER
        self._cassette: Cassette | None = None  # made when the first service is there
        self._unwritten = Listings()  # where there is no cassette for them

    def attach(self, session: Session, kind: str, name: str | None, service: object) -> None:
        """Record a service of the call."""
        try:
            self._opened().attach(session, kind, name, service)
        except CassetteError as error:
            session.notice(f"not on a cassette: {error}")

    @property
    def listings(self) -> Listings:
        """What the call's MCP servers list; every one is asked."""
        try:
            return self._opened().listings
        except CassetteError:  # attach() says why
            return self._unwritten

    def _opened(self) -> Cassette:
        from piopiy_lab.cassette.cassette import Cassette

        if self._cassette is None:
            self._cassette = Cassette(self._folder, "all")
        return self._cassette
