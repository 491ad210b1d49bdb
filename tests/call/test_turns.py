import math
import random

import pytest

from piopiy_lab import events as ev
from piopiy_lab.call.turns import PARTS, Turn, Turns, build_turns
from piopiy_lab.errors import ArgumentError


def spoken(end: float = 2.0, text: str = "a table for two", truth: bool = True) -> list[ev.Event]:
    """The user speaks until ``end``; the detector is sure 0.2 s after it believes so."""
    found: list[ev.Event] = [
        ev.UserSpeechStarted(at=end - 1.0, cause="vad", start_secs=0.2),
        ev.UserTurnStarted(at=end - 1.0),
        ev.UserSpeechStopped(at=end + 0.25, cause="vad", stop_secs=0.2),
        ev.TurnPredicted(at=end + 0.30, complete=True, probability=0.9),
        ev.Transcribed(at=end + 0.45, text=text),
        ev.UserTurnStopped(at=end + 0.45),
        ev.UserTurnAdded(at=end + 0.451, text=text),
    ]
    if truth:
        found.append(ev.CallerSpoke(at=end - 1.2, text=text, end=end))
    return found


def answered(at: float = 3.0, text: str = "For two.") -> list[ev.Event]:
    return [
        ev.ContextSent(at=at - 0.5, messages=[], tools=[]),
        ev.LLMResponseStarted(at=at - 0.45),
        ev.LLMTextGenerated(at=at - 0.4, text=text),
        ev.LLMTextGenerated(at=at - 0.35, text="!"),
        ev.AudioSynthesized(at=at - 0.1),
        ev.AgentSpeechStarted(at=at),
        ev.WordSpoken(at=at, text=text),
        ev.AgentSpeechStopped(at=at + 1.0, cause="finished"),
    ]


def parts(events: list[ev.Event]) -> list[float]:
    (turn,) = build_turns(events)
    assert list(turn.parts) == list(PARTS)
    assert sum(turn.parts.values()) == pytest.approx(turn.total, abs=1e-3)
    return [round(secs, 3) for secs in turn.parts.values()]


def test_every_part_is_where_the_log_says():
    events = [*spoken(), *answered()]
    #                       vad   turn  script llm   tts  output
    assert parts(events) == [0.25, 0.05, 0.15, 0.15, 0.3, 0.1]
    turn = build_turns(events)[0]
    assert (turn.user, turn.assistant) == ("a table for two", "For two.")
    assert turn.start == pytest.approx(2.0)
    assert turn.answered == pytest.approx(3.0)
    assert turn.total == pytest.approx(1.0)


def test_without_ground_truth_the_detector_says_when_speech_ended():
    assert parts([*spoken(truth=False), *answered()])[0] == 0.2


def test_another_utterance_of_the_caller_is_no_ground_truth():
    early = ev.CallerSpoke(at=0.1, text="hm", end=0.3)
    later = ev.CallerSpoke(at=6.0, text="hm", end=7.0)
    assert parts([early, *spoken(truth=False), *answered(), later])[0] == 0.2


def test_a_turn_that_waited_for_more_than_the_transcript():
    events = [e for e in spoken() if not isinstance(e, ev.UserTurnStopped)]
    late = ev.UserTurnStopped(at=2.6)
    assert parts([*events, late, *answered(3.2)]) == [0.25, 0.35, 0.0, 0.2, 0.3, 0.1]


def test_without_a_turn_model_what_the_transcript_took_is_its_own():
    events = [e for e in spoken() if not isinstance(e, ev.TurnPredicted)]
    assert parts([*events, *answered()])[:3] == [0.25, 0.0, 0.2]


def test_an_incomplete_verdict_decides_nothing():
    events = [
        *[e for e in spoken() if not isinstance(e, ev.TurnPredicted)],
        ev.TurnPredicted(at=2.3, complete=False, probability=0.1),
    ]
    assert parts([*events, *answered()])[:3] == [0.25, 0.0, 0.2]


def test_a_transcript_after_the_turn_is_its_own_part():
    events = [e for e in spoken() if not isinstance(e, ev.Transcribed | ev.UserTurnAdded)]
    late = [ev.Transcribed(at=2.65, text="yes"), ev.UserTurnAdded(at=2.66, text="yes")]
    assert parts([*events, *late, *answered(3.3)]) == [0.25, 0.2, 0.2, 0.25, 0.3, 0.1]


def test_what_overlaps_is_counted_once():
    events = [
        *spoken(),
        ev.AudioSynthesized(at=2.5),  # before the text: a service of its own mind
        ev.LLMTextGenerated(at=2.6, text="For"),
        ev.AgentSpeechStarted(at=2.55),  # and heard before both
        ev.WordSpoken(at=2.55, text="For"),
    ]
    assert parts(events) == [0.25, 0.05, 0.15, 0.0, 0.05, 0.05]


