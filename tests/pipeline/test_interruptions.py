"""Who may interrupt whom, when the caller is not heard, and how long silence may last."""

from __future__ import annotations

import asyncio

import pytest
from pipecat.audio.vad.silero import SileroVADAnalyzer
from pipecat.audio.vad.vad_analyzer import VADParams
from pipecat.turns.user_mute import AlwaysUserMuteStrategy
from pipecat.turns.user_start import MinWordsUserTurnStartStrategy, VADUserTurnStartStrategy
from pipecat.turns.user_stop import SpeechTimeoutUserTurnStopStrategy
from pipecat.turns.user_turn_strategies import ExternalUserTurnStrategies, UserTurnStrategies

from piopiy_lab import (
    Caller,
    MinWordsInterruptionStrategy,
    VoiceAgent,
    events,
    offline_realtime,
    offline_stack,
    simulate,
)
from piopiy_lab.errors import ArgumentError, ArgumentTypeError
from piopiy_lab.session.commands import UserSays
from piopiy_lab.session.session import current_session

ORDER = "a table for two tomorrow at seven"
BARGE_IN = Caller().hears_greeting().says(ORDER).interrupts("my name is anna", after=0.6)


def session(**action):
    async def create_session():
        agent = VoiceAgent(instructions="x", greeting="Welcome.")
        stt, llm, tts = offline_stack()
        made = {name: make() if callable(make) else make for name, make in action.items()}
        await agent.Action(**{"stt": stt, "llm": llm, "tts": tts, "vad": True, **made})
        await agent.start()

    return create_session


def run(create_session, caller=BARGE_IN, *, ignored=False, **options):
    """Run a call; what is ``ignored`` has no reply, so the caller hears the agent out."""
    caller = caller.hears("is it under").waits(2) if ignored else caller.hears_reply()
    call = asyncio.run(simulate(create_session, caller.hangs_up(), **options))
    return call.raise_for_error()


STRATEGIES = {
    "ours": lambda words: MinWordsInterruptionStrategy(min_words=words),
    "pipecat's": lambda words: MinWordsUserTurnStartStrategy(min_words=words),
}


@pytest.mark.parametrize("kind", STRATEGIES)
def test_enough_words_interrupt_and_too_few_do_not(kind):
    few = run(session(interruption_strategy=lambda: STRATEGIES[kind](6)), ignored=True)
    enough = run(session(interruption_strategy=lambda: STRATEGIES[kind](3)))
    assert few.events.of(events.AgentInterrupted) == []
    assert not any(entry.interrupted for entry in few.transcript)
    assert [e.cause for e in enough.events.of(events.AgentInterrupted)] == ["user"]
    assert enough.transcript[2].interrupted
    heard = [entry.text for entry in enough.transcript if entry.role == "user"]
    assert heard == [ORDER, "my name is anna"]


def test_while_the_agent_is_silent_one_word_is_enough():
    caller = Caller().hears_greeting().says(ORDER).hears_reply().says("my name is anna")
    call = run(session(interruption_strategy=MinWordsInterruptionStrategy(min_words=9)), caller)
    assert [e.text for e in call.transcript if e.role == "user"] == [ORDER, "my name is anna"]
    assert "Anna" in call.transcript[-1].text


def test_turn_strategies_stand_as_they_are():
    def strategies():
        return UserTurnStrategies(
            start=[VADUserTurnStartStrategy(enable_interruptions=False)],
            stop=[SpeechTimeoutUserTurnStopStrategy(user_speech_timeout=1.5)],
        )

    call = run(session(turn_strategies=strategies), Caller().hears_greeting().says(ORDER))
    assert call.events.of(events.TurnPredicted) == [], "no Smart Turn"
    stopped = call.events.of(events.UserSpeechStopped)[0].at
    assert call.events.of(events.UserTurnStopped)[0].at - stopped == pytest.approx(1.3, abs=0.25)


def test_a_muted_caller_is_not_heard_while_the_agent_speaks():
    caller = Caller().hears_greeting().says(ORDER).interrupts("my name is anna", after=0.4)
    call = run(session(mute_strategies=[AlwaysUserMuteStrategy()]), caller, ignored=True)
    assert call.events.of(events.AgentInterrupted) == []
    assert [e.text for e in call.transcript if e.role == "user"] == [ORDER]
    muted = [e.muted for e in call.events.of(events.UserMuted)]
    assert muted[:2] == [True, False]


def test_without_interruptions_a_realtime_models_answer_is_heard_to_its_end():
    async def create_session():
        agent = VoiceAgent(instructions="x", greeting="Welcome.")
        await agent.Action(llm=offline_realtime(), vad=True, allow_interruptions=False)
        await agent.start()

    call = run(create_session)
    assert call.events.of(events.AgentInterrupted) == []
    assert "What name is it under?" in call.transcript[2].text


def test_a_service_that_ends_turns_itself_is_let():
    from piopiy_lab.listening.turn_taking import make_strategies

    own = ExternalUserTurnStrategies()
    assert make_strategies(vad=True, allow_interruptions=True, recommended=own) is None
    without = make_strategies(vad=True, allow_interruptions=False, recommended=own)
    assert isinstance(without, ExternalUserTurnStrategies)
    assert not without.enable_interruptions


LONG = " ".join(["a table for two tomorrow at seven and another one for you"] * 4)


def test_a_caller_who_keeps_talking_is_not_idle():
    async def create_session():
        agent = VoiceAgent(instructions="x", greeting="Welcome.", idle_timeout_secs=3)
        stt, llm, tts = offline_stack()
        await agent.Action(stt=stt, llm=llm, tts=tts, vad=True)
        await agent.start()

    call = run(create_session, Caller().hears_greeting().says(LONG), replace={"stt": "screenplay"})
    spoke = call.events.of(events.CallerSpoke)[0]
    assert spoke.end - spoke.at > 6, "long enough to be cut off"
    assert call.end_reason == "caller_hung_up"


