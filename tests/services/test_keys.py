"""A key that is refused: the call ends and says which one; and no key is ever kept."""

from __future__ import annotations

import pytest
from cloud_desk import BOOKS, Desk, errors_of

from piopiy_lab.errors import ServiceError
from piopiy_lab.services import error_texts

WRONG = "wrong-key-in-full-0123456789abcdef"
REFUSED = [
    ("stt", "DeepgramSTTService", "DEEPGRAM_API_KEY", 0.0),
    ("llm", "OpenAILLMService", "OPENAI_API_KEY", 4.48),
    ("tts", "CartesiaTTSService", "CARTESIA_API_KEY", 0.0),
]


def contents(folder):
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize(("part", "name", "variable", "at"), REFUSED)
def test_a_wrong_key_ends_the_call_and_names_its_variable(part, name, variable, at, tmp_path):
    call = Desk(**{part: {"api_key": WRONG}}).call(BOOKS)
    assert call.end_reason == "error"
    assert isinstance(call.error, ServiceError)
    assert name in str(call.error)
    assert variable in str(call.error)
    (error,) = errors_of(call)
    assert error.source == name
    assert variable in error.remedy
    assert error.at == at
    assert WRONG not in str(call.error) + repr(call.error) + error.message
    call.save(tmp_path / "call")
    assert WRONG.encode() not in contents(tmp_path / "call")


def test_no_key_is_in_a_saved_call(tmp_path):
    keys = {"stt": "fake-deepgram-key", "llm": "fake-openai-key", "tts": "fake-cartesia-key"}
    desk = Desk()
    call = desk.call().raise_for_error()
    assert (desk.deepgram.key, desk.openai.key, desk.cartesia.key) == tuple(keys.values())
    call.save(tmp_path / "call")
    saved = contents(tmp_path / "call")
    assert b"DeepgramSTTService" in saved
    for key in keys.values():
        assert key.encode() not in saved
        assert key not in repr(desk.deepgram.received + desk.openai.received)


class Part:
    def __init__(self):
        self._api_key = "plain-looking-secret"
        self.name = "a name"


def test_a_services_own_key_is_taken_out_of_its_messages():
    secrets = error_texts.secrets_of(Part())
    assert secrets == ["plain-looking-secret"]
    text = error_texts.readable("refused: plain-looking-secret", secrets=secrets)
    assert text == "refused: [removed]"
    assert error_texts.secrets_of(None) == []


@pytest.mark.parametrize(
    ("message", "kept"),
    [
        ("DeepgramSTTService#3 lost", "DeepgramSTTService lost"),
        ("TTS context 03b22688-e56d-44f5-ac9d-1284dddb036d completed", "TTS context completed"),
        ("headers: {'a': 'b'}, status_code: 503, body: x", "status_code: 503, body: x"),
        ("wss://host/x?key=abcdefgh123 failed", "wss://host/x?key=[removed] failed"),
    ],
)
def test_messages_are_kept_without_ids_headers_and_keys(message, kept):
    assert error_texts.readable(message) == kept


@pytest.mark.parametrize(
    ("message", "category", "words"),
    [
        ("x", "authentication", "api_key that Part"),
        ("server rejected: HTTP 401", None, "api_key that Part"),
        ("HTTP 403", None, "look at its plan"),
        ("Error code: 400 - bad model", "unknown", "check the model"),
        ("status_code: 429", None, "fewer calls at once"),
        ("x", "quota", "billing"),
        ("server rejected WebSocket connection: HTTP 502", None, "the provider itself fails"),
        ("no close frame received or sent", None, "connection to the provider is broken"),
        ("TTS context completed with no audio", None, "sent no sound"),
        ("Expecting value: line 1 column 1", None, "not its protocol"),
        ("something else", None, None),
        ("a tool failed", "application", None),
    ],
)
def test_what_to_do_is_found_by_category_or_by_words(message, category, words):
    found = error_texts.remedy(message, category=category, part=Part)
    assert found is None if words is None else words in (found or "")


@pytest.mark.parametrize(
    ("module", "variable"),
    [
        ("pipecat.services.deepgram.stt", "DEEPGRAM_API_KEY"),
        ("pipecat.services.google.gemini_live.llm", "GOOGLE_API_KEY or GEMINI_API_KEY"),
        ("pipecat.services.ollama.llm", None),
        ("my.own.service", None),
    ],
)
def test_the_variable_of_a_services_key(module, variable):
    assert error_texts.key_variable(module) == variable
