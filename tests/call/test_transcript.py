import random

import pytest

from piopiy_lab import events as ev
from piopiy_lab.call.transcript import Transcript, build_transcript, clock_time, join_words


def agent(start: float, *words: str, step: float = 0.3, cause: str = "finished") -> list[ev.Event]:
    """The agent says words, one each ``step`` seconds."""
    found: list[ev.Event] = [ev.AgentSpeechStarted(at=start)]
    found += [ev.WordSpoken(at=start + i * step, text=word) for i, word in enumerate(words)]
    end = start + len(words) * step
    if cause == "interrupted":
        found.append(ev.AgentInterrupted(at=end, cause="user", speaking=True))
    return [*found, ev.AgentSpeechStopped(at=end + 0.001, cause=cause)]


def user(start: float, end: float, *finals: str, added: str | None = "") -> list[ev.Event]:
    """The user speaks from ``start`` to ``end``; each final comes 0.2 s after the one before."""
    found: list[ev.Event] = [
        ev.UserSpeechStarted(at=start + 0.2, cause="vad", start_secs=0.2),
        ev.UserTurnStarted(at=start + 0.2),
        ev.UserSpeechStopped(at=end + 0.2, cause="vad", stop_secs=0.2),
    ]
    for i, final in enumerate(finals):
        found.append(ev.Transcribed(at=end + 0.3 + i / 100, text=final))
    if added is not None:
        found.append(ev.UserTurnStopped(at=end + 0.5))
        found.append(ev.UserTurnAdded(at=end + 0.5, text=added or " ".join(finals)))
    return found


def rows(events: list[ev.Event]) -> list[tuple[str, str, bool]]:
    return [(e.role, e.text, e.interrupted) for e in build_transcript(events)]


def test_a_conversation_reads_in_order():
    transcript = build_transcript(
        [
            *agent(1.0, "Hello,", "how", "can", "I", "help?"),
            *user(4.0, 5.5, "a table for two"),
            *agent(6.4, "For", "two", "people."),
        ]
    )
    assert str(transcript) == (
        "00:01.0  agent   Hello, how can I help?\n"
        "00:04.0  caller  a table for two\n"
        "00:06.4  agent   For two people."
    )
    assert transcript[1].start == pytest.approx(4.0)
    assert transcript[1].end == pytest.approx(5.5)
    assert transcript[0].words[1] == ("how", pytest.approx(1.3), pytest.approx(1.6))
    assert transcript.markdown().startswith("- **agent** (00:01.0): Hello, how can I help?\n")
    assert "<td>agent</td>" in transcript._repr_html_()


def test_an_interrupted_reply_ends_with_the_last_word_heard():
    said = agent(1.0, "Our", "opening", "hours", cause="interrupted")
    late = ev.WordSpoken(at=1.95, text="are")  # handled after the interruption
    assert rows([*said, late, *user(1.8, 2.5, "stop")]) == [
        ("assistant", "Our opening hours", True),
        ("user", "stop", False),
    ]


def test_an_interruption_while_the_agent_is_silent_marks_nothing():
    silent = ev.AgentInterrupted(at=3.0, cause="user", speaking=False)
    assert rows([*agent(1.0, "Yes."), silent]) == [("assistant", "Yes.", False)]


def test_a_reply_that_nobody_heard_a_word_of_is_no_entry():
    assert rows(agent(1.0, cause="interrupted")) == []


def test_two_sentences_around_a_tool_call_are_one_entry():
    events = [
        *user(0.0, 1.0, "book it"),
        *agent(2.0, "One", "moment."),
        ev.ToolCalled(at=2.7, name="book_table", arguments={}, number=1),
        ev.ToolReturned(at=7.0, name="book_table", number=1, result="ok"),
        *agent(8.0, "It", "is", "booked."),
        *user(10.0, 11.0, "thanks"),
        *agent(12.0, "Goodbye."),
    ]
    assert [text for _, text, _ in rows(events)] == [
        "book it",
        "One moment. It is booked.",
        "thanks",
        "Goodbye.",
    ]
    entry = build_transcript(events)[1]
    assert entry.start == 2.0
    assert entry.end == pytest.approx(8.9, abs=0.01)
    assert len(entry.words) == 5


def test_a_sentence_without_word_times_is_whole():
    events = [
        ev.AgentSpeechStarted(at=1.0),
        ev.WordSpoken(at=1.0, text="Hello there.", timed=False),
        ev.WordSpoken(at=2.0, text="How are you?", timed=False),
        ev.AgentSpeechStopped(at=3.0, cause="finished"),
    ]
    entry = build_transcript(events)[0]
    assert entry.text == "Hello there. How are you?"
    assert entry.words == ()


