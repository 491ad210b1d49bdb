"""Which parts make which pipeline: cascaded, hybrid, speech-to-speech; and what is refused."""

from __future__ import annotations

import asyncio

import pytest

from piopiy_lab import (
    Caller,
    SpeechAgent,
    VoiceAgent,
    events,
    offline_realtime,
    offline_stack,
    simulate,
)
from piopiy_lab.errors import ArgumentError, ArgumentTypeError
from piopiy_lab.offline import EspeakTTSService
from piopiy_lab.session.commands import Say, UserSays

GREETING = "Welcome to the grill."
ORDER = "a table for two tomorrow at seven"


def realtime(mode, **options):
    """A session on the offline realtime service."""

    async def create_session():
        agent = VoiceAgent(instructions="Take bookings.", greeting=GREETING)
        llm = offline_realtime(speaks=mode == "speech", **options)
        parts = {} if mode == "speech" else {"tts": EspeakTTSService()}
        await agent.Action(llm=llm, vad=True, **parts)
        await agent.start()

    return create_session


def run(create_session, caller, **options):
    return asyncio.run(simulate(create_session, caller, **options)).raise_for_error()


@pytest.fixture(params=["speech", "hybrid"])
def mode(request):
    return request.param


def test_a_realtime_call_greets_listens_calls_its_tool_and_keeps_the_context(mode):
    caller = (
        Caller()
        .hears("Welcome to the grill")
        .says(ORDER)
        .hears("name")
        .says("my name is anna")
        .hears("right")
        .says("yes please")
        .expects_tool("book_table")
        .hears_reply()
        .hangs_up()
    )
    call = run(realtime(mode), caller)
    assert [entry.role for entry in call.transcript][:4] == [
        "assistant", "user", "assistant", "user",
    ]  # fmt: skip
    assert call.transcript[0].text == GREETING
    assert call.transcript[1].text == ORDER
    started = call.events.of(events.PipelineStarted)[0]
    assert "stt" not in started.services
    assert ("tts" in started.services) == (mode == "hybrid")
    assert call.tool_calls[0].arguments["party_size"] == 2
    said = [m.get("content") for m in call.context[-1] if m["role"] == "assistant"]
    assert said[0] == GREETING
    roles = [m["role"] for m in call.context[-1] if m["role"] in ("user", "tool")]
    assert roles[-2:] == ["user", "tool"], "the caller's words stand before the call they led to"
    assert call.turns[0].total > 0
    assert abs(sum(call.turns[0].parts.values()) - call.turns[0].total) < 1e-3


def test_a_barge_in_stops_a_realtime_answer(mode):
    caller = (
        Caller()
        .hears_greeting()
        .says(ORDER)
        .interrupts("my name is anna", after=1.0)
        .hears("Is that right")
        .hangs_up()
    )
    call = run(realtime(mode), caller)
    assert [e.cause for e in call.events.of(events.AgentInterrupted)] == ["user"]
    cut = call.transcript[2]
    assert cut.interrupted
    assert "name is it under" not in cut.text


def test_the_same_realtime_call_gives_the_same_events(mode):
    caller = Caller().hears_greeting().says(ORDER).hears_reply().hangs_up()
    first, second = (run(realtime(mode, token_delay=0.03), caller) for _ in range(2))
    assert [e.to_json() for e in first.events] == [e.to_json() for e in second.events]


def test_a_line_and_a_typed_turn_reach_a_realtime_model(mode):
    call_of = []

    async def create_session():
        agent = VoiceAgent(instructions="x", greeting=GREETING)
        llm = offline_realtime(speaks=mode == "speech")
        parts = {} if mode == "speech" else {"tts": EspeakTTSService()}
        await agent.Action(llm=llm, vad=True, **parts)
        call_of.append(agent)
        await agent.start()

    from piopiy_lab.session.session import current_session

    async def driving():
        session = current_session()
        asyncio.get_running_loop().create_task(drive(session))
        await create_session()

    async def drive(session):
        await session.wait_until_listening()
        await asyncio.sleep(4)
        await session.agents[-1].prepare(Say("We close at ten."))()
        await asyncio.sleep(4)
        await session.agents[-1].prepare(UserSays(ORDER))()

    call = run(driving, Caller().hears_greeting().waits(12).hangs_up())
    heard = [entry.text for entry in call.transcript if entry.role == "assistant"]
    assert " ".join(heard).startswith(f"{GREETING} We close at ten. A table for two")
    assert heard[-1].endswith("What name is it under?")


