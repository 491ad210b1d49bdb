"""The rule by itself: windows and words in, moves out."""

from __future__ import annotations

import pytest

from piopiy_lab.listening.hold_rules import HoldRules
from piopiy_lab.listening.hold_train import MOST_REST_SECS, REST_SECS, WARY_SECS, HoldTrain
from piopiy_lab.listening.holding import (
    Forget,
    HearOut,
    Hold,
    Holding,
    Kept,
    Resume,
    Yield,
)

WINDOW = 0.032


class Line:
    """A caller over an agent that speaks: windows of a voice or of silence, and words."""

    def __init__(self, *, detected=True, **rules):
        self.rule = Holding(HoldRules(**{"how": "duck", **rules}))
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
    assert line.moves == [Hold("duck")]
    assert line.now == pytest.approx(10.096)


def test_a_pause_is_one_from_the_beginning():
    assert Line(how="pause").voice(0.6).moves == [Hold("pause")]


def test_a_lower_sound_falls_silent_for_a_voice_that_goes_on():
    line = Line(how="duck_then_pause").voice(15 * WINDOW)
    assert line.moves == [Hold("duck")]
    assert line.voice(WINDOW).moves == [Hold("duck"), Hold("pause")]
    assert line.voice(0.6).moves == [Hold("duck"), Hold("pause"), Yield("long")]


def test_it_is_low_again_as_soon_as_the_voice_is_over_and_silent_if_it_goes_on_again():
    line = Line(how="duck_then_pause").voice(0.6).silence(WINDOW)
    assert line.moves == [Hold("duck"), Hold("pause")]
    line.silence(WINDOW)
    assert line.moves[2:] == [Hold("duck")]
    assert line.silence(0.3).moves[3:] == [Resume("short")]
    again = Line(how="duck_then_pause").voice(0.6).silence(2 * WINDOW).voice(WINDOW)
    assert again.moves == [Hold("duck"), Hold("pause"), Hold("duck"), Hold("pause")]


def test_for_a_listener_s_words_it_stays_low():
    line = Line(how="duck_then_pause").voice(0.4).words("okay", final=False).voice(0.4)
    assert line.moves == [Hold("duck")]
    late = Line(how="duck_then_pause").voice(0.6).words("okay", final=False)
    assert late.moves == [Hold("duck"), Hold("pause"), Hold("duck")]


def test_it_is_low_again_once_in_a_hold():
    line = Line(how="duck_then_pause").voice(0.6).silence(2 * WINDOW).voice(2 * WINDOW)
    assert line.moves == [Hold("duck"), Hold("pause"), Hold("duck"), Hold("pause")]
    assert line.silence(0.15).moves[4:] == []
    assert line.silence(0.2).moves[4:] == [Resume("short")]


@pytest.mark.parametrize("detected", [True, False])
def test_a_voice_that_comes_and_goes_with_the_sound_is_no_interruption_by_its_length(detected):
    line = Line(how="duck_then_pause", detected=detected)
    for _ in range(120):
        held = [move for move in line.moves if isinstance(move, Hold)]
        silent = line.rule.holds and held[-1].how == "pause"
        line.hears(WINDOW, 0.05 if silent else 0.95)
    assert not [move for move in line.moves if isinstance(move, Yield)]
    assert line.kinds.count("Resume") >= 2


def test_a_voice_that_goes_on_in_the_silence_after_all_is_one():
    line = Line(how="duck_then_pause").voice(0.8).silence(2 * WINDOW).voice(0.25)
    assert line.moves == [Hold("duck"), Hold("pause"), Hold("duck"), Hold("pause")]
    assert line.voice(0.2).moves[4:] == [Yield("long")]


def test_a_short_noise_goes_on_at_once_and_is_no_backchannel():
    line = Line().voice(0.128).silence(0.096)
    assert line.moves == [Hold("duck"), Resume("noise")]
    assert line.silence(2.0).moves == [Hold("duck"), Resume("noise")]


def test_a_voice_without_words_goes_on_after_a_short_wait():
    line = Line().voice(0.4).silence(0.096 + 0.1)
    assert line.moves == [Hold("duck")]
    assert line.silence(0.1).moves == [Hold("duck"), Resume("short")]
    line.silence(1.5)
    kept = line.moves[-1]
    assert isinstance(kept, Kept)
    assert kept.text == ""
    assert kept.end - kept.start == pytest.approx(0.384, abs=1e-6)


