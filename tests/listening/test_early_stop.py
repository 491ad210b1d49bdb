"""The turn model looks before the detector is sure of the silence."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest
from pipecat.audio.turn.base_turn_analyzer import BaseTurnAnalyzer, EndOfTurnState
from pipecat.audio.turn.smart_turn.base_smart_turn import BaseSmartTurn, SmartTurnParams
from pipecat.audio.vad.silero import SileroVADAnalyzer
from pipecat.audio.vad.vad_analyzer import VADParams, VADState
from pipecat.turns.user_start import VADUserTurnStartStrategy
from pipecat.turns.user_stop import TurnAnalyzerUserTurnStopStrategy
from pipecat.turns.user_turn_strategies import UserTurnStrategies

from piopiy_lab import (
    Call,
    Caller,
    MinWordsInterruptionStrategy,
    VoiceAgent,
    events,
    offline_realtime,
    offline_stack,
    pause,
    simulate,
)
from piopiy_lab.call.latency import PARTS
from piopiy_lab.events.reading import from_json
from piopiy_lab.listening import early_looks, turn_taking
from piopiy_lab.listening.early_stop import EarlyStop
from piopiy_lab.session.commands import Tune
from piopiy_lab.session.session import current_session
from piopiy_lab.transports.telecmi import TelecmiParams

ORDER = "a table for two tomorrow at seven"
ONCE = Caller().hears_greeting().says(ORDER).hears_reply().hangs_up()
IN_TWO = (
    Caller().hears_greeting().says("a table for two", pause(0.15), "tomorrow at seven")
).hears_reply()
WORDS = {"stt": "screenplay"}


@pytest.fixture(autouse=True)
def early(monkeypatch):
    monkeypatch.setattr(turn_taking, "EARLY_LOOKS_BY_DEFAULT", True)
    monkeypatch.setattr(early_looks, "ANCHORED", True)


class Says(BaseSmartTurn):
    """A turn model that says what it is told to, one look after the other."""

    def __init__(self, *verdicts, **kwargs):
        super().__init__(params=SmartTurnParams(stop_secs=1.5), **kwargs)
        self.verdicts = list(verdicts)
        self.given = []  # seconds of sound at each look

    def _predict_endpoint(self, audio_array):
        self.given.append(len(audio_array) / self.sample_rate)
        probability = self.verdicts.pop(0)
        if isinstance(probability, Exception):
            raise probability
        return {"prediction": int(probability > 0.5), "probability": probability}


def session(*, vad: Any = True, greeting="Welcome.", **action):
    async def create_session():
        agent = VoiceAgent(instructions="x", greeting=greeting)
        stt, llm, tts = offline_stack()
        made = {name: make() if callable(make) else make for name, make in action.items()}
        detector = vad() if callable(vad) else vad
        await agent.Action(**{"stt": stt, "llm": llm, "tts": tts, "vad": detector, **made})
        await agent.start()

    return create_session


def run(caller=ONCE, create_session=None, **options):
    return asyncio.run(simulate(create_session or session(), caller, **options)).raise_for_error()


def judged_by(analyzer, caller=ONCE, *, vad: Any = True, **options):
    params = TelecmiParams(turn_analyzer=analyzer)
    return run(caller, session(telecmi_params=params, vad=vad), **options)


def looks(call):
    return call.events.of(events.TurnPredicted)


def waited(look):
    """Seconds from the asking to the telling."""
    assert look.asked_at is not None
    return look.at - look.asked_at


def stops(**given):
    strategies = turn_taking.make_strategies(vad=True, allow_interruptions=True, **given)
    assert strategies is not None
    return strategies.stop or []


def notices(call):
    found = [e.message for e in call.events.of(events.NoticeGiven)]
    return [message for message in found if message.startswith("the turn model looks")]


# --- in time ------------------------------------------------------------------------------------


def test_the_verdict_is_there_when_the_detector_is_sure(monkeypatch):
    call = judged_by(Says(0.9), latency={"turn": 0.06})
    (stopped,) = (e.at for e in call.events.of(events.UserSpeechStopped))
    (look,) = looks(call)
    assert look.early
    assert (look.complete, look.outcome, look.at) == (True, "used", stopped)
    assert look.silence_secs == pytest.approx(0.096)
    assert waited(look) == pytest.approx(0.096, abs=0.02)
    (turn,) = call.turns
    assert turn.parts["turn"] == 0.0
    assert list(turn.parts) == list(PARTS)
    assert sum(turn.parts.values()) == pytest.approx(turn.total, abs=1e-3)

    monkeypatch.setattr(turn_taking, "EARLY_LOOKS_BY_DEFAULT", False)
    (before,) = judged_by(Says(0.9), latency={"turn": 0.06}).turns
    assert before.total - turn.total == pytest.approx(0.06)
    assert before.parts["turn"] == pytest.approx(0.06)


def test_what_the_window_does_not_hide_is_waited_for():
    call = judged_by(Says(0.9), latency={"turn": 0.15})
    (look,) = looks(call)
    (stopped,) = (e.at for e in call.events.of(events.UserSpeechStopped))
    assert waited(look) == pytest.approx(0.15)
    assert call.turns[0].parts["turn"] == pytest.approx(look.at - stopped)
    assert 0.03 < look.at - stopped < 0.1


def test_an_early_incomplete_is_looked_at_again():
    model = Says(0.2, 0.9)
    call = judged_by(model, vad={"stop_secs": 0.13}, latency={"turn": 0.06})
    first, second = looks(call)
    (stopped,) = (e.at for e in call.events.of(events.UserSpeechStopped))
    assert (first.early, first.complete, first.outcome) == (True, False, "again")
    assert (second.early, second.complete, second.outcome) == (False, True, "used")
    assert second.silence_secs == pytest.approx(0.128)
    assert waited(second) == pytest.approx(0.06)
    assert second.at - waited(second) >= stopped
    assert model.given[1] > model.given[0]
    assert len(call.turns) == 1


def test_what_is_incomplete_at_the_stop_too_waits_as_long_as_is_tuned():
    model = Says(0.2, 0.3)
    create = session(telecmi_params=TelecmiParams(turn_analyzer=model))

    async def tuned():
        task = asyncio.ensure_future(create())
        await asyncio.sleep(0.5)
        session = current_session()
        assert session is not None
        agent = session.latest_agent
        assert agent is not None
        await agent.prepare(Tune({"incomplete_wait_secs": 0.5}))()
        await task

    call = run(create_session=tuned)
    (changed,) = call.events.of(events.SettingsChanged)
    assert (changed.old, changed.new) == (
        {"incomplete_wait_secs": 1.5},
        {"incomplete_wait_secs": 0.5},
    )
    (stopped,) = (e.at for e in call.events.of(events.UserSpeechStopped))
    (ended,) = (e.at for e in call.events.of(events.UserTurnStopped))
    assert ended - stopped == pytest.approx(0.5, abs=0.03)


def test_a_look_is_void_when_the_caller_goes_on():
    model = Says(0.9, 0.9)
    call = judged_by(model, IN_TWO)
    void, used = looks(call)
    assert (void.early, void.complete, void.outcome) == (True, True, "void")
    assert (used.early, used.outcome) == (True, "used")
    assert len(call.events.of(events.UserTurnStopped)) == 1
    assert [e.text for e in call.transcript if e.role == "user"] == [ORDER]
    assert model.given[1] > model.given[0] + 0.5, "the turn's sound was left as it was"


def test_a_void_look_is_told_when_the_model_is_done():
    call = judged_by(Says(0.9, 0.9), IN_TWO, latency={"turn": 0.3})
    void, used = looks(call)
    assert (void.outcome, used.outcome) == ("void", "used")
    assert waited(void) == pytest.approx(0.3)


def test_a_silence_shorter_than_the_look_costs_nothing():
    call = judged_by(model := Says(0.9), ONCE)
    assert len(model.given) == len(looks(call)) == 1


def test_a_look_that_fails_is_taken_again(caplog):
    call = judged_by(Says(OSError("no answer"), 0.9))
    (look,) = looks(call)
    assert (look.early, look.outcome) == (False, "used")
    assert len(call.turns) == 1
    assert "early look: OSError: no answer" in caplog.text


def test_a_look_under_way_when_the_call_ends_is_let_go_of():
    caller = Caller().hears_greeting().says(ORDER).hangs_up()
    call = judged_by(Says(0.9, 0.9), caller, latency={"turn": 5.0})
    assert call.end_reason == "caller_hung_up"


# --- no turn ------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [9, 1])
def test_what_begins_no_turn_is_not_judged_and_late_words_end_theirs_at_once(words):
    strategy = MinWordsInterruptionStrategy(min_words=words)
    create = session(
        interruption_strategy=strategy,
        greeting="Welcome to the little bistro, we are open every day from noon until ten.",
    )
    caller = Caller().waits(1.5).talks_over("what time do you close").waits(4).hangs_up()
    call = run(caller, create, replace=WORDS)
    assert call.events.of(events.UserSpeechStopped)
    assert looks(call) == []
    stopped = call.events.of(events.UserSpeechStopped)[0].at
    ended = [e.at for e in call.events.of(events.UserTurnStopped)]
    if words == 9:
        assert ended == []
    else:
        (final,) = (e.at for e in call.events.of(events.Transcribed))
        assert final >= stopped
        assert ended == [pytest.approx(final, abs=0.03)]


def test_what_began_no_turn_is_no_part_of_the_next():
    strategy = MinWordsInterruptionStrategy(min_words=9)
    caller = Caller().waits(0.3).talks_over("what time do you close").hears_greeting()
    caller = caller.says("yes please").hears_reply().hangs_up()
    model = Says(0.9)
    params = TelecmiParams(turn_analyzer=model)
    create = session(
        interruption_strategy=strategy,
        greeting="Welcome to the little bistro, we are open every day.",
        telecmi_params=params,
    )
    run(caller, create, replace=WORDS)
    assert len(model.given) == 1
    assert model.given[0] < 1.9, "only the last words, with what was silent before them"


@pytest.mark.parametrize("sounds_complete", [True, False])
def test_where_only_words_begin_turns_their_voice_was_judged(sounds_complete):
    caller = Caller().hears_greeting().says("a table for two", pause(0.5), "tomorrow at seven")
    model = Says(*[0.9] * 2 if sounds_complete else [0.2, 0.2, 0.9, 0.9])
    create = session(
        interruption_strategy=MinWordsInterruptionStrategy(min_words=2),
        telecmi_params=TelecmiParams(turn_analyzer=model),
    )
    call = run(caller.hears_reply().hangs_up(), create, replace=WORDS)
    assert len(call.events.of(events.UserTurnStopped)) == 2 - (not sounds_complete)
    finals = [e.at for e in call.events.of(events.Transcribed)]
    assert call.events.of(events.UserTurnStopped)[-1].at == pytest.approx(finals[-1], abs=0.03)


# --- whoever else ends turns --------------------------------------------------------------------


def test_off_nothing_of_it_is_there(monkeypatch):
    monkeypatch.setattr(turn_taking, "EARLY_LOOKS_BY_DEFAULT", False)
    assert [type(one) for one in stops()] == [TurnAnalyzerUserTurnStopStrategy]
    (look,) = looks(run())
    told = ["at", "complete", "inference_secs", "probability"]
    assert sorted(look.told()) == told


def test_strategies_of_the_users_own_stand_as_they_are():
    def strategies():
        model = Says(0.9)
        return UserTurnStrategies(
            start=[VADUserTurnStartStrategy()],
            stop=[TurnAnalyzerUserTurnStopStrategy(turn_analyzer=model)],
        )

    (look,) = looks(run(create_session=session(turn_strategies=strategies)))
    assert not look.early
    assert "outcome" not in look.told()


def test_a_realtime_models_turns_end_as_ever():
    assert not any(isinstance(one, EarlyStop) for one in stops(realtime=True))

    async def create_session():
        agent = VoiceAgent(instructions="x", greeting="Welcome.")
        await agent.Action(llm=offline_realtime(), vad=True)
        await agent.start()

    assert not any(look.early for look in looks(run(create_session=create_session)))


class Streaming(BaseTurnAnalyzer):
    """Follows the sound, and says by itself when the turn is over: as Krisp's does."""

    def __init__(self):
        super().__init__()
        self.silence, self.spoke, self.asked = 0.0, False, 0

    @property
    def speech_triggered(self):
        return self.spoke

    @property
    def params(self):
        return SmartTurnParams()

    def append_audio(self, buffer, is_speech):
        self.silence = 0.0 if is_speech else self.silence + len(buffer) / 2 / self.sample_rate
        self.spoke = self.spoke or is_speech
        if self.spoke and self.silence > 0.3:
            self.clear()
            return EndOfTurnState.COMPLETE
        return EndOfTurnState.INCOMPLETE

    async def analyze_end_of_turn(self):
        self.asked += 1
        return EndOfTurnState.INCOMPLETE, None

    def clear(self):
        self.silence, self.spoke = 0.0, False


