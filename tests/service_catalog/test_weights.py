"""Weights of local services in a folder of the user's: found, named when missing, never fetched."""

from __future__ import annotations

from pathlib import Path

import pytest

from piopiy_lab import stack
from piopiy_lab.errors import ArgumentError, ArgumentTypeError, MissingWeightsError
from piopiy_lab.service_catalog import usable
from piopiy_lab.service_catalog.choosing import choose
from piopiy_lab.service_catalog.entries import catalog
from piopiy_lab.service_catalog.environment import Environment
from piopiy_lab.service_catalog.usable import usability
from piopiy_lab.service_catalog.weights import (
    VARIABLE,
    find_weights,
    hand_over,
    locate,
    models_folder,
)
from piopiy_lab.voicing.piper import found_voices

WHISPER = catalog().find("stt", "whisper")
PIPER = catalog().find("tts", "piper")
LESSAC = "en_US-lessac-medium"  # the catalog's default voice


@pytest.fixture
def folder(tmp_path):
    """A folder with a Whisper and a Piper voice, as far as names go."""
    for name in WHISPER.weight_files:
        fill(tmp_path / "models" / "whisper-base" / name)
    voice(tmp_path / "models", "en_US-joe-medium")
    return tmp_path / "models"


def fill(file):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"weights")


def voice(folder, name):
    fill(folder / f"{name}.onnx")
    fill(folder / f"{name}.onnx.json")


def named(entry, part, folder, default=""):
    found = find_weights(entry, part, default, folder)
    assert found is not None
    arguments = {}
    return hand_over(entry, found, arguments), arguments


# --- what is found ---------------------------------------------------------------------------


@pytest.mark.parametrize("part", ["", "base", "whisper-base", "Systran/whisper-base"])
def test_a_model_is_found_by_its_name_or_because_it_is_the_only_one(folder, part):
    assert named(WHISPER, part, folder) == (str(folder / "whisper-base"), {})


@pytest.mark.parametrize("part", ["", "en_US-joe-medium"])
def test_a_voice_is_found_by_its_name_or_because_it_is_the_only_one(folder, part):
    found = ("en_US-joe-medium", {"download_dir": folder})
    assert named(PIPER, part, folder, default=LESSAC) == found


def test_a_voice_may_lie_in_a_folder_of_the_folder(folder):
    voice(folder / "piper", "de_DE-eva")
    assert named(PIPER, "de_DE-eva", folder) == ("de_DE-eva", {"download_dir": folder / "piper"})


def test_of_several_the_usual_one_is_taken(folder):
    voice(folder, LESSAC)
    assert named(PIPER, "", folder, default=LESSAC)[0] == LESSAC


def test_a_folder_may_itself_be_the_model(folder):
    assert named(WHISPER, "", folder / "whisper-base")[0] == str(folder / "whisper-base")


def test_a_path_needs_no_folder(folder, monkeypatch):
    assert named(WHISPER, str(folder / "whisper-base"), None)[0] == str(folder / "whisper-base")
    monkeypatch.chdir(folder)
    assert named(PIPER, "./en_US-joe-medium.onnx", None) == (
        "en_US-joe-medium",
        {"download_dir": folder},
    )


def test_without_a_folder_a_service_keeps_its_own():
    assert find_weights(WHISPER, "base", "", None) is None
    assert find_weights(catalog().find("tts", "cartesia"), "/a", "", None) is None


def test_the_variable_names_the_folder_and_the_argument_wins(folder, monkeypatch, tmp_path):
    monkeypatch.setenv(VARIABLE, str(folder))
    assert models_folder(None, Environment()) == folder
    assert models_folder(tmp_path, Environment()) == tmp_path
    monkeypatch.delenv(VARIABLE)
    assert models_folder(None, Environment()) is None


def test_weights_in_the_folder_need_no_download(folder, monkeypatch):
    assert usability(WHISPER, Environment()).download
    monkeypatch.setenv(VARIABLE, str(folder))
    assert not usability(WHISPER, Environment()).download
    assert not usability(PIPER, Environment()).download
    monkeypatch.setenv(VARIABLE, str(folder / "whisper-base"))
    assert usability(PIPER, Environment()).download
    monkeypatch.setenv(VARIABLE, str(folder / "nowhere"))
    assert usability(WHISPER, Environment()).download


