"""What a switcher's state says is to be done, without a pipeline: instruction by instruction."""

from __future__ import annotations

import pytest
from pipecat.frames import frames as f
from pipecat.processors.aggregators.llm_context import LLMContext

from piopiy_lab.events import ServiceSwitched
from piopiy_lab.pipeline.switch_kinds import STATES, ModelSwitch, RecogniserSwitch, VoiceSwitch
from piopiy_lab.pipeline.switch_state import (
    DOWN,
    STALL_SECS,
    UP,
    Activate,
    Append,
    Give,
    Notice,
    Push,
    SwitchMark,
    Take,
)


def goes_in(state, *frames, direction=DOWN, at=1.0):
    return [do for frame in frames for do in state.came_in(frame, direction, at)]


def comes_out(state, *frames, direction=DOWN, at=1.0):
    return [do for frame in frames for do in state.came_out(frame, direction, at)]


def taken(instructions):
    return [do.frame for do in instructions if isinstance(do, Take)]


def short(instructions):
    """What is to be done, in a word each; of a switch, whose."""
    return [
        f"activate {do.service}" if isinstance(do, Activate) else type(do).__name__.lower()
        for do in instructions
    ]


def ask(state, service="b", at_work="a", at=1.0):
    return list(state.asked(service, at_work, at))


def reply(*words):
    return [
        f.LLMFullResponseStartFrame(),
        *(f.LLMTextFrame(word) for word in words),
        f.LLMFullResponseEndFrame(),
    ]


def audio(secs=0.02, rate=16000):
    return f.InputAudioRawFrame(bytes(round(secs * rate) * 2), rate, 1)


def speaks(text):
    return f.TTSTextFrame(text, text_type="word")


# --- all kinds ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", STATES)
def test_frames_go_in_and_out_while_nothing_is_switched(kind):
    state = STATES[kind]("a")
    frame = f.TTSSpeakFrame("hello")
    assert goes_in(state, frame) == [Take(frame, DOWN)]
    assert goes_in(state, frame, direction=UP) == [Take(frame, UP)]
    assert comes_out(state, frame) == [Push(frame, DOWN)]
    assert list(state.played()) == []
    assert state.stalls_in(5) is None


@pytest.mark.parametrize("kind", STATES)
def test_the_service_at_work_is_no_switch(kind):
    state = STATES[kind]("a")
    assert ask(state, "a") == []
    assert state.wanted is None


@pytest.mark.parametrize("kind", STATES)
def test_a_service_that_got_to_work_is_told_once(kind):
    state = STATES[kind]("a")
    assert list(state.is_active("a", "manual", 2.0)) == []
    (told,) = state.is_active("b", "failover", 2.0)
    assert told == Append(ServiceSwitched(at=2.0, kind=kind, old="a", new="b", cause="failover"))
    assert list(state.is_active("b", "manual", 3.0)) == []


@pytest.mark.parametrize(
    ("kind", "late", "passes"),
    [
        ("stt", f.TranscriptionFrame("x", "", ""), f.VADUserStartedSpeakingFrame()),
        ("llm", f.LLMTextFrame("x"), f.TTSSpeakFrame("x")),
        ("tts", f.TTSAudioRawFrame(b"", 8000, 1), f.LLMTextFrame("x")),
    ],
)
def test_what_only_a_service_gives_is_late_from_one_that_is_not_at_work(kind, late, passes):
    assert STATES[kind]("a").is_late(late)
    assert not STATES[kind]("a").is_late(passes)


# --- stt ------------------------------------------------------------------------------------


def test_a_recogniser_is_switched_at_once_while_nobody_speaks():
    assert short(ask(RecogniserSwitch("a"))) == ["activate b"]


def test_a_recogniser_hears_the_callers_turn_to_its_end():
    state = RecogniserSwitch("a")
    goes_in(state, f.UserStartedSpeakingFrame(), f.VADUserStartedSpeakingFrame(), audio())
    assert short(ask(state)) == ["watch"]
    assert state.stalls_in(99) is None, "a turn ends by itself"
    assert short(goes_in(state, audio(), f.VADUserStoppedSpeakingFrame())) == ["take", "take"]
    assert short(goes_in(state, f.UserStoppedSpeakingFrame())) == ["take", "activate b"]


