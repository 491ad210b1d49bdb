"""An answer that is spoken at a likely end of the turn, and held behind the voice until it is."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest
from pipecat.audio.turn.smart_turn.base_smart_turn import BaseSmartTurn, SmartTurnParams
from pipecat.frames.frames import (
    LLMFullResponseStartFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
)
from pipecat.observers.base_observer import FramePushed
from pipecat.processors.frame_processor import FrameDirection

from piopiy_lab import Caller, VoiceAgent, events, offline_stack, pause, simulate
from piopiy_lab.pipeline.ahead_sound import TellLater, VoiceDoor
from piopiy_lab.pipeline.seams import MarkingGate
from piopiy_lab.pipeline.service_switcher import ServiceSwitcher, ServiceSwitcherStrategyManual
from piopiy_lab.session.commands import Say
from piopiy_lab.session.session import current_session
from piopiy_lab.simulation.screenplay_stt import ScreenplaySTTService
from piopiy_lab.transports.telecmi import TelecmiParams

QUICK = {"turn": 0.06, "llm": 0.1, "tts": 0.1}
LINE = "my name is anna"
ANSWER = "Thank you Anna. For how many people?"
NAME = Caller().hears_greeting().says(LINE).hears_reply().hangs_up()
#: The voice has spoken when the caller goes on.
IN_TWO = Caller().hears_greeting().says("my name is", pause(0.6), "anna").hears_reply().hangs_up()


class Says(BaseSmartTurn):
    """A turn model for which everything is complete."""

    def __init__(self):
        super().__init__(params=SmartTurnParams(stop_secs=1.5))

    def _predict_endpoint(self, audio_array):
        return {"prediction": 1, "probability": 0.9}


def run(caller, *, speculate: Any = "sound", stop_secs=0.8, latency=QUICK, during=None, **action):
    async def create_session():
        agent = VoiceAgent(instructions="x", greeting="Welcome.")
        stt, llm, tts = offline_stack()
        given = {"llm": llm, "tts": tts, **action}
        await agent.Action(
            stt=stt,
            vad={"stop_secs": stop_secs},
            speculate=speculate,
            telecmi_params=TelecmiParams(turn_analyzer=Says()),
            **given,
        )
        beside = [] if during is None else [asyncio.create_task(during())]
        await agent.start()
        await asyncio.gather(*beside)

    stt = {"stt": lambda: ScreenplaySTTService(interim_secs=0.05)}
    call = asyncio.run(simulate(create_session, caller, latency=latency, replace=stt))
    return call.raise_for_error()


def outcomes(call):
    return [event.outcome for event in call.events.of(events.SpeculationSettled)]


def words(call):
    """What the agent said last, each word with the seconds since its sound began."""
    began = call.events.of(events.AgentSpeechStarted)[-1].at
    spoken = call.events.of(events.WordSpoken)
    return [(word.text, round(word.at - began, 6)) for word in spoken if word.at >= began]


def heard_after(call, secs):
    """The loudest sample of the agent's from a second on, and when its sound begins."""
    rate = call.recording.sample_rate
    agent = np.abs(np.asarray(call.recording)[round(secs * rate) :, 1].astype(int))
    return secs + int(np.flatnonzero(agent > 100)[0]) / rate


def test_the_voice_works_while_the_detector_waits():
    ahead, llm, usual = run(NAME), run(NAME, speculate="llm"), run(NAME, speculate=None)
    (one,), (two,), (three,) = ahead.turns, llm.turns, usual.turns
    assert two.total - one.total == pytest.approx(0.1, abs=0.001), "the voice's 0.1 s"
    assert three.total - one.total >= 0.199, "and the LLM's"
    assert sum(one.parts.values()) == pytest.approx(one.total, abs=1e-3)
    assert outcomes(ahead) == ["confirmed"]
    assert words(ahead) == words(usual)
    assert ahead.transcript[-1].text == usual.transcript[-1].text == ANSWER


def test_nothing_is_heard_told_or_written_before_the_turn_is_over():
    call = run(NAME)
    (stopped,) = (e.at for e in call.events.of(events.UserTurnStopped))
    (begun,) = (e.at for e in call.events.of(events.AnswerSpeculated))
    assert begun < stopped - 0.3
    told = call.events.of(events.LLMTextGenerated, events.AudioSynthesized, events.WordSpoken)
    assert min(event.at for event in told if event.at > begun) >= stopped
    assert heard_after(call, begun) >= stopped