@pytest.fixture
def everything_installed(monkeypatch):
    """All packages, as far as ``auto`` looks."""
    monkeypatch.setattr(usable, "missing_packages", lambda entry: [])
    monkeypatch.setattr(usable, "unsupported", lambda entry: False)


def fetched_voice(name):
    voice(Path.home() / ".cache" / "pipecat" / "piper", name)


@pytest.mark.usefixtures("everything_installed")
def test_auto_looks_only_in_the_folder_where_one_is_named(folder, tmp_path):
    fetched_voice(LESSAC)
    (tmp_path / "empty").mkdir()
    assert choose("tts", Environment()).name == "piper"
    assert choose("tts", Environment(), tmp_path / "empty").name == "offline"
    assert choose("tts", Environment(), folder).name == "piper"
    assert choose("stt", Environment()).name == "offline"
    assert choose("stt", Environment(), folder).name == "whisper"


@pytest.mark.usefixtures("everything_installed")
def test_auto_never_takes_what_cannot_then_be_made(folder, tmp_path, monkeypatch):
    fetched_voice("en_US-ryan-high")
    assert stack(tts="auto").parts["tts"].name == "offline"  # it would load another voice
    fetched_voice(LESSAC)
    (tmp_path / "empty").mkdir()
    assert stack(tts="auto", models=tmp_path / "empty").parts["tts"].name == "offline"
    monkeypatch.setenv(VARIABLE, str(tmp_path / "empty"))
    assert stack(tts="auto").parts["tts"].name == "offline"


def test_the_voice_of_a_variable_is_the_one_that_is_looked_for(folder, monkeypatch):
    fetched_voice(LESSAC)
    assert not usability(PIPER, Environment()).download
    monkeypatch.setenv("PIPER_VOICE_ID", "en_US-joe-medium")
    assert usability(PIPER, Environment()).download
    assert not usability(PIPER, Environment(), folder).download
    monkeypatch.setenv("PIPER_VOICE_ID", str(folder / "en_US-joe-medium.onnx"))
    assert not usability(PIPER, Environment()).download


def test_only_the_model_that_whisper_would_load_counts(monkeypatch, tmp_path):
    hub = Path.home() / ".cache" / "huggingface" / "hub"
    fill(hub / "models--Systran--faster-whisper-tiny" / "snapshots" / "1" / "model.bin")
    assert usability(WHISPER, Environment()).download
    default = "models--Systran--faster-distil-whisper-medium.en"
    fill(hub / default / "snapshots" / "1" / "model.bin")
    assert not usability(WHISPER, Environment()).download
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    assert usability(WHISPER, Environment()).download
    fill(tmp_path / "hf" / "hub" / default / "snapshots" / "1" / "model.bin")
    assert not usability(WHISPER, Environment()).download


# --- what takes nothing from a folder -------------------------------------------------------


def test_a_service_that_would_fetch_its_own_is_refused(folder, monkeypatch):
    with pytest.raises(
        MissingWeightsError,
        match=r"tts 'kokoro' would download 340 MB, .* \(models=\), from which only",
    ):
        stack("offline+offline+kokoro", models=folder)
    with pytest.raises(MissingWeightsError, match="stt 'moonshine' would download"):
        stack("moonshine+offline+offline", models=folder)
    monkeypatch.setenv(VARIABLE, str(folder))
    with pytest.raises(MissingWeightsError, match=rf"leave {VARIABLE} out"):
        stack("offline+offline+kokoro")


def test_one_that_has_fetched_its_own_needs_no_folder(folder):
    kokoro = catalog().find("tts", "kokoro")
    with pytest.raises(MissingWeightsError):
        locate(kokoro, "", Environment(), folder)
    fill(Path.home() / ".cache" / "pipecat" / "kokoro-onnx" / "kokoro-v1.0.onnx")
    assert locate(kokoro, "", Environment(), folder) is None
    assert not usability(kokoro, Environment(), folder).download


def test_a_service_without_weights_asks_for_no_folder(folder):
    assert locate(catalog().find("tts", "cartesia"), "", Environment(), folder) is None
    assert locate(catalog().find("llm", "ollama"), "", Environment(), folder) is None


# --- the variable is looked at when it is needed ----------------------------------------------


