"""An answer that is begun at a likely end of the turn, and held until it is over."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import pytest
from pipecat.audio.turn.smart_turn.base_smart_turn import BaseSmartTurn, SmartTurnParams
from pipecat.frames.frames import LLMMessagesAppendFrame
from pipecat.turns.user_start import VADUserTurnStartStrategy
from pipecat.turns.user_turn_strategies import UserTurnStrategies

from piopiy_lab import Caller, VoiceAgent, events, offline_realtime, offline_stack, pause, simulate
from piopiy_lab.call.latency import PARTS
from piopiy_lab.errors import ArgumentError
from piopiy_lab.listening import early_looks
from piopiy_lab.listening.ahead import Ahead
from piopiy_lab.session.commands import Say, UserSays
from piopiy_lab.session.session import current_session
from piopiy_lab.simulation.screenplay_stt import ScreenplaySTTService
from piopiy_lab.transports.telecmi import TelecmiParams

SLOW = {"turn": 0.06, "llm": 0.35, "tts": 0.2}


@pytest.fixture(autouse=True)
def anchored(monkeypatch):
    monkeypatch.setattr(early_looks, "ANCHORED", True)


class Says(BaseSmartTurn):
    """A turn model that says what it is told to, one look after the other."""

    def __init__(self, *verdicts):
        super().__init__(params=SmartTurnParams(stop_secs=1.5))
        self.verdicts = list(verdicts)

    def _predict_endpoint(self, audio_array):
        probability = self.verdicts.pop(0) if len(self.verdicts) > 1 else self.verdicts[0]
        return {"prediction": int(probability > 0.5), "probability": probability}


def run(caller, *, speculate: Any = "llm", lag: float | None = 0.2, model=None, during=None, **own):
    async def create_session():
        agent = VoiceAgent(instructions="x", greeting="Welcome.")
        stt, llm, tts = offline_stack()
        await agent.Action(
            stt=stt,
            llm=llm,
            tts=tts,
            vad={"stop_secs": own.get("stop_secs", 0.5)},
            speculate=speculate,
            allow_interruptions=own.get("allow_interruptions", True),
            telecmi_params=TelecmiParams(turn_analyzer=model or Says(0.9)),
        )
        beside = [] if during is None else [asyncio.create_task(during())]
        await agent.start()
        await asyncio.gather(*beside)

    stt = {"stt": lambda: ScreenplaySTTService(interim_secs=lag)}
    latency = own.get("latency", SLOW)
    call = asyncio.run(simulate(create_session, caller, latency=latency, replace=stt))
    return call.raise_for_error()


def outcomes(call):
    return [event.outcome for event in call.events.of(events.SpeculationSettled)]


def asked(call):
    return [event.text for event in call.events.of(events.AnswerSpeculated)]


def said(call):
    return [entry.text for entry in call.transcript if entry.role == "user"]


NAME = Caller().hears_greeting().says("my name is anna").hears_reply().hangs_up()


@pytest.mark.parametrize(("lag", "gain"), [(0.05, 0.19), (0.2, 0.19), (0.3, 0.09)])
def test_the_llm_works_while_the_detector_waits(lag, gain):
    (ahead,) = run(NAME, lag=lag).turns
    (usual,) = run(NAME, speculate=None).turns
    assert usual.total - ahead.total >= gain
    assert list(ahead.parts) == list(PARTS)
    assert sum(ahead.parts.values()) == pytest.approx(ahead.total, abs=1e-3)


@pytest.mark.parametrize("lag", [0.05, 0.2])
def test_no_request_is_wasted_on_the_last_word(lag):
    call = run(NAME, lag=lag)
    assert asked(call) == said(call) == ["my name is anna"]
    assert outcomes(call) == ["confirmed"]
    assert len(call.events.of(events.ContextSent)) == 1
    assert not call.events.of(events.TurnLost)


def test_nothing_is_heard_or_written_before_the_turn_is_over():
    call = run(NAME, latency={"llm": 0.0})
    (stopped,) = (e.at for e in call.events.of(events.UserTurnStopped))
    (begun,) = (e.at for e in call.events.of(events.AnswerSpeculated))
    assert begun < stopped - 0.1
    heard = [e.at for e in call.events.of(events.LLMTextGenerated, events.AudioSynthesized)]
    assert min(at for at in heard if at > begun) >= stopped
    assert [e.at for e in call.events.of(events.UserTurnAdded)] == [stopped]


def test_a_caller_who_goes_on_is_not_answered_and_the_llm_is_asked_anew():
    caller = Caller().hears_greeting().says("my name is", pause(0.42), "anna").hears_reply()
    call = run(caller.hangs_up(), lag=0.05)
    assert asked(call) == ["my name is", "my name is anna"]
    assert outcomes(call) == ["spoke_on", "confirmed"]
    assert said(call) == ["my name is anna"]
    assert len(call.events.of(events.UserTurnStopped)) == len(call.turns) == 1
    assert [m[-1]["content"] for m in call.context] == ["my name is anna"]
    sent = call.events.of(events.ContextSent)
    assert [e.speculative for e in sent] == [True, True]
    assert not call.events.of(events.TurnLost)


def test_words_that_come_later_are_answered():
    call = run(NAME, lag=0.42)  # the last word is told when the answer is begun
    assert asked(call) == ["my name is"]
    assert outcomes(call) == ["other_words"]
    assert said(call) == [messages[-1]["content"] for messages in call.context]
    assert said(call) == ["my name is anna"]
    assert len(call.turns) == 1


def test_a_tool_waits_until_the_turn_is_over():
    book = Caller().hears_greeting().says("a table for two tomorrow at seven").hears_reply()
    book = book.says("my name is anna").hears_reply().says("yes please").hears_reply().hangs_up()
    call = run(book, lag=0.05, latency={"llm": 0.0, "tts": 0.2})
    assert outcomes(call) == ["confirmed", "confirmed", "tool"]
    (tool,) = call.events.of(events.ToolCalled)
    assert tool.at >= call.events.of(events.UserTurnStopped)[-1].at
    assert call.tool_calls[0].result["status"] == "booked"
    assert len(call.turns) == 3


def test_a_typed_turn_in_between_is_answered_and_so_is_the_spoken_one():
    async def during():
        session = current_session()
        assert session is not None
        await asyncio.sleep(2.6)  # the answer to the spoken words has been begun
        agent = session.latest_agent
        assert agent is not None
        assert any(isinstance(e, events.AnswerSpeculated) for e in session.log.since(0)[0])
        await agent.prepare(UserSays("a table for two"))()

    call = run(NAME, lag=0.05, during=during)
    assert outcomes(call)[0] == "superseded"
    assert sorted(said(call)) == ["a table for two", "my name is anna"]
    assert call.transcript[-1].role == "assistant"


IN_TWO = Caller().hears_greeting().says("my name is", pause(0.42), "anna")


async def begun():
    """Return the agent's run when an answer has been begun."""
    session = current_session()
    assert session is not None
    found = asyncio.Event()

    def note(event):
        if isinstance(event, events.AnswerSpeculated):
            found.set()

    leave = session.log.subscribe(note)
    await found.wait()
    leave()
    agent: Any = session.latest_agent
    return agent


