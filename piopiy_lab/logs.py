"""Turning pipecat's log lines on and off: off is the default, because they land in cells."""

from __future__ import annotations

import contextlib
import sys

from loguru import logger

from piopiy_lab.errors import ArgumentError

_LEVELS = ("TRACE", "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")

_sink: int | None = None


def log(level: str | None) -> None:
    """Show pipecat's log lines from ``level`` on, on standard error.

    Args:
        level: One of TRACE, DEBUG, INFO, WARNING, ERROR and CRITICAL; None turns them off again.

    Raises:
        ArgumentError: Another level.
    """
    global _sink
    if level is not None and str(level).upper() not in _LEVELS:
        raise ArgumentError(f"log({level!r}): give one of {', '.join(_LEVELS)}, or None")
    if _sink is not None:
        logger.remove(_sink)
        _sink = None
    if level is None:
        logger.disable("pipecat")
        return
    lowest = logger.level(str(level).upper()).no
    with contextlib.suppress(ValueError):  # loguru's own sink shows every level; it may be gone
        logger.remove(0)
    logger.enable("pipecat")
    _sink = logger.add(
        sys.stderr,
        level="DEBUG" if lowest >= 10 else "TRACE",
        filter=lambda record: not _is_pipecat(record["name"]) or record["level"].no >= lowest,
    )


def _is_pipecat(name: str | None) -> bool:
    return name is not None and name.split(".")[0] == "pipecat"