def test_a_word_that_is_announced_before_its_speech_belongs_to_it():
    events = [
        ev.WordSpoken(at=0.99, text="Good"),
        ev.AgentSpeechStarted(at=1.0),
        ev.WordSpoken(at=1.3, text="day"),
        ev.AgentSpeechStopped(at=1.6, cause="finished"),
    ]
    assert rows(events) == [("assistant", "Good day", False)]
    assert build_transcript(events)[0].start == 1.0


def test_words_without_any_speech_event_are_still_told():
    assert rows([ev.WordSpoken(at=1.0, text="Hello")]) == [("assistant", "Hello", False)]


def test_the_finals_of_one_turn_are_one_entry_with_the_aggregated_text():
    events = user(1.0, 3.0, "a table", "for two", added="a table for two please")
    assert rows(events) == [("user", "a table for two please", False)]
    assert rows(user(1.0, 3.0, "a table", "for two", added=None)) == [
        ("user", "a table for two", False)
    ]


def test_a_turn_with_a_pause_begins_with_its_first_word():
    events = [
        ev.UserSpeechStarted(at=1.2, cause="vad", start_secs=0.2),
        ev.UserTurnStarted(at=1.2),
        ev.UserSpeechStopped(at=2.2, cause="vad", stop_secs=0.2),
        ev.UserSpeechStarted(at=3.2, cause="vad", start_secs=0.2),
        ev.UserSpeechStopped(at=4.2, cause="vad", stop_secs=0.2),
        ev.Transcribed(at=4.3, text="a table for two"),
        ev.UserTurnStopped(at=4.3),
        ev.UserTurnAdded(at=4.3, text="a table for two"),
    ]
    entry = build_transcript(events)[0]
    assert (entry.start, entry.end) == (pytest.approx(1.0), pytest.approx(4.0))


def test_noise_before_a_turn_is_not_its_beginning():
    noise = [
        ev.UserSpeechStarted(at=1.2, cause="vad", start_secs=0.2),
        ev.UserSpeechStopped(at=1.6, cause="vad", stop_secs=0.2),
    ]
    assert build_transcript([*noise, *user(9.0, 10.0, "yes")])[0].start == pytest.approx(9.0)


def test_transcripts_that_start_the_turn_themselves_are_told_once():
    events = [
        ev.Transcribed(at=2.0, text="yes please", words=[["yes", 1.0, 1.3], ["please", 1.3, 1.8]]),
        ev.UserTurnStarted(at=2.0),
        ev.UserTurnStopped(at=2.0),
        ev.UserTurnAdded(at=2.0, text="yes please"),
    ]
    transcript = build_transcript(events)
    assert [(e.text, e.start, e.end) for e in transcript] == [("yes please", 1.0, 1.8)]
    assert transcript[0].words == (("yes", 1.0, 1.3), ("please", 1.3, 1.8))


def test_words_that_were_heard_and_not_answered_stay():
    events = [
        *user(1.0, 1.3, "okay", added=None),
        *user(6.0, 7.0, "a table for two"),
    ]
    assert [text for _, text, _ in rows(events)] == ["okay", "a table for two"]
    shortly = [
        *user(1.0, 1.3, "okay", added=None),
        *user(2.0, 3.0, "a table for two"),
    ]
    assert [text for _, text, _ in rows(shortly)] == ["okay", "a table for two"]


def test_typed_text_is_one_entry_though_it_is_added_too():
    events = [
        ev.UserTextTyped(at=1.0, text="a table for two"),
        ev.UserTurnAdded(at=1.01, text="a table for two"),
        *agent(1.5, "For", "two."),
    ]
    transcript = build_transcript(events)
    assert [(e.role, e.source) for e in transcript] == [("user", "typed"), ("assistant", "spoken")]
    assert "a table for two [typed]" in str(transcript)


def test_keys_are_one_entry():
    events = [
        *(ev.DTMFReceived(at=1.0 + i / 2, digit=d) for i, d in enumerate("12#")),
        ev.UserTurnAdded(at=2.1, text="DTMF: 12#"),
        ev.DTMFReceived(at=2.5, digit="9"),
        ev.UserTurnAdded(at=4.5, text="DTMF: 9"),
    ]
    transcript = build_transcript(events)
    assert [(e.text, e.source, e.start, e.end) for e in transcript] == [
        ("12#", "keypad", 1.0, 2.0),
        ("9", "keypad", 2.5, 2.5),
    ]


