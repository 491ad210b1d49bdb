"""What a seam relies on is said when it is not there, with the version that would do."""

from __future__ import annotations

import types
from collections.abc import Callable

import pytest
from pipecat.processors.frame_processor import FrameProcessor

from piopiy_lab.errors import IncompatibleVersionError
from piopiy_lab.services.fitting import expect_attributes, expect_method, expect_text
from piopiy_lab.services.seams import clear_addresses_of


class Turned(FrameProcessor):
    """A processor of a user's."""

    kept: int

    def say(self, text: str, loud: bool = False) -> str:
        return f"Error saying {text}: {loud}"


@pytest.mark.parametrize("owner", [Turned, Turned(), FrameProcessor])
def test_what_is_there_fits(owner: object) -> None:
    expect_attributes(owner, "_prev", "process_frame", needed_by="a test")
    expect_method(owner, "process_frame", "frame", "direction", needed_by="a test")


def test_an_annotated_attribute_and_a_default_fit() -> None:
    expect_attributes(Turned, "kept", needed_by="a test")
    expect_method(Turned, "say", "text", needed_by="a test")
    expect_text(Turned.say, "Error saying ", needed_by="a test")


@pytest.mark.parametrize(
    ("check", "message"),
    [
        (
            lambda: expect_attributes(FrameProcessor, "_foo", needed_by="a switch"),
            r"pipecat \d+\.\d+\.\d+ has no FrameProcessor\._foo, which a switch needs; "
            r"use pipecat-ai<1\.\d+$",
        ),
        (
            lambda: expect_attributes(Turned(), "_foo", needed_by="a switch"),
            r"pipecat \S+ has no Turned\._foo, ",
        ),
        (
            lambda: expect_attributes(types.ModuleType("pipecat.old"), "new", needed_by="a test"),
            r"pipecat \S+ has no pipecat\.old\.new, ",
        ),
        (
            lambda: expect_method(FrameProcessor, "_foo", needed_by="a switch"),
            r"pipecat \S+ has no FrameProcessor\._foo\(\), which a switch needs; use ",
        ),
        (
            lambda: expect_method(Turned, "say", "words", needed_by="a switch"),
            r"pipecat \S+'s Turned\.say\(\) takes \(text, loud\); a switch needs \(words\); use ",
        ),
        (
            lambda: expect_method(Turned, "say", needed_by="a switch"),  # text has no default
            r"a switch needs \(\); use ",
        ),
        (
            lambda: expect_method(Turned, "say", "loud", "text", needed_by="a switch"),
            r"a switch needs \(loud, text\); use ",
        ),
        (
            lambda: expect_text(Turned.say, "Failure", needed_by="a switch"),
            r"Turned\.say\(\) no longer says 'Failure', which a switch reads; use ",
        ),
    ],
)
def test_what_is_not_there_is_said(check: Callable[[], None], message: str) -> None:
    with pytest.raises(IncompatibleVersionError, match=message):
        check()


def test_where_a_service_keeps_an_address_in_the_clear_is_known() -> None:
    from pipecat.services.openai.llm import OpenAILLMService
    from pipecat.services.openai.stt import OpenAIRealtimeSTTService

    llm = OpenAILLMService(api_key="k", base_url="http://llm.lan:8000/v1")
    assert clear_addresses_of(llm) == {"http://llm.lan:8000/v1/"}
    stt = OpenAIRealtimeSTTService(api_key="k", base_url="ws://ears.lan/v1")
    assert clear_addresses_of(stt) == {"ws://ears.lan/v1"}
    llm = OpenAILLMService(api_key="k")
    llm._referer = "http://my.app"  # what a service tells of its user is nowhere that it sends to
    assert clear_addresses_of(llm) == set()