@pytest.mark.parametrize("caller", [NAME, IN_TWO.hears_reply().hangs_up()])
def test_what_the_agent_is_told_to_say_meanwhile_is_said_at_once(caller):
    async def during():
        await (await begun()).prepare(Say("one moment"))()

    call = run(caller, lag=0.05, during=during)
    assert outcomes(call)[0] == "superseded"
    (asked_for,) = [e for e in call.events.of(events.SpeechRequested) if e.text == "one moment"]
    began = [e.at for e in call.events.of(events.AgentSpeechStarted)]
    assert any(at == pytest.approx(asked_for.at + 0.2, abs=0.03) for at in began)
    spoken = " ".join(entry.text for entry in call.transcript if entry.role == "assistant")
    assert spoken.startswith("Welcome. one moment ")
    assert len(call.events.of(events.LLMResponseStarted)) == 1
    assert said(call) == ["my name is anna"]


def test_what_is_added_to_the_conversation_meanwhile_is_known_to_the_answer():
    closed: Any = {"role": "system", "content": "the kitchen is closed"}

    async def during():
        user = (await begun()).context_aggregators.user()
        await user.queue_frame(LLMMessagesAppendFrame(messages=[closed], run_llm=False))

    call = run(NAME, lag=0.05, during=during)
    assert outcomes(call) == ["superseded"]
    (messages,) = call.context
    assert closed in messages