def test_a_backchannels_words_end_the_wait():
    line = Line().voice(0.4).words("mm hmm", final=False).silence(0.096)
    assert line.moves == [Hold("duck"), Resume("backchannel")]
    line.words("mm hmm")
    assert line.kinds[2:] == ["Forget", "Kept"]
    assert line.silence(3).kinds[4:] == []


def test_a_final_before_the_end_waits_for_the_end():
    line = Line().voice(0.4).words("okay").voice(0.1)
    assert line.moves == [Hold("duck"), Forget()]
    assert line.silence(0.1).kinds[2:] == ["Resume", "Kept"]


@pytest.mark.parametrize("text", ["stop", "sorry", "wait please", "excuse me"])
def test_a_stop_word_takes_the_floor_with_its_first_interim(text):
    assert Line().voice(0.4).words(text, final=False).moves == [Hold("duck"), Yield("words")]


def test_a_stop_word_that_may_become_a_listeners_waits_for_the_next_word():
    line = Line().voice(0.4).words("no", final=False)
    assert line.moves == [Hold("duck")]
    assert line.words("no way", final=False).silence(0.1).moves[1:] == [Resume("backchannel")]
    line = Line().voice(0.4).words("no", final=False).words("no I", final=False)
    assert line.moves == [Hold("duck"), Yield("words")]
    line = Line().voice(0.4).words("no", final=False).silence(0.2)
    assert line.moves == [Hold("duck")]
    assert line.silence(0.06).moves == [Hold("duck"), Yield("words")]
    assert Line().voice(0.4).words("no").moves == [Hold("duck"), Yield("words")]


def test_other_words_take_two_in_an_interim_and_one_in_a_final():
    line = Line().voice(0.4).words("table", final=False)
    assert line.moves == [Hold("duck")]
    assert line.words("table for", final=False).moves == [Hold("duck"), Yield("words")]
    assert Line().voice(0.4).words("table").moves == [Hold("duck"), Yield("words")]


def test_a_second_of_voice_takes_the_floor_unless_its_words_are_a_listeners():
    line = Line().voice(1.2)
    assert line.moves == [Hold("duck"), Yield("long")]
    line = Line().voice(0.6).words("mm hmm", final=False).voice(0.6)
    assert line.moves == [Hold("duck"), Resume("backchannel")]


def test_a_voice_that_the_detector_is_not_sure_of_does_not_take_it_by_length():
    line = Line(detected=False).voice(1.5).silence(0.2)
    assert line.moves == [Hold("duck"), Resume("long")]


def test_a_recogniser_that_waits_for_the_detector_may_look_once():
    line = Line(detected=False).voice(0.4).silence(0.15)
    assert line.moves == [Hold("duck"), HearOut()]
    assert line.words("stop").moves[2:] == [Yield("words")]
    assert Line(detected=False, by_words=False).voice(0.4).silence(0.1).kinds == ["Hold", "Resume"]


def test_late_words_still_take_the_floor():
    line = Line().voice(0.4).silence(0.4).words("stop")
    assert line.moves == [Hold("duck"), Resume("short"), Yield("words, late")]
    line = Line().voice(0.4).silence(0.4).words("stop", final=False)
    assert line.moves[-1] == Yield("words, late")


def test_unclear_has_no_words():
    line = Line().voice(0.4).silence(0.1).words("[unclear: two people]")
    assert line.kinds == ["Hold", "Forget", "Resume", "Kept"]
    assert line.moves[-1].text == ""


def test_yes_is_a_turn_after_a_question_and_a_listeners_word_otherwise():
    asked = Line()
    asked.rule.asked_at = 9.0
    assert asked.voice(0.4).words("yes", final=False).moves == [Hold("duck"), Yield("words")]
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
    assert line.moves == [Hold("duck"), Resume("short")]


def test_a_dip_within_a_word_is_not_its_end():
    line = Line().voice(0.2).hears(0.2, 0.5).voice(0.2).silence(0.07).voice(0.1)
    assert line.moves == [Hold("duck")]


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


# --- words to somebody else ---------------------------------------------------------------------


class Room(Line):
    """A caller who has spoken at 60 dB, and whoever is heard now, over the agent or not."""

    def __init__(self, *, agent=True, **rules):
        super().__init__(aside_db=8.0, **rules)
        self.rule.turn = True
        self.db = 60.0
        self.voice(2.0)
        self.rule.end_turn()
        self.rule.detected, self.rule.agent_speaks = False, agent
        self.now = 10.0
        self.moves.clear()
        self.silence(0.3)

    def hears(self, secs, confidence):
        for place in range(round(secs / WINDOW)):
            self.now += WINDOW
            self.rule.hear([confidence], WINDOW)
            self.rule.sounds(10 ** (self.db / 10), WINDOW)
            self._take(self.rule.look(self.now))
            if confidence > 0.5 and not self.rule.detected and place * WINDOW > 0.2:
                self.rule.detected = True
                if not self.rule.agent_speaks and not self.rule.turn_away(self.now):
                    self._take([Yield("long")])
        return self

    def at(self, db):
        self.db = db
        return self