def test_a_model_that_follows_the_sound_says_itself_when_the_turn_is_over():
    call = judged_by(model := Streaming())
    assert looks(call) == []
    (stopped,) = (e.at for e in call.events.of(events.UserSpeechStopped))
    (ended,) = (e.at for e in call.events.of(events.UserTurnStopped))
    assert ended - stopped == pytest.approx(0.3, abs=0.04)
    assert model.asked == 2, "at the detector's stop, and at its own"
    assert notices(call) == []


class Closed(SileroVADAnalyzer):
    """A detector of the user's own that judges in its own way, and shows no windows."""

    async def analyze_audio(self, buffer):
        loud = np.abs(np.frombuffer(buffer, np.int16)).max() > 300
        self.quiet = 0 if loud else getattr(self, "quiet", 0) + 1
        self.state = VADState.SPEAKING if self.quiet < 10 else VADState.QUIET
        return self.state


def test_a_detector_without_windows_leaves_the_look_at_the_stop_and_says_so_once():
    caller = Caller().hears_greeting().says(ORDER).hears_reply().says("yes please")
    call = run(caller.hears_reply().hangs_up(), session(vad=Closed))
    assert len(looks(call)) >= 2
    assert not any(look.early for look in looks(call))
    assert {look.silence_secs for look in looks(call)} == {0.2}
    assert notices(call) == [
        "the turn model looks when the detector is sure of the silence, and not 0.1 s into it: "
        "this call's detector shows no windows"
    ]