def test_silence_ends_the_call_with_its_own_reason():
    async def create_session():
        agent = VoiceAgent(instructions="x", greeting="Welcome.", idle_timeout_secs=3)
        stt, llm, tts = offline_stack()
        await agent.Action(stt=stt, llm=llm, tts=tts, vad=True)
        await agent.start()

    call = asyncio.run(simulate(create_session, Caller().hears_greeting().waits(30)))
    assert call.end_reason == "idle_timeout"
    spoken = call.events.of(events.AgentSpeechStopped)[-1].at
    assert call.duration - spoken == pytest.approx(3, abs=0.2)


def test_an_agent_is_started_again_for_another_call():
    agent = VoiceAgent(instructions="x", greeting="Welcome.")

    async def create_session():
        stt, llm, tts = offline_stack()
        await agent.Action(stt=stt, llm=llm, tts=tts, vad=True)
        await agent.start()

    caller = Caller().hears_greeting().says(ORDER)
    first, second = run(create_session, caller), run(create_session, caller)
    assert [e.text for e in first.transcript] == [e.text for e in second.transcript]
    assert len(second.transcript) == 3


def test_a_detector_in_the_room_parameters_is_honoured():
    class Params:
        audio_in_sample_rate = None
        audio_out_sample_rate = None
        vad_analyzer = SileroVADAnalyzer(params=VADParams(stop_secs=0.6))

    call = run(
        session(vad=None, telecmi_params=lambda: Params()), Caller().hears_greeting().says(ORDER)
    )
    started = call.events.of(events.PipelineStarted)[0]
    assert started.vad == "SileroVADAnalyzer"
    assert started.vad_params["stop_secs"] == 0.6
    assert call.events.of(events.UserSpeechStopped)[0].stop_secs == 0.6


def test_a_turn_analyzer_in_the_room_parameters_is_honoured():
    from pipecat.audio.turn.smart_turn.local_smart_turn_v3 import LocalSmartTurnAnalyzerV3

    class Eager(LocalSmartTurnAnalyzerV3):
        asked = 0

        async def analyze_end_of_turn(self):
            self.asked += 1
            return await super().analyze_end_of_turn()

    class Params:
        audio_in_sample_rate = audio_out_sample_rate = vad_analyzer = None
        turn_analyzer = Eager()

    params = Params()
    run(session(telecmi_params=lambda: params), Caller().hears_greeting().says(ORDER))
    assert params.turn_analyzer.asked == 1


MIN3 = MinWordsInterruptionStrategy(min_words=3)


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({"interruption_strategy": 3}, ArgumentTypeError, "interruption_strategy=3"),
        ({"interruption_strategy": "min words"}, ArgumentTypeError, "MinWordsInterruption"),
        (
            {"interruption_strategy": MIN3, "turn_strategies": UserTurnStrategies()},
            ArgumentError,
            "both say when",
        ),
        (
            {"interruption_strategy": MIN3, "allow_interruptions": False},
            ArgumentError,
            "nothing may interrupt",
        ),
        ({"allow_interruptions": "no"}, ArgumentTypeError, "allow_interruptions='no'"),
        ({"turn_strategies": []}, ArgumentTypeError, "UserTurnStrategies"),
        ({"mute_strategies": AlwaysUserMuteStrategy()}, ArgumentTypeError, "give a list"),
        ({"mute_strategies": ["always"]}, ArgumentTypeError, "'always'"),
        ({"mute_strategies": "always"}, ArgumentTypeError, "give a list"),
    ],
)
def test_what_cant_be_is_refused_at_action(given, error, words):
    stt, llm, tts = offline_stack()
    with pytest.raises(error, match=words):
        asyncio.run(
            VoiceAgent(instructions="x").Action(stt=stt, llm=llm, tts=tts, vad=True, **given)
        )


@pytest.mark.parametrize(
    ("words", "error"), [(0, ArgumentError), (-1, ArgumentError), ("3", ArgumentTypeError),
                         (True, ArgumentTypeError), (2.5, ArgumentTypeError)],
)  # fmt: skip
def test_min_words_wants_a_number_of_words(words, error):
    with pytest.raises(error, match="min_words="):
        MinWordsInterruptionStrategy(min_words=words)


@pytest.mark.parametrize("kind", STRATEGIES)
def test_words_cant_interrupt_a_realtime_model(kind):
    with pytest.raises(ArgumentError, match="come too late"):
        asyncio.run(
            VoiceAgent(instructions="x").Action(
                llm=offline_realtime(), vad=True, interruption_strategy=STRATEGIES[kind](3)
            )
        )


def test_a_typed_turn_interrupts_no_answer_of_its_own():
    """The interruption that goes ahead of it reaches the voice when the answer has begun."""

    async def create_session():
        agent = VoiceAgent(instructions="x", greeting="Welcome.")
        stt, llm, tts = offline_stack()
        await agent.Action(stt=stt, llm=llm, tts=tts, vad=True)
        typing = asyncio.create_task(types())
        await agent.start()
        await typing

    async def types():
        session = current_session()
        await asyncio.sleep(4)
        await session.agents[-1].prepare(UserSays(ORDER))()

    call = asyncio.run(simulate(create_session, Caller().waits(10).hangs_up()))
    call.raise_for_error()
    assert call.events.of(events.AgentInterrupted) == []
    assert [(entry.role, entry.interrupted) for entry in call.transcript] == [
        *(("assistant", False), ("user", False), ("assistant", False))
    ]
