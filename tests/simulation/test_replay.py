"""``Call.replay``: the same call when nothing changed, and where it parts when something did."""

from __future__ import annotations

import asyncio
import itertools
import json
from dataclasses import replace

import numpy as np
import pytest
import soundfile
from kinds_of_calls import BOOKING, KINDS, desk

from piopiy_lab import Audio, AudioFile, Call, Caller, VoiceAgent, events, offline_stack, simulate
from piopiy_lab.errors import ArgumentError, ArgumentTypeError, ReplayError, SavedCallError
from piopiy_lab.events.log import EventLog
from piopiy_lab.offline import EspeakTTSService, booking_desk
from piopiy_lab.screenplay.from_call import recall
from piopiy_lab.sound import speech
from piopiy_lab.sound.heard import Frames, Heard


def run(coroutine):
    return asyncio.run(coroutine)


def recorded(name="booking"):
    kind = KINDS[name]
    return run(simulate(kind.session(), kind.caller, **dict(kind.options)))


def lines(call):
    steps = ("CallStarted", "CallerStep")
    return [e.to_json() for e in call.events if not type(e).__name__.startswith(steps)]


def are_the_same(now, was):
    """Say the first events that differ, if any do."""
    pairs = itertools.zip_longest(lines(was), lines(now))
    apart = [f"{n}:\n- {a}\n+ {b}" for n, (a, b) in enumerate(pairs) if a != b]
    assert not apart, "\n".join(apart[:4])
    assert now.recording.tobytes() == was.recording.tobytes()


@pytest.fixture(scope="module")
def booked():
    return recorded()


@pytest.mark.parametrize("name", KINDS)
def test_with_nothing_changed_it_is_the_same_call_to_the_last_sample(name, tmp_path):
    first = recorded(name)
    first.save(tmp_path / "call")
    kind = KINDS[name]
    loaded = Call.load(tmp_path / "call")
    again = run(loaded.replay((kind.again or kind.session)()))
    are_the_same(again.call, first)
    assert again.identical
    assert again.divergence is None
    assert "the same call, to the last sample" in str(again)


@pytest.mark.parametrize("name", ["booking", "typed", "keys", "long_silences", "agent_ends"])
def test_the_folder_as_a_file_is_exact_too(name, tmp_path):
    first = recorded(name)
    first.save(tmp_path / "call")
    kind = KINDS[name]
    agent = (kind.again or kind.session)()
    again = run(simulate(agent, AudioFile(tmp_path / "call"), **dict(kind.options)))
    are_the_same(again, first)


def test_a_replay_of_a_replay_is_the_same_call_still(booked):
    again = run(booked.replay(desk()))
    third = run(again.call.replay(desk()))
    assert third.identical
    are_the_same(third.call, booked)


# --- the agent changed ----------------------------------------------------------------------

LONG = "Hello, and welcome to the booking desk of the garden restaurant. " * 3 + "How can I help?"


@pytest.mark.parametrize(
    "change",
    [
        {"agent": lambda: desk(greeting=LONG)},
        {"options": {"latency": {"llm": 0.8}}},
        {"options": {"latency": {"llm": [0.1, 0.9, 0.4], "tts": 0.3}}},
        {"agent": lambda: desk(greeting=LONG), "options": {"latency": {"llm": 0.8}}},
    ],
    ids=["longer greeting", "slower llm", "jittering", "both"],
)
def test_a_slower_agent_is_not_interrupted_where_it_was_not(booked, change):
    agent = change.get("agent", desk)()
    again = run(booked.replay(agent, **change.get("options", {})))
    assert again.divergence is None, str(again)
    said = [(e.role, e.text) for e in again.call.transcript if e.role == "user"]
    assert said == [(e.role, e.text) for e in booked.transcript if e.role == "user"]
    cuts = [e.interrupted for e in again.call.transcript if e.role == "assistant"]
    assert cuts == [e.interrupted for e in booked.transcript if e.role == "assistant"]
    (tool,) = again.call.tool_calls
    assert tool.arguments == booked.tool_calls[0].arguments


def gaps(call):
    """Return how long after (or into) what of the agent's each of the caller's sounds began."""
    steps = Caller.from_call(call).steps
    return [(s.after, s.nth, s.gap) for s in steps if s.what == "says"]


def test_what_the_caller_said_keeps_its_place_beside_the_agent(booked):
    again = run(booked.replay(desk(greeting=LONG), latency={"llm": 0.8}))
    for (after, nth, gap), (after_now, nth_now, gap_now) in zip(
        gaps(booked), gaps(again.call), strict=True
    ):
        assert (after, nth) == (after_now, nth_now)
        assert gap_now == pytest.approx(gap, abs=0.02)


