"""The package as a whole: what it exports, what it costs to import, and that its papers agree."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import json
import pkgutil
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

import piopiy_lab
from piopiy_lab import errors

ROOT = Path(__file__).parents[1]
PAPERS = [ROOT / "README.md", *ROOT.glob("docs/*.md"), *ROOT.glob("notebooks/*.ipynb")]
CHECKING = "TYPE_CHECKING"


def code_of(path):
    """A paper's text; of a notebook its cells'."""
    text = path.read_text()
    if path.suffix != ".ipynb":
        return text
    return "\n".join("".join(cell["source"]) for cell in json.loads(text)["cells"])


def python(code, *options):
    done = subprocess.run(
        [sys.executable, *options, "-c", code], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture(scope="module")
def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_the_public_names_are_the_same_for_checkers_and_at_run_time():
    tree = ast.parse(Path(piopiy_lab.__file__).read_text())
    (block,) = [n for n in tree.body if isinstance(n, ast.If) and ast.unparse(n.test) == CHECKING]
    told = {alias.asname: line.module for line in block.body for alias in line.names}
    hooks = {"load_ipython_extension", "unload_ipython_extension"}
    assert set(piopiy_lab._HOME) == {*told, *hooks}
    assert {name: piopiy_lab._HOME[name] for name in told} == told
    assert set(piopiy_lab.__all__) == {*told, "__version__"}
    assert len(piopiy_lab.__all__) == len(set(piopiy_lab.__all__))
    for name in piopiy_lab._HOME:
        assert getattr(piopiy_lab, name) is not None
    assert set(piopiy_lab.__all__) <= set(dir(piopiy_lab))


def test_every_public_name_is_written_about():
    told = set(re.findall(r"\w+", "".join(path.read_text() for path in PAPERS)))
    assert set(piopiy_lab.__all__) - {"__version__"} <= told


def test_every_path_that_the_papers_name_can_be_imported():
    """What README, docs and notebooks import, or name with its dots."""
    text = "\n".join(code_of(path) for path in PAPERS)
    imported = re.findall(r"^\W*from (piopiy_lab[\w.]*) import (\([^)]*\)|[^\n(]+)", text, re.M)
    named = {
        (module, name.split(" as ")[0].strip())
        for module, names in imported
        for name in re.sub(r"#.*|[()]", "", names).split(",")
        if name.strip()
    }
    named |= {tuple(path.rsplit(".", 1)) for path in re.findall(r"piopiy_lab(?:\.\w+)+", text)}
    assert {
        ("piopiy_lab.pipeline.service_switcher", "ServiceSwitcher"),
        ("piopiy_lab.transports.telecmi", "TelecmiParams"),
        ("piopiy_lab.loopback", "LinkSettings"),
    } <= named
    assert len(named) > 40
    for module, name in sorted(named):
        found = hasattr(importlib.import_module(module), name)
        assert found or importlib.util.find_spec(f"{module}.{name}"), f"{module}.{name}"


def test_no_public_name_is_a_submodules():
    modules = {module.name for module in pkgutil.iter_modules(piopiy_lab.__path__)}
    assert not modules & set(piopiy_lab.__all__)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="nothing_here"):
        _ = piopiy_lab.nothing_here


def test_importing_is_light_and_lazy():
    heavy = ["pipecat", "onnxruntime", "sounddevice", "matplotlib", "numpy", "IPython", "soundfile"]
    loaded = python(f"import sys, piopiy_lab; print([m for m in {heavy!r} if m in sys.modules])")
    assert loaded == "[]"


def test_importing_needs_neither_portaudio_nor_an_extra():
    extras = ["sounddevice", "pocketsphinx", "espeakng_loader", "livekit", "socketio", "mcp"]
    code = f"""
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] in {extras!r}:
            raise OSError('PortAudio library not found')
sys.meta_path.insert(0, Missing())
import piopiy_lab
from piopiy_lab import Caller, VoiceAgent, start_call, simulate
try:
    piopiy_lab.offline_stack()
except (ImportError, OSError) as error:
    print(error)
"""
    assert 'pip install "piopiy-lab[offline]"' in python(code)


def test_pipecat_is_quiet_until_asked(capfd):
    code = """
import piopiy_lab
import pipecat.pipeline.worker
piopiy_lab.log('INFO')
from loguru import logger
piopiy_lab.log(None)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    assert "ᓚᘏᗢ" not in done.stderr + done.stdout
    with pytest.raises(errors.ArgumentError, match="LOUD"):
        piopiy_lab.log("LOUD")