def test_a_folder_that_is_gone_is_no_matter_to_those_who_need_none(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, str(tmp_path / "gone"))
    assert stack("offline").parts["stt"].name == "offline"
    assert stack("auto").parts["tts"].name == "offline"
    with pytest.raises(ArgumentError, match="there is no such folder"):
        stack("offline+offline+piper")
    with pytest.raises(ArgumentError, match=r"models='.*there is no such folder"):
        stack("offline", models=tmp_path / "gone")  # an argument is meant


def test_a_path_needs_no_variable(folder, monkeypatch):
    monkeypatch.setenv(VARIABLE, str(folder / "gone"))
    found = locate(PIPER, str(folder / "en_US-joe-medium.onnx"), Environment(), None)
    assert found is not None
    assert found.folder == folder


def test_in_a_env_file_a_relative_folder_begins_at_the_file(folder, monkeypatch, tmp_path):
    (tmp_path / ".env").write_text(f"{VARIABLE}=models\n")
    assert models_folder(None, Environment()) == folder
    assert "en_US-joe-medium" in found_voices()
    monkeypatch.setenv(VARIABLE, "models")  # of the process: from the working directory
    with pytest.raises(ArgumentError, match="there is no such folder"):
        models_folder(None, Environment())
    monkeypatch.chdir(tmp_path)
    assert models_folder(None, Environment()) == folder
    (tmp_path / "other.env").write_text(f"{VARIABLE}={folder}\n")
    monkeypatch.delenv(VARIABLE)
    assert models_folder(None, Environment(tmp_path / "other.env")) == folder
    assert models_folder(None, Environment("other.env")) == folder


# --- what is missing -------------------------------------------------------------------------


def test_a_folder_that_is_not_there_is_named(tmp_path, monkeypatch):
    with pytest.raises(ArgumentError, match=r"models='.*nowhere': there is no such folder"):
        stack("whisper+offline+piper", models=tmp_path / "nowhere")
    monkeypatch.setenv(VARIABLE, str(tmp_path / "nowhere"))
    with pytest.raises(ArgumentError, match=rf"{VARIABLE}='.*nowhere': there is no such folder"):
        stack("whisper+offline+piper")
    with pytest.raises(ArgumentTypeError, match="models is int: give the path"):
        stack("whisper+offline+piper", models=3)  # type: ignore[arg-type]


def test_an_empty_folder_says_what_must_be_in_it(tmp_path):
    with pytest.raises(MissingWeightsError) as raised:
        stack("whisper+offline+piper", models=tmp_path)
    message = str(raised.value)
    assert f"{str(tmp_path)!r} has nothing with model.bin, config.json, tokenizer.json" in message
    assert "put model.bin, config.json, tokenizer.json there" in message
    assert "nothing is downloaded" in message


@pytest.mark.parametrize("lacking", WHISPER.weight_files)
def test_a_file_that_is_missing_or_empty_is_named(folder, lacking):
    (folder / "whisper-base" / lacking).write_bytes(b"")
    with pytest.raises(MissingWeightsError, match=rf"whisper-base' has no {lacking}: put"):
        find_weights(WHISPER, "base", "", folder)


def test_a_voice_without_its_json_is_refused(folder):
    (folder / "en_US-joe-medium.onnx.json").unlink()
    with pytest.raises(MissingWeightsError, match=r"has no en_US-joe-medium\.onnx\.json"):
        find_weights(PIPER, "en_US-joe-medium", "", folder)
    with pytest.raises(MissingWeightsError, match=r"has nothing with <name>\.onnx"):
        find_weights(PIPER, "", LESSAC, folder)


def test_a_name_that_is_not_in_the_folder_is_never_fetched(folder):
    with pytest.raises(MissingWeightsError, match="has no folder 'tiny' or 'whisper-tiny'"):
        find_weights(WHISPER, "tiny", "", folder)
    with pytest.raises(MissingWeightsError, match=r"has no en_GB-alan\.onnx and no"):
        find_weights(PIPER, "en_GB-alan", "", folder)
    with pytest.raises(MissingWeightsError, match=r"nowhere' is not there"):
        find_weights(WHISPER, str(folder / "nowhere"), "", None)


def test_of_several_one_must_be_named(folder):
    for name in WHISPER.weight_files:
        fill(folder / "whisper-tiny" / name)
    with pytest.raises(
        ArgumentError, match="has several for stt 'whisper': whisper-base, whisper-tiny; say which"
    ):
        find_weights(WHISPER, "", "", folder)