def test_a_sound_keeps_its_place_in_the_detectors_windows(booked):
    again = run(booked.replay(desk(greeting=LONG), latency={"llm": 0.8123}))
    was = [s.place for s in Caller.from_call(booked).steps if s.place]
    now = [s.place for s in Caller.from_call(again.call).steps if s.place]
    assert was == now
    verdicts = [round(e.probability, 4) for e in booked.events.of(events.TurnPredicted)]
    assert [round(e.probability, 4) for e in again.call.events.of(events.TurnPredicted)] == verdicts


def pausing():
    """A caller who thinks for half a second in the middle of a sentence."""
    said = [
        speech.synthesize(text, speech.CALLER_VOICE, sample_rate=16000).samples
        for text in ("a table for two", "tomorrow at seven")
    ]
    pause = np.zeros(round(0.5 * 16000), np.int16)
    sentence = Audio(np.concatenate([said[0], pause, said[1]]), 16000)
    return Caller().hears_greeting().says(sentence).hears_reply().hangs_up()


def test_a_detector_that_cuts_the_caller_off_is_a_divergence_of_the_floor():
    patient = {"vad": {"stop_secs": 0.8}}
    first = run(simulate(desk(**patient), pausing()))
    assert len(first.turns) == 1
    assert run(first.replay(desk(**patient))).identical
    hasty = {"vad": {"stop_secs": 0.1}, "turn_strategies": by_silence()}
    again = run(first.replay(desk(**hasty)))
    split = again.divergence
    assert split is not None
    assert (split.turn, split.kind) == (1, "floor")
    assert split.was == "the agent was heard out"


def test_other_words_are_shown_and_are_no_divergence(booked):
    again = run(booked.replay(desk(greeting="Good evening, this is the booking desk. What is it?")))
    assert again.divergence is None
    assert "the same course, in other words" in str(again)
    assert "- " in again.text()
    assert "+ " in again.text()


def never_broken_into():
    """An agent whose first answer is over before anybody breaks in."""
    return quick_desk("Yes?")


def silent_desk():
    """An agent that never books: its rules know no tool."""
    return quick_desk("For two, tomorrow at seven. And whose name?")


def by_silence():
    """Turn rules that take any silence for the end of a turn."""
    from pipecat.turns.user_stop import SpeechTimeoutUserTurnStopStrategy
    from pipecat.turns.user_turn_strategies import UserTurnStrategies

    stop = SpeechTimeoutUserTurnStopStrategy(user_speech_timeout=0.1)
    return UserTurnStrategies(stop=[stop])


def quick_desk(answer):
    """An agent that never books, and gives one answer first."""

    async def create_session():
        stt, llm, tts = offline_stack(
            replies={
                "a table for {party} [tomorrow] at {time}": answer,
                "no make it friday": "On Friday. What name is it under?",
                "my name is {name}": "Is that right?",
                "yes please": "We are full.",
            },
            slots={"party": ["two"], "time": ["seven"], "name": ["anna"]},
        )
        agent = VoiceAgent(instructions="x", greeting=booking_desk().greeting)
        await agent.Action(stt=stt, llm=llm, tts=tts, vad=True)
        await agent.start()

    return create_session


def test_a_tool_that_is_not_called_any_more_is_named(booked):
    again = run(booked.replay(silent_desk()))
    split = again.divergence
    assert split is not None
    assert (split.turn, split.kind) == (4, "tool"), str(again)
    assert split.was == "book_table(party_size=2, day='friday', time='19:00', name='Anna')"
    assert split.now == "no tool"
    assert "diverged at turn 4" in str(again)


def test_an_agent_that_ends_the_call_early_is_named(booked):
    spec = booking_desk()

    async def create_session():
        stt, llm, tts = offline_stack()
        agent = VoiceAgent(instructions=spec.instructions, greeting=spec.greeting)
        await agent.Action(stt=stt, llm=llm, tts=tts, vad=True)
        asyncio.get_running_loop().call_later(9.0, lambda: asyncio.ensure_future(agent.end_call()))
        await agent.start()

    again = run(booked.replay(create_session))
    assert again.divergence is not None
    assert again.divergence.kind in ("end", "floor")
    assert again.call.end_reason == "agent_ended"


