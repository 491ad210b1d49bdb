"""PyPI's ``piopiy``, the platform's REST client, beside ours: both own that name.

It is told from the SDK (PyPI ``piopiy-ai``), which owns the name too, by having no ``agent``. Its
names (``RestClient``, ...) and submodules (``piopiy.voice``, ``piopiy.action``) resolve after ours;
``piopiy_voice`` imports its names from ``piopiy``, and so finds them.
"""

from __future__ import annotations

import importlib.abc
import importlib.util
import sys
import types
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path

from piopiy_lab.piopiy_alias.tables import ROOT


def installed(finders: Sequence[object]) -> ModuleSpec | None:
    """Return what one of these finders knows of a ``piopiy``; None if none does."""
    for finder in finders:
        if isinstance(finder, importlib.abc.MetaPathFinder) or hasattr(finder, "find_spec"):
            spec = finder.find_spec(ROOT, None)  # type: ignore[attr-defined] - a duck, as in Python
            if spec is not None:
                return spec
    return None


def is_rest_client(spec: ModuleSpec) -> bool:
    """Whether an installed ``piopiy`` is the REST client."""
    folders = [Path(folder) for folder in spec.submodule_search_locations or ()]
    if any((folder / "agent.py").exists() or (folder / "agent").is_dir() for folder in folders):
        return False  # the SDK's, or both in one folder
    return any((folder / "voice").is_dir() for folder in folders) or _names_it(spec)


def _names_it(spec: ModuleSpec) -> bool:
    if spec.origin is None or not spec.origin.endswith(".py"):
        return False
    return "RestClient" in Path(spec.origin).read_text(encoding="utf-8", errors="replace")


def load(spec: ModuleSpec) -> types.ModuleType:
    """Run the installed package's own ``__init__``, without putting it in our place."""
    module = importlib.util.module_from_spec(spec)
    if spec.loader is not None:
        ours = sys.modules.get(ROOT)
        try:
            spec.loader.exec_module(module)
        finally:
            if ours is not None:
                sys.modules[ROOT] = ours
    return module
