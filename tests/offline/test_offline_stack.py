"""`offline_stack`: what it builds, and what it refuses."""

import os
import subprocess
import sys

import pytest

from piopiy_lab.errors import ArgumentError, ArgumentTypeError, PhraseError
from piopiy_lab.offline import DialogueState, booking_desk, calls_tool, offline_stack
from piopiy_lab.offline.replies import Heard

SLOTS = {"room": ["kitchen", "garden"]}
REPLIES = {
    "open the {room} door": calls_tool("open_door", room="{room}"),
    "thank you": "You are welcome.",
}


@pytest.fixture
def extra():
    """The services themselves need the "offline" extra."""
    if os.environ.get("PIOPIY_LAB_REQUIRE") != "all":
        pytest.importorskip("pocketsphinx")
        pytest.importorskip("espeakng_loader")


@pytest.mark.usefixtures("extra")
def test_bare_it_is_the_booking_desk():
    from piopiy_lab.offline.llm import RuleLLMService
    from piopiy_lab.offline.stt import PhraseSTTService
    from piopiy_lab.offline.tts import EspeakTTSService

    stt, llm, tts = offline_stack()
    assert isinstance(stt, PhraseSTTService)
    assert isinstance(llm, RuleLLMService)
    assert isinstance(tts, EspeakTTSService)
    assert llm.rules.phrases.phrases == booking_desk().phrases
    assert llm.rules.answer([Heard("a table for two please")]).text.startswith("Two people.")


@pytest.mark.usefixtures("extra")
def test_each_stack_is_new():
    assert not set(map(id, offline_stack())) & set(map(id, offline_stack()))


@pytest.mark.usefixtures("extra")
def test_a_domain_of_ones_own():
    _, llm, _ = offline_stack(
        phrases=[*REPLIES, "good morning"],
        slots=SLOTS,
        replies=REPLIES,
        fallback="Pardon? {nearest}?",
        opening="Which door?",
    )
    assert llm.rules.answer([]).text == "Which door?"
    assert llm.rules.answer([Heard("thank you")]).text == "You are welcome."
    assert llm.rules.answer([Heard("thank me")]).text == "Pardon? thank you?"
    assert "no reply" in llm.rules.answer([Heard("good morning")]).text


@pytest.mark.usefixtures("extra")
def test_the_phrases_are_the_replies_keys_when_left_out():
    _, llm, _ = offline_stack(slots=SLOTS, replies=REPLIES)
    assert llm.rules.phrases.phrases == tuple(REPLIES)


@pytest.mark.usefixtures("extra")
def test_phrases_alone_are_enough_to_listen():
    _, llm, _ = offline_stack(phrases=["good morning"])
    assert "good morning" in llm.rules.answer([Heard("good morning")]).text


@pytest.mark.usefixtures("extra")
def test_words_that_the_recogniser_does_not_know_are_named():
    with pytest.raises(PhraseError, match="xyzzyfoo"):
        offline_stack(replies={"say xyzzyfoo now": "Nothing happens."})


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"slots": SLOTS}, ArgumentError, "slots=.* without phrases"),
        ({"fallback": "What?"}, ArgumentError, "fallback=.* without phrases"),
        (
            {"phrases": ["hello"], "replies": {"helo": "Hi."}},
            ArgumentError,
            "reply for 'helo', which isn't in phrases",
        ),
        ({"replies": {"hello": "Hi {nmae}."}}, ArgumentError, "'nmae'"),
        ({"replies": {"hello": "Hi."}, "fallback": "{what}"}, ArgumentError, "'what'"),
        ({"replies": {"open the {door}": "Yes."}}, PhraseError, "'door'"),
        ({"replies": ["hello"]}, ArgumentTypeError, "list"),
        ({"replies": {"hello": 3}}, ArgumentTypeError, "'hello' is 3"),
        ({"phrases": "hello"}, ArgumentTypeError, "'hello'"),
        ({"phrases": []}, PhraseError, "empty"),
        ({"replies": {"hello": "Hi."}, "token_delay": -1.0}, ArgumentError, "token_delay"),
    ],
)
def test_mistakes_are_named(options, error, message):
    with pytest.raises(error, match=message):
        offline_stack(**options)


def test_a_state_is_a_dict_that_knows_the_last_line():
    state = DialogueState()
    assert (state, state.said) == ({}, "")


def test_importing_it_loads_no_engine():
    code = (
        "import sys, piopiy_lab.offline as o; o.booking_desk(); "
        "sys.exit(any(m in sys.modules for m in ('pipecat', 'pocketsphinx', 'espeakng_loader')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