def test_of_an_answer_that_is_withdrawn_nothing_is_left():
    call = run(IN_TWO)
    assert outcomes(call) == ["spoke_on", "confirmed"]
    (stopped,) = (e.at for e in call.events.of(events.UserTurnStopped))
    begun = call.events.of(events.AnswerSpeculated)[0].at
    assert heard_after(call, begun) >= stopped
    assert len(call.events.of(events.LLMResponseStarted)) == 1
    assert len([e for e in call.events.of(events.AudioSynthesized) if e.at > begun]) == 1
    assert [e.text for e in call.transcript] == ["Welcome.", LINE, ANSWER]
    assert [messages[-1]["content"] for messages in call.context] == [LINE]
    spoken = "".join(e.text for e in call.events.of(events.LLMTextGenerated))
    assert spoken == ANSWER
    assert words(call) == words(run(IN_TWO, speculate=None))
    assert not call.events.of(events.TurnLost)


def test_the_voice_did_speak_what_was_withdrawn():
    def characters(call):
        reported = call.events.of(events.MetricsReported)
        return sum(e.value for e in reported if e.name == "characters")

    assert characters(run(IN_TWO)) > characters(run(IN_TWO, speculate="llm"))


def test_what_the_agent_is_told_to_say_meanwhile_is_said_at_once():
    async def during():
        session = current_session()
        assert session is not None
        made = asyncio.Event()

        def note(event):
            if isinstance(event, events.MetricsReported) and event.name == "characters":
                made.set()

        await asyncio.sleep(1.0)  # the greeting
        leave = session.log.subscribe(note)
        await made.wait()
        leave()
        agent = session.latest_agent
        assert agent is not None
        await agent.prepare(Say("one moment"))()

    call = run(IN_TWO, during=during)
    assert outcomes(call)[0] == "superseded"
    (asked,) = [e for e in call.events.of(events.SpeechRequested) if e.text == "one moment"]
    began = [e.at for e in call.events.of(events.AgentSpeechStarted)]
    assert any(at == pytest.approx(asked.at + 0.1, abs=0.03) for at in began)
    spoken = " ".join(entry.text for entry in call.transcript if entry.role == "assistant")
    assert spoken.startswith("Welcome. one moment")
    assert len(call.events.of(events.LLMResponseStarted)) == 1


def test_a_tool_waits_until_the_turn_is_over():
    book = Caller().hears_greeting().says("a table for two tomorrow at seven").hears_reply()
    book = book.says(LINE).hears_reply().says("yes please").hears_reply().hangs_up()
    call = run(book)
    assert outcomes(call) == ["confirmed", "confirmed", "tool"]
    (tool,) = call.events.of(events.ToolCalled)
    assert tool.at >= call.events.of(events.UserTurnStopped)[-1].at
    assert len(call.turns) == 3


def test_of_an_answer_that_is_cut_off_the_context_has_what_was_heard():
    caller = Caller().hears_greeting().says(LINE).interrupts("wait", after=0.5)
    caller = caller.waits(1.5).hangs_up()
    ahead, usual = run(caller), run(caller, speculate=None)
    cut = [call.events.of(events.AgentTurnAdded)[1].text for call in (ahead, usual)]
    assert cut[0] == cut[1]
    assert cut[0] != ANSWER


def test_voices_that_are_switched_are_held_too():
    voices: list[Any] = [offline_stack()[2] for _ in range(2)]
    switcher = ServiceSwitcher(services=voices, strategy_type=ServiceSwitcherStrategyManual)
    call = run(IN_TWO, tts=None, tts_switcher=switcher)
    assert outcomes(call) == ["spoke_on", "confirmed"]
    assert call.transcript[-1].text == ANSWER
    assert heard_after(call, 1.0) > call.events.of(events.UserTurnStopped)[0].at


def test_an_answer_that_begins_when_its_turn_is_just_over_is_told_at_once():
    later, source = TellLater(), VoiceDoor()

    def pushed(frame, timestamp):
        down = FrameDirection.DOWNSTREAM
        return FramePushed(source, source, frame, down, timestamp)

    begun = LLMFullResponseStartFrame()
    gate = MarkingGate()
    gate.begin_speculation(True)
    gate.process(begun, FrameDirection.DOWNSTREAM)
    assert later.let_go(pushed(UserStartedSpeakingFrame(), 1)) == []
    assert later.keeps(pushed(begun, 2))
    (told,) = later.let_go(pushed(UserStoppedSpeakingFrame(), 3))
    assert (told.frame, told.timestamp) == (begun, 3)
    assert not later.keeps(pushed(begun, 4)), "the turn is over"
    assert later.let_go(pushed(UserStoppedSpeakingFrame(), 5)) == []
