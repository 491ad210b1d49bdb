"""τ-voice's numbers on timelines made by hand: each definition, and each of its traps."""

from __future__ import annotations

import pytest

from piopiy_lab.bench.tau_voice import Windows, panel
from piopiy_lab.bench.timeline import Said, Ticks, Timeline


def call(*said, agent=((0.0, 10.0),), secs=12.0):
    return Timeline(tuple(Said(*one) for one in said), tuple(agent), secs)


def test_ticks_are_of_whoever_has_any_sound_in_them():
    ticks = Ticks(call((0.25, 0.45, "turn"), agent=((0.6, 0.8),), secs=1.0))
    assert ticks.count == 5
    assert list(ticks.user) == [None, "turn", "turn", None, None]
    assert list(ticks.agent) == [False, False, False, True, False]


def test_a_sound_that_ends_on_an_edge_is_not_in_the_next_tick():
    ticks = Ticks(call((0.2, 0.2 * 3, "turn"), agent=((0.2 * 3, 0.2 * 4),), secs=2.0))
    assert [label is not None for label in ticks.user[:5]] == [False, True, True, False, False]
    assert list(ticks.agent[:5]) == [False, False, False, True, False]


def test_an_agent_that_talks_through_a_backchannel_is_right():
    found = panel([call((3.0, 3.5, "backchannel"))])
    assert (found.s_bc.count, found.s_bc.n) == (1, 1)
    assert found.turns == 0, "a backchannel wants no answer"


def test_a_pause_within_a_second_of_a_backchannel_is_an_error_though_the_agent_goes_on():
    paused = call((3.0, 3.5, "backchannel"), agent=((0, 3.2), (3.6, 10)))
    assert panel([paused]).s_bc.count == 0
    late = call((3.0, 3.5, "backchannel"), agent=((0, 4.0), (4.4, 10)))
    assert panel([late]).s_bc.count == 1, "the sixth tick is no longer looked at"


def test_a_silence_that_fills_no_tick_is_none():
    short = call((3.0, 3.5, "backchannel"), agent=((0, 3.3), (3.5, 10)))
    assert panel([short]).s_bc.count == 1


def test_an_agent_at_its_sentence_s_end_fails_a_backchannel_and_passes_an_interruption():
    ends = ((0.0, 3.4),)
    assert panel([call((3.0, 3.5, "backchannel"), agent=ends)]).s_bc.count == 0
    assert panel([call((3.0, 3.5, "turn"), agent=ends)]).r_y.count == 1


def test_yielding_is_a_silent_tick_within_two_seconds_also_if_the_agent_goes_on():
    resumed = panel([call((3.0, 4.5, "turn"), agent=((0, 3.4), (4.0, 10)))])
    assert (resumed.r_y.count, resumed.r_y.n) == (1, 1)
    assert resumed.l_y.mean == pytest.approx(0.4)
    late = panel([call((3.0, 4.5, "turn"), agent=((0, 5.0),))])
    assert (late.r_y.count, late.r_y.n, late.l_y.mean) == (0, 1, None)


def test_windows_are_cut_off_to_whole_ticks():
    used = Windows()
    assert [used.ticks(secs) for secs in (0.6, 1.0, 2.0)] == [2, 5, 10]


def test_an_answer_s_latency_is_counted_from_tick_to_tick():
    found = panel([call((1.0, 2.0, "turn"), agent=((2.7, 5.0),))])
    assert found.l_r.mean == pytest.approx(0.6)
    assert (found.r_r.count, found.r_r.n) == (1, 1)


def test_a_last_turn_without_an_answer_counts_nowhere_unless_the_caller_speaks_again():
    alone = call((1.0, 2.0, "turn"), agent=())
    assert (panel([alone]).r_r.n, panel([alone]).turns) == (0, 0)
    asked = call((1.0, 2.0, "turn"), (6.0, 6.2, "again"), agent=())
    assert (panel([asked]).r_r.count, panel([asked]).r_r.n) == (0, 1)


def test_what_made_the_agent_talk_is_not_counted():
    found = panel([call((1.0, 2.0, "set-up"), (4.0, 4.4, "backchannel"), agent=((2.4, 9),))])
    assert (found.r_r.n, found.s_bc.n) == (0, 1)


def test_a_turn_that_ends_while_the_agent_speaks_wants_no_answer():
    assert panel([call((3.0, 4.0, "turn"), agent=((0, 10),))]).turns == 0


def test_an_agent_that_begins_while_the_caller_speaks_interrupts():
    found = panel([call((1.0, 3.0, "turn"), agent=((2.0, 2.4), (2.8, 3.0), (4.0, 5.0)))])
    assert (found.interrupted, found.turns, found.i_a) == (2, 1, 2.0)


@pytest.mark.parametrize(("label", "name"), [("tic", "s_vt"), ("aside", "s_nd")])
def test_noises_and_asides_are_neither_stopped_for_nor_answered(label, name):
    def share(timeline):
        return getattr(panel([timeline]), name)

    assert share(call((3.0, 3.5, label))).count == 1
    assert share(call((3.0, 3.5, label), agent=((0, 3.4),))).count == 0
    assert share(call((3.0, 3.5, label), agent=((0, 1.0), (7.0, 8.0)))).count == 1
    assert share(call((3.0, 3.5, label), agent=((0, 1.0), (5.0, 8.0)))).count == 0
    assert share(call((3.0, 3.6, label), agent=((0, 1.0), (5.6, 8.0)))).count == 0, "2.0 s after"
    assert panel([call((3.0, 3.5, label), agent=((5.0, 8.0),))]).turns == 0


@pytest.mark.parametrize(("label", "name"), [("tic", "s_vt"), ("aside", "s_nd")])
def test_a_segment_that_ends_a_second_after_a_noise_is_an_error_and_a_tick_later_none(label, name):
    def ends(at):
        return getattr(panel([call((3.0, 3.5, label), agent=((0, at),))]), name).count

    assert (ends(3.9), ends(4.0), ends(4.1)) == (0, 0, 1), "the sixth tick from its first counts"
    backchannel = panel([call((3.0, 3.5, "backchannel"), agent=((0, 4.0),))])
    assert backchannel.s_bc.count == 1, "and doesn't for a backchannel"


def test_an_agent_that_begins_in_a_noise_interrupts_nobody():
    found = panel([call((1.0, 2.0, "turn"), (4.0, 4.6, "tic"), agent=((2.4, 3), (4.2, 9)))])
    assert (found.interrupted, found.turns) == (0, 1)
    over = panel([call((1.0, 2.0, "turn"), (4.0, 4.6, "backchannel"), agent=((2.4, 3), (4.2, 9)))])
    assert over.interrupted == 1


def test_a_turn_that_the_agent_talks_over_is_not_the_next_one():
    said = ((1.0, 2.0, "turn"), (4.0, 5.0, "turn"), (8.0, 8.2, "again"))
    found = panel([call(*said, agent=((4.4, 6.0),))])
    assert (found.r_r.count, found.turns) == (1, 1)
    assert found.l_r.mean == pytest.approx(2.4)


def test_shares_come_with_their_interval():
    calls = [call((3.0, 3.5, "backchannel"))] * 9
    calls.append(call((3.0, 3.5, "backchannel"), agent=((0, 3.2),)))
    share = panel(calls).s_bc
    assert str(share) == "9 of 10, 0.90 (0.60 to 0.98)"
