"""``Calls``: what ``simulate_many`` gives, as a table of rows with the calls behind them."""

from __future__ import annotations

import pickle
import tempfile
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import overload

from piopiy_lab.call.call import Call, unpack
from piopiy_lab.call.packed import PackedCall
from piopiy_lab.errors import ArgumentError, CallError
from piopiy_lab.experiments.rows import CallRow


class Kept:
    """Where the calls of a batch wait: in files of a temporary folder, so that memory stays small.

    Safe from one thread at a time. The folder goes with the last ``Calls`` that uses it.
    """

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="piopiy-lab-calls-")
        self._close = weakref.finalize(self, self._folder.cleanup)

    def put(self, index: int, packed: PackedCall) -> None:
        """Keep a call.

        Raises:
            OSError: The disk is full.
        """
        (Path(self._folder.name) / str(index)).write_bytes(pickle.dumps(packed))

    def get(self, index: int) -> PackedCall | None:
        """Return a call; None if it wasn't kept."""
        path = Path(self._folder.name) / str(index)
        return pickle.loads(path.read_bytes()) if path.exists() else None


class Calls(Sequence[CallRow]):
    """Many calls, in the order asked for: a row each, and behind each row the call with its sound.

    ``calls[3]`` is a row, ``calls["polite", 3]`` the call of the third run of "polite",
    ``calls.call(row)`` the call of a row.
    """

    def __init__(self, rows: Iterable[CallRow], kept: Kept) -> None:
        """Take the rows, and where their calls are found by index."""
        self._rows = tuple(rows)
        self._kept = kept

    @overload
    def __getitem__(self, which: int) -> CallRow: ...
    @overload
    def __getitem__(self, which: slice) -> Calls: ...
    @overload
    def __getitem__(self, which: tuple[str, int]) -> Call: ...
    def __getitem__(self, which: int | slice | tuple[str, int]) -> CallRow | Calls | Call:
        if isinstance(which, tuple):
            return self.call(self._row(*which))
        if isinstance(which, slice):
            return Calls(self._rows[which], self._kept)
        return self._rows[which]

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def rows(self) -> tuple[CallRow, ...]:
        """All rows."""
        return self._rows

    @property
    def failed(self) -> Calls:
        """Those that did not pass."""
        return self.where(lambda row: not row.passed)

    def where(self, wanted: Callable[[CallRow], object]) -> Calls:
        """Return the calls of which ``wanted(row)`` is true."""
        return Calls((row for row in self._rows if wanted(row)), self._kept)

    def call(self, row: CallRow) -> Call:
        """Return the call behind a row, with its sound.

        Raises:
            CallError: It was not kept, or there was none.
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

    def by_caller(self) -> Mapping[str, Calls]:
        """Return each caller's calls, by name, in order."""
        names = dict.fromkeys(row.caller for row in self._rows)
        return {name: self.where(lambda row, name=name: row.caller == name) for name in names}

    def _row(self, caller: str, run: int) -> CallRow:
        for row in self._rows:
            if (row.caller, row.run) == (caller, run):
                return row
        callers = ", ".join(dict.fromkeys(row.caller for row in self._rows))
        raise ArgumentError(
            f"calls[{caller!r}, {run!r}]: there is no such call; the callers are {callers}, "
            "and runs are counted from 1"
        )

    def __repr__(self) -> str:
        passed = sum(row.passed for row in self._rows)
        return f"<Calls: {passed} of {len(self)} passed>"
