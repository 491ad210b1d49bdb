"""Which pauses get cut: of a call that is made, and of what its events say."""

from __future__ import annotations

import asyncio

import pytest
from kinds_of_calls import desk
from made_rows import made_calls

from piopiy_lab import Caller, events, pause, simulate_many
from piopiy_lab.events.log import EventLog
from piopiy_lab.experiments.figures.pauses import Pause, pauses_of

CALLER = (
    Caller()
    .hears_greeting()
    .says("a table for two tomorrow at seven")
    .hears_reply()
    .says("my name is", pause(0.9), "anna")
    .hears_reply()
    .hangs_up()
)


@pytest.fixture(scope="module")
def calls():
    return asyncio.run(simulate_many(desk(), {"anna": CALLER}, repeat=4, executor=0))


def test_the_screenplay_s_pause_is_the_second_turn_s_first(calls):
    first, inside, end = calls.pauses()
    assert [(p.turn, p.number) for p in (first, inside, end)] == [(1, None), (2, 1), (2, None)]
    assert inside.seen == inside.cut.n == 4
    assert 0.4 < inside.at < 0.8
    assert first.cut.count == end.cut.count == 0


def test_it_was_cut_where_the_agent_answered_into_it(calls):
    inside = calls.pauses()[1]
    broken_into = 0
    for row in calls:
        said = calls.call(row).events.of(events.CallerSpoke)[1]
        resumes = said.parts[1][1]
        spoke = calls.call(row).events.of(events.AgentSpeechStarted)
        broken_into += any(said.parts[0][2] < one.at < resumes for one in spoke)
    assert inside.cut.count == broken_into > 0
    assert 0 < inside.probabilities[1] <= 1


def log_of(*seen):
    log = EventLog()
    for event in seen:
        log.append(event)
    return log


def spoke(at, end, **told):
    return events.CallerSpoke(at=at, text="so", end=end, **told)


def starts(at):
    return events.UserSpeechStarted(at=at, cause="vad", start_secs=0.2)


def stops(at):
    return events.UserSpeechStopped(at=at, cause="vad", stop_secs=0.2)


def looks(at, probability):
    return events.TurnPredicted(at=at, complete=probability > 0.5, probability=probability)


def test_a_pause_that_the_detector_heard_and_the_turn_model_held():
    log = log_of(
        starts(1.2), stops(2.0), looks(2.0, 0.3), starts(2.9), stops(4.2), looks(4.2, 0.8),
        events.UserTurnStopped(at=4.2), spoke(1.0, 4.0),
    )  # fmt: skip
    assert pauses_of(log) == (
        Pause(1, 0.8, False, True, 0.3, False),
        Pause(1, 3.0, False, False, 0.8, True),
    )


def test_a_pause_that_ended_the_turn_and_an_end_that_was_held():
    log = log_of(
        starts(1.2), stops(2.0), looks(2.0, 0.9), events.UserTurnStopped(at=2.0), starts(2.9),
        stops(4.2), looks(4.2, 0.1), events.UserTurnStopped(at=5.7), spoke(1.0, 4.0),
    )  # fmt: skip
    inside, end = pauses_of(log)
    assert inside.cut
    assert not inside.held
    assert end.held
    assert not end.cut


def test_what_is_said_beside_the_talk_is_no_turn():
    assert pauses_of(log_of(spoke(1.0, 2.0, manner="cough"))) == ()
    assert pauses_of(log_of()) == ()


def test_pauses_of_several_runs_are_one_by_their_place_in_the_turn():
    """The detector hears the first pause of the second run only: the second stays the second."""
    runs = iter([
        (Pause(1, 1.41, True, False, 0.9, False), Pause(1, 2.0, False, False, 0.9, True)),
        (
            Pause(1, 0.50, False, True, 0.2, False),
            Pause(1, 1.38, False, True, 0.4, False),
            Pause(1, 2.0, False, True, 0.3, True),
        ),
    ])  # fmt: skip
    rows = [made_calls({"anna": "p"}, pauses=next(runs))[0] for _ in range(2)]
    from piopiy_lab.experiments.figures.pause_shares import pause_shares

    first, second, end = pause_shares(rows)
    assert (first.number, first.seen, first.cut.count, first.cut.n) == (1, 1, 0, 2)
    assert (second.number, second.seen, second.cut.count, second.cut.n) == (2, 2, 1, 2)
    assert second.probabilities == (0.4, 0.9)
    assert (end.number, end.held.count) == (None, 1)
