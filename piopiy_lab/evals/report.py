"""What an eval found: all its runs, and the files they are kept in. Any thread."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from os import PathLike
from pathlib import Path

from piopiy_lab.errors import EvalFailedError, SavedCallError
from piopiy_lab.evals import results
from piopiy_lab.evals.html_page import page_of
from piopiy_lab.evals.junit import junit_of
from piopiy_lab.evals.runs import EvalRun
from piopiy_lab.redaction import shown

#: How a run can be called, the most exact first.
_NAMES: tuple[Callable[[EvalRun], str], ...] = (
    lambda run: run.name,
    lambda run: run.label,
    lambda run: run.scenario.name,
    lambda run: run.scenario.name.rpartition("/")[2],
)


class EvalReport(Sequence[EvalRun]):
    """All runs of an eval, in the order of the files."""

    def __init__(self, runs: Sequence[EvalRun], bot: str, notices: Sequence[str] = ()) -> None:
        """Take the runs.

        Args:
            runs: What was run.
            bot: What the bot is called.
            notices: What has to be said of the files.
        """
        self._runs = tuple(runs)
        self.bot = bot
        self._notices = tuple(notices)

    def __len__(self) -> int:
        return len(self._runs)

    def __getitem__(self, which: int | str) -> EvalRun:  # type: ignore[override]  # no slices
        """Return a run by its place, or by its name (``"file/scenario"`` or the scenario's own).

        Raises:
            KeyError: There is none of that name, or several scenarios have it.
        """
        if isinstance(which, int):
            return self._runs[which]
        for name_of in _NAMES:
            found = {run.label: run for run in reversed(self._runs) if name_of(run) == which}
            if len(found) > 1:
                raise KeyError(f"{which!r} may be any of {', '.join(sorted(found))}: say which")
            for run in found.values():
                return run
        raise KeyError(f"no run of {which!r}: there are {', '.join(run.name for run in self)}")

    def __iter__(self) -> Iterator[EvalRun]:
        return iter(self._runs)

    @property
    def passed(self) -> bool:
        """Whether every run passed."""
        return all(run.passed for run in self)

    @property
    def failures(self) -> list[EvalRun]:
        """The runs that did not pass."""
        return [run for run in self if not run.passed]

    @property
    def notices(self) -> list[str]:
        """What the verdicts rest on that the files do not say; each once."""
        return list(
            dict.fromkeys([*self._notices, *(told for run in self for told in run.notices)])
        )

    def raise_for_failure(self) -> EvalReport:
        """Raise if a run did not pass; for tests.

        Raises:
            EvalFailedError: It names each run and its failures.
        """
        if not self.passed:
            raise EvalFailedError("\n".join(map(str, self.failures)))
        return self

    def save_results(self, folder: str | PathLike[str]) -> Path:
        """Append to pipecat's own ``results.jsonl`` in a folder, with each run's trace beside it.

        Returns:
            The folder.

        Raises:
            SavedCallError: Something can't be written; all else is, and what was there is kept.
        """
        return _written(Path(folder), lambda path: results.save(self.bot, self, path))

    def save_junit(self, path: str | PathLike[str]) -> Path:
        """Save the outcome as JUnit XML, a test case for each run.

        Raises:
            SavedCallError: It can't be written.
        """
        return _save(Path(path), junit_of(self.bot, self))

    def save_html(self, path: str | PathLike[str]) -> Path:
        """Save everything as one page, with the calls of the runs that did not pass to be heard.

        Raises:
            SavedCallError: It can't be written.
        """
        return _save(Path(path), page_of(self.bot, self, self.notices))

    @property
    def summary(self) -> str:
        """How many passed and how long it took, and what the verdicts rest on."""
        secs, wall = (sum(getattr(run, key) for run in self) for key in ("secs", "wall_secs"))
        told = f"{self._done()}, {secs:.1f} s of conversation in {wall:.1f} s"
        return "\n".join([told, *(f"note: {shown(notice)}" for notice in self.notices)])

    def __str__(self) -> str:
        return "\n".join([*map(str, self), self.summary])

    def __repr__(self) -> str:
        return f"<EvalReport {shown(self.bot)}: {self._done()}>"

    def _done(self) -> str:
        return f"{sum(run.passed for run in self)} of {len(self)} passed"


def _save(path: Path, text: str) -> Path:
    def write(path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    return _written(path, write)


def _written(path: Path, write: Callable[[Path], None]) -> Path:
    target = path.expanduser().resolve()
    try:
        write(target)
    except SavedCallError:  # it says which file
        raise
    except OSError as error:
        raise SavedCallError(
            f"{target} can't be written: {error.strerror or error}; give another place"
        ) from error
    return target
