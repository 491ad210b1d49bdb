"""Whatever touches the insides of another package stands in a room's seams.py, and says so.

Each thing that a seam relies on is a test by its name: the installed package has it, and without
it the seam's check raises an error that names it.
"""

from __future__ import annotations

import ast
import contextlib
import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pipecat
import pytest

import piopiy_lab
from piopiy_lab.errors import IncompatibleVersionError
from piopiy_lab.pipeline import seams as pipeline_seams
from piopiy_lab.services import seams as service_seams
from piopiy_lab.services.connection_watch import watch_connection
from piopiy_lab.services.fitting import TESTED_BELOW, Reliance

PACKAGE = Path(piopiy_lab.__file__).parent
ROOMS = sorted(path.parent.name for path in PACKAGE.rglob("seams.py"))
#: What a new version of may not be installed before it was tried: most of a call is made of it. Of
#: the others the seams use little, and say at once when it is not there.
CAPPED = {"pipecat-ai", "livekit", "python"}
#: Modules of pipecat's realtime services, each with its class's name.
REALTIME = {
    "aws.nova_sonic": "AWSNovaSonicLLMService",
    "azure.voice_live": "AzureVoiceLiveLLMService",
    "google.gemini_live": "GeminiLiveLLMService",
    "inworld.realtime": "InworldRealtimeLLMService",
    "openai.realtime": "OpenAIRealtimeLLMService",
    "xai.realtime": "GrokRealtimeLLMService",
}


def _relied_on() -> Iterator[Any]:
    for room in ROOMS:
        try:
            seams = importlib.import_module(f"piopiy_lab.{room}.seams")
        except ImportError as error:
            reason = pytest.mark.skip(reason=str(error))
            yield pytest.param(None, id=f"{room}: not installed", marks=reason)
            continue
        relied_on = [*getattr(seams, "RELIED_ON", ())]
        for module, relied_on_of in getattr(seams, "LATE", {}).items():
            with contextlib.suppress(ImportError):  # an extra is missing: nothing relies on it
                relied_on += relied_on_of(importlib.import_module(module))
        for reliance in relied_on:
            yield pytest.param(reliance, id=f"{room}: {reliance}")


def without(monkeypatch: pytest.MonkeyPatch, reliance: Reliance) -> None:
    """Take away what a seam relies on, as another version would: wherever it comes from."""
    owner, name = reliance.owner, reliance.name
    if not isinstance(owner, type):
        monkeypatch.delattr(owner, name)
        return
    for cls in owner.__mro__[:-1]:
        if name in vars(cls):
            monkeypatch.delattr(cls, name)
        if name in vars(cls).get("__annotations__", {}):
            monkeypatch.delitem(cls.__annotations__, name)
        for member, function in list(vars(cls).items()):
            code = getattr(function, "__code__", None)
            if code is not None and name in code.co_names:
                renamed = tuple("renamed" if one == name else one for one in code.co_names)
                monkeypatch.setattr(function, "__code__", code.replace(co_names=renamed))
                assert vars(cls)[member] is function


@pytest.mark.parametrize("reliance", list(_relied_on()))
def test_what_a_seam_relies_on_is_there_and_missed_by_name(reliance, monkeypatch):
    reliance.check()
    without(monkeypatch, reliance)
    with pytest.raises(IncompatibleVersionError, match=rf"{re.escape(reliance.name)}\b.*; use \w+"):
        reliance.check()


@pytest.mark.parametrize("reliance", [p for p in _relied_on() if getattr(p.values[0], "takes", 0)])
def test_a_seams_method_with_other_parameters_is_said(reliance, monkeypatch):
    monkeypatch.setattr(reliance.owner, reliance.name, lambda self, something_else: None)
    with pytest.raises(IncompatibleVersionError, match=r"takes \(something_else\); "):
        reliance.check()


@pytest.mark.parametrize(("module", "name"), REALTIME.items())
def test_the_reader_of_a_realtime_service_is_where_it_was(module, name):
    """Read, not imported: that would take the packages of six providers."""
    path = Path(pipecat.__file__).parent.joinpath("services", *module.split("."), "llm.py")
    tree = ast.parse(path.read_text(encoding="utf-8"))
    body = next(n.body for n in tree.body if isinstance(n, ast.ClassDef) and n.name == name)
    methods = {n.name: n for n in body if isinstance(n, ast.AsyncFunctionDef)}
    assert service_seams.KNOWN_READERS[name] in methods
    assert "self._disconnecting = False" in ast.unparse(ast.Module(body, []))


@pytest.mark.parametrize("name", REALTIME.values())
def test_a_realtime_service_without_its_reader_is_refused(name):
    changed = type(name, (), {"__module__": "pipecat.services.changed.llm"})
    with pytest.raises(IncompatibleVersionError, match=f"has no {name}._[a-z_]+, which the watch"):
        watch_connection(changed())


def test_gemini_live_keeps_its_instructions_where_it_did():
    path = Path(pipecat.__file__).parent / "services" / "google" / "gemini_live" / "llm.py"
    ((name, kept),) = pipeline_seams.KEPT_INSTRUCTIONS.items()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    body = next(n.body for n in tree.body if isinstance(n, ast.ClassDef) and n.name == name)
    told = ast.unparse(ast.Module(body, []))
    assert f"self.{kept} = " in told
    assert f"system_instruction = self.{kept}" in told  # what it connects with


class _Kept:
    """Gemini Live's way to keep its instructions, without Google's package."""

    def __init__(self):
        self._base_system_instruction = "Be kind."
        self._system_instruction_from_init = None


def test_a_service_that_keeps_its_instructions_is_told_where_it_keeps_them():
    module = {"__module__": "pipecat.services.google.gemini_live.llm"}
    service = type("GeminiLiveLLMService", (_Kept,), module)()
    pipeline_seams.keep_for_connecting(service, "Be brief.")
    assert service._system_instruction_from_init == "Be kind.\n\nBe brief."
    changed = type("GeminiLiveLLMService", (), module)()
    with pytest.raises(IncompatibleVersionError, match=r"_from_init, which telling .*; use pipeca"):
        pipeline_seams.keep_for_connecting(changed, "Be brief.")
    other = _Kept()  # no service of pipecat's
    pipeline_seams.keep_for_connecting(other, "Be brief.")
    assert other._system_instruction_from_init is None


def test_every_known_reader_is_tested():
    assert sorted(REALTIME.values()) == sorted(service_seams.KNOWN_READERS)


@pytest.mark.parametrize(("project", "below"), TESTED_BELOW.values())
def test_the_tested_versions_are_those_of_the_project(project, below):
    text = (PACKAGE.parent / "pyproject.toml").read_text(encoding="utf-8")
    if project == "python":
        text = text.replace('requires-python = "', '"python')
    bounds = re.findall(rf'"{project}(?:\[[^\]]*\])?([<>=~][^";]*)', text)
    assert bounds or project not in CAPPED
    for bound in bounds:
        upper = [one for one in bound.split(",") if one.startswith("<")]
        assert upper == ([f"<{below}"] if project in CAPPED else []), f"{project}{bound}"