def test_without_a_greeting_a_realtime_model_opens_as_its_rules_say():
    async def create_session():
        agent = VoiceAgent(instructions="x")
        llm = offline_realtime(replies={"hello": "Hi."}, opening="You called.")
        await agent.Action(llm=llm, vad=True)
        await agent.start()

    call = run(create_session, Caller().hears("You called").hangs_up())
    assert call.transcript[0].text == "You called."


def test_a_realtime_service_works_in_the_next_call():
    llm = offline_realtime()

    async def create_session():
        agent = VoiceAgent(instructions="x", greeting=GREETING)
        await agent.Action(llm=llm, vad=True)
        await agent.start()

    caller = Caller().hears_greeting().says(ORDER).hears("name").hangs_up()
    texts = [[e.text for e in run(create_session, caller).transcript] for _ in range(2)]
    assert texts[0] == texts[1]


@pytest.mark.parametrize("where", ["constructor", "Action"])
def test_speech_agent_is_the_hybrid_mode(where):
    async def create_session():
        parts = {"omni": offline_realtime(speaks=False), "tts": EspeakTTSService()}
        given = parts if where == "constructor" else {}
        agent = SpeechAgent(instructions="x", greeting=GREETING, **given)
        await agent.Action(vad=True, **({} if given else parts))
        await agent.start()

    call = run(create_session, Caller().hears_greeting().says(ORDER).hears("name").hangs_up())
    assert call.events.of(events.PipelineStarted)[0].services == {
        "llm": "RuleRealtimeService",
        "tts": "EspeakTTSService",
    }


def test_replace_turns_a_realtime_session_into_a_cascaded_one():
    stt, llm, tts = offline_stack()
    caller = Caller().hears_greeting().says(ORDER).hears_reply().hangs_up()
    call = run(realtime("speech"), caller, replace={"stt": stt, "llm": llm, "tts": tts})
    assert list(call.events.of(events.PipelineStarted)[0].services) == ["stt", "llm", "tts"]
    assert call.transcript[0].text == GREETING


STT, LLM, TTS = offline_stack()


@pytest.mark.parametrize(
    ("parts", "error", "words"),
    [
        (lambda: {"llm": LLM}, ArgumentError, "missing stt .or stt_switcher. and tts"),
        (lambda: {"llm": LLM, "tts": TTS}, ArgumentError, "RuleLLMService is none"),
        (lambda: {"llm": LLM, "stt": STT}, ArgumentError, "missing tts"),
        (lambda: {"llm": offline_realtime(), "stt": STT}, ArgumentError, "leave stt out too"),
        (lambda: {"llm": offline_realtime(), "tts": TTS}, ArgumentError, "two voices"),
        (lambda: {"llm": offline_realtime(speaks=False)}, ArgumentError, "gives text"),
        (lambda: {"llm": offline_realtime(), "vad": False}, ArgumentError, "voice activity"),
        (lambda: {"tts": TTS}, ArgumentTypeError, "missing 'llm'"),
    ],
)
def test_parts_that_make_no_pipeline_are_refused_by_name(parts, error, words):
    agent = VoiceAgent(instructions="x")
    with pytest.raises(error, match=words):
        asyncio.run(agent.Action(**{"vad": True, **parts()}))


@pytest.mark.parametrize(
    ("parts", "error", "words"),
    [
        ({}, ArgumentTypeError, "missing 'omni'"),
        ({"llm": LLM}, ArgumentError, "llm="),
        ({"stt": STT}, ArgumentError, "stt="),
    ],
)
def test_speech_agent_refuses_what_it_has_no_place_for(parts, error, words):
    with pytest.raises(error, match=words):
        asyncio.run(SpeechAgent(instructions="x").Action(vad=True, **parts))


def test_openais_and_geminis_services_tell_their_mode():
    from piopiy_lab.services.realtime import find_mode, is_realtime, speaks

    openai = pytest.importorskip("pipecat.services.openai.realtime.llm")
    from pipecat.services.openai.realtime.events import SessionProperties

    audio = openai.OpenAIRealtimeLLMService(api_key="none")
    text = openai.OpenAIRealtimeLLMService(
        api_key="none",
        session_properties=SessionProperties(output_modalities=["text"]),
    )
    assert is_realtime(audio)
    assert (speaks(audio), speaks(text)) == (True, False)
    assert find_mode(stt=None, llm=audio, tts=None) == "speech"
    assert find_mode(stt=None, llm=text, tts=TTS) == "hybrid"
    with pytest.raises(ArgumentError, match="two voices"):
        find_mode(stt=None, llm=audio, tts=TTS)
