"""``BenchReport``: what an agent did about each stimulus, counted, and as it is shown."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from piopiy_lab.bench.board import Board, tau_voice_board
from piopiy_lab.bench.end_of_turn import Point, Silence, as_it_was, ends_waited
from piopiy_lab.bench.end_of_turn_rows import EndOfTurnRow, end_of_turn_rows
from piopiy_lab.bench.figures import Figure, figures_of
from piopiy_lab.bench.measuring import Measured
from piopiy_lab.bench.ours import Ours, ours, right
from piopiy_lab.bench.stimuli import KINDS, Kind, Split, Stimulus, load_stimuli
from piopiy_lab.bench.tau_voice import Panel, Windows, panel
from piopiy_lab.bench.wording import did
from piopiy_lab.checks.data_frames import data_frame
from piopiy_lab.checks.json_values import Record
from piopiy_lab.errors import ArgumentError
from piopiy_lab.experiments.figures.listing import Listing, html_table, text_table
from piopiy_lab.experiments.showing.text_file import check_free, write_text
from piopiy_lab.redaction import shown

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Picture
    from pandas import DataFrame

#: Names the format of :meth:`BenchReport.to_json`.
FORMAT = "piopiy-lab bench 1"
_ROOMS = {
    "tau": "by τ-voice's definitions",
    "ours": "by ours",
    "turns": "pauses and ends of turns",
}


class BenchReport:
    """An agent's turn-taking, by the public definitions and by ours. It shows itself as a table.

    ``report["tau.s_bc"]`` is one figure, with its interval; ``report.missed`` lists the stimuli of
    which the agent did not do what was to be done.

    Attributes:
        name: Whose it is.
        measured: What became of each stimulus.
        failed: Stimuli whose call came to nothing, and why; they are in no figure.
        notices: What has to be said.
        tau: τ-voice's eight numbers.
        ours: Ours.
        ends: What the agent really did with pauses and ends, by eot-bench's rule.
        against: The same of another agent, in the same run; None without one.
        settings: How it was measured, as texts and numbers.
        eot: The silences of eot-bench's data, with the turn model's scores; none without it.
    """

    def __init__(
        self,
        measured: Sequence[Measured],
        failed: Sequence[tuple[Stimulus, str]] = (),
        notices: Sequence[str] = (),
        *,
        name: str = "this agent",
        against: BenchReport | None = None,
        settings: Mapping[str, object] | None = None,
        eot: Sequence[Silence] = (),
    ) -> None:
        """Take what was measured; :func:`run_bench` makes it."""
        self.name = name
        self.measured = tuple(measured)
        self.failed = tuple(failed)
        self.notices = tuple(notices)
        self.tau: Panel = panel([one.timeline for one in self.measured])
        self.ours: Ours = ours(self.measured)
        self.ends: Point = as_it_was(self.silences)
        self.against = against
        self.settings = dict(settings or {})
        self.eot = tuple(eot)
        self._figures = figures_of(self.tau, self.ours, self.ends, ends_waited(self.silences))

    @property
    def figures(self) -> tuple[Figure, ...]:
        """All figures, in the table's order."""
        return self._figures

    @property
    def silences(self) -> tuple[Silence, ...]:
        """Pauses and ends of all turns, with the turn model's scores."""
        return tuple(one for measured in self.measured for one in measured.silences)

    @property
    def missed(self) -> Listing[Measured]:
        """The stimuli of which the agent did not do what was to be done, by our figures."""
        return Listing(
            [one for one in self.measured if right(one) is False], _MISSED, "nothing was missed"
        )

    def of(self, *, split: Split | None = None, kinds: Iterable[Kind] | None = None) -> BenchReport:
        """Return the report of some of the stimuli: of the "accept" split alone, say.

        Raises:
            ArgumentError: No such split or kind.
        """
        wanted = KINDS if kinds is None else tuple(kinds)
        load_stimuli(kinds=wanted, split=split)  # checks both

        def has(one: Stimulus) -> bool:
            return one.kind in wanted and split in (None, one.split)

        measured = [one for one in self.measured if has(one.stimulus)]
        failed = [(one, why) for one, why in self.failed if has(one)]
        part = {"split": split or self.settings.get("split"), "stimuli": len(measured + failed)}
        return BenchReport(
            measured,
            failed,
            self.notices,
            name=self.name,
            against=None if self.against is None else self.against.of(split=split, kinds=wanted),
            settings={**self.settings, **part},
            eot=self.eot,
        )

    @property
    def end_of_turn(self) -> Listing[EndOfTurnRow]:
        """What eot-bench tells of a turn model, of our stimuli and of its own data if it is there.

        The fewest cuts at a mean wait of 0.3 and 0.6 s, and the least wait with 5 and 10 % cuts.
        """
        return end_of_turn_rows(self.name, self.silences, self.eot)

    def __getitem__(self, key: str) -> Figure:
        for figure in self._figures:
            if key in (figure.key, figure.name):
                return figure
        known = ", ".join(figure.key for figure in self._figures)
        raise ArgumentError(f"report[{key!r}]: the figures are {known}")

    # --- as data ----------------------------------------------------------------------------

    def to_json(self) -> str:
        """Return the figures, each stimulus' outcome and the settings: the same run, same text."""
        board = tau_voice_board()
        shown_beside = {"name": board.name, "as_of": board.as_of, "systems": dict(board.systems)}
        told = {**self._record(), "board": shown_beside}
        return json.dumps(told, indent=1, ensure_ascii=False) + "\n"

    def save_json(self, path: str | PathLike[str], overwrite: bool = True) -> Path:
        """Save :meth:`to_json` as a file.

        Returns:
            The file's whole path.

        Raises:
            SavedCallError: It can't be written, or is there and ``overwrite`` is False.
        """
        return write_text(path, self.to_json(), overwrite)

    def to_pandas(self) -> DataFrame:
        """Return a table: a row for each stimulus; times in seconds.

        Raises:
            MissingExtraError: pandas isn't installed (the extra ``pandas``).
        """
        rows = [_row(one) for one in self.measured]
        texts = ("id", "kind", "split", "words", "voice", "outcome")
        columns: dict[str, str] = dict.fromkeys(texts, "string")
        columns |= dict.fromkeys(("fell", "decided", "interrupted", "answered"), "float64")
        columns |= dict.fromkeys(("turned", "right"), "boolean")
        return data_frame(rows, columns)

    def _record(self) -> Record:
        told: Record = {
            "format": FORMAT,
            "name": self.name,
            "settings": self.settings,
            "windows": vars(Windows()),
            "end_of_turn": [vars(row) for row in self.end_of_turn],
            "figures": {figure.key: figure.record() for figure in self._figures},
            "stimuli": [_row(one) for one in self.measured],
            "failed": [{"id": one.id, "why": why} for one, why in self.failed],
            "notices": list(self.notices),
        }
        if self.against is not None:
            told["against"] = self.against._record()
        return told

    # --- as it is shown ---------------------------------------------------------------------

    def text(self) -> str:
        """Return the table as text."""
        lines = [text_table(*self._table()), "", _board_line(tau_voice_board())]
        if self.silences or self.eot:
            lines += ["", repr(self.end_of_turn), ""]
        lines += [f"note: {shown(notice)}" for notice in self._notes()]
        return "\n".join(lines)

    def plot(self) -> Picture:
        """Draw the shares with their intervals, and the pauses against the waits."""
        from piopiy_lab.bench.report_plot import draw

        return draw([self] if self.against is None else [self, self.against])

    def save_html(self, path: str | PathLike[str], overwrite: bool = False) -> Path:
        """Save the table, the picture and what was missed as one page; nothing is from outside.

        Returns:
            The file's whole path.

        Raises:
            SavedCallError: The file is there already, or can't be written.
        """
        from piopiy_lab.display.document import document

        check_free(path, overwrite)
        body = self._repr_html_() + self._more_html()
        return write_text(path, document(f"Turn-taking: {self.name}", body), overwrite)

    def __str__(self) -> str:
        return self.text()

    def __repr__(self) -> str:
        return f"<BenchReport: {self.name}, {len(self.measured)} stimuli>"

    def _repr_html_(self) -> str:
        from piopiy_lab.display.bundle import picture_html
        from piopiy_lab.plot.style import png_of

        drawn = self.plot()
        picture = picture_html(png_of(drawn), str(drawn.get_label()))
        told = "".join(f"<p>{escape(shown(notice))}</p>" for notice in self._notes())
        return f"<div>{html_table(*self._table())}{picture}{told}</div>"

    def _more_html(self) -> str:
        board = tau_voice_board()
        return (
            f"<h2>What {escape(self.name)} missed</h2>{self.missed._repr_html_()}"
            f"<h2>Pauses cut against the wait</h2>{self.end_of_turn._repr_html_()}"
            f"<h2>{escape(board.name)}, {board.as_of}</h2>{html_table(*_board_table(board))}"
        )

    def _table(self) -> tuple[list[str], list[list[str]]]:
        columns = [self] if self.against is None else [self, self.against]
        board = tau_voice_board()
        heads = ["figure", *(one.name for one in columns), f"best of the board, {board.as_of}", ""]
        rows: list[list[str]] = []
        room = ""
        for figure in self._figures:
            own = figure.key.split(".")[0]
            if own != room:
                rows.append([_ROOMS[own], *[""] * (len(columns) + 2)])
                room = own
            best = ""
            if own == "tau":
                who, value = board.best(figure.key.partition(".")[2])
                best = f"{value:.2f} ({who})"
            told = [one[figure.key].told() for one in columns]
            rows.append([f"  {figure.name}", *told, best, figure.says])
        return heads, rows

    def _notes(self) -> list[str]:
        notes = list(self.notices)
        for report in (self, self.against):
            if report is not None and report.failed:
                first, why = report.failed[0]
                notes.append(
                    f"{len(report.failed)} of {len(report.failed) + len(report.measured)} calls of "
                    f"{report.name} came to nothing and are in no figure; the first is {first.id}: "
                    f"{why}"
                )
        return notes


