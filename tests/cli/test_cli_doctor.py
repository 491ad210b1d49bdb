from __future__ import annotations

import json
from importlib import metadata
from pathlib import Path

import pytest

import piopiy_lab
from piopiy_lab.cli import checks, doctor, main, packages
from piopiy_lab.cli.audio_checks import audio_checks
from piopiy_lab.cli.check import Check
from piopiy_lab.transports import devices


@pytest.fixture
def quick(monkeypatch):
    """Checks that try nothing; the test that uses them all is one."""
    found = [
        Check("pipecat", "ok", "imports", base=True),
        Check("audio devices", "missing", "no PortAudio", remedy="apt install libportaudio2"),
    ]
    monkeypatch.setattr(doctor, "run_checks", lambda: found)
    return found


def test_doctor_says_what_is_there_and_exits_with_0(capsys):
    assert main(["doctor", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["ok"] is True
    assert found["piopiy_lab"] == piopiy_lab.__version__
    assert found["packages"]["pipecat-ai"] == metadata.version("pipecat-ai")
    by_name = {check["name"]: check["status"] for check in found["checks"]}
    assert by_name["voice detection"] == by_name["turn detection"] == "ok"


@pytest.mark.usefixtures("offline")
def test_the_offline_stack_speaks_and_listens():
    by_name = {check.name: check for check in checks.run_checks()}
    assert by_name["offline speech"].status == "ok", by_name
    assert by_name["offline recognition"].status == "ok", by_name


def test_the_text_has_versions_extras_checks_and_remedies(quick, capsys):
    assert main(["doctor"]) == 0
    out = capsys.readouterr().out
    assert f"piopiy_lab            {piopiy_lab.__version__}" in out
    for name in ("numpy", "onnxruntime", "pipecat-ai", "telephony", "offline"):
        assert f"\n{name} " in out
    assert "missing: no PortAudio" in out
    assert "(apt install libportaudio2)" in out
    assert out.endswith("Calls can run.\n")


def test_keys_are_named_and_never_shown(quick, monkeypatch, capsys):
    for name in checks.KEYS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DEEPGRAM_API_KEY", "very-secret-123")
    monkeypatch.setenv("OPENAI_API_KEY", "")
    for arguments in (["doctor"], ["doctor", "--json"]):
        assert main(arguments) == 0
        captured = capsys.readouterr()
        assert "DEEPGRAM_API_KEY" in captured.out
        assert "OPENAI_API_KEY" not in captured.out
        assert "secret" not in captured.out + captured.err


def test_the_home_folder_is_not_named(quick, capsys):
    quick.append(Check("x", "failed", f"OSError: {Path.home()}/.venv/lib/x.so is broken"))
    main(["doctor"])
    out = capsys.readouterr().out
    assert "~/.venv/lib/x.so is broken" in out
    assert str(Path.home()) not in out or str(Path.home()) == "/"


def test_a_base_that_does_not_work_exits_with_1(quick, capsys):
    quick.append(Check("voice detection", "failed", "RuntimeError: no model", base=True))
    assert main(["doctor"]) == 1
    assert "Calls can't run." in capsys.readouterr().out


def test_a_missing_optional_part_is_no_failure(quick):
    quick.append(Check("offline speech", "missing", "needs the 'offline' extra"))
    assert main(["doctor"]) == 0


def test_a_check_that_breaks_is_a_finding():
    def broken():
        raise RuntimeError("no")

    check = checks._try("x", broken)
    assert (check.status, check.detail) == ("failed", "RuntimeError: no")


def test_every_extra_for_users_is_listed_with_its_install_line():
    declared = set(metadata.metadata("piopiy-lab").get_all("Provides-Extra") or [])
    listed = {extra.name: extra for extra in packages.extras()}
    assert set(listed) == declared - set(packages.NOT_SHOWN)
    assert listed["offline"].install == 'pip install "piopiy-lab[offline]"'


def test_extras_are_read_from_the_metadata(monkeypatch):
    monkeypatch.setattr(
        metadata,
        "requires",
        lambda name: (
            [
                "alpha>=1",
                "beta>=2; extra == 'voice'",
                "gamma[deep]>=1; extra == 'voice'",
                "other; python_version < '3' and extra == 'voice'",
            ]
            if name == packages.PROJECT
            else ["delta; extra == 'deep'"]
        ),
    )
    versions = {"beta": "1.5", "gamma": "3.0"}
    monkeypatch.setattr(packages, "version_of", versions.get)
    assert list(packages._missing(packages.PROJECT, "voice")) == [
        "beta>=2 (there is 1.5)",
        "delta",
    ]
    assert packages.missing_from_base() == ["alpha>=1"]


def test_no_portaudio_is_missing_with_what_to_install(monkeypatch):
    def gone(name):
        raise OSError("PortAudio library not found")

    monkeypatch.setattr(devices, "_sounddevice", None)
    monkeypatch.setattr(devices.importlib, "import_module", gone)
    monkeypatch.setattr(devices.sys, "platform", "linux")
    [check] = audio_checks()
    assert check.status == "missing"
    assert "libportaudio2" in str(check.remedy)
    assert "BrowserMicrophone" in check.detail
