"""Where the calls of a batch are: in files, so that memory stays small. Nothing is pickled."""

from __future__ import annotations

import tempfile
import weakref
from collections.abc import Mapping
from pathlib import Path

from piopiy_lab.call.packed import PackedCall
from piopiy_lab.call.packed_file import SUFFIX, read_packed, write_packed
from piopiy_lab.experiments.running.folders import temporary_folder


class Kept:
    """The calls of a batch by their index: in a folder that goes with them, or in a saved one.

    Safe from one thread at a time. A folder of its own goes with the last ``Calls`` that uses it.
    """

    def __init__(self, files: Mapping[int, Path] | None = None) -> None:
        """Make room for calls.

        Args:
            files: Of a saved batch: where its calls are.
        """
        self._files = dict(files or {})  # written by put() and moved()
        self._lost, self._why = 0, ""  # written by put()
        self._folder: tempfile.TemporaryDirectory[str] | None = None  # made by the first put()

    def put(self, index: int, packed: PackedCall) -> bool:
        """Keep a call, and say whether there was room; where there was none, a notice says so."""
        try:
            if self._folder is None:
                self._folder = temporary_folder("calls")
                weakref.finalize(self, self._folder.cleanup)
            path = Path(self._folder.name) / f"{index}{SUFFIX}"
            write_packed(packed, path)
        except OSError as error:
            self._lost += 1
            self._why = error.strerror or str(error)
            return False
        self._files[index] = path
        return True

    @property
    def notices(self) -> tuple[str, ...]:
        """What has to be said of calls that could not be kept."""
        if not self._lost:
            return ()
        return (
            f"{self._lost} calls were not kept, for {tempfile.gettempdir()} can't be written "
            f"({self._why}): their rows are here, their sound is lost. Set TMPDIR to a larger "
            "disk, or give keep='failed'",
        )

    def path(self, index: int) -> Path | None:
        """Return a call's file; None if it wasn't kept."""
        return self._files.get(index)

    def get(self, index: int) -> PackedCall | None:
        """Return a call; None if it wasn't kept.

        Raises:
            SavedCallError: Its file is damaged, or gone.
        """
        path = self._files.get(index)
        return None if path is None else read_packed(path)

    def moved(self, files: Mapping[int, Path]) -> None:
        """Follow calls whose files are elsewhere now."""
        self._files.update(files)