@pytest.mark.parametrize("make", [dict, lambda **k: SileroVADAnalyzer(params=VADParams(**k))])
def test_a_stop_window_shorter_than_the_look_is_said_once(make):
    caller = Caller().hears_greeting().says(ORDER).hears_reply().says("yes please")
    detector = make(stop_secs=0.1)
    call = run(caller.hears_reply().hangs_up(), session(vad=detector))
    assert looks(call)
    assert not any(look.early for look in looks(call))
    assert notices(call) == [
        "the turn model looks when the detector is sure of the silence, and not 0.1 s into it: "
        "the detector's stop_secs (0.1) is no longer than its first look"
    ]


def test_of_two_agents_that_listen_each_has_its_own_detector():
    async def create_session():
        agents = []
        for model in (Says(0.9), Says(0.9)):
            agent = VoiceAgent(instructions="x", greeting="Welcome.")
            stt, llm, tts = offline_stack()
            params = TelecmiParams(turn_analyzer=model)
            await agent.Action(stt=stt, llm=llm, tts=tts, vad=True, telecmi_params=params)
            agents.append(agent)
        await asyncio.gather(*(agent.start() for agent in agents))

    caller = Caller().hears_greeting().says(ORDER).waits(3).hangs_up()
    found = looks(run(caller, create_session, replace=WORDS))
    assert len(found) == 2
    assert [round(look.silence_secs or 0, 3) for look in found] == [0.096, 0.096]


