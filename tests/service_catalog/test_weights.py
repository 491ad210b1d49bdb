"""Weights of local services in a folder of the user's: found, named when missing, never fetched."""

from __future__ import annotations

import pytest

from piopiy_lab import stack
from piopiy_lab.errors import ArgumentError, ArgumentTypeError, MissingWeightsError
from piopiy_lab.service_catalog.entries import catalog
from piopiy_lab.service_catalog.environment import Environment
from piopiy_lab.service_catalog.usable import usability
from piopiy_lab.service_catalog.weights import (
    VARIABLE,
    find_weights,
    hand_over,
    models_folder,
)

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
