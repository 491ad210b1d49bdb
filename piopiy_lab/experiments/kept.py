"""Where the calls of a batch are: in files, so that memory stays small. Nothing is pickled."""

from __future__ import annotations

import tempfile
import weakref
from collections.abc import Mapping
from pathlib import Path

from piopiy_lab.call.packed import PackedCall
from piopiy_lab.call.packed_file import SUFFIX, read_packed, write_packed


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
        self._folder: tempfile.TemporaryDirectory[str] | None = None  # made by the first put()

    def put(self, index: int, packed: PackedCall) -> None:
        """Keep a call.

        Raises:
            OSError: The disk is full.
        """
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="piopiy-lab-calls-")
            weakref.finalize(self, self._folder.cleanup)
        path = Path(self._folder.name) / f"{index}{SUFFIX}"
        write_packed(packed, path)
        self._files[index] = path

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
