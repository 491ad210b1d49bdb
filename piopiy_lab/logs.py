"""Log lines: pipecat's on and off (off is the default: they land in cells), and our own loggers.

Both go through one gate: no secret is in a line, and nothing that a peer said makes a line, or an
order to the terminal, of its own.
"""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Iterator

from loguru import logger

from piopiy_lab.errors import ArgumentError
from piopiy_lab.redaction import goes_in_the_clear, redact_text, shown_url, visible_lines

_LEVELS = ("TRACE", "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")

_sink: int | None = None
_off = False  # whether log(None) was the last word


def log(level: str | None) -> None:
    """Show pipecat's log lines from ``level`` on, on standard error.

    Args:
        level: One of TRACE, DEBUG, INFO, WARNING, ERROR and CRITICAL; None turns them off again.

    Raises:
        ArgumentError: Another level.
    """
    global _sink, _off
    if level is not None and str(level).upper() not in _LEVELS:
        raise ArgumentError(f"log({level!r}): give one of {', '.join(_LEVELS)}, or None")
    if _sink is not None:
        logger.remove(_sink)
        _sink = None
    _off = level is None
    if level is None:
        logger.disable("pipecat")
        return
    lowest = logger.level(str(level).upper()).no
    with contextlib.suppress(ValueError):  # loguru's own sink shows every level; it may be gone
        logger.remove(0)
    logger.enable("pipecat")
    stream = sys.stderr

    def write(message: str) -> None:
        stream.write(f"{_safe(message)}\n")

    _sink = logger.add(
        write,
        level="DEBUG" if lowest >= 10 else "TRACE",
        filter=lambda record: not _is_pipecat(record["name"]) or record["level"].no >= lowest,
        diagnose=False,  # it would show the variables of each frame, keys among them
    )


@contextlib.contextmanager
def silenced() -> Iterator[None]:
    """Turn pipecat's lines off for a while where they are on; what :func:`log` was told stands."""
    if _sink is None:
        logger.disable("pipecat")
    try:
        yield
    finally:
        if not _off:
            logger.enable("pipecat")


def _is_pipecat(name: str | None) -> bool:
    return name is not None and name.split(".")[0] == "pipecat"


def safe_logger(name: str) -> logging.Logger:
    """Return one of our own loggers: without secrets, each record's further lines indented."""
    found = logging.getLogger(name)
    found.addFilter(_GATE)  # once, however often
    return found


def warn_of_clear_address(log: logging.Logger, url: str, what: str) -> None:
    """Warn, once for each address, if what is sent there can be read on the way.

    Args:
        log: Where to.
        url: The address; nothing is said of this machine's own.
        what: What is sent, as the line begins: "the API's token".
    """
    where = shown_url(url)
    if goes_in_the_clear(url) and (where, what) not in _warned:
        _warned.add((where, what))
        log.warning(
            "%s is sent in the clear to %s: anybody on the way can read it; use %s",
            what,
            where,
            "grpcs://" if where.startswith("grpc:") else "https:// or wss://",
        )


_warned: set[tuple[str, str]] = set()  # address and what was sent there; any thread


class _Gate(logging.Filter):
    """Changes what a record says before a handler sees it. Any thread."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Take secrets and control characters out of a record; it is logged in any case."""
        record.msg, record.args = _safe(record.getMessage()), None
        if record.exc_info:
            record.exc_text = _safe(_FORMATTER.formatException(record.exc_info))
        return True


_GATE = _Gate()
_FORMATTER = logging.Formatter()


def _safe(text: str) -> str:
    return visible_lines(redact_text(text.rstrip("\n")))
