"""``import piopiy`` without the SDK: an import hook that maps its names to ours and pipecat's.

Example code for Piopiy begins with ``from piopiy.agent import Agent`` and takes its services from
``piopiy.services...``. After :func:`enable` (or ``%load_ext piopiy_lab``) such code runs here,
unchanged: ``piopiy.X`` is ``pipecat.X``, but for the modules below, which are ours, have moved, or
have lost a name that example code uses.

Nothing named ``piopiy`` is installed, and one that *is* installed stands, unless forced: two
distributions own that name.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.util
import sys
import types
from collections.abc import Sequence
from importlib.machinery import ModuleSpec

ROOT = "piopiy"
_SCHEMAS = "pipecat.adapters.llm.schemas"
_NAMES = "piopiy_lab.piopiy_alias.names"

#: Modules that are another one, whole.
MOVED = {
    "piopiy.agent": "piopiy_lab.agent",
    "piopiy.speech_agent": "piopiy_lab.speech_agent",
    "piopiy.pipeline.service_switcher": "piopiy_lab.pipeline.service_switcher",
    "piopiy.transports.services.telecmi": "piopiy_lab.transports.telecmi",
    "piopiy.transports.telecmi": "piopiy_lab.transports.telecmi",
    "piopiy.transports.telecmi.transport": "piopiy_lab.transports.telecmi",
    "piopiy.adapters.schemas.function_schema": f"{_SCHEMAS}.function_schema",
    "piopiy.adapters.schemas.tools_schema": f"{_SCHEMAS}.tools_schema",
    "piopiy.adapters.schemas.direct_function": f"{_SCHEMAS}.direct_function",
}
#: Modules with names of ours (name -> where it is), over those of pipecat's module of that path.
PATCHED = {
    "piopiy": {
        "Agent": ("piopiy_lab.agent", "Agent"),
        "VoiceAgent": (_NAMES, "VoiceAgent"),
        "SpeechAgent": ("piopiy_lab.speech_agent", "SpeechAgent"),
    },
    "piopiy.voice_agent": {
        "VoiceAgent": (_NAMES, "VoiceAgent"),
        "SpeechAgent": ("piopiy_lab.speech_agent", "SpeechAgent"),
    },
    "piopiy.audio.interruptions.base_interruption_strategy": {
        "BaseInterruptionStrategy": ("piopiy_lab.interruptions", "BaseInterruptionStrategy"),
    },
    "piopiy.audio.interruptions.min_words_interruption_strategy": {
        "MinWordsInterruptionStrategy": (
            "piopiy_lab.interruptions",
            "MinWordsInterruptionStrategy",
        ),
    },
    "piopiy.services.mcp_service": {"MCPClient": (_NAMES, "MCPClient")},
    "piopiy.services.ollama.llm": {
        "OllamaLLMService": ("pipecat.services.ollama.llm", "OLLamaLLMService"),
    },
}


def _parents(names: Sequence[str]) -> set[str]:
    return {
        ".".join(parts[:n])
        for parts in (name.split(".") for name in names)
        for n in range(1, len(parts))
    }


#: Packages above the modules of the two lists: stand-ins, so that pipecat's own stay as they are.
_ABOVE = _parents([*MOVED, *PATCHED])


def enable(*, force: bool = False) -> bool:
    """Let ``import piopiy`` work.

    Args:
        force: Also when a ``piopiy`` is installed or imported: it is hidden then.

    Returns:
        Whether ``piopiy`` is ours now; False when an installed one was left alone.
    """
    if force and not _finder.forced:
        _forget()
    elif not _is_ours() and _installed():
        return False
    _finder.forced = _finder.forced or force
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


def _is_ours() -> bool:
    return isinstance(sys.modules.get(ROOT), _Alias)


def _installed() -> bool:
    """Whether somebody else has, or finds, a package of that name."""
    if ROOT in sys.modules:
        return not _is_ours()
    others = (finder for finder in sys.meta_path if finder is not _finder)
    return any(finder.find_spec(ROOT, None) is not None for finder in others)


def _forget() -> None:
    for name in [name for name in list(sys.modules) if name == ROOT or name.startswith(f"{ROOT}.")]:
        del sys.modules[name]


def _target(name: str) -> str:
    """Return pipecat's module of that path."""
    return "pipecat" + name[len(ROOT) :]


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
            if name.startswith("__") or module == ROOT or not _exists(_target(module)):
                raise AttributeError(f"module {module!r} has no attribute {name!r}")
            where = _target(module)
        value = getattr(importlib.import_module(where), attribute)
        setattr(self, name, value)
        return value

    def __dir__(self) -> list[str]:
        module = self.__dict__["__name__"]
        return sorted({*self.__dict__, *PATCHED.get(module, {})})


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    forced = False  # whether an installed piopiy is hidden; written by enable() and disable()

    def find_spec(
        self, fullname: str, path: object = None, target: object = None
    ) -> ModuleSpec | None:
        if fullname != ROOT and not fullname.startswith(f"{ROOT}."):
            return None
        if fullname == ROOT and not self.forced and _installed():
            return None  # whatever was installed since: it stands
        if fullname != ROOT and not _is_ours():
            return None
        known = fullname in MOVED or fullname in PATCHED or fullname in _ABOVE
        if not known and not _exists(_target(fullname)):
            return None
        return ModuleSpec(fullname, self, origin="piopiy_lab.piopiy_alias", is_package=True)

    def create_module(self, spec: ModuleSpec) -> types.ModuleType | None:
        return _Alias(spec.name)

    def exec_module(self, module: types.ModuleType) -> None:
        name = module.__name__
        if name in MOVED:
            sys.modules[name] = importlib.import_module(MOVED[name])
        elif name not in PATCHED and name not in _ABOVE:
            sys.modules[name] = importlib.import_module(_target(name))
        elif name in PATCHED:
            module.__all__ = list(PATCHED[name])  # type: ignore[attr-defined] - what * imports


_finder = _Finder()
