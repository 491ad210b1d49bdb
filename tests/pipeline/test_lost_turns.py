"""A turn that comes to nothing is told: where it was lost, with a remedy, in every view."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
import soundfile
from pipecat.services.openai.llm import OpenAILLMService
from pipecat.turns.user_mute import AlwaysUserMuteStrategy
from silent_services import DeafStreamingSTT, DeafSTT, DumbLLM, SilentTTS

from piopiy_lab import (
    AudioFile,
    Call,
    Caller,
    VoiceAgent,
    calls_tool,
    events,
    offline_realtime,
    offline_stack,
    simulate,
)
from piopiy_lab.cli.live import items_of
from piopiy_lab.display.bundle import html_of
from piopiy_lab.fake_providers import FakeOpenAI
from piopiy_lab.simulation.pytest_report import story
from piopiy_lab.sound import speech
from piopiy_lab.widgets.desk import Desk
from piopiy_lab.widgets.rows import Rows

ORDER = "a table for two tomorrow at seven"
ASKS = Caller().hears_greeting().says(ORDER).hears_reply().hangs_up()


def run(caller=ASKS, *, screenplay=False, greeting="Hello.", **parts):
    """Simulate a call with some parts of the offline stack replaced."""

    async def create_session():
        stt, llm, tts = offline_stack()
        made = {name: make() if callable(make) else make for name, make in parts.items()}
        agent = VoiceAgent(instructions="You take bookings.", greeting=greeting)
        await agent.Action(**{"stt": stt, "llm": llm, "tts": tts, "vad": True, **made})
        await agent.start()

    replace = {"stt": "screenplay"} if screenplay else None
    return asyncio.run(simulate(create_session, caller, record=False, replace=replace))


def cloud(script, caller=ASKS, tools=()):
    """Simulate a call with a fake OpenAI behind pipecat's own service."""

    async def create_session():
        stt, _, tts = offline_stack()
        async with FakeOpenAI(script) as server:
            agent = VoiceAgent(instructions="x", greeting="Hello.", tools=list(tools))
            llm = OpenAILLMService(api_key=server.key, base_url=server.base_url)
            await agent.Action(stt=stt, llm=llm, tts=tts, vad=True)
            await agent.start()

    options = {"record": False, "replace": {"stt": "screenplay"}}
    return asyncio.run(simulate(create_session, caller, **options))


def lost(call):
    return call.events.of(events.TurnLost)


def nothing_lost(call):
    """Whether a call went well and nothing of it is told as lost."""
    return call.error is None and lost(call) == []


def the_one(call, kind):
    """The call's one lost turn, which the failed screenplay names with its remedy."""
    (told,) = lost(call)
    assert type(told) is kind
    assert told.message in str(call.error)
    assert told.remedy in str(call.error)
    return told


# --- the detector ------------------------------------------------------------------------------


def sound(gain=1.0, text=ORDER, secs=None):
    spoken = speech.synthesize(text, speech.CALLER_VOICE, sample_rate=16000)
    samples = (spoken.samples * gain).astype(np.int16)
    return samples[: None if secs is None else round(secs * 16000)], 16000


@pytest.mark.parametrize(
    ("said", "cause", "words"),
    [
        ("no", "short", "start_secs is 0.2"),
        (sound(text="thank you", secs=0.3), "short", "start_secs"),
        (sound(0.03), "quiet", "min_volume is 0.6"),
        ((np.zeros(16000, np.int16), 16000), "quiet", "it is silence"),
    ],
    ids=["no", "a short thank you", "quiet", "silence"],
)
def test_what_the_detector_hears_nothing_of_is_told(said, cause, words):
    call = run(Caller().hears_greeting().says(said).hears_reply().hangs_up())
    told = the_one(call, events.SpeechUnheard)
    assert told.cause == cause
    assert words in told.message
    assert told.text == (said if isinstance(said, str) else None)


