"""In a test, a service whose weights aren't on this machine is refused: nothing is fetched."""

from __future__ import annotations

import pytest

from piopiy_lab.errors import MissingWeightsError
from piopiy_lab.service_catalog.entries import catalog
from piopiy_lab.service_catalog.weights import refuse_download

WHISPER = catalog().find("stt", "whisper")
PIPER = catalog().find("tts", "piper")
pytestmark = pytest.mark.usefixtures("models")


def test_a_voice_that_is_not_here_is_refused():
    with pytest.raises(MissingWeightsError, match="a test downloads nothing: make it once outside"):
        refuse_download(PIPER, {"voice": "en_US-nobody-low"})


def test_no_hub_is_asked_for_whisper():
    with pytest.raises(MissingWeightsError, match="the weights of 'tiny' aren't on this machine"):
        refuse_download(WHISPER, {"model": "tiny"})


def test_the_model_of_the_catalog_is_pipecats_default():
    from pipecat.services.whisper.stt import Model

    (pattern,) = WHISPER.weights
    assert f"models--{Model.DISTIL_MEDIUM_EN.value.replace('/', '--')}/" in pattern
