"""What a caller does beside their turns: each is told in the log, and disturbs no turn order."""

from __future__ import annotations

import asyncio
import pickle

import numpy as np
import pytest

from piopiy_lab import Call, Caller, events, pause, simulate
from piopiy_lab.errors import ArgumentError, ArgumentTypeError, ScreenplayError
from piopiy_lab.events.reading import from_json
from piopiy_lab.screenplay.phrases import Pause, hesitant
from piopiy_lab.sound import body_sounds


def run(create_session, caller, **options):
    return asyncio.run(simulate(create_session, caller, **options))


def spoke(call):
    return call.events.of(events.CallerSpoke)


def greeted():
    return Caller().hears_greeting()


def test_a_backchannel_is_told_as_one_and_the_reply_goes_on_being_one(booking):
    caller = (
        greeted()
        .says("a table for two tomorrow at seven")
        .backchannels("mm hmm", after=0.6)
        .hears_reply()
        .hangs_up()
    )
    call = run(booking(), caller)
    call.raise_for_error()
    turn, listening = spoke(call)
    assert (turn.manner, listening.manner) == ("turn", "backchannel")
    assert listening.text == "mm hmm"
    start = next(e.at for e in call.events.of(events.AgentSpeechStarted) if e.at > turn.end)
    assert listening.at == pytest.approx(start + 0.6, abs=0.03)
    assert turn.wants_floor
    assert not listening.wants_floor


def test_two_sounds_in_one_reply_count_from_its_beginning(booking):
    caller = (
        Caller().backchannels("mm hmm", after=0.2).coughs(after=0.9).hears_greeting().hangs_up()
    )
    call = run(booking(), caller)
    call.raise_for_error()
    listening, cough = spoke(call)
    begin = call.events.of(events.AgentSpeechStarted)[0].at
    assert [e.at - begin for e in (listening, cough)] == pytest.approx([0.2, 0.9], abs=0.05)
    assert (cough.manner, cough.text) == ("cough", None)
    assert np.abs(call.recording[:, 0]).max() > 10000


def test_says_in_parts_is_one_sound_with_its_parts(booking):
    call = run(booking(), greeted().says("a table for two", pause(0.6), "tomorrow").hears_reply())
    call.raise_for_error()
    (turn,) = spoke(call)
    assert turn.text == "a table for two tomorrow"
    (first, begin, end), (second, start, over) = turn.parts
    assert (first, second) == ("a table for two", "tomorrow")
    assert (begin, over) == (pytest.approx(turn.at), pytest.approx(turn.end, abs=1e-4))
    assert start - end == pytest.approx(0.6, abs=1e-4)
    read = from_json(turn.to_json())
    assert read == turn


def test_a_hesitation_is_drawn_by_its_seed():
    first = hesitant("a table for two tomorrow at seven please", 1)
    assert first == hesitant("a table for two tomorrow at seven please", 1)
    sentence = "a table for two tomorrow at seven please"
    assert len({hesitant(sentence, seed).parts for seed in range(6)}) > 3
    words = first.text.split()
    assert [word for word in words if word not in ("uh", "um")] == (
        "a table for two tomorrow at seven please".split()
    )
    assert any(isinstance(part, Pause) for part in first.parts)
    assert hesitant("seven", 4).texts[-1] == "seven"


@pytest.mark.parametrize("text", ["une table pour deux ?", "- hello there you", "yes - please !"])
def test_no_part_of_a_hesitation_is_a_sign_alone(text):
    for seed in range(12):
        said = hesitant(text, seed)
        assert all(any(one.isalnum() for one in part) for part in said.texts)
        assert [w for w in said.text.split() if w not in ("uh", "um")] == text.split()


@pytest.mark.parametrize("step", ["talks_over", "interrupts"])
def test_a_moment_late_in_a_long_reply_is_no_timeout(booking, step):
    caller = getattr(Caller(), step)("listen to me please", after=1.5, timeout=1.0)
    run(booking(), caller.hears_reply(timeout=20)).raise_for_error()


def test_an_aside_is_lower_and_muffled(booking):
    plain = run(booking(), greeted().says("i am on the phone").hears_reply())
    aside = run(booking(), greeted().says_aside("i am on the phone").stays_silent(0.5))
    (said,) = spoke(aside)
    assert (said.manner, said.text) == ("aside", "i am on the phone")
    loud, low = (np.abs(call.recording[:, 0].astype(int)).max() for call in (plain, aside))
    assert 20 * np.log10(low / loud) == pytest.approx(body_sounds.ASIDE_DB - 3, abs=4)


def test_false_starts_words_over_the_agent_and_silence(booking):
    caller = (
        Caller()
        .talks_over("listen to me please", after=0.5)
        .stays_silent(1.0)
        .false_starts("could you maybe give me a table", heard=0.5)
        .waits(0.4)
        .says("a table for two")
        .hears_reply()
        .hangs_up()
    )
    call = run(booking(), caller)
    call.raise_for_error()
    over, begun, turn = spoke(call)
    assert [e.manner for e in (over, begun, turn)] == ["talk_over", "false_start", "turn"]
    assert "could you maybe give me a table".startswith(begun.text)
    assert begun.text != "could you maybe give me a table"
    (silence,) = call.events.of(events.CallerStayedSilent)
    assert silence.end - silence.at == pytest.approx(1.0)