def test_the_remedy_for_a_short_answer_is_one():
    caller = Caller().hears_greeting().says("no").hears_reply().hangs_up()
    (told,) = lost(run(caller))
    assert "'start_secs': 0.15" in told.remedy
    assert run(caller, vad={"start_secs": 0.15}).error is None


def test_a_file_that_is_too_quiet_ever_to_be_heard_is_told(tmp_path):
    samples, rate = sound(0.02)
    soundfile.write(tmp_path / "quiet.wav", samples, rate)
    call = run(AudioFile(tmp_path / "quiet.wav"))
    (told,) = lost(call)
    assert isinstance(told, events.SpeechUnheard)
    assert told.cause == "quiet"
    assert "louder" in told.remedy


def test_a_caller_who_speaks_while_muted_is_told():
    caller = Caller().hears_greeting().says(ORDER).interrupts("my name is anna", after=0.4)
    call = run(caller.hears_reply(), mute_strategies=[AlwaysUserMuteStrategy()])
    told = the_one(call, events.SpeechUnheard)
    assert (told.cause, told.text) == ("muted", "my name is anna")


def test_words_that_begin_a_turn_without_the_detector_are_not_lost():
    """A recogniser that listens all the time hears what the detector doesn't."""
    call = run(Caller().hears_greeting().says("no").hears_reply().hangs_up(), screenplay=True)
    assert call.events.of(events.UserSpeechStarted) == []
    assert nothing_lost(call)


# --- the recogniser ----------------------------------------------------------------------------


@pytest.mark.parametrize("text", [None, "", "   "], ids=["nothing", "empty", "spaces"])
def test_a_recogniser_without_words_is_told(text):
    told = the_one(run(stt=lambda: DeafSTT(text)), events.NoWords)
    assert told.source == "DeafSTT"
    assert told.start == pytest.approx(1.6, abs=0.3)
    assert told.end == pytest.approx(3.1, abs=0.3)


def test_without_a_detector_the_scripted_callers_words_are_missed():
    told = the_one(run(stt=DeafStreamingSTT, vad=False), events.NoWords)
    assert (told.start, told.end) == pytest.approx((1.4, 3.1), abs=0.1)


def test_a_step_that_is_short_of_patience_names_it_too():
    caller = Caller().hears_greeting().says(ORDER).hears("two people", within=3)
    assert isinstance(the_one(run(caller, stt=DeafSTT), events.NoWords), events.NoWords)


def test_it_is_told_without_a_step_that_fails():
    """As in a live call, where nobody knows what was said."""
    call = run(Caller().hears_greeting().says(ORDER).waits(8).hangs_up(), stt=DeafSTT)
    assert call.error is None
    assert [type(event) for event in lost(call)] == [events.NoWords]


def test_a_recognisers_own_error_is_enough_and_has_a_remedy():
    call = run(stt=lambda: DeafSTT(error=RuntimeError("the model is gone")))
    assert lost(call) == []
    (error,) = call.events.of(events.ErrorOccurred)
    assert error.source == "DeafSTT"
    assert "the recogniser" in error.remedy
    assert "the model is gone" in str(call.error)
    assert error.remedy in str(call.error)


# --- the LLM -----------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["empty", "blank"])
def test_an_llm_that_says_nothing_is_told(how):
    told = the_one(run(llm=lambda: DumbLLM(how), screenplay=True), events.EmptyAnswer)
    assert told.message == "DumbLLM answered with nothing"


@pytest.mark.parametrize("how", ["hangs", "swallows"])
def test_an_llm_that_does_not_come_back_is_told(how):
    told = the_one(run(llm=lambda: DumbLLM(how), screenplay=True), events.EmptyAnswer)
    assert "has said nothing in 5.0 s" in told.message


def look_up() -> dict:
    """Look it up."""
    return {"found": 1}


def test_an_empty_answer_to_a_tools_result_is_told():
    told = the_one(cloud([calls_tool("look_up"), ""], tools=[look_up]), events.EmptyAnswer)
    assert told.source == "OpenAILLMService"