def test_a_longer_stop_window_hides_a_slow_model():
    call = judged_by(Says(0.9), vad={"stop_secs": 0.5}, latency={"turn": 0.3})
    (look,) = looks(call)
    assert (look.early, look.outcome) == (True, "used")
    assert call.turns[0].parts["turn"] == 0.0


@pytest.mark.parametrize("anchored", [True, False])
@pytest.mark.parametrize("second", [0.9, 0.3])
def test_in_a_longer_stop_window_the_model_has_its_last_word_before_it_is_over(
    second, anchored, monkeypatch
):
    monkeypatch.setattr(early_looks, "ANCHORED", anchored)
    call = judged_by(model := Says(0.2, second), vad={"stop_secs": 0.5}, latency={"turn": 0.06})
    again, used = looks(call)
    assert (again.early, again.outcome) == (True, "again")
    assert (used.early, used.outcome, used.complete) == (True, "used", second > 0.5)
    assert len(model.given) == 2, "and is not asked a third time for the same sound"
    later, within = (0.07, 0.001) if anchored else (0.096, 0.02)
    assert model.given[1] - model.given[0] == pytest.approx(later, abs=within)
    assert len(call.turns) == 1


# --- by the sound itself ------------------------------------------------------------------------


def test_a_verdict_is_the_same_whenever_the_detector_looks(monkeypatch):
    def verdicts():
        found = []
        for phase in range(0, 16, 3):
            caller = Caller().hears_greeting().waits(0.3 + phase / 100).says("yes please")
            call = run(caller.hears_reply().hangs_up())
            found.append([look.probability for look in looks(call)][-1])
        return found

    assert len(set(verdicts())) == 1
    monkeypatch.setattr(turn_taking, "EARLY_LOOKS_BY_DEFAULT", False)
    assert len(set(verdicts())) > 1


# --- on disk, and again -------------------------------------------------------------------------


def test_looks_are_kept_and_logs_of_before_are_read(tmp_path):
    call = judged_by(Says(0.9, 0.2, 0.8), IN_TWO)
    assert [look.outcome for look in looks(call)] == ["void", "again", "used"]
    call.save(tmp_path / "call")
    assert looks(Call.load(tmp_path / "call")) == looks(call)
    line = '{"type": "TurnPredicted", "at": 3.0, "complete": true, "probability": 0.9}'
    old = from_json(line)
    assert isinstance(old, events.TurnPredicted)
    assert (old.early, old.outcome, old.silence_secs, old.asked_at) == (False, "used", None, None)


def test_a_call_is_the_same_every_time_and_as_a_replay():
    caller = IN_TWO.says("yes please").hears_reply().hangs_up()
    first, second = run(caller, latency={"turn": 0.06}), run(caller, latency={"turn": 0.06})
    assert list(map(repr, first.events)) == list(map(repr, second.events))
    again = asyncio.run(first.replay(session(), latency={"turn": 0.06}))
    assert again.divergence is None
    assert looks(again.call) == looks(first)
    assert any(look.early for look in looks(first))