@pytest.mark.parametrize("how", ["duck", "pause", "duck_then_pause"])
def test_a_voice_that_is_much_lower_than_the_callers_own_is_left_alone(how):
    line = Room(how=how).at(50.0).voice(1.4).silence(0.2).words("did you feed the dog")
    assert line.kinds == ["Hold", "Resume", "Forget", "Kept"]
    assert line.moves[1] == Resume("aside")
    assert line.moves[-1].aside
    assert line.moves[-1].text == "did you feed the dog"
    assert line.silence(3).kinds[4:] == []


@pytest.mark.parametrize("db", [60.0, 54.0])
def test_a_voice_that_is_hardly_lower_interrupts(db):
    assert Room().at(db).voice(1.2).moves == [Hold("duck"), Yield("long")]
    assert Room().at(db).voice(0.5).words("wait").moves == [Hold("duck"), Yield("words")]


def test_a_short_aside_is_one_and_a_low_backchannel_is_a_backchannel():
    line = Room().at(48.0).voice(0.5).silence(0.2).words("not now").silence(2)
    assert line.kinds == ["Hold", "Forget", "Resume", "Kept"]
    assert line.moves[-1].aside
    line = Room().at(48.0).voice(0.4).silence(0.1).words("okay")
    assert not line.moves[-1].aside


def test_a_caller_who_turns_back_to_the_phone_interrupts():
    line = Room().at(48.0).voice(1.1)
    assert line.moves == [Hold("duck"), Resume("aside")]
    assert line.at(62.0).voice(0.5).kinds[-1] == "Yield"


def test_a_caller_who_has_moved_away_is_heard_at_the_second_try():
    line = Room().at(51.0).voice(1.2).silence(0.3).words("can you hear me").silence(1.5)
    assert line.kinds == ["Hold", "Resume", "Forget", "Kept"]
    line.rule.detected = False
    assert line.voice(1.2).kinds[4:] == ["Hold", "Yield"]


def test_in_the_agents_silence_an_aside_begins_no_turn():
    line = Room(agent=False).at(48.0).voice(0.8).silence(0.25)
    assert line.moves == []
    line.words("come in it is open")
    assert line.kinds == ["Forget", "Kept"]
    assert line.moves[-1].aside
    assert line.silence(2).kinds[2:] == []
    assert Room(agent=False).at(58.0).voice(0.5).moves == [Yield("long")]


def test_in_the_agents_silence_a_caller_who_turns_back_has_the_turn():
    line = Room(agent=False).at(48.0).voice(0.5)
    assert line.moves == []
    assert line.at(62.0).voice(0.4).moves == [Yield("long, late")]


def test_low_words_without_a_detector_s_word_are_an_aside_too():
    line = Room(agent=False).at(45.0)
    line.rule.detected = True  # so that nobody asks
    line.voice(0.6).silence(0.4).words("put it down")
    assert line.kinds == ["Forget", "Kept"]
    other = Room(agent=False).at(45.0)
    other.rule.detected = True
    other.voice(0.6).silence(1.5)
    assert other.rule.words(other.now, "a table", final=True) is None, "somebody else's words"


def over_and_unclear(secs, **rules):
    """A voice that the detector is sure of, and then not any more; a recogniser has no words."""
    line = Line(**rules).voice(secs).silence(0.1)
    line.rule.detected = False
    return line.words("[unclear: table for two]")


KEPT = Kept("", pytest.approx(10.0), pytest.approx(10.704))


def test_what_nobody_understood_is_no_listener_s_if_it_is_long():
    assert over_and_unclear(0.7).moves == [Hold("duck"), Forget(), Resume("short"), KEPT]
    assert over_and_unclear(0.85).moves == [Hold("duck"), Forget(), Yield("long")]


def test_where_words_are_wanted_or_nobody_is_sure_of_a_voice_it_stays_a_listener_s():
    assert Yield("long") not in over_and_unclear(0.85, detected=False).moves
    line = Line().voice(0.85).silence(0.1)
    line.rule.detected, line.rule.min_words = False, 2
    assert Yield("long") not in line.words("[unclear: table for two]").moves