def test_an_answer_and_a_tool_are_no_empty_answers():
    call = cloud([calls_tool("look_up"), "I have found it."], tools=[look_up])
    assert nothing_lost(call)


def test_an_llm_that_waits_for_the_caller_to_go_on_has_answered():
    caller = Caller().hears_greeting().says(ORDER).waits(8).hangs_up()
    assert nothing_lost(run(caller, llm=lambda: DumbLLM("waits"), screenplay=True))


def test_a_failed_step_names_the_providers_error():
    llm = OpenAILLMService(api_key="none", base_url="http://127.0.0.1:9/v1")
    call = run(llm=llm, screenplay=True)
    (error,) = call.events.of(events.ErrorOccurred)
    assert "Connection error" in str(call.error)
    assert error.remedy in str(call.error)
    assert lost(call) == []


# --- the voice ---------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["no frames", "no audio", "no samples", "silence"])
def test_a_voice_that_gives_no_sound_is_told(how):
    call = run(tts=lambda: SilentTTS(how))
    (told,) = lost(call)
    assert isinstance(told, events.NoSound)
    assert told.text == "Hello."
    assert told.message in str(call.error)
    assert told.at < 5


def test_text_that_has_no_sound_is_told():
    told = the_one(cloud(["..."]), events.NoSound)
    assert told.text == "..."


def test_what_is_for_reading_needs_no_sound():
    caller = Caller().hears_greeting().says(ORDER).waits(12).hangs_up()
    assert nothing_lost(run(caller, llm=lambda: DumbLLM("writes"), screenplay=True))


# --- no false alarms ---------------------------------------------------------------------------


def test_a_noise_over_the_agent_that_takes_no_turn_is_no_lost_turn():
    from piopiy_lab import MinWordsInterruptionStrategy

    rumble = speech.synthesize("mm", speech.CALLER_VOICE, sample_rate=16000).samples
    caller = Caller().interrupts((np.tile(rumble, 3), 16000), after=1.0).waits(10).hangs_up()
    strategy = MinWordsInterruptionStrategy(min_words=3)
    greeting = "Welcome to the booking desk of the little restaurant. " * 3
    call = run(caller, stt=DeafSTT, interruption_strategy=strategy, greeting=greeting)
    assert call.events.of(events.UserSpeechStarted)
    assert nothing_lost(call)


def test_hanging_up_at_once_is_no_lost_turn():
    for part in ({"stt": DeafSTT}, {"llm": lambda: DumbLLM("hangs"), "screenplay": True}):
        assert nothing_lost(run(Caller().hears_greeting().says("goodbye").hangs_up(), **part))


def test_a_realtime_model_that_answers_has_lost_nothing():
    async def create_session():
        agent = VoiceAgent(instructions="x", greeting="Welcome.")
        await agent.Action(llm=offline_realtime(), vad=True)
        await agent.start()

    call = asyncio.run(simulate(create_session, ASKS, record=False))
    assert nothing_lost(call)


# --- the views ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def deaf():
    return run(stt=DeafSTT)


def test_every_view_names_it(deaf):
    (told,) = lost(deaf)
    assert f"{told.message} ({told.remedy})" in str(deaf)
    assert told.message in html_of(deaf, str(deaf))
    assert told.message in story(deaf)
    assert [item.who for item in items_of(deaf) if told.message in item.text] == ["error"]
    rows, desk = Rows(), Desk()
    for event in deaf.events:
        rows.add(event)
        desk.add(event)
    assert [row["remedy"] for _, row in rows.update() if row["text"] == told.message] == [
        told.remedy
    ]
    assert desk.record()["error"] == {"text": told.message, "remedy": told.remedy}
    figure = deaf.plot()
    texts = [text.get_text() for axes in figure.axes for text in axes.texts]
    assert any("gave no words" in text for text in texts)


def test_it_is_saved_and_loaded(deaf, tmp_path):
    deaf.save(tmp_path / "call")
    assert lost(Call.load(tmp_path / "call")) == lost(deaf)
