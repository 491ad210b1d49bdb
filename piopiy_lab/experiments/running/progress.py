"""How far many calls are: done, passed, and those that fail first; where somebody looks.

In a notebook that is the cell's progress line, in a terminal a line on standard error. Elsewhere
nothing is written.
"""

from __future__ import annotations

import shutil
import sys
import time

from piopiy_lab import display
from piopiy_lab.display import Progress
from piopiy_lab.experiments.figures.rows import CallRow
from piopiy_lab.redaction import visible

#: How many calls that failed are named.
_NAMED = 3
#: Real seconds between two updates.
_PAUSE_SECS = 0.2


class Terminal:
    """A line on standard error that is written over."""

    def update(self, part: float, text: str) -> None:
        """Show the part that is done, 0 to 1, and a text."""
        width = shutil.get_terminal_size().columns - 1
        sys.stderr.write(f"\r\x1b[K{part:4.0%} {text}"[: width + 4])
        sys.stderr.flush()

    def close(self) -> None:
        """Take the line away."""
        sys.stderr.write("\r\x1b[K")
        sys.stderr.flush()


class Tally:
    """Counts rows, and shows how far it is. On one thread."""

    def __init__(self, total: int) -> None:
        """Begin.

        Args:
            total: How many calls there will be.
        """
        self._total, self._done, self._passed = total, 0, 0
        self._failed: list[CallRow] = []
        self._began = self._shown = time.monotonic()
        self._line = _line()

    def add(self, row: CallRow) -> None:
        """Count a row."""
        self._done += 1
        self._passed += row.passed
        if not row.passed:
            self._failed.append(row)
        now = time.monotonic()
        late = now - self._began >= display.progress_after_secs()
        if self._line is not None and late and now - self._shown >= _PAUSE_SECS:
            self._shown = now
            self._line.update(self._done / self._total, self.text())

    def text(self) -> str:
        """Return how far it is: the calls that did not pass first."""
        failing = [
            f"{row.call_id} {row.kind}{f' at {row.failing_step}' if row.failing_step else ''}"
            for row in self._failed[:_NAMED]
        ]
        more = len(self._failed) - len(failing)
        if more:
            failing.append(f"{more} more")
        told = f"{visible('; '.join(failing))} | " if failing else ""
        return f"{told}{self._done} of {self._total} calls done, {self._passed} passed"

    def close(self) -> None:
        """Take the line away."""
        if self._line is not None:
            self._line.close()


def _line() -> Progress | None:
    line = display.progress()
    if line is not None:
        return line
    stderr = sys.stderr
    return Terminal() if stderr is not None and stderr.isatty() else None
