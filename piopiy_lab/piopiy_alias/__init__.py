"""``import piopiy`` without the SDK: an import hook that maps its names to ours and pipecat's.

Example code for Piopiy begins with ``from piopiy.agent import Agent`` and takes its services from
``piopiy.services...``. After :func:`enable` (or ``%load_ext piopiy_lab``) such code runs here,
unchanged: ``piopiy.X`` is ``pipecat.X``, but for the modules in ``tables``, which are ours, have
moved, have lost a name that example code uses, or are placeholders for what isn't here.

Nothing named ``piopiy`` is installed. Three distributions own that name: beside the platform's REST
client (PyPI ``piopiy``, also imported as ``piopiy_voice``) ours come first and its names after
them; an installed SDK (``piopiy-ai``), or any other package of that name, stands, unless forced.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.util
import sys
import types
import warnings
from importlib.machinery import ModuleSpec

from piopiy_lab.piopiy_alias import rest_client
from piopiy_lab.piopiy_alias.tables import (
    ABOVE,
    GONE,
    MOVED,
    PATCHED,
    ROOT,
    base_of,
    is_placeholder,
)


def enable(*, force: bool = False) -> bool:
    """Let ``import piopiy`` work.

    Args:
        force: Also when another ``piopiy`` than the REST client is installed or imported: it is
            hidden then.

    Returns:
        Whether ``piopiy`` is ours now; False, with a warning, when an installed one was left alone.
    """
    if force and not _finder.forced:
        _forget()
    elif not _is_ours() and (refusal := _refusal()) is not None:
        warnings.warn(refusal, stacklevel=2)
        return False
    _finder.forced = _finder.forced or force
    if not _is_ours() and ROOT in sys.modules:  # the REST client: its modules stay, ours go first
        _finder.imported = sys.modules.pop(ROOT)
    if _finder not in sys.meta_path:
        # first, because the path finder would load pipecat's files again under piopiy's names
        sys.meta_path.insert(0, _finder)
    return True


def disable() -> None:
    """Undo :func:`enable`. What was imported from ``piopiy`` already goes on working."""
    if _finder in sys.meta_path:
        sys.meta_path.remove(_finder)
        _finder.forced = False
        _forget()
        if _finder.imported is not None:
            sys.modules[ROOT], _finder.imported = _finder.imported, None


def _is_ours() -> bool:
    return isinstance(sys.modules.get(ROOT), _Alias)


def _refusal() -> str | None:
    """Say why a ``piopiy`` that somebody else has, or finds, must stand; None if ours may be."""
    spec = _installed()
    if spec is None and ROOT not in sys.modules:
        return None
    if spec is not None and rest_client.is_rest_client(spec):
        return None
    where = "" if spec is None else f" ({spec.origin or 'a folder of that name'})"
    return (
        f"piopiy_alias.enable() did nothing: another 'piopiy' is installed{where}, and it stands; "
        "enable(force=True) hides it"
    )


def _installed() -> ModuleSpec | None:
    """Return what others find of a package of that name."""
    imported = sys.modules.get(ROOT)
    if imported is not None and not _is_ours():
        return imported.__spec__
    return rest_client.installed([finder for finder in sys.meta_path if finder is not _finder])


def _forget() -> None:
    for name in [name for name in sys.modules if name == ROOT or name.startswith(f"{ROOT}.")]:
        del sys.modules[name]


def _exists(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except (ModuleNotFoundError, ValueError):
        return False


class _Alias(types.ModuleType):
    """A module of patched names over another module's."""

    def __getattr__(self, name: str) -> object:
        module = self.__dict__["__name__"]
        where, attribute = PATCHED.get(module, {}).get(name, (None, name))
        if where is None:
            if name.startswith("__"):
                raise AttributeError(f"module {module!r} has no attribute {name!r}")
            if is_placeholder(module):
                from piopiy_lab.piopiy_alias.placeholders import placeholder

                return placeholder(module, name)
            if module == ROOT:
                return _finder.rest_name(name)
            where = base_of(module)
            if not _exists(where):
                raise AttributeError(f"module {module!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(where), attribute)
        setattr(self, name, value)
        return value

    def __dir__(self) -> list[str]:
        module = self.__dict__["__name__"]
        return sorted({*self.__dict__, *PATCHED.get(module, {})})


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    forced = False  # whether an installed piopiy is hidden; written by enable() and disable()
    imported: types.ModuleType | None = None  # the REST client, if it was there before ours
    rest: types.ModuleType | None = None  # the same, once a name of its was asked for

    def find_spec(
        self, fullname: str, path: object = None, target: object = None
    ) -> ModuleSpec | None:
        if fullname != ROOT and not fullname.startswith(f"{ROOT}."):
            return None
        if fullname == ROOT and not self.forced and _refusal() is not None:
            return None  # whatever was installed since: it stands
        if fullname != ROOT and not _is_ours():
            return None
        if fullname in GONE:
            raise ModuleNotFoundError(
                f"no module named {fullname!r} any more: {GONE[fullname]}", name=fullname
            )
        known = fullname in MOVED or fullname in PATCHED or fullname in ABOVE
        if not known and not is_placeholder(fullname) and not _exists(base_of(fullname)):
            return None
        return ModuleSpec(fullname, self, origin="piopiy_lab.piopiy_alias", is_package=True)

    def create_module(self, spec: ModuleSpec) -> types.ModuleType | None:
        return _Alias(spec.name)

    def exec_module(self, module: types.ModuleType) -> None:
        name = module.__name__
        if name == ROOT:
            self.rest = self.imported
            spec = None if self.forced else _installed()
            if spec is not None:  # the path finder finds the REST client's submodules there
                module.__path__ = list(spec.submodule_search_locations or ())
        if name in PATCHED:
            module.__all__ = list(PATCHED[name])  # type: ignore[attr-defined] - what * imports
        elif name in MOVED and name not in ABOVE:
            sys.modules[name] = importlib.import_module(MOVED[name])
        elif name not in ABOVE and not is_placeholder(name):
            sys.modules[name] = importlib.import_module(base_of(name))

    def rest_name(self, name: str) -> object:
        """Return a name of the installed REST client's.

        Raises:
            AttributeError: It has none of that name, or isn't installed.
        """
        if self.rest is None:
            spec = (
                None
                if self.forced
                else rest_client.installed(
                    [finder for finder in sys.meta_path if finder is not self]
                )
            )
            if spec is None:
                raise AttributeError(f"module {ROOT!r} has no attribute {name!r}")
            self.rest = types.ModuleType(ROOT)  # a name that is asked for meanwhile is not there
            self.rest = rest_client.load(spec)
        return getattr(self.rest, name)


_finder = _Finder()
