"""The rule by itself: windows and words in, moves out."""

from __future__ import annotations

import pytest

from piopiy_lab.listening.hold_train import MOST_REST_SECS, REST_SECS, WARY_SECS, HoldTrain
from piopiy_lab.listening.holding import (
    Forget,
    HearOut,
    Hold,
    Holding,
    HoldRules,
    Kept,
    Resume,
    Yield,
)

WINDOW = 0.032


class Line:
    """A caller over an agent that speaks: windows of a voice or of silence, and words."""

    def __init__(self, *, detected=True, **rules):
        self.rule = Holding(HoldRules(**rules))
        self.rule.agent_speaks = True
        self.now, self.moves, self._detected = 10.0, [], detected

    def hears(self, secs, confidence):
        for _ in range(round(secs / WINDOW)):
            self.now += WINDOW
            if confidence > 0.5 and self.now > 10.3:
                self.rule.detected = self._detected
            self.rule.hear([confidence], WINDOW)
            self._take(self.rule.look(self.now))
        return self

    def _take(self, moves):
        self.moves += moves
        if any(isinstance(move, Yield) for move in moves):
            self.rule.begin_turn()

    def voice(self, secs):
        return self.hears(secs, 0.95)

    def silence(self, secs):
        return self.hears(secs, 0.05)

    def words(self, text, *, final=True):
        self._take(self.rule.words(self.now, text, final=final) or [])
        return self

    @property
    def kinds(self):
        return [type(move).__name__ for move in self.moves]


def test_three_windows_of_a_voice_hold():
    assert Line().voice(2 * WINDOW).silence(0.5).moves == []
    line = Line().voice(3 * WINDOW)
    assert line.moves == [Hold()]
    assert line.now == pytest.approx(10.096)


def test_a_short_noise_goes_on_at_once_and_is_no_backchannel():
    line = Line().voice(0.128).silence(0.096)
    assert line.moves == [Hold(), Resume("noise")]
    assert line.silence(2.0).moves == [Hold(), Resume("noise")]


def test_a_voice_without_words_goes_on_after_a_short_wait():
    line = Line().voice(0.4).silence(0.096 + 0.1)
    assert line.moves == [Hold()]
    assert line.silence(0.1).moves == [Hold(), Resume("short")]
    line.silence(1.5)
    kept = line.moves[-1]
    assert isinstance(kept, Kept)
    assert kept.text == ""
    assert kept.end - kept.start == pytest.approx(0.384, abs=1e-6)


def test_a_backchannels_words_end_the_wait():
    line = Line().voice(0.4).words("mm hmm", final=False).silence(0.096)
    assert line.moves == [Hold(), Resume("backchannel")]
    line.words("mm hmm")
    assert line.kinds[2:] == ["Forget", "Kept"]
    assert line.silence(3).kinds[4:] == []


def test_a_final_before_the_end_waits_for_the_end():
    line = Line().voice(0.4).words("okay").voice(0.1)
    assert line.moves == [Hold(), Forget()]
    assert line.silence(0.1).kinds[2:] == ["Resume", "Kept"]


@pytest.mark.parametrize("text", ["stop", "no", "wait please", "excuse me"])
def test_a_stop_word_takes_the_floor_with_its_first_interim(text):
    assert Line().voice(0.4).words(text, final=False).moves == [Hold(), Yield("words")]


def test_other_words_take_two_in_an_interim_and_one_in_a_final():
    line = Line().voice(0.4).words("table", final=False)
    assert line.moves == [Hold()]
    assert line.words("table for", final=False).moves == [Hold(), Yield("words")]
    assert Line().voice(0.4).words("table").moves == [Hold(), Yield("words")]


def test_a_second_of_voice_takes_the_floor_unless_its_words_are_a_listeners():
    line = Line().voice(1.2)
    assert line.moves == [Hold(), Yield("long")]
    line = Line().voice(0.6).words("mm hmm", final=False).voice(0.6)
    assert line.moves == [Hold(), Resume("backchannel")]


def test_a_voice_that_the_detector_is_not_sure_of_does_not_take_it_by_length():
    line = Line(detected=False).voice(1.5).silence(0.2)
    assert line.moves == [Hold(), Resume("long")]


def test_a_recogniser_that_waits_for_the_detector_may_look_once():
    line = Line(detected=False).voice(0.4).silence(0.15)
    assert line.moves == [Hold(), HearOut()]
    assert line.words("stop").moves[2:] == [Yield("words")]
    assert Line(detected=False, by_words=False).voice(0.4).silence(0.1).kinds == ["Hold", "Resume"]


def test_late_words_still_take_the_floor():
    line = Line().voice(0.4).silence(0.4).words("stop")
    assert line.moves == [Hold(), Resume("short"), Yield("words, late")]
    line = Line().voice(0.4).silence(0.4).words("stop", final=False)
    assert line.moves[-1] == Yield("words, late")


def test_unclear_has_no_words():
    line = Line().voice(0.4).silence(0.1).words("[unclear: two people]")
    assert line.kinds == ["Hold", "Forget", "Resume", "Kept"]
    assert line.moves[-1].text == ""