def test_another_recogniser_hears_the_utterance_from_its_beginning():
    state = RecogniserSwitch("a")
    frames = [f.VADUserStartedSpeakingFrame(), audio(), audio()]
    goes_in(state, *frames)
    given = list(state.failed_over("b"))
    assert given[:2] == [Give("b", frames[1]), Give("b", frames[2])]
    assert isinstance(given[2].frame, f.VADUserStartedSpeakingFrame)
    quiet = RecogniserSwitch("a")
    goes_in(quiet, audio())
    assert list(quiet.failed_over("b")) == []


# --- llm ------------------------------------------------------------------------------------


def mark_of(instructions):
    (mark,) = (frame for frame in taken(instructions) if isinstance(frame, SwitchMark))
    return mark


def context():
    return f.LLMContextFrame(LLMContext())


def test_a_model_is_switched_when_the_mark_has_come_through():
    state = ModelSwitch("a")
    asked = ask(state)
    assert short(asked) == ["take", "watch"]
    assert short(comes_out(state, mark_of(asked))) == ["activate b"]


def test_a_model_ends_its_answer_and_what_is_asked_meanwhile_is_the_next_ones():
    state = ModelSwitch("a")
    begin, *_, end = reply("hello")
    comes_out(state, begin)
    mark, later, tool = mark_of(ask(state)), context(), context()
    assert goes_in(state, later) == []
    assert goes_in(state, tool, direction=UP) == [], "a tool's result asks again"
    assert short(goes_in(state, f.UserSpeakingFrame())) == ["take"], "a system frame"
    assert comes_out(state, mark) == [], "the answer is not at its end"
    done = comes_out(state, end)
    assert short(done) == ["push", "activate b", "take", "take"]
    assert taken(done) == [later, tool]
    assert [do.direction for do in done[2:]] == [DOWN, UP]


def test_a_tool_that_an_interruption_would_end_is_waited_for():
    def tool(frame, **given):
        return frame(function_name="f", tool_call_id="1", arguments={}, **given)

    def running(cancels):
        state = ModelSwitch("a")
        comes_out(state, tool(f.FunctionCallInProgressFrame, cancel_on_interruption=cancels))
        return state, comes_out(state, mark_of(ask(state)))

    assert short(running(cancels=False)[1]) == ["activate b"]
    state, done = running(cancels=True)
    assert done == []
    part = f.FunctionCallResultProperties(is_final=False)
    assert short(comes_out(state, tool(f.FunctionCallResultFrame, result=1, properties=part))) == [
        "push"
    ]
    assert short(comes_out(state, tool(f.FunctionCallResultFrame, result=1))) == [
        "push",
        "activate b",
    ]


def test_an_interruption_ends_a_models_answer_and_what_waited_with_it():
    state = ModelSwitch("a")
    comes_out(state, reply()[0])
    mark = mark_of(ask(state))
    waiting = f.EndFrame()
    goes_in(state, context(), waiting)
    comes_out(state, mark)
    done = comes_out(state, f.InterruptionFrame())
    assert short(done) == ["push", "activate b", "take"]
    assert taken(done) == [waiting], "what no interruption loses"


def test_another_model_answers_the_context_that_has_no_answer():
    state = ModelSwitch("a")
    asked = context()
    goes_in(state, asked)
    comes_out(state, reply()[0])
    assert not state.is_late(f.LLMFullResponseEndFrame()), "the end of its answer is owed"
    assert list(state.failed_over("b")) == [Give("b", asked)]
    assert state.is_late(f.LLMFullResponseEndFrame()), "the other one gives it"


def test_a_context_that_a_model_has_begun_to_answer_is_not_answered_again():
    state = ModelSwitch("a")
    goes_in(state, context())
    comes_out(state, *reply("hel")[:2])
    assert list(state.failed_over("b")) == []


# --- tts ------------------------------------------------------------------------------------


def test_a_voice_is_heard_to_its_end():
    state = VoiceSwitch("a")
    goes_in(state, *reply("One", " two."))
    assert short(ask(state)) == ["take", "watch"]
    later = reply("Three.")
    assert goes_in(state, *later) == []
    done = list(state.played())
    assert short(done) == ["activate b", "take", "take", "take"]
    assert taken(done) == later
    assert state.held is None


def test_a_reply_that_is_being_given_is_the_old_voices_to_its_end():
    state = VoiceSwitch("a")
    begin, word, end = reply("One.")
    goes_in(state, begin, word)
    assert short(ask(state)) == ["watch"]
    done = goes_in(state, end)
    assert taken(done)[0] is end
    assert mark_of(done).kind == "tts"


def test_the_last_wish_counts():
    state = VoiceSwitch("a")
    ask(state, "b")
    assert ask(state, "c") == []
    assert short(state.played()) == ["activate c"]


