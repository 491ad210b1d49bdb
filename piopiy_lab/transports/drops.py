"""Audio that was lost or invented on the way: one event a second, however often it happens."""

from __future__ import annotations

from dataclasses import dataclass

from piopiy_lab import events
from piopiy_lab.checks.threads import SameThread
from piopiy_lab.events.log import EventLog
from piopiy_lab.events.values import DropCause, Side

#: Seconds between two events of one kind; what happens in between is summed up.
EVERY_SECS = 1.0


@dataclass
class _Sum:
    secs: float = 0.0
    remedy: str = ""
    told_at: float = float("-inf")


class Drops:
    """Sums up what was dropped. Used on the session's loop."""

    def __init__(self, log: EventLog) -> None:
        """Write to a log."""
        self._here = SameThread()
        self._log = log
        self._sums: dict[tuple[Side, DropCause], _Sum] = {}

    def add(self, where: Side, cause: DropCause, secs: float, remedy: str) -> None:
        """Count some audio.

        Args:
            where: Which way it went.
            cause: How it was lost or invented.
            secs: How much.
            remedy: What to do about it.
        """
        assert self._here(), "only on the session's loop"
        total = self._sums.setdefault((where, cause), _Sum())
        total.secs += secs
        total.remedy = remedy
        if self._log.now() - total.told_at >= EVERY_SECS:
            self._tell(where, cause, total)

    def flush(self) -> None:
        """Write what was counted and not written yet."""
        assert self._here(), "only on the session's loop"
        for (where, cause), total in self._sums.items():
            if total.secs:
                self._tell(where, cause, total)

    def _tell(self, where: Side, cause: DropCause, total: _Sum) -> None:
        now = self._log.now()
        secs, total.secs, total.told_at = total.secs, 0.0, now
        self._log.append(
            events.AudioDropped(
                at=now, where=where, cause=cause, secs=round(secs, 6), remedy=total.remedy
            )
        )
