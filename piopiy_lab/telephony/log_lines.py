"""What an Agent logs: on its own logger, with Python's own logging, and never with a token."""

from __future__ import annotations

import logging
import traceback
from logging import Logger

from piopiy_lab.errors import RoomError
from piopiy_lab.logs import safe_logger

log: Logger = safe_logger("piopiy_lab.agent")


def set_debug(debug: bool) -> None:
    """Set the level of our own logger, and give it a way to standard error if it has none.

    Nothing else is touched: not the root logger, not asyncio's, not the user's handlers.
    """
    log.setLevel(logging.INFO if debug else logging.WARNING)
    if debug and not log.hasHandlers():
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        log.addHandler(handler)


def report_failure(room: str, error: BaseException, what: str = "create_session") -> None:
    """Log an exception with its room and traceback; the logger takes secrets out."""
    if isinstance(error, RoomError):  # says it all; its traceback is our own
        told = str(error)
    else:
        told = "".join(traceback.format_exception(error)).rstrip()
    log.error("room %r: %s failed\n%s", room, what, told)