def test_an_agent_that_listens_at_another_rate_hears_the_same_sounds(booked):
    from piopiy_lab.transports.telecmi import TelecmiParams

    agent = desk(telecmi_params=TelecmiParams(audio_in_sample_rate=8000))
    again = run(booked.replay(agent))
    assert again.call.heard.sample_rate == 8000
    said = [e.text for e in again.call.transcript if e.role == "user"]
    assert said[0].startswith("a table for two tomorrow at")  # "eight": 8 kHz is a telephone's
    assert len(said) == 4
    spoken = [e.end - e.at for e in booked.events.of(events.CallerSpoke)]
    now = [e.end - e.at for e in again.call.events.of(events.CallerSpoke)]
    assert now == pytest.approx(spoken, abs=0.01)


# --- another caller from a turn on ----------------------------------------------------------


def test_from_a_turn_on_the_caller_is_another_one(booked):
    then = Caller().says("my name is oliver").hears_reply().hangs_up()
    again = run(booked.replay(desk(), from_turn=3, then=then))
    said = [e.text for e in again.call.transcript if e.role == "user"]
    assert said == ["a table for two tomorrow at seven", "no make it friday", "my name is oliver"]
    assert again.divergence is None
    assert "from turn 3 on the caller is another one" in again.text()


def test_the_first_turn_can_be_another_one(booked):
    then = Caller().says("my name is oliver").hears_reply().hangs_up()
    again = run(booked.replay(desk(), from_turn=1, then=then))
    assert [e.text for e in again.call.transcript if e.role == "user"] == ["my name is oliver"]


@pytest.mark.parametrize(
    ("options", "error", "told"),
    [
        ({"from_turn": 2}, ArgumentError, "go together"),
        ({"then": Caller()}, ArgumentError, "go together"),
        ({"from_turn": 0, "then": Caller()}, ArgumentError, "from 1 to 5"),
        ({"from_turn": 9, "then": Caller()}, ArgumentError, "has 4 turns"),
        ({"from_turn": "2", "then": Caller()}, ArgumentTypeError, "a turn's number"),
        ({"from_turn": 2, "then": "hello"}, ArgumentTypeError, "takes a Caller"),
        ({"on_divergence": "live"}, ArgumentError, "'live'"),
    ],
)
def test_what_cant_be_is_refused_before_anything_runs(booked, options, error, told):
    with pytest.raises(error, match=told):
        run(booked.replay(desk(), **options))


# --- after a divergence ---------------------------------------------------------------------


def test_on_divergence_stop_hangs_up(booked):
    again = run(booked.replay(silent_desk(), on_divergence="stop"))
    assert again.divergence is not None
    assert again.call.end_reason == "caller_hung_up"
    assert again.call.duration < booked.duration


def test_on_divergence_another_caller_takes_over(booked):
    other = Caller().says("goodbye").hears_reply()
    again = run(booked.replay(never_broken_into(), on_divergence=other))
    said = [e.text for e in again.call.events.of(events.CallerSpoke)]
    assert again.divergence is not None
    assert again.divergence.turn == 1
    assert said[0] == "a table for two tomorrow at seven"
    assert said[-1] == "goodbye"
    assert "yes please" not in said


def test_an_anchor_that_never_comes_is_told_and_the_caller_goes_on(booked):
    async def create_session():
        stt, llm, tts = offline_stack()
        agent = VoiceAgent(instructions="x", greeting=None)
        await agent.Action(stt=stt, llm=llm, tts=tts, vad=True)
        await agent.start()

    again = run(booked.replay(create_session))
    missed = again.call.events.of(events.CallerStepFailed)
    assert missed
    assert "did not come" in missed[0].why
    assert again.divergence is not None
    assert len([e for e in again.call.transcript if e.role == "user"]) >= 3


# --- calls of other kinds -------------------------------------------------------------------


@pytest.mark.parametrize("reason", ["hung_up", "cancelled"])
def test_a_call_that_was_ended_on_our_side_is_the_same_call(reason):
    async def hang(session):
        session.end(reason)

    caller = Caller().hears_greeting().says("a table for two tomorrow at seven").waits(30)
    first = run(simulate(desk(by_hand=(12.0, hang)), caller))
    assert first.end_reason == reason
    again = run(first.replay(desk()))
    assert again.divergence is None, str(again)
    assert again.identical == (reason == "hung_up")


@pytest.mark.parametrize("latency", [{"llm": 6.0}, {"tts": 5.5}])
def test_an_agent_that_takes_long_is_waited_for_as_it_was(latency):
    caller = Caller().hears_greeting(timeout=40).says("a table for two tomorrow at seven")
    caller = caller.hears_reply(timeout=40).says("my name is anna").hears_reply(timeout=40)
    first = run(simulate(desk(), caller.hangs_up(), latency=latency))
    assert run(first.replay(desk())).identical