def test_nothing_is_begun_behind_an_answer_that_can_not_be_stopped():
    caller = Caller().hears_greeting().says("a table for two").waits(0.6)
    caller = caller.says("my name is", pause(0.3), "anna").waits(9).hangs_up()
    slow = {"turn": 0.06, "llm": 2.0, "tts": 0.2}
    call = run(caller, lag=0.05, latency=slow, allow_interruptions=False)
    assert said(call) == ["a table for two", "my name is anna"]
    assert asked(call) == ["a table for two"]
    assert len(call.events.of(events.LLMResponseStarted)) == 2


def test_a_call_that_ends_meanwhile_settles_what_was_begun():
    call = run(Caller().hears_greeting().says("my name is anna").waits(0.35).hangs_up(), lag=0.05)
    assert asked(call) == ["my name is anna"]
    assert outcomes(call) == ["ended"]


def test_a_recogniser_without_interims_is_asked_for_when_its_words_are_there():
    call = run(NAME, lag=None)
    assert outcomes(call) in ([], ["confirmed"])
    assert len(call.events.of(events.ContextSent)) == 1
    assert len(call.turns) == 1


def test_a_turn_that_sounds_incomplete_is_not_answered_ahead():
    call = run(NAME, model=Says(0.2))
    assert asked(call) == []
    assert len(call.turns) == 1


def test_off_nothing_is_asked_ahead():
    call = run(NAME, speculate=None)
    assert asked(call) == []
    assert "speculative" not in call.events.of(events.ContextSent)[0].told()


# --- where it can't be ----------------------------------------------------------------------------


def refused(**action):
    async def create_session():
        agent = VoiceAgent(instructions="x")
        stt, llm, tts = offline_stack()
        given = {"stt": stt, "llm": llm, "tts": tts, "vad": True, "speculate": "llm", **action}
        await agent.Action(**given)

    with pytest.raises(ArgumentError) as caught:
        asyncio.run(create_session())
    return str(caught.value)


def test_what_can_not_be_is_said():
    assert "give 'llm' or 'sound'" in refused(speculate="audio")
    assert "give 'llm' or 'sound'" in refused(speculate=True)
    assert "give vad=True" in refused(vad=False, stt=ScreenplaySTTService())
    strategies = UserTurnStrategies(start=[VADUserTurnStartStrategy()])
    assert "your strategies say when" in refused(turn_strategies=strategies)
    assert "realtime" in refused(stt=None, tts=None, llm=offline_realtime())


# --- the rule -------------------------------------------------------------------------------------


def test_words_must_have_stood_at_a_likely_end():
    ahead = Ahead()
    assert ahead.due_at(1.0) == math.inf
    ahead.hear("my name", 0.9, final=False)
    assert ahead.due_at(1.0) == pytest.approx(1.1)
    ahead.hear("My name.", 1.05, final=False)  # the same words
    assert ahead.due_at(1.0) == pytest.approx(1.1)
    ahead.hear("my name is", 1.08, final=False)
    assert ahead.due_at(1.0) == pytest.approx(1.18)


def test_the_same_words_are_asked_once():
    ahead = Ahead()
    ahead.hear("yes", 0.0, final=False)
    assert ahead.begin(0.0) == "yes"
    assert ahead.due_at(0.0) == math.inf
    assert ahead.throw_away() == "yes"
    assert ahead.throw_away() is None
    assert ahead.due_at(0.0) == math.inf
    ahead.hear("yes please", 1.0, final=True)
    assert ahead.due_at(0.0) == pytest.approx(1.1)


def test_a_late_recogniser_wastes_one_request_and_is_waited_for_then():
    caller = Caller().hears_greeting().says("my name is anna").hears_reply()
    caller = caller.says("thank you very much").hears_reply().says("make it six").hears_reply()
    call = run(caller.hangs_up(), lag=0.3)
    assert outcomes(call) == ["other_words", "confirmed", "confirmed", "confirmed"]
    assert said(call) == asked(call)[1:]


def test_an_answer_counts_for_all_that_was_said_or_not_at_all():
    ahead = Ahead()
    ahead.hear("a table", 0.0, final=True)
    ahead.hear("for two", 0.5, final=False)
    assert ahead.begin(0.0) == "a table for two"
    ahead.hear("For two.", 0.9, final=True)
    assert not ahead.outdated
    assert ahead.confirm() == "a table for two"
    assert ahead.confirm() is None
    ahead.begin_turn()
    ahead.hear("yes", 1.0, final=False)
    ahead.begin(0.0)
    ahead.hear("yes but not today", 1.2, final=True)
    assert ahead.outdated
    assert ahead.confirm() is None
