"""``Comparison``: two agents on the same sound, and what can be said of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from piopiy_lab.call.call import Call
from piopiy_lab.call.replay import Replay
from piopiy_lab.checks.data_frames import data_frame
from piopiy_lab.errors import ArgumentError
from piopiy_lab.experiments.calls import Calls
from piopiy_lab.experiments.figures.differences import (
    Difference,
    RowPair,
    Verdict,
    differences_of,
    discordant_counts,
)
from piopiy_lab.experiments.figures.made_of import differing_aspects
from piopiy_lab.experiments.figures.statistics import ALPHA, holm, mcnemar
from piopiy_lab.experiments.showing.comparison_words import headline
from piopiy_lab.experiments.showing.text_file import check_free, write_text

#: The figures that decide a comparison's verdict.
DECIDING = ("pass", "mean")

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame


class Comparison:
    """Two agents who heard the same callers, call by call.

    It shows itself: what differs and how sure that is, and which calls do. ``comparison["p95"]`` is
    one figure, ``comparison.pair("polite", 3)`` both calls of one caller's run, to be heard side by
    side.

    Attributes:
        before: The first agent's calls.
        after: The second agent's.
        min_difference: Seconds of a call's mean answer that matter, if somebody said so.
        pairs: Both rows of each caller's each run.
        differing: The pairs that went another way: other sound, words, tools or outcome.
        differences: Each figure: passes, mean, p50 and p95 of answers, those over 1 s, ...
    """

    def __init__(
        self, before: Calls, after: Calls, *, min_difference: float | None = None, seed: int = 1
    ) -> None:
        """Compare two batches of calls; :func:`compare_agents` makes them.

        Args:
            before: The first agent's calls.
            after: The second agent's, of the same callers with the same seeds.
            min_difference: Seconds of a call's mean answer that matter.
            seed: Of the resampling.

        Raises:
            ArgumentError: They aren't the same callers, runs and seeds, or were made with other
                screenplays of these names, or over other lines.
        """
        self.before = before
        self.after = after
        self.min_difference = min_difference
        self.pairs: tuple[RowPair, ...] = _paired(before, after)
        self.differing: tuple[RowPair, ...] = tuple(pair for pair in self.pairs if not pair.same)
        self.differences: tuple[Difference, ...] = differences_of(self.pairs, seed=seed)

    @property
    def verdict(self) -> Verdict | Literal["mixed"]:
        """What can be said: "better", "worse", "mixed", "can't tell", "the same".

        It goes by two figures that are named before the run, passes and the mean answer, each with
        its p as one of two (Holm), and by what else is certain with all figures looked at
        (``p_of_all`` below 0.05); tokens are left out of it.
        Fewer passes are worse, whatever else is better. "mixed": the two disagree, or the answers
        are quicker and yet more calls broke than mended. "the same": no call differs, to the last
        sample.
        """
        if not self.differing:
            return "the same"
        tested = [one for one in map(self.__getitem__, DECIDING) if one.p is not None]
        chances = holm([one.p for one in tested if one.p is not None])
        found: dict[str, Verdict] = {
            one.name: one.verdict
            for one, p in zip(tested, chances, strict=True)
            if p < ALPHA and one.verdict in ("better", "worse")
        }
        for one in self.differences:
            if one.p_of_all is not None and one.p_of_all < ALPHA and one.name != "tokens":
                found.setdefault(one.name, one.verdict)
        certain = set(found.values()) & {"better", "worse"}
        if not certain:
            return "can't tell"
        if found.get("pass") == "worse" or certain == {"worse"}:
            return "worse"
        breaks = len(self.broken) > len(self.mended)
        return "mixed" if len(certain) == 2 or breaks else "better"

    @property
    def notices(self) -> tuple[str, ...]:
        """What has to be said of either agent's calls."""
        sides = (("before", self.before), ("after", self.after))
        return tuple(f"{which}: {told}" for which, calls in sides for told in calls.notices)

    @property
    def broken(self) -> tuple[RowPair, ...]:
        """The pairs that passed before, and no longer do."""
        return tuple(p for p in self.pairs if p.before.passed and not p.after.passed)

    @property
    def mended(self) -> tuple[RowPair, ...]:
        """The pairs that pass only now."""
        return tuple(p for p in self.pairs if p.after.passed and not p.before.passed)

    @property
    def mcnemar(self) -> float:
        """McNemar's exact p of the broken and mended pairs, 0 to 1."""
        return mcnemar(*discordant_counts(self.pairs))

    def __getitem__(self, name: str) -> Difference:
        """Return one figure's difference.

        Raises:
            ArgumentError: There is no such figure.
        """
        for one in self.differences:
            if one.name == name:
                return one
        raise ArgumentError(
            f"comparison[{name!r}]: the figures are {', '.join(d.name for d in self.differences)}"
        )

    def __iter__(self) -> Iterator[Difference]:
        return iter(self.differences)

    def pair(self, caller: str, run: int = 1) -> Replay[Call]:
        """Return both calls of one caller's run, side by side: ``.original`` is the one before.

        Raises:
            ArgumentError: There is no such call.
            CallError: One of them was not kept.
        """
        return Replay(self.after[caller, run], self.before[caller, run])

    def text(self) -> str:
        """Return the verdict, the table and the calls that differ, as text."""
        from piopiy_lab.experiments.showing.comparison_text import text_of

        return text_of(self)

    def plot(self) -> Figure:
        """Draw each figure's difference with its interval, and the difference of each pair."""
        from piopiy_lab.experiments.showing.comparison_plot import draw

        return draw(self)

    def to_pandas(self, *, pairs: bool = False) -> DataFrame:
        """Return a table: a row for each figure, or for each pair of calls.

        Args:
            pairs: A row for each pair.

        Raises:
            MissingExtraError: pandas isn't installed (the extra ``pandas``).
        """
        from piopiy_lab.experiments.showing import comparison_text

        if pairs:
            return data_frame(map(comparison_text.of_pair, self.pairs), comparison_text.OF_PAIR)
        rows = map(comparison_text.of_difference, self.differences)
        return data_frame(rows, comparison_text.OF_DIFFERENCE)

    def save_html(
        self, path: str | PathLike[str], overwrite: bool = False, *, calls: int = 5
    ) -> Path:
        """Save everything as one page that needs nothing from outside.

        Args:
            path: The file.
            overwrite: Replace a file that is there.
            calls: How many pairs can be heard on it, side by side: those that broke or mended
                first, then those that differ most.

        Returns:
            The file's whole path.

        Raises:
            SavedCallError: The file is there already, or can't be written.
        """
        from piopiy_lab.experiments.showing.comparison_text import document_of

        check_free(path, overwrite)
        return write_text(path, document_of(self, calls), overwrite)

    def __repr__(self) -> str:
        return f"<Comparison: {headline(self)}>"

    def __str__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        from piopiy_lab.experiments.showing.comparison_text import html_of

        return html_of(self)