def test_an_interruption_ends_the_wait_for_a_voice():
    state = VoiceSwitch("a")
    goes_in(state, *reply("One.")[:2])
    ask(state)
    done = comes_out(state, f.InterruptionFrame())
    assert short(done) == ["push", "take"]
    assert mark_of(done)
    assert comes_out(state, f.InterruptionFrame(), direction=UP) != done, "it has gone by below"


def test_a_voice_that_gives_no_sign_is_not_waited_for_for_ever():
    state = VoiceSwitch("a")
    ask(state, at=5.0)
    assert state.stalls_in(5.0) == STALL_SECS
    goes_in(state, f.BotSpeakingFrame(), direction=UP, at=8.0)
    assert state.stalls_in(8.0) == STALL_SECS, "it is being heard"
    comes_out(state, speaks("hello"), at=9.0)
    assert state.stalls_in(9.0) == STALL_SECS, "it gives words"
    told, *done = state.stalled()
    assert isinstance(told, Notice)
    assert "the tts a did not finish within 10 s" in told.message
    assert short(done) == ["activate b"]
    assert list(state.played()) == [], "the mark that comes after all"


def fails(state):
    """Let the voice at work fail: "b" takes over, and what was said is being heard."""
    list(state.is_active("b", "failover", 1.0))
    return list(state.failed_over("b"))


def test_another_voice_says_what_was_not_said_when_the_rest_has_been_heard():
    state = VoiceSwitch("a")
    goes_in(state, *reply("One ", "two ", "three."))
    comes_out(state, speaks("One"))
    assert short(fails(state)) == ["take", "watch"], "a mark behind what is being heard"
    later = reply("Four.")
    assert goes_in(state, *later) == []
    begin, words, end, *waiting = state.played()
    assert isinstance(begin.frame, f.LLMFullResponseStartFrame)
    assert words.frame.text == "two three."
    assert isinstance(end.frame, f.LLMFullResponseEndFrame)
    assert taken(waiting) == later


def test_a_second_failure_loses_nothing_that_waits_for_the_first():
    state = VoiceSwitch("a")
    goes_in(state, *reply("One."))
    fails(state)
    later = reply("Two.")
    goes_in(state, *later)
    list(state.is_active("c", "failover", 1.0))
    list(state.failed_over("c"))
    done = list(state.played())
    assert [do.service for do in done[:3]] == ["c"] * 3
    assert done[1].frame.text == "One."
    assert taken(done) == later


def test_an_interruption_ends_what_a_failed_voice_left_unsaid():
    state = VoiceSwitch("a")
    goes_in(state, *reply("One."))
    fails(state)
    goes_in(state, *reply("Two."))
    comes_out(state, f.InterruptionFrame())
    assert list(state.played()) == []


def test_a_failed_voice_that_is_never_heard_to_its_end_is_not_waited_for_for_ever():
    state = VoiceSwitch("a")
    goes_in(state, *reply("One."))
    comes_out(state, speaks("One."), at=2.0)
    fails(state)
    assert state.stalls_in(2.0) == STALL_SECS
    told, *_ = state.stalled()
    assert "the tts before b did not finish within 10 s" in told.message


def test_another_voice_goes_on_with_a_reply_that_is_being_given():
    state = VoiceSwitch("a")
    goes_in(state, *reply("One ", "two")[:3])
    comes_out(state, speaks("One"))
    fails(state)
    _, words = state.played()
    assert words == Give("b", words.frame)
    assert words.frame.text == "two "


def test_what_waited_for_a_voice_that_failed_is_said_after_what_it_had_not_said():
    state = VoiceSwitch("a")
    goes_in(state, *reply("One."))
    ask(state)
    waiting = reply("Two.")
    goes_in(state, *waiting)
    fails(state)
    done = list(state.played())
    assert short(done) == ["give"] * 3 + ["take"] * 3
    assert taken(done) == waiting
    assert state.wanted is None


def test_what_comes_while_held_frames_are_let_go_stays_behind_them():
    state = VoiceSwitch("a")
    ask(state)
    first, second, third = (f.TTSSpeakFrame(text) for text in ("1", "2", "3"))
    goes_in(state, first, second)
    order = []
    for do in state.played():
        if isinstance(do, Take):
            order.append(do.frame)
            if do.frame is first:  # the shell waits here, and the pipeline goes on
                assert goes_in(state, third) == []
    assert order == [first, second, third]