def test_a_tool_before_the_first_sound_is_part_of_the_llm():
    events = [
        *spoken(),
        ev.ContextSent(at=2.46, messages=[], tools=["book_table"]),
        ev.ToolCalled(at=2.5, name="book_table", arguments={}, number=1),
        ev.ToolReturned(at=4.0, name="book_table", number=1, result="ok"),
        *answered(5.0),
    ]
    assert parts(events) == [0.25, 0.05, 0.15, 2.15, 0.3, 0.1]
    assert build_turns(events)[0].tool_secs == pytest.approx(1.5)


def test_what_is_said_while_a_tool_runs_is_the_answer():
    events = [
        *spoken(),
        ev.ContextSent(at=2.46, messages=[], tools=["book_table"]),
        ev.ToolCalled(at=2.5, name="book_table", arguments={}, number=1),
        ev.SpeechRequested(at=2.5, text="One moment."),
        ev.AudioSynthesized(at=2.6),
        ev.AgentSpeechStarted(at=2.7),
        ev.WordSpoken(at=2.7, text="One moment."),
        ev.AgentSpeechStopped(at=3.4, cause="finished"),
        ev.ToolReturned(at=4.0, name="book_table", number=1, result="ok"),
        *answered(5.0),
    ]
    (turn,) = build_turns(events)
    assert turn.total == pytest.approx(0.7)
    assert turn.tool_secs == pytest.approx(0.2)


def test_a_typed_turn_has_no_vad_turn_or_transcript():
    events = [ev.UserTextTyped(at=2.0, text="two people"), *answered(2.6)]
    assert parts(events) == [0.0, 0.0, 0.0, 0.2, 0.3, 0.1]
    assert build_turns(events)[0].source == "typed"
    added = ev.UserTurnAdded(at=2.01, text="two people")
    assert parts([*events, added]) == [0.0, 0.0, 0.0, 0.2, 0.3, 0.1]


@pytest.mark.parametrize("stopped", [True, False])
def test_keys_wait_for_the_end_of_the_turn(stopped: bool):
    events: list[ev.Event] = [
        ev.DTMFReceived(at=1.0, digit="1"),
        ev.DTMFReceived(at=1.5, digit="2"),
        ev.UserTurnAdded(at=3.5, text="DTMF: 12"),
    ]
    if stopped:
        events.append(ev.UserTurnStopped(at=3.5))
    assert parts([*events, *answered(4.1)]) == [0.0, 2.0, 0.0, 0.2, 0.3, 0.1]
    assert build_turns([*events, *answered(4.1)])[0].user == "12"


def test_without_vad_the_transcript_ends_the_turn():
    events = [
        ev.Transcribed(at=2.4, text="yes", words=[["yes", 1.6, 2.0]]),
        ev.UserTurnStarted(at=2.4),
        ev.UserTurnStopped(at=2.4),
        ev.UserTurnAdded(at=2.4, text="yes"),
    ]
    assert parts([*events, *answered(3.0)]) == [0.0, 0.0, 0.4, 0.2, 0.3, 0.1]


def test_the_greeting_and_a_reminder_are_no_answers():
    greeting = [
        ev.SpeechRequested(at=0.1, text="Hello"),
        ev.AudioSynthesized(at=0.2),
        ev.AgentSpeechStarted(at=0.3),
        ev.WordSpoken(at=0.3, text="Hello"),
        ev.AgentSpeechStopped(at=0.6, cause="finished"),
    ]
    reminder = [
        ev.SpeechRequested(at=30.0, text="Are you there?"),
        ev.AgentSpeechStarted(at=30.2),
        ev.WordSpoken(at=30.2, text="Are you there?"),
    ]
    assert len(build_turns(greeting)) == 0
    assert len(build_turns([*greeting, *spoken(), *reminder])) == 0


def test_a_turn_that_the_user_takes_back_is_not_listed():
    events = [
        *spoken(2.0, "a table for two"),
        ev.LLMTextGenerated(at=2.5, text="For"),
        ev.AgentInterrupted(at=2.8, cause="user", speaking=False),
        *spoken(4.0, "no, for three"),
        *answered(5.0, "For three."),
    ]
    (turn,) = build_turns(events)
    assert (turn.user, turn.assistant) == ("no, for three", "For three.")


