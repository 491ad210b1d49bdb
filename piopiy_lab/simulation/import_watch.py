"""Calls back when a module has been imported, so that late imports can be patched like early ones.

A finder at the front of `sys.meta_path` lets the others find the module, and wraps the loader that
they return for the one call of `exec_module`.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import sys
from collections.abc import Callable, Sequence
from types import ModuleType


class _Loader(importlib.abc.Loader):
    """Runs a module with its own loader, then reports it; the module keeps no trace of this."""

    def __init__(self, loader: importlib.abc.Loader, loaded: Callable[[ModuleType], None]) -> None:
        self._loader = loader
        self._loaded = loaded

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        self._loaded(module)


class ImportWatch(importlib.abc.MetaPathFinder):
    """Reports modules after they were imported, on the importing thread."""

    def __init__(self, wanted: Callable[[str], bool], loaded: Callable[[ModuleType], None]) -> None:
        """Make a watch; it does nothing before `start`.

        Args:
            wanted: Tells by its full name whether a module is to be reported.
            loaded: Is given each such module once its code has run.
        """
        self._wanted = wanted
        self._loaded = loaded

    def start(self) -> None:
        """Begin to watch imports."""
        sys.meta_path.insert(0, self)

    def stop(self) -> None:
        """Watch no more."""
        sys.meta_path.remove(self)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Find a wanted module with the finders that come after this one."""
        finders = list(sys.meta_path)  # another thread may stop the watch meanwhile
        if not self._wanted(fullname) or self not in finders:
            return None
        for finder in finders[finders.index(self) + 1 :]:
            spec = finder.find_spec(fullname, path, target)
            if spec is not None:
                loader = spec.loader
                if loader is not None and hasattr(loader, "exec_module"):
                    spec.loader = _Loader(loader, self._loaded)
                return spec
        return None
