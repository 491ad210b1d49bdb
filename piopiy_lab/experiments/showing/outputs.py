"""How many calls are shown and written for others: a table, a report, JUnit, pandas."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from piopiy_lab.call.call import Call
from piopiy_lab.checks.arguments import check_count
from piopiy_lab.errors import CallError
from piopiy_lab.experiments.figures.rows import CallRow
from piopiy_lab.experiments.showing.table_text import text_of

if TYPE_CHECKING:
    from pandas import DataFrame

#: How many calls a notebook's table has with their sound: half a minute is about 0.4 MB.
EMBEDDED = 3
_NOWHERE = (
    "This page has the sound of the worst few only. With the kernel at work a click shows this "
    "one; where it can't be asked (VS Code, marimo, a saved notebook), the line above does."
)


class CallsOutputs(Sequence[CallRow]):
    """What rows, and the calls behind them, are shown and written as. Nothing is made before."""

    @property
    @abstractmethod
    def rows(self) -> tuple[CallRow, ...]:
        """All rows."""

    @property
    @abstractmethod
    def notices(self) -> tuple[str, ...]:
        """What has to be said of them."""

    @property
    @abstractmethod
    def settings(self) -> Mapping[str, object]:
        """How they were made."""

    @abstractmethod
    def call(self, row: CallRow) -> Call:
        """Return the call behind a row."""

    def to_pandas(self, *, turns: bool = False) -> DataFrame:
        """Return a table: a row for each call, or for each answered turn; times in seconds.

        Args:
            turns: A row for each answered turn, with the parts of its latency. Those of a call
                have its ``caller`` and ``run``.

        Raises:
            MissingExtraError: pandas isn't installed (the extra ``pandas``).
        """
        from piopiy_lab.experiments.figures.frames import calls_frame, turns_frame

        return turns_frame(self.rows) if turns else calls_frame(self.rows)

    def save_html(
        self, path: str | PathLike[str], overwrite: bool = False, *, worst: int = 5
    ) -> Path:
        """Save a report as one HTML file that opens in any browser; nothing comes from outside.

        It has the whole table to sort, how many passed and how sure that is, what failed how
        often, and the worst calls with their sound, pictures and conversations. A call of half a
        minute is about 0.4 MB and a second of work. No key or token is in it.

        Args:
            path: The file.
            overwrite: Replace a file that is there.
            worst: How many calls are in it with their sound; the report says what it leaves out.

        Returns:
            The file's whole path.

        Raises:
            SavedCallError: The file is there already, or can't be written.
            ArgumentError: ``worst`` is negative.
        """
        from piopiy_lab.experiments.showing.report import report_of
        from piopiy_lab.experiments.showing.table_html import embedded
        from piopiy_lab.experiments.showing.text_file import check_free, write_text

        check_count("worst", worst, least=0)
        check_free(path, overwrite)
        heard, missing = embedded(self.rows, worst, self.call)
        page = report_of(self.rows, heard, (*self.notices, *missing), self.settings)
        return write_text(path, page, overwrite)

    def save_junit(self, path: str | PathLike[str], overwrite: bool = True) -> Path:
        """Save the outcome as JUnit XML: a suite for each caller, a test case for each run.

        Args:
            path: The file.
            overwrite: Replace a file that is there, as CI runs want it.

        Returns:
            The file's whole path.

        Raises:
            SavedCallError: It can't be written, or is there and ``overwrite`` is False.
        """
        from piopiy_lab.experiments.showing.junit import junit_of
        from piopiy_lab.experiments.showing.text_file import write_text

        text = junit_of(self.rows, self.notices, line=self.settings.get("line"))
        return write_text(path, text, overwrite)

    def text(self) -> str:
        """Return the table for a terminal: the failing and the slowest, and the rest counted."""
        return text_of(self.rows, self.notices)

    def html(self) -> str:
        """Return the table as HTML, with the worst few calls and their sound in it."""
        from piopiy_lab.experiments.showing.table_html import Shown, embedded, table_html

        heard, missing = embedded(self.rows, EMBEDDED, self.call)
        return table_html(Shown(self.rows, heard, (*self.notices, *missing), _NOWHERE))

    def call_html(self, index: int) -> str:
        """Return the call of a row's index as HTML, for a page that shows its table.

        Raises:
            CallError: It was not kept, or there is none of that index.
            SavedCallError: Its file is damaged, or gone.
        """
        from piopiy_lab.experiments.showing.table_html import call_html

        for row in self.rows:
            if row.index == index:
                return call_html(self.call(row))
        raise CallError(f"no call has the index {index}")

    def __str__(self) -> str:
        return self.text()

    def _repr_mimebundle_(
        self, include: object = None, exclude: object = None
    ) -> dict[str, object]:
        from piopiy_lab.display import offer_calls
        from piopiy_lab.display.bundle import in_terminal

        if in_terminal():
            return {"text/plain": self.text()}
        if self.rows:
            from piopiy_lab.experiments.showing.table_html import batch_of

            offer_calls(batch_of(self.rows), self)
        return {"text/plain": self.text(), "text/html": self.html()}

    def _display_(self) -> object:
        """Show itself in marimo, which asks for this."""
        from piopiy_lab.widgets.framed import Framed

        return Framed({"text/plain": self.text(), "text/html": self.html()})