def test_an_interrupted_answer_was_an_answer():
    events = [
        *spoken(2.0),
        *answered(3.0)[:-1],
        ev.AgentInterrupted(at=3.4, cause="user", speaking=True),
        ev.AgentSpeechStopped(at=3.4, cause="interrupted"),
        *spoken(4.3, "no"),
        *answered(5.3, "Sorry."),
    ]
    assert [turn.assistant for turn in build_turns(events)] == ["For two.", "Sorry."]


def test_the_turns_read_as_a_table():
    turns = build_turns(
        [*spoken(2.0), *answered(3.0), *spoken(7.0, "yes <b>"), *answered(8.2, "Booked.")]
    )
    assert str(turns).splitlines() == [
        "     at  vad  turn  transcript  llm  tts  output  total  caller",
        "00:02.0  250    50         150  150  300     100   1000  a table for two",
        "00:07.0  250    50         150  350  300     100   1200  yes <b>",
        " median  250    50         150  250  300     100   1100",
    ]
    assert "yes &lt;b&gt;" in turns._repr_html_()
    assert repr(turns[0]).startswith("<Turn 1.000 s (vad 0.250 turn 0.050 ")
    assert isinstance(turns[:1], Turns)
    assert turns[:2] == turns
    assert hash(turns[:2]) == hash(turns)


def test_medians_that_are_no_sum_say_so():
    """Of three turns the middle of each column need not be of the same turn."""

    def of(vad, llm, tts):
        given = {**dict.fromkeys(PARTS, 0.0), "vad": vad, "llm": llm, "tts": tts}
        return Turn(sum(given.values()), given, "yes", "Good.", 1.0)

    said = "(each column has its own median: the parts need not add up to the total)"
    sums = Turns([of(0.1, 0.2, 0.3), of(0.2, 0.3, 0.4), of(0.3, 0.4, 0.5)])
    apart = Turns([of(0.9, 0.1, 0.1), of(0.1, 0.9, 0.1), of(0.1, 0.1, 0.9)])
    assert said not in str(sums)
    assert said not in sums._repr_html_()
    assert str(apart).splitlines()[-1] == said
    assert said in apart._repr_html_()
    assert said not in str(apart[:1]), "one turn has no medians"


def test_percentiles():
    turns = build_turns([*spoken(2.0), *answered(3.0), *spoken(7.0), *answered(8.2)])
    assert turns.median() == pytest.approx(1.1)
    assert turns.percentile(0) == pytest.approx(1.0)
    assert turns.percentile(100, "llm") == pytest.approx(0.35)
    assert math.isnan(build_turns([]).median())
    assert str(build_turns([])) == "(no turn was answered)"
    with pytest.raises(ArgumentError, match="stt"):
        turns.median("stt")
    with pytest.raises(ArgumentError, match="101"):
        turns.percentile(101)


@pytest.mark.parametrize("seed", range(60))
def test_parts_are_never_negative_and_sum_to_the_total(seed: int):
    rng = random.Random(seed)
    events, now = [], 1.0
    kinds = [
        lambda at: ev.TurnPredicted(at=at, complete=rng.random() < 0.5, probability=0.5),
        lambda at: ev.Transcribed(at=at, text="a"),
        lambda at: ev.UserTurnStopped(at=at),
        lambda at: ev.LLMTextGenerated(at=at, text="b"),
        lambda at: ev.AudioSynthesized(at=at),
        lambda at: ev.AgentSpeechStarted(at=at),
        lambda at: ev.AgentSpeechStopped(at=at, cause="finished"),
        lambda at: ev.UserSpeechStarted(at=at, cause="vad", start_secs=0.2),
        lambda at: ev.UserSpeechStopped(at=at, cause="vad", stop_secs=0.2),
        lambda at: ev.CallerSpoke(at=at - 0.5, text="a", end=at),
        lambda at: ev.UserTextTyped(at=at, text="c"),
        lambda at: ev.UserTurnAdded(at=at, text=rng.choice("ac")),
        lambda at: ev.DTMFReceived(at=at, digit="1"),
        lambda at: ev.ToolCalled(at=at, name="t", arguments={}, number=rng.randint(1, 3)),
        lambda at: ev.ToolReturned(at=at, name="t", number=rng.randint(1, 3), result=1),
    ]
    for _ in range(200):
        now += rng.uniform(0, 0.4)
        events.append(rng.choice(kinds)(now))
    turns = build_turns(events)
    assert len(turns)
    for turn in turns:
        assert list(turn.parts) == list(PARTS)
        assert all(secs >= 0 for secs in turn.parts.values())
        assert sum(turn.parts.values()) == pytest.approx(turn.total, abs=1e-3)
        assert 0 <= turn.tool_secs <= turn.total + 1e-9
