"""What an Agent logs: on its own logger, with Python's own logging, and never with a token."""

from __future__ import annotations

import logging
import traceback

from piopiy_lab.errors import RoomError
from piopiy_lab.logs import safe_logger
from piopiy_lab.redaction import goes_in_the_clear, shown_url

log = safe_logger("piopiy_lab.agent")


def set_debug(debug: bool) -> None:
    """Set the level of our own logger, and give it a way to standard error if it has none.

    Nothing else is touched: not the root logger, not asyncio's, not the user's handlers.
    """
    log.setLevel(logging.INFO if debug else logging.WARNING)
    if debug and not log.hasHandlers():
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        log.addHandler(handler)


def warn_of_clear_address(url: str, what: str) -> None:
    """Warn, once for each address, if what is sent there can be read on the way."""
    where = shown_url(url)
    if goes_in_the_clear(url) and (where, what) not in _warned:
        _warned.add((where, what))
        log.warning(
            "%s is sent in the clear to %s: anybody on the way can read it; use https:// or wss://",
            what,
            where,
        )


_warned: set[tuple[str, str]] = set()  # address and what was sent there; any thread


def report_failure(room: str, error: BaseException, what: str = "create_session") -> None:
    """Log an exception with its room and traceback; the logger takes secrets out."""
    if isinstance(error, RoomError):  # says it all; its traceback is our own
        told = str(error)
    else:
        told = "".join(traceback.format_exception(error)).rstrip()
    log.error("room %r: %s failed\n%s", room, what, told)