def _paired(before: Calls, after: Calls) -> tuple[RowPair, ...]:
    sides = [{(row.caller, row.run, row.seed): row for row in calls} for calls in (before, after)]
    odd = next((key for key in sides[0].keys() ^ sides[1].keys()), None)
    if not sides[0] or odd is not None:
        what = "there are no calls" if odd is None else f"{odd[0]}-{odd[1]} has no other side"
        raise ArgumentError(
            f"calls can't be paired ({what}): give both agents the same callers, runs and seeds"
        )
    _refuse_other_sound(before.settings, after.settings)
    pairs = tuple(RowPair(was, sides[1][key]) for key, was in sides[0].items())
    for was, now in pairs:
        if was.made_of and now.made_of and (changed := differing_aspects(was.made_of, now.made_of)):
            raise ArgumentError(
                f"calls can't be paired: of {was.call_id} the {' and the '.join(changed)} differed "
                "(words, voice or manner of the caller, or the line), so both agents did not hear "
                "the same; give both the same callers and line"
            )
    return pairs


def _refuse_other_sound(before: Mapping[str, object], after: Mapping[str, object]) -> None:
    """Refuse calls whose callers only share a name, as far as their settings tell it."""
    if not before or not after:
        return
    for name in dict.fromkeys((*before, *after)):
        was, now = before.get(name), after.get(name)
        if was != now and (name == "line" or name.startswith("caller ")):
            raise ArgumentError(
                f"calls can't be paired: the {name} was {was} before and is {now} now, so both did "
                "not hear the same; give both the same callers and line"
            )