def test_a_backchannel_after_the_reply_is_a_step_that_failed(booking):
    call = run(booking(), greeted().says("a table for two").backchannels(after=30).hears_reply())
    assert isinstance(call.error, ScreenplayError)
    assert "the agent's reply was over after" in str(call.error)
    call = run(booking(), greeted().backchannels(timeout=1))
    assert "the agent did not speak within 1 s" in str(call.error)


def test_what_cant_be_said_is_refused():
    for make, error, told in [
        (lambda c: c.says("a", pause(0)), ArgumentError, "more than 0"),
        (lambda c: c.says(pause(1)), ArgumentError, "pauses alone"),
        (lambda c: c.says("a", 3), ArgumentTypeError, "got 3"),
        (lambda c: c.says("a", "?!"), ArgumentError, "no words"),
        (lambda c: c.says("a", pause(1), "b", hesitates=1), ArgumentError, "one text"),
        (lambda c: c.says("a b", hesitates="x"), ArgumentTypeError, "a whole number"),
        (lambda c: c.false_starts("a b", heard=1.0), ArgumentError, "below 1"),
        (lambda c: c.coughs(seed="x"), ArgumentTypeError, "whole number"),
        (lambda c: c.backchannels("", after=1), ArgumentError, "no words"),
        (lambda c: c.says_aside("a", after=-1), ArgumentError, "0 or more"),
    ]:
        with pytest.raises(error, match=told):
            make(Caller())


MANNERED = (
    greeted()
    .says("a table for two", pause(0.6), "tomorrow")
    .backchannels("mm hmm", after=0.5)
    .hears_reply()
    .coughs()
    .says("at seven thirty")
    .hears_reply()
    .says_aside("i am on the phone")
    .hangs_up()
)


def test_the_caller_of_such_a_call_does_it_all_again(booking, tmp_path):
    call = run(booking(), MANNERED)
    call.raise_for_error()
    truth = [(e.text, e.manner, e.parts) for e in spoke(call)]
    assert [manner for _, manner, _ in truth] == [
        "turn", "backchannel", "cough", "turn", "aside",
    ]  # fmt: skip
    folder = call.save(tmp_path / "call")
    loaded = Call.load(folder)
    assert [(e.text, e.manner, e.parts) for e in spoke(loaded)] == truth
    recalled = Caller.from_call(loaded)
    assert [step.turn for step in recalled.steps] == [1, 1, 1, 2, 2, 2]
    again = run(booking(), recalled)
    assert [e.to_json() for e in spoke(again)] == [e.to_json() for e in spoke(call)]
    np.testing.assert_array_equal(again.recording, call.recording)


def test_such_a_caller_is_written_as_code_and_pickled(booking):
    call = run(booking(), MANNERED)
    code = call.to_code()
    names = {}
    exec(code, names)
    assert names["caller"] == MANNERED
    assert "from piopiy_lab import Caller, pause" in code
    assert pickle.loads(pickle.dumps(MANNERED)) == MANNERED
    lived = [
        event
        for event in call.events
        if not isinstance(
            event,
            events.CallerStepStarted | events.CallerStepFinished | events.CallerStepFailed,
        )
    ]
    from piopiy_lab.screenplay.code import code_of

    from_events = code_of(lived, "c", None)
    for line in (
        '.says("a table for two", pause(0.6), "tomorrow")',
        '.backchannels("mm hmm", after=0.5)',
        ".coughs()",
        '.says_aside("i am on the phone")',
    ):
        assert line in from_events, from_events
    assert from_events.count(".hears_reply()") == 2


@pytest.mark.parametrize("rate", [8000, 16000, 48000])
def test_a_cough_is_the_same_for_its_seed_and_has_no_words(rate):
    first, second = body_sounds.cough(rate, 1), body_sounds.cough(rate, 2)
    np.testing.assert_array_equal(first, body_sounds.cough(rate, 1))
    assert len(first) != len(second) or (first != second).any()
    assert 0.25 < len(first) / rate < 1.2
    assert np.abs(first).max() == body_sounds.PEAK


def test_the_views_show_what_it_was(booking):
    caller = Caller().backchannels("mm hmm", after=0.4).hears_greeting().coughs().hangs_up()
    call = run(booking(), caller, replace={"stt": "screenplay"})
    call.raise_for_error()
    assert "caller  mm hmm [backchannel]" in str(call.transcript)
    assert "[backchannel]" in call.transcript._repr_html_()
    assert "[cough]" in str(call)
    shown = {text.get_text() for axes in call.plot().axes for text in axes.texts}
    assert {"backchannel: mm hmm", "cough"} <= shown


def test_calls_without_manners_are_written_as_before(booking):
    call = run(booking(), greeted().says("a table for two").hears_reply())
    (turn,) = spoke(call)
    assert set(turn.told()) == {"at", "text", "end"}
    assert "manner" not in turn.to_json()
    assert "manner" not in repr(turn)