def test_a_turn_that_broke_in_can_be_another_one(booked):
    then = Caller().says("my name is oliver").hears_reply().hangs_up()
    again = run(booked.replay(desk(), from_turn=2, then=then))
    assert again.divergence is None, str(again)
    said = [e.text for e in again.call.transcript if e.role == "user"]
    assert said == ["a table for two tomorrow at seven", "my name is oliver"]


def test_a_file_is_said_piece_by_piece_beside_a_slower_agent(booked, tmp_path):
    sound = tmp_path / "caller.wav"
    soundfile.write(sound, booked.heard.samples, 16000)
    first = run(simulate(desk(), AudioFile(sound)))
    steps = Caller.from_call(first).steps
    assert len([step for step in steps if step.what == "says"]) == 4
    again = run(first.replay(desk(greeting=LONG)))
    assert again.divergence is None, str(again)


def test_a_killed_calls_sound_is_where_it_was(booked, tmp_path):
    booked.save(tmp_path / "call")
    began = 0.75
    lines = (tmp_path / "call" / "events.jsonl").read_text().splitlines()
    late = [json.loads(line) for line in lines[:-1]]  # set-up took so long, and there is no end
    for event in late:
        event["at"] += began if event["at"] or event.get("new") == "listening" else 0.0
        if "end" in event:
            event["end"] += began
    text = "".join(f"{json.dumps(event)}\n" for event in late)
    (tmp_path / "call" / "events.jsonl").write_text(text)
    (tmp_path / "call" / "meta.json").unlink()
    killed = Call.load(tmp_path / "call")
    assert killed.heard.frames.begins == began
    was, now = (Caller.from_call(one).steps for one in (booked, killed))
    for old, new in zip(was, now, strict=True):
        assert (old.what, old.text, old.place) == (new.what, new.text, new.place)
        if old.audio is not None:
            assert np.array_equal(old.audio.samples, new.audio.samples)


def test_speech_that_only_a_realtime_model_detected_is_told():
    log = EventLog()
    log.append(events.CallStateChanged(at=0.0, old="starting", new="listening"))
    log.append(events.UserTurnAdded(at=3.0, text="hello"))
    heard = Heard(Frames(rate=16000, runs=((100, 320),)), np.ones(32000, np.int16))
    with pytest.raises(ReplayError, match="no detector of its own"):
        recall(log, heard, "c1")


# --- what can't be replayed -----------------------------------------------------------------


def test_a_call_without_sound_says_so():
    call = run(simulate(desk(), Caller().hears_greeting().hangs_up(), record=False))
    assert call.heard is None
    with pytest.raises(ReplayError, match="record=False"):
        run(call.replay(desk()))


def test_a_call_that_never_began_says_so():
    async def fails():
        raise KeyError("no such desk")

    call = run(simulate(fails, Caller().hears_greeting()))
    with pytest.raises(ReplayError, match="never began"):
        run(call.replay(desk()))


def test_a_folder_saved_before_this_was_kept_loads_and_says_so(booked, tmp_path):
    booked.save(tmp_path / "old")
    (tmp_path / "old" / "caller.flac").unlink()
    old = Call.load(tmp_path / "old")
    assert old.heard is None
    assert old.transcript == booked.transcript
    with pytest.raises(ReplayError, match="older version"):
        run(old.replay(desk()))
    call = run(simulate(desk(), AudioFile(tmp_path / "old")))  # its recording can be played
    assert call.end_reason == "caller_hung_up"


def test_a_broken_caller_file_is_named(booked, tmp_path):
    booked.save(tmp_path / "call")
    (tmp_path / "call" / "caller.flac").write_bytes(b"no sound")
    call = Call.load(tmp_path / "call")
    with pytest.raises(SavedCallError, match=r"caller\.flac can't be read"):
        run(call.replay(desk()))


def test_something_else_than_a_call_is_refused():
    with pytest.raises(ArgumentTypeError, match=r"Call\.load"):
        Caller.from_call("calls/bad")


# --- shown ----------------------------------------------------------------------------------


