"""voices(): what a caller can speak with here, and what it takes."""

from __future__ import annotations

import pytest

from piopiy_lab import Caller, voices
from piopiy_lab.cli import demo_voices
from piopiy_lab.errors import ArgumentError
from piopiy_lab.service_catalog.entries import catalog
from piopiy_lab.sound import speech
from piopiy_lab.voicing import piper


@pytest.fixture
def no_piper(monkeypatch):
    monkeypatch.setattr(piper, "found_voices", dict)
    monkeypatch.setattr(demo_voices, "found_voices", dict)


def test_the_packages_own_voices_come_first_and_the_default_is_named():
    table = voices()
    first = next(iter(table))
    assert (first.name, first.usable) == ("caller", True)
    assert "the default" in first.about
    assert str(table).startswith("Usable now\n  caller")
    assert "Voice(make_tts)" in str(table)
    html = table._repr_html_()
    assert html.count("<details") == html.count("</details>") > 1
    assert all(row.usable for row in table.usable)
    assert repr(table) == repr(voices())


@pytest.mark.usefixtures("no_piper")
def test_what_is_missing_has_its_install_line_or_its_key(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CARTESIA_API_KEY", raising=False)
    table = voices()
    assert "CARTESIA_API_KEY" in table.row("cartesia").todo
    assert not table.row("cartesia/<voice>").usable
    assert 'pip install "pipecat-ai[kokoro]"' in table.row("kokoro").todo
    assert "piopiy-lab[piper]" in table.row("piper").todo
    with pytest.raises(ArgumentError, match="no voice 'nobody'"):
        table.row("nobody")


def test_pipers_voices_are_found_in_a_folder_of_models(monkeypatch, tmp_path):
    (tmp_path / "de_DE-eva-low.onnx").write_bytes(b"x")
    (tmp_path / "another-model.onnx").write_bytes(b"x")
    monkeypatch.setenv("PIOPIY_LAB_MODELS", str(tmp_path))
    assert piper.found_voices()["de_DE-eva-low"] == tmp_path
    assert "another-model" not in piper.found_voices()
    assert "GPL" in voices().row("piper/de_DE-eva-low").about


def test_no_service_has_the_name_of_an_espeak_voice():
    services = {name for kind, name in catalog().entries if kind == "tts"} | {"offline"}
    assert not services & set(speech.voices())


@pytest.mark.usefixtures("no_piper")
def test_the_demo_says_who_speaks(monkeypatch):
    caller, told = demo_voices.choose(Caller())
    assert caller == Caller()
    assert told.startswith("Voices: espeak-ng's for both (pip install")
    monkeypatch.setattr(
        demo_voices, "found_voices", lambda: {"en_GB-ann-low": None, "de_DE-eva-low": None}
    )
    monkeypatch.setattr(demo_voices, "missing_packages", lambda entry: [])
    caller, told = demo_voices.choose(Caller())
    assert caller.voice == "piper/en_GB-ann-low"
    assert told == "Voices: Piper's en_GB-ann-low for the caller, espeak-ng's for the desk."