def test_yes_is_a_turn_after_a_question_and_a_listeners_word_otherwise():
    asked = Line()
    asked.rule.asked_at = 9.0
    assert asked.voice(0.4).words("yes", final=False).moves == [Hold(), Yield("words")]
    late = Line()
    late.rule.asked_at = 9.0
    assert late.voice(0.4).silence(0.4).words("okay").moves[-1] == Yield("words, late")
    long_ago = Line()
    long_ago.rule.asked_at = 4.0
    assert long_ago.voice(0.4).silence(0.1).words("yes").kinds[-1] == "Kept"
    listening = Line()
    listening.rule.asked_at = 9.0
    assert listening.voice(0.4).silence(0.1).words("mm hmm").kinds[-1] == "Kept"


def test_words_that_are_needed_are_counted_while_held():
    line = Line()
    line.rule.min_words = 3
    line.voice(0.4).words("stop it").voice(0.8).silence(0.2)
    assert line.kinds == ["Hold", "Forget", "Resume", "Kept"]
    enough = Line()
    enough.rule.min_words = 3
    assert enough.voice(0.4).words("make it seven", final=False).moves[-1] == Yield("words")
    listening = Line()
    listening.rule.min_words = 2
    assert listening.voice(0.4).silence(0.1).words("oh okay right").kinds[-1] == "Kept"


def test_nothing_is_held_in_a_turn_of_the_callers_or_while_the_agent_is_silent():
    line = Line()
    line.rule.begin_turn()
    assert line.voice(0.5).moves == []
    line.rule.end_turn()
    silent = Line()
    silent.rule.agent_speaks = False
    assert silent.voice(0.5).moves == []
    assert silent.rule.words(silent.now, "hello", final=True) is None


def test_another_voice_holds_again_and_the_first_is_told():
    line = Line().voice(0.4).silence(0.4).voice(0.1)
    assert line.kinds == ["Hold", "Resume", "Kept", "Hold"]


def test_words_that_the_detector_did_not_hear():
    line = Line().words("mm hmm")
    assert line.kinds == ["Forget", "Kept"]
    assert Line().words("[unclear]").moves == [Forget()]
    assert Line().words("make it seven").moves == [Yield("words")]
    assert Line().words("make", final=False).moves == []


def test_by_length_alone_nobody_waits_for_words():
    line = Line(by_words=False).voice(0.4).silence(0.1)
    assert line.moves == [Hold(), Resume("short")]


def test_a_dip_within_a_word_is_not_its_end():
    line = Line().voice(0.2).hears(0.2, 0.5).voice(0.2).silence(0.07).voice(0.1)
    assert line.moves == [Hold()]


def test_a_hold_that_somebody_else_ended_is_over():
    line = Line().voice(0.3)
    line.rule.let_go(line.now)
    assert not line.rule.holds
    assert line.silence(2.0).kinds == ["Hold", "Kept"]


# --- a microphone that hears the agent ----------------------------------------------------------


def echoes(line, secs):
    """Let the line hear the agent's own voice for so long: while it is not held."""
    end = line.now + secs
    while line.now < end:
        line.hears(WINDOW, 0.05 if line.rule.holds else 0.95)
    return line


def test_three_holds_in_a_row_without_a_word_and_it_is_not_held_for_a_while():
    line = echoes(Line(), 2.0)
    assert line.kinds.count("Hold") == 3
    assert echoes(line, 1.3).kinds.count("Hold") == 3
    assert "Echoes" not in line.kinds
    assert not line.rule.holds


def test_then_one_more_is_enough_it_is_told_once_for_each_and_each_rest_is_longer():
    line = Line()
    line.rule.agent_speaks = True
    echoes(line, 6.0)
    assert line.kinds.count("Echoes") <= 1
    line.silence(0.2)
    echoes(line, 60)
    held = line.kinds.count("Hold")
    assert held <= 3 + 4, "3, then after 2, 4, 8 and 16 seconds one each"
    assert not [move for move in line.moves if isinstance(move, Yield)]


def test_meanwhile_words_take_the_floor_and_a_listeners_do_not():
    line = echoes(Line(), 2.0).silence(0.3)
    assert line.voice(0.5).words("mm hmm").silence(0.2).kinds[-1] == "Kept"
    assert line.kinds.count("Hold") == 3
    assert line.voice(0.5).words("stop", final=False).moves[-1] == Yield("words")


def test_by_length_alone_a_second_of_voice_takes_it_even_then():
    line = echoes(Line(by_words=False), 1.2).silence(0.3)
    before = len(line.moves)
    assert line.voice(1.2).moves[before:] == [Yield("long")]
    assert line.kinds.count("Hold") == 3


def test_a_listener_with_words_is_held_for_as_often_as_they_like():
    line = Line()
    for _ in range(6):
        line.voice(0.3).words("okay").silence(0.3)
    assert line.kinds.count("Hold") == line.kinds.count("Kept") == 6


def test_noises_far_apart_are_no_row():
    line = Line()
    for _ in range(5):
        line.voice(0.2).silence(3.0)
    assert line.kinds.count("Hold") == 5


def test_rests_grow_to_a_limit_and_are_forgotten():
    train, at, rests = HoldTrain(), 0.0, []
    for _ in range(3):
        train.wordless(at, at + 0.1)
        at += 0.5
    while len(rests) < 6:
        begun = at
        while not train.allows(at):
            at += 0.1
        rests.append(at - begun)
        assert train.wordless(at, at)
    assert rests[1:5] == pytest.approx([4, 8, 16, 16], abs=0.2)
    assert REST_SECS < MOST_REST_SECS
    at += MOST_REST_SECS + WARY_SECS + 1
    assert not train.wordless(at, at + 0.1)
