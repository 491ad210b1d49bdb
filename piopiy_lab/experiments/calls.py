"""``Calls``: what ``simulate_many`` gives, as a table of rows with the calls behind them."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import SupportsIndex, overload

from piopiy_lab.call.call import Call, unpack
from piopiy_lab.checks.arguments import check_count
from piopiy_lab.checks.json_values import Record
from piopiy_lab.errors import ArgumentError, ArgumentTypeError, CallError
from piopiy_lab.experiments.baseline import baseline_of, load_baseline, save_baseline
from piopiy_lab.experiments.baseline_check import BaselineCheck, check_baseline
from piopiy_lab.experiments.figures import how_sure
from piopiy_lab.experiments.figures.how_sure import Chance, FailingStep, Figure, PassRate
from piopiy_lab.experiments.figures.listing import Listing
from piopiy_lab.experiments.figures.ordering import By, groups_of, worst_first
from piopiy_lab.experiments.figures.pause_shares import PauseShare, pause_shares
from piopiy_lab.experiments.figures.row_texts import said_of
from piopiy_lab.experiments.figures.rows import CallRow
from piopiy_lab.experiments.kept import Kept
from piopiy_lab.experiments.running.checking import Check, Checks, failed_check, named_checks
from piopiy_lab.experiments.showing.outputs import CallsOutputs


class Calls(CallsOutputs):
    """Many calls, in the order asked for: a row each, and behind each row the call with its sound.

    ``calls[3]`` is a row, ``calls["polite"]`` are all of that caller, ``calls["polite", 3]`` is the
    call of their third run, and ``calls.call(row)`` the call of a row. It shows itself as a table.
    Nothing in it changes.
    """

    def __init__(
        self,
        rows: Iterable[CallRow],
        kept: Kept,
        *,
        notices: Iterable[str] = (),
        settings: Mapping[str, object] | None = None,
    ) -> None:
        """Take the rows, and where their calls are found by index.

        Args:
            rows: The rows.
            kept: The calls behind them.
            notices: What has to be said of them.
            settings: How they were made, as JSON holds it.
        """
        self._rows = tuple(rows)
        self._kept = kept
        self._notices = tuple(dict.fromkeys(notices))
        self._settings = dict(settings or {})

    @overload
    def __getitem__(self, which: int) -> CallRow: ...
    @overload
    def __getitem__(self, which: slice | str) -> Calls: ...
    @overload
    def __getitem__(self, which: tuple[str, int]) -> Call: ...
    def __getitem__(self, which: int | slice | str | tuple[str, int]) -> CallRow | Calls | Call:
        match which:
            case str():
                return self._of_caller(which)
            case (str() as caller, SupportsIndex() as run):  # pandas' whole numbers, too
                return self.call(self._row(caller, operator.index(run)))
            case tuple():
                raise ArgumentTypeError(
                    f"calls[{which!r}]: give a caller's name and a run, as in calls['polite', 3]"
                )
            case slice():
                return self._with(self._rows[which])
            case _:
                return self._rows[which]

    def __len__(self) -> int:
        return len(self._rows)

    # --- what there is ----------------------------------------------------------------------

    @property
    def rows(self) -> tuple[CallRow, ...]:
        """All rows."""
        return self._rows

    @property
    def notices(self) -> tuple[str, ...]:
        """What has to be said of these calls: what they rest on, and what was not kept."""
        return self._notices

    @property
    def settings(self) -> Mapping[str, object]:
        """How these calls were made, as far as texts and numbers tell it."""
        return self._settings

    @property
    def failed(self) -> Calls:
        """Those that did not pass."""
        return self.where(lambda row: not row.passed)

    def where(self, wanted: Callable[[CallRow], object]) -> Calls:
        """Return the calls of which ``wanted(row)`` is true."""
        return self._with(row for row in self._rows if wanted(row))

    def worst(self, n: int = 5, by: By = "p95") -> Calls:
        """Return the worst calls, the worst first: those that did not pass, then the slowest.

        Args:
            n: How many.
            by: What makes one that passed worse than another: "p95", "p50", "mean" or "max" of its
                answers' seconds, "interruptions", or the call's length "secs".

        Raises:
            ArgumentError: No such ``by``, or ``n`` is less than 1.
            ArgumentTypeError: ``n`` is no whole number.
        """
        check_count("n", n, least=1)
        return self._with(worst_first(self._rows, by)[:n])

    def with_params(self, params: Mapping[str, object]) -> Calls:
        """Return the same calls, whose rows say with which parameters they were made."""
        return self._with(replace(row, params=dict(params)) for row in self._rows)

    def by_caller(self) -> Mapping[str, Calls]:
        """Return each caller's calls, by name, in order."""
        return {name: self._with(rows) for name, rows in groups_of(self._rows).items()}

    def call(self, row: CallRow) -> Call:
        """Return the call behind a row, with its sound.

        Raises:
            CallError: It was not kept, or there was none.
            SavedCallError: Its file is damaged, or gone.
        """
        packed = self._kept.get(row.index)
        if packed is None:
            why = (
                f"it {row.kind}: {row.error}"
                if row.kind in ("raised", "hung", "died")
                else ("give keep='all' to simulate_many")
            )
            raise CallError(f"the call {row.call_id} was not kept; {why}")
        return unpack(packed)

    def checked(self, checks: Checks) -> Calls:
        """Return these calls with further expectations applied to those that passed so far.

        Example::

            calls.checked(lambda call: call.duration < 60)

        Args:
            checks: Functions of a ``Call``: one, several, or several by name. One that returns
                False, or raises, fails the call; its name is the row's ``failing_step``.

        Raises:
            CallError: A call that passed was not kept, so nobody can look at it.
            ArgumentError: Two checks have one name.
            ArgumentTypeError: One is no function.
        """
        named = named_checks(checks)
        gone = [row for row in self._rows if row.passed and self._kept.path(row.index) is None]
        if gone:
            raise CallError(
                f"{len(gone)} of {len(self)} calls were not kept ({gone[0].call_id}"
                f"{', ...' if gone[1:] else ''}), so they can't be checked: give keep='all' or "
                "checks= to simulate_many"
            )
        return self._with(self._checked(row, named) for row in self._rows)

    # --- how sure it is ---------------------------------------------------------------------

    @property
    def pass_rate(self) -> PassRate:
        """How many passed, with Wilson's interval: "18 of 20, 0.90 (0.70 to 0.97)"."""
        return how_sure.pass_rate(self._rows)

    def pass_at(self, k: int) -> Chance:
        """Return pass@k: how likely at least one of k runs passes, the mean over callers.

        ``1 - C(n-c, k) / C(n, k)`` of each caller's n runs, c of which passed.

        Raises:
            ArgumentError: A caller has fewer runs than k.
        """
        return how_sure.pass_at(self._rows, k)

    def pass_hat(self, k: int) -> Chance:
        """Return pass^k: how likely all of k runs pass, the mean over callers.

        ``C(c, k) / C(n, k)`` of each caller's n runs, c of which passed.

        Raises:
            ArgumentError: A caller has fewer runs than k.
        """
        return how_sure.pass_hat(self._rows, k)

    def failing_steps(self) -> Listing[FailingStep]:
        """Return which step or check fails, and in which share of its callers' calls."""
        return how_sure.failing_steps(self._rows)

    def pauses(self) -> Listing[PauseShare]:
        """Return which pauses of the callers get cut, and in which share of the runs."""
        return pause_shares(self._rows)

    def latency(self) -> Listing[Figure]:
        """Return mean, p50, p95 and the share over 1 s of the answers, with 95 % intervals.

        Callers are resampled, from six on; of fewer their calls. Where there can be no interval,
        the figure says why.
        """
        return how_sure.latency(self._rows)

    def baseline(self) -> Record:
        """Return what these calls were like, as JSON holds it; no word of what was said.

        Raises:
            ArgumentError: There are none, or one of them raised, hung or died.
        """
        return baseline_of(self._rows)

    def save_baseline(self, path: str | PathLike[str], overwrite: bool = False) -> Path:
        """Save what these calls were like, for later ones to be held against.

        Returns:
            The file's whole path.

        Raises:
            ArgumentError: As :meth:`baseline`.
            SavedCallError: The file is there already, or can't be written.
        """
        return save_baseline(self._rows, path, overwrite)

    def check_baseline(
        self,
        baseline: str | PathLike[str] | Record,
        *,
        min_difference: float | Mapping[str, float] | None = None,
    ) -> BaselineCheck:
        """Hold these calls against a baseline; ``.failed`` says whether they are worse.

        What is worse has to be so certainly, and by more than ``min_difference``.

        Args:
            baseline: The file, or what :meth:`baseline` gave.
            min_difference: By how much a figure may be worse: seconds of the answers' mean, p50 and
                p95 (0.1 by default), or by name, with "pass" as a share (0 by default).

        Raises:
            ArgumentError: Other callers than the baseline's.
            SavedCallError: It is no baseline, or damaged.
        """
        held = baseline if isinstance(baseline, dict) else load_baseline(baseline)
        return check_baseline(self._rows, held, min_difference=min_difference)

    # --- keeping it -------------------------------------------------------------------------

    def save(self, folder: str | PathLike[str], overwrite: bool = False) -> Path:
        """Save the rows and the kept calls as a folder, which :meth:`load` reads.

        It has ``calls.json`` and a file for each kept call, which ``Call.load`` reads as well. It
        is written beside its place and then moved there: what was there is never lost before.

        Args:
            folder: Where to.
            overwrite: Replace calls that were saved there.

        Returns:
            The folder.

        Raises:
            SavedCallError: The folder exists and isn't empty, the disk is full, or it can't be
                written.
        """
        from piopiy_lab.experiments.saving import save_calls

        return save_calls(
            self._rows,
            self._kept,
            folder,
            notices=self._notices,
            settings=self._settings,
            overwrite=overwrite,
        )

    @classmethod
    def load(cls, folder: str | PathLike[str]) -> Calls:
        """Load calls that were saved; their sound is read when somebody asks for it.

        Raises:
            SavedCallError: The folder has none, is damaged, or another version saved it.
        """
        from piopiy_lab.experiments.saving import load_calls

        saved = load_calls(folder)
        return cls(saved.rows, Kept(saved.files), notices=saved.notices, settings=saved.settings)

    def __repr__(self) -> str:
        return f"<Calls: {said_of(self._rows)}>"

    # --- inside -----------------------------------------------------------------------------

    def _with(self, rows: Iterable[CallRow]) -> Calls:
        return Calls(rows, self._kept, notices=self._notices, settings=self._settings)

    def _checked(self, row: CallRow, checks: Mapping[str, Check]) -> CallRow:
        failed = failed_check(checks, self.call(row)) if row.passed else None
        if failed is None:
            return row
        return replace(row, kind="failed", failing_step=failed[0], error=failed[1])

    def _of_caller(self, caller: str) -> Calls:
        rows = groups_of(self._rows).get(caller)
        if rows is None:
            raise ArgumentError(f"calls[{caller!r}]: {self._callers()}")
        return self._with(rows)

    def _row(self, caller: str, run: int) -> CallRow:
        for row in self._rows:
            if (row.caller, row.run) == (caller, run):
                return row
        raise ArgumentError(
            f"calls[{caller!r}, {run!r}]: there is no such call; {self._callers()}, "
            "and runs are counted from 1"
        )

    def _callers(self) -> str:
        names = ", ".join(dict.fromkeys(row.caller for row in self._rows))
        return f"the callers are {names}" if names else "there are no calls in it"