def test_keys_whose_turn_comes_after_a_typed_one_are_still_one_entry():
    events = [
        ev.DTMFReceived(at=1.0, digit="7"),
        ev.UserTextTyped(at=1.5, text="tell me more"),
        ev.UserTurnAdded(at=1.6, text="tell me more"),
        ev.UserTurnAdded(at=3.0, text="DTMF: 7"),
    ]
    transcript = build_transcript(events)
    assert [(e.text, e.source) for e in transcript] == [("7", "keypad"), ("tell me more", "typed")]


def test_a_call_that_goes_on_is_told_up_to_now():
    events = [
        ev.AgentSpeechStarted(at=1.0),
        ev.WordSpoken(at=1.0, text="Hello"),
        ev.WordSpoken(at=1.4, text="and"),
        ev.UserSpeechStarted(at=1.6, cause="vad", start_secs=0.2),
        ev.Transcribed(at=2.0, text="hi"),
    ]
    assert rows(events) == [("assistant", "Hello and", False), ("user", "hi", False)]
    assert rows([]) == []
    assert str(build_transcript([])) == "(nothing was said)"


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["Hello", ",", "world", "!"], "Hello, world!"),
        (["It", "'s", "half", "past", ".5"], "It's half past .5"),
        (["He", "said", "(", "twice", ")", "so"], "He said (twice) so"),
        ([" Hello ", "", "there"], "Hello there"),
        (["你好", "，", "世界"], "你好，世界"),
        (["No", "...", "wait"], "No... wait"),
        (["Say", "'yes'", "or", "'no'."], "Say 'yes' or 'no'."),
        (["Say", "‘yes’", "or", "’no’"], "Say ‘yes’ or ’no’"),
        (
            ["'Tis", "the", "'s'", "of", "'90s", "rock", "'n'", "roll"],
            "'Tis the 's' of '90s rock 'n' roll",
        ),
        (
            ["We", "'ll", "say", "it", "'s", "Tom", "'s,", "won", "’t", "we"],
            "We'll say it's Tom's, won’t we",
        ),
        (
            ["Sie", "sagen", "„ja“", "oder", "»nein«", "oder", "«", "peut-être", "»", "."],
            "Sie sagen „ja“ oder »nein« oder «peut-être».",
        ),
    ],
)
def test_spaces_are_where_a_writer_puts_them(words: list[str], text: str):
    assert join_words(words) == text


def test_clock_times():
    assert [clock_time(t) for t in (0.0, 1.26, 59.96, 61.0, 3725.0, -1.0)] == [
        "00:00.0",
        "00:01.3",
        "01:00.0",
        "01:01.0",
        "1:02:05.0",
        "00:00.0",
    ]


def test_a_transcript_is_a_sequence():
    transcript = build_transcript([*agent(1.0, "One."), *user(2.0, 3.0, "two")])
    assert isinstance(transcript[:1], Transcript)
    assert len(transcript[1:]) == 1
    assert transcript == build_transcript([*agent(1.0, "One."), *user(2.0, 3.0, "two")])
    assert transcript == list(transcript)
    assert hash(transcript) == hash(transcript[:])


@pytest.mark.parametrize("seed", range(30))
def test_any_conversation_is_in_order_and_every_word_is_told_once(seed: int):
    rng = random.Random(seed)
    now, events, words = 0.0, [], []
    for i in range(12):
        now += rng.uniform(0.6, 2.0)
        texts = [f"w{i}x{k}" for k in range(rng.randint(1, 5))]
        words += texts
        if rng.random() < 0.5:
            cause = rng.choice(["finished", "interrupted"])
            events += agent(now, *texts, cause=cause)
            now += 0.3 * len(texts)
        else:
            added = rng.choice(["", None])
            events += user(now, now + 1.0, " ".join(texts), added=added)
            now += 1.5
    rng.shuffle(events)
    transcript = build_transcript(events)
    starts = [entry.start for entry in transcript]
    assert starts == sorted(starts)
    assert all(entry.end >= entry.start >= 0 for entry in transcript)
    assert sorted(" ".join(entry.text for entry in transcript).split()) == sorted(words)
    for entry in transcript:
        times = [t for _, begin, end in entry.words for t in (begin, end)]
        assert times == sorted(times)