def _row(one: Measured) -> Record:
    reaction = one.reaction

    def cut(value: float | None) -> float | None:
        return None if value is None else round(value, 6)

    return {
        "id": one.stimulus.id,
        "kind": one.stimulus.kind,
        "split": one.stimulus.split,
        "words": one.stimulus.words,
        "voice": one.stimulus.voice,
        "outcome": None if reaction is None else reaction.outcome,
        "ducked": None if reaction is None else reaction.ducked,
        "fell": None if reaction is None else cut(reaction.fell),
        "decided": None if reaction is None else cut(reaction.decided),
        "gaps": [] if reaction is None else [cut(gap) for gap in reaction.gaps],
        "interrupted": cut(one.interrupted),
        "answered": cut(one.answered),
        "turned": one.turned,
        "silences": [
            {
                "label": silence.label,
                "secs": cut(silence.secs),
                "fired": cut(silence.fired),
                "scores": [[cut(at), cut(score)] for at, score in silence.scores],
            }
            for silence in one.silences
        ],
        "right": right(one),
    }


_MISSED = {
    "stimulus": lambda one: one.stimulus.id,
    "what": lambda one: one.stimulus.words,
    "voice": lambda one: one.stimulus.voice,
    "what the agent did": did,
}


def _board_line(board: Board) -> str:
    return (
        f"the board is {board.name}, as of {board.as_of}: other callers and real services, so it "
        "says where the field stands; no system on it is best in all"
    )


def _board_table(board: Board) -> tuple[list[str], list[list[str]]]:
    names = list(board.figures)
    rows = [
        [system, *(f"{of[name]:.3g}" if name in of else "" for name in names)]
        for system, of in board.systems.items()
    ]
    return ["system", *(name.upper() if name[1] == "_" else name for name in names)], rows