def test_the_documented_paths_exist():
    from piopiy_lab.pipeline.service_switcher import ServiceSwitcher, ServiceSwitcherStrategyManual
    from piopiy_lab.voice_agent import VoiceAgent

    assert issubclass(ServiceSwitcherStrategyManual, object)
    assert ServiceSwitcher
    assert VoiceAgent is piopiy_lab.VoiceAgent
    from piopiy_lab.agent import ROOM_CTX, TOKEN_CTX, URL_CTX, Agent

    assert [context.get() for context in (URL_CTX, TOKEN_CTX, ROOM_CTX)] == [None] * 3
    assert Agent is piopiy_lab.Agent
    from piopiy_lab.transports.telecmi import TelecmiParams, TelecmiTransport

    assert (TelecmiParams().audio_in_sample_rate, TelecmiParams().audio_out_sample_rate) == (
        16000,
        24000,
    )
    assert TelecmiTransport


def test_every_module_can_be_imported():
    for module in pkgutil.walk_packages(piopiy_lab.__path__, "piopiy_lab."):
        if module.name.endswith("__main__"):
            continue
        importlib.import_module(module.name)


def test_every_error_is_ours_and_in_the_tree():
    drawn = errors.__doc__ or ""
    ours = [e for e in vars(errors).values() if isinstance(e, type) and issubclass(e, Exception)]
    assert len(ours) > 10
    for error in ours:
        assert issubclass(error, errors.PiopiyLabError)
        assert error.__name__ in drawn
    assert issubclass(errors.ArgumentError, ValueError)
    assert issubclass(errors.ArgumentTypeError, TypeError)
    assert issubclass(errors.MissingExtraError, ImportError)


# --- papers that must agree ------------------------------------------------------------------


def test_the_changelogs_top_version_is_this_one():
    sections = re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    released = sections[sections[0] == "Unreleased" :]  # only the first may be without a number
    assert released[0] == piopiy_lab.__version__
    assert "Unreleased" not in released
    assert metadata.version("piopiy-lab") == piopiy_lab.__version__


def test_the_conda_environment_is_made_of_our_extras(project):
    text = (ROOT / "environment.yml").read_text()
    line = re.search(r'- -e "\.\[(.+)\]"', text)
    assert line is not None
    named = set(line.group(1).split(","))
    extras = set(project["project"]["optional-dependencies"])
    assert named <= extras
    assert {"all", "reference"} <= named
    assert f"python {project['project']['requires-python']}" in text
    conda = re.findall(r"^  - ([\w-]+)", text, re.MULTILINE)
    assert set(conda) - {"conda-forge"} == {"python", "portaudio", "pip"}  # no second list


def test_all_is_what_a_call_may_need(project):
    extras = dict(project["project"]["optional-dependencies"])
    (everything,) = extras.pop("all")
    named = set(re.fullmatch(r"piopiy-lab\[(.+)\]", everything).group(1).split(","))
    assert named == set(extras) - {"marimo", "pandas", "piper", "reference", "test", "dev"}


def test_the_readme_has_the_two_commands():
    blocks = re.findall(r"^```\w*\n(.*?)^```", (ROOT / "README.md").read_text(), re.M | re.S)
    lines = [line for block in blocks for line in block.splitlines()]
    assert 'pip install -e ".[all]" && piopiy-lab demo' in lines
    assert 'pip install -e ".[all,test]" && pytest' in lines


def test_the_import_ladder_holds():
    lint = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([lint, "--no-logo"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:]


def test_no_secret_and_no_registry_is_named():
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    names = tracked.stdout.split()
    if not names:
        pytest.skip("this is no git checkout: nothing to look through")
    hosts = re.compile(r"files\.pythonhosted|registry\.npmjs|pypi\.org/simple")
    for name in names:
        path = ROOT / name
        if path.suffix in {".png", ".wav"} or not path.is_file() or name == "tests/test_package.py":
            continue
        assert not hosts.search(path.read_text(errors="replace")), name


def test_every_test_module_has_a_name_of_its_own():
    """Without packages, pytest takes two modules of one name for one."""
    modules = [path for path in (ROOT / "tests").rglob("*.py") if path.name != "conftest.py"]
    names = [path.stem for path in modules]
    assert sorted(names) == sorted(set(names))


def test_every_test_module_is_collected_with_what_the_readme_installs():
    """One import of what only CI has, and ``pytest`` runs nothing at all."""
    not_there = {"playwright", "psutil", "torch", "silero_vad"}
    not_there |= {"piper", "faster_whisper", "moonshine_voice"}
    found = []
    for path in (ROOT / "tests").rglob("*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            match node:
                case ast.Import(names=names):
                    modules = [one.name for one in names]
                case ast.ImportFrom(module=str(module)):
                    modules = [module]
                case _:
                    continue
            found += [
                f"{path.name}: {module}"
                for module in modules
                if module.partition(".")[0] in not_there
            ]
    assert found == []