def test_both_are_one_html_file_that_needs_nothing(booked, tmp_path):
    again = run(booked.replay(silent_desk()))
    page = again.save_html(tmp_path / "both.html").read_text(encoding="utf-8")
    assert page.count("data:audio/mpeg;base64,") == 2
    assert "http" not in page.replace("http-equiv", "")
    assert "diverged at turn 4" in page
    assert page.count("<button data-play=") == 2 * 5
    assert "<mark>" in page
    with pytest.raises(SavedCallError, match="is there already"):
        again.save_html(tmp_path / "both.html")
    assert again._repr_html_().startswith("<div class='piopiy-replay'>")


def test_secrets_are_in_no_view(booked):
    from piopiy_lab.call.replay import Replay

    again = Replay(
        booked, booked, notes=["OPENAI_API_KEY=sk-abcdefghijklmnopqrstuvwxyz0123456789AB"]
    )
    for view in (again.text(), again._repr_html_()):
        assert "sk-abcdefghij" not in view


def test_the_callers_frames_are_in_the_folder(booked, tmp_path):
    booked.save(tmp_path / "call")
    told = json.loads((tmp_path / "call" / "meta.json").read_text())["heard"]
    assert told["rate"] == 16000
    assert sum(count * size for count, size in told["frames"]) == len(booked.heard.samples)
    assert replace(booked.heard.frames) == Call.load(tmp_path / "call").heard.frames


def test_the_caller_is_told_as_what_they_did():
    told = str(Caller.from_call(recorded()))
    assert "says 'a table for two tomorrow at seven', 0.80 s after the agent's speech" in told
    assert "into the agent's speech" in told
    assert BOOKING.steps[0].verb not in told


# --- tools ----------------------------------------------------------------------------------


def counting_desk(ran):
    """The desk, with a tool that counts its runs."""

    async def create_session():
        spec = booking_desk()
        stt, llm, tts = offline_stack()

        async def book_table(party_size: int, day: str, time: str, name: str) -> dict:
            """Book a table."""
            await asyncio.sleep(1.5)
            ran.append(name)
            return {"status": "booked", "reference": f"number {len(ran)}"}

        agent = VoiceAgent(
            instructions=spec.instructions, greeting=spec.greeting, tools=[book_table]
        )
        await agent.Action(stt=stt, llm=llm, tts=tts, vad=True)
        await agent.start()

    return create_session


def test_a_replay_runs_no_tool_unasked():
    ran = []
    first = run(simulate(counting_desk(ran), BOOKING))
    assert ran == ["Anna"]
    again = run(first.replay(counting_desk(ran)))
    assert ran == ["Anna"]
    assert again.identical, str(again)
    assert again.call.tool_calls[0].result == first.tool_calls[0].result
    run(first.replay(counting_desk(ran), tools="run"))
    assert ran == ["Anna", "Anna"]
    with pytest.raises(ArgumentError, match="'once'"):
        run(first.replay(counting_desk(ran), tools="once"))


def test_a_tool_call_that_was_not_recorded_is_refused_and_a_divergence():
    ran = []
    first = run(simulate(counting_desk(ran), BOOKING))
    then = Caller().says("my name is oliver").hears_reply().says("yes please").hears_reply()
    again = run(first.replay(counting_desk(ran), from_turn=3, then=then))
    assert ran == ["Anna"]
    assert "name='Oliver'" in repr(again.call.tool_calls[0])
    assert again.call.tool_calls[0].status == "failed"


# --- another prompt, another provider -------------------------------------------------------


def test_another_prompt_on_a_cassette_is_named_and_its_answers_are_the_old_ones(tmp_path):
    first = run(simulate(desk(), BOOKING, cassette=tmp_path / "tape"))
    same = run(first.replay(desk(), cassette=tmp_path / "tape"))
    assert same.identical, str(same)
    assert same.notes == ()
    again = run(first.replay(desk(instructions="Be rude."), cassette=tmp_path / "tape"))
    assert again.divergence is None
    assert any("old prompt" in note for note in again.notes), again.notes
    assert "old prompt" in again.text()


def test_another_voice_is_the_same_course(booked):
    def other_voice():
        stt, llm, _ = offline_stack()
        return stt, llm, EspeakTTSService(voice="en-us+f3")

    again = run(booked.replay(desk(stack=other_voice)))
    assert not again.identical
    assert again.divergence is None, str(again)


def test_a_provider_that_fails_is_a_divergence(booked):
    class Fails(EspeakTTSService):
        async def run_tts(self, text, context_id):
            raise ConnectionError("the voice is out of order")
            yield

    again = run(booked.replay(desk(stack=lambda: (*offline_stack()[:2], Fails()))))
    assert again.divergence is not None
    assert again.divergence.turn == 0
