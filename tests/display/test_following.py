"""What nobody heard of an interrupted reply is that reply's own rest."""

from types import SimpleNamespace

import pytest

from piopiy_lab import events as ev
from piopiy_lab.call.transcript import build_transcript
from piopiy_lab.display.wording import unheard
from piopiy_lab.events.values import InterruptionCause


class Log:
    """A call's log, made a step at a time; each takes 10 ms."""

    def __init__(self) -> None:
        self.events: list[ev.Event] = []

    def _at(self) -> float:
        return len(self.events) / 100

    def typed(self, text: str) -> "Log":
        self.events.append(ev.UserTextTyped(at=self._at(), text=text))
        return self

    def writes(self, text: str) -> "Log":
        """The LLM begins to answer, and gives its text in pieces."""
        self.events.append(ev.LLMResponseStarted(at=self._at()))
        return self.writes_on(text)

    def writes_on(self, text: str) -> "Log":
        for i in range(0, len(text), 5):
            self.events.append(ev.LLMTextGenerated(at=self._at(), text=text[i : i + 5]))
        return self

    def says(self, text: str) -> "Log":
        self.events.append(ev.SpeechRequested(at=self._at(), text=text))
        return self

    def heard(self, text: str, start: bool = True) -> "Log":
        if start:
            self.events.append(ev.AgentSpeechStarted(at=self._at()))
        for word in text.split():
            self.events.append(ev.WordSpoken(at=self._at(), text=word))
        return self

    def cut(self, cause: InterruptionCause = "typed") -> "Log":
        self.events.append(ev.AgentInterrupted(at=self._at(), cause=cause, speaking=True))
        return self

    def stopped(self) -> "Log":
        self.events.append(ev.AgentSpeechStopped(at=self._at(), cause="interrupted"))
        return self

    def unheard(self) -> list[str]:
        cut = [entry for entry in build_transcript(self.events) if entry.interrupted]
        return [unheard(SimpleNamespace(events=self.events), entry) for entry in cut]  # type: ignore[arg-type]


def test_the_answer_that_interrupts_is_not_the_rest_of_what_it_interrupts():
    log = Log().typed("a table for two").writes("A table for two at eight. Which name?")
    log.heard("A table").typed("Oliver").writes("A table for two at eight for ")
    log.cut().stopped().writes_on("Oliver. Is that right?")
    log.heard("A table for two").typed("on friday").writes("A table for two on Friday ")
    log.cut().stopped().writes_on("for Oliver.").heard("A table for two on")
    assert log.unheard() == ["for two at eight. Which name?", "at eight for Oliver. Is that right?"]


def test_a_reply_that_was_stopped_before_it_was_heard_is_not_the_one_that_is():
    log = Log().typed("two").writes("A table for two. Which day?").typed("three").writes("A table")
    log.cut().stopped().writes_on(" for three. Which day?").heard("A table").cut("command")
    assert log.unheard() == ["for three. Which day?"]


def test_queued_texts_are_followed_one_after_the_other():
    log = Log().says("One moment.").says("One moment more, please.").says("One table is left.")
    assert log.heard("One moment. One").cut("command").unheard() == ["moment more, please."]


def test_the_rest_is_the_last_reply_s_where_an_entry_holds_several():
    log = Log().writes("I'll look. ").heard("I'll look.").writes("There are two tables left.")
    assert log.heard("There are", start=False).cut("user").unheard() == ["two tables left."]


def test_a_text_from_elsewhere_does_not_end_the_llm_s():
    log = Log().writes("There are two ").says("By the way.").writes_on("tables left.")
    assert log.heard("There are").cut("command").unheard() == ["two tables left."]


def test_the_llm_s_text_that_comes_after_the_last_word_belongs_to_it():
    log = Log().writes("One, two, ").heard("One,").writes_on("three.").cut("user")
    assert log.unheard() == ["two, three."]


@pytest.mark.parametrize(
    ("written", "heard", "rest"),
    [
        ("It costs **$5**, or 5 euros.", "It costs five dollars or", "5 euros."),
        ("A well-known place (say: the pier).", "A well known place", "(say: the pier)."),
        ("你好，世界。再见。", "你好， 世界。", "再见。"),
        ("नमस्ते, आप कैसे हैं?", "नमस्ते, आप", "कैसे हैं?"),
        ("Straße oder Platz?", "STRASSE", "oder Platz?"),
        ("That was all.", "That was all.", ""),
        ("That was all. \N{WAVING HAND SIGN}", "That was all.", ""),
        ("A plate, a table, a chair.", "A plate, a", "table, a chair."),
        ("", "Something else", ""),
    ],
)
def test_words_are_followed_by_their_letters(written: str, heard: str, rest: str):
    assert Log().writes(written).heard(heard).cut("user").unheard() == [rest]
