"""Rules from what was said to what is answered: the pure core of `RuleLLMService`.

A `RuleBook` maps phrases (the syntax of `piopiy_lab.offline.phrases`) to replies, and answers a
whole conversation at once: `RuleBook.answer` takes its history, replays it from an empty
`DialogueState`, and returns what the agent does next. Nothing is kept between two answers, so two
calls can't see each other, and a history that somebody edited is simply another history.

Which rule answers: it must allow the whole sentence; of several, the most specific wins, the one
with the fewest words said for slots, and of equals the one listed first. A sentence that no single
rule allows is divided into the fewest sentences that rules do allow ("two people tomorrow at
seven"). All their tools are called; of their texts only the last is said.

No pipecat, no I/O, no clock; any thread.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import lru_cache
from itertools import groupby

from piopiy_lab.errors import ArgumentTypeError
from piopiy_lab.offline import templates
from piopiy_lab.offline.phrases import PhraseBook, parse_unclear
from piopiy_lab.offline.replies import (
    DEFAULT_FALLBACK,
    Answer,
    DialogueState,
    Fallback,
    Heard,
    Replier,
    Reply,
    Said,
    ToolCall,
    ToolReturned,
    check_reply,
    evaluate,
    result_line,
)
from piopiy_lab.offline.wording import spoken_form

_UNCLEAR_MARK = re.compile(r"(\[unclear[^\]]*\])")
_LONGEST = 40  # words; dividing a sentence costs the square of its length
_FILLERS = frozenset(["um", "uh", "er", "erm", "hmm", "please"])

DEFAULT_OPENING = "Hello, how can I help?"


@dataclass(frozen=True)
class _Rule:
    phrase: str
    reply: Reply | Replier
    book: PhraseBook


@lru_cache(maxsize=512)
def _book_of(phrase: str, slots: tuple[tuple[str, tuple[str, ...]], ...]) -> PhraseBook:
    """Return the book of one phrase; every call of a session makes the same ones anew."""
    return PhraseBook([phrase], dict(slots))


# One sentence that rules allow: the rules with the slots they heard, the most specific first.
_Candidates = tuple[tuple[_Rule, Mapping[str, str]], ...]


class RuleBook:
    """Phrases and what to answer to each.

    Args:
        replies: Phrase to reply: a template over the phrase's slots, a `calls_tool`, or a function
            ``(slots, state) -> str | ToolCall | None``. Functions must be deterministic: the
            history is replayed for every answer.
        slots: Each slot's values, as for `PhraseBook`.
        phrases: What can be said, for the fallback's offers; the replies' keys by default. A
            phrase without a reply is answered by saying so.
        fallback: For what no rule allows: a template with ``{nearest}``, or a function
            ``(nearest sentences, state) -> str``, which gets at most two, and none when nothing
            is like what was said (the template then offers examples).
        opening: The line when the conversation is the agent's to begin.

    Raises:
        ArgumentError: A template names a slot that its phrase doesn't have.
        ArgumentTypeError: ``replies`` is no mapping, or a reply has the wrong type.
        PhraseError: A phrase can't be used; see `PhraseBook`.
    """

    def __init__(
        self,
        replies: Mapping[str, Reply | Replier],
        *,
        slots: Mapping[str, Sequence[str]] | None = None,
        phrases: Sequence[str] | None = None,
        fallback: Fallback = DEFAULT_FALLBACK,
        opening: str = DEFAULT_OPENING,
    ) -> None:
        if not isinstance(replies, Mapping):
            raise ArgumentTypeError(
                f"replies is {type(replies).__name__}: give a mapping of phrase to reply"
            )
        self.phrases: PhraseBook = PhraseBook(list(replies) if phrases is None else phrases, slots)
        for phrase, reply in replies.items():
            check_reply(phrase, reply)
        if isinstance(fallback, str):
            templates.check(fallback, {"nearest"}, "the fallback")
        self.opening = opening
        self._fallback = fallback
        listed = tuple(self.phrases.slots.items())
        self._rules = [_Rule(p, r, _book_of(p, listed)) for p, r in replies.items()]
        self._tool_calls = [r for r in replies.values() if isinstance(r, ToolCall)]
        self._words = frozenset(w for rule in self._rules for w in rule.book.words)
        # Caches of pure functions; they hold no conversation.
        self._parsed = lru_cache(maxsize=512)(self._parse)
        self._nearest = lru_cache(maxsize=512)(self._find_nearest)

    def answer(self, history: Sequence[Heard | Said | ToolReturned]) -> Answer:
        """Decide what the agent does next.

        Args:
            history: The conversation, oldest first; instructions are not part of it. Several user
                messages in a row are understood together when one phrase allows them together;
                otherwise each acts on the state and the last one understood is answered.

        Returns:
            The reply to what was heard last, or the line for the tools that returned last (empty
            while they run). With nothing to reply to: the opening, and later the fallback's offer.
        """
        state = DialogueState()
        due = Answer(self.opening)  # what the agent would do if it were asked at this point
        aside = ""  # a reply's text beside tool calls; it may be said before or after they return
        owed = ""  # results of tools that the agent hasn't said yet
        moved_on = False  # somebody spoke while they were owed
        asked: list[ToolCall] = []
        newest = next((item for item in reversed(history) if isinstance(item, Heard)), None)
        for kind, group in groupby(history, key=type):
            items = list(group)
            if kind is Heard:
                texts = [h.text for h in items if isinstance(h, Heard)]
                reply = self._reply(texts, state, past=items[-1] is not newest)
                due = Answer(f"{owed} {reply.text}".strip(), reply.calls)
                aside = due.text if due.calls else ""
                moved_on = bool(owed)
                asked = [*reply.calls, *asked]
            elif kind is ToolReturned:
                returned = [t for t in items if isinstance(t, ToolReturned)]
                lines = [(t, result_line(t, [*asked, *self._tool_calls], state)) for t in returned]
                due = Answer(" ".join(line for _, line in lines if line))
                owed = " ".join(line for t, line in lines if line and t.status != "cancelled")
                moved_on = False
            for said in (i.text for i in items if isinstance(i, Said)):
                if aside and _begins(aside, said):
                    state.said, aside = aside, ""
                    due = Answer() if due.calls else due
                elif moved_on and not _begins(said, " ".join(owed.split()[:3])):
                    state.said, due = said, Answer(owed)
                else:
                    state.said = due.text if _begins(due.text, said) else said
                    due, owed, moved_on = Answer(), "", False
        if not any(isinstance(item, Heard) for item in history):
            return due if due.text else Answer(self.opening)
        if isinstance(history[-1], Said) and not due.text:
            return Answer(self._offer("", None, state))
        return due

    def _reply(self, texts: Sequence[str], state: DialogueState, *, past: bool) -> Answer:
        """Answer user messages that stand together; functions may change ``state``.

        A function that fails has failed in its own turn. When that turn is ``past`` and only
        replayed, the failure counts as "not for me", so that it can't spoil the rest of the call.
        """
        together = " ".join(texts)
        if len(texts) > 1 and len(self._parsed(together) or ()) == 1:
            texts = [together]
        answer: Answer | None = None
        for i, text in enumerate(texts):
            replayed = past or i < len(texts) - 1
            answer = self._reply_to(text, state, replayed=replayed) or answer
        if answer is not None:
            return answer
        marks = [parse_unclear(m) for text in texts for m in _UNCLEAR_MARK.findall(text)]
        clear = [text for text in texts if not _UNCLEAR_MARK.search(text)]
        known = self.phrases.match(spoken_form(clear[-1])) if clear else None
        if known is not None:
            return Answer(f"I heard: {clear[-1]}. I have no reply for that.")
        hint = next((m for m in reversed(marks) if m), None)
        return Answer(self._offer(clear[-1] if clear else "", hint, state))

    def _reply_to(self, text: str, state: DialogueState, *, replayed: bool) -> Answer | None:
        sentences = self._parsed(text)
        if sentences is None:
            return None
        said, calls, understood = "", [], False
        for candidates in sentences:
            for rule, slots in candidates:
                try:
                    reply = evaluate(rule.reply, slots, state)
                except Exception:
                    if not replayed:
                        raise
                    reply = None
                if reply is not None:
                    break
            else:
                continue
            understood = True
            if isinstance(reply, ToolCall):
                calls.append(reply)
            else:
                said = reply
        return Answer(said, tuple(calls)) if understood else None

    def _parse(self, text: str) -> tuple[_Candidates, ...] | None:
        """Divide a message into the fewest sentences that rules allow; None if that can't be."""
        parts = [p for p in _UNCLEAR_MARK.split(text) if p.strip() and parse_unclear(p) is None]
        sentences: list[_Candidates] = []
        for part in parts:
            words = spoken_form(part).split()
            divided = self._divide(words) or self._divide([w for w in words if w not in _FILLERS])
            if divided is None:
                return None
            sentences.extend(divided)
        return tuple(sentences) or None

    def _divide(self, words: Sequence[str]) -> list[_Candidates] | None:
        whole = self._candidates(" ".join(words))
        if whole:
            return [whole]
        if not 2 <= len(words) <= _LONGEST or not self._words.issuperset(words):
            return None
        # best[n]: the cheapest division of the first n words, as (sentences, words for slots).
        best: list[tuple[tuple[int, int], list[_Candidates]] | None] = [((0, 0), [])]
        for end in range(1, len(words) + 1):
            options = []
            for start in range(end):
                before = best[start]
                if before is None:
                    continue
                found = self._candidates(" ".join(words[start:end]))
                if found:
                    (count, free), sentences = before
                    cost = (count + 1, free + _words_for_slots(found[0][1]))
                    options.append((cost, [*sentences, found]))
            best.append(min(options, key=lambda option: option[0], default=None))
        last = best[-1]
        return None if last is None else last[1]

    def _candidates(self, sentence: str) -> _Candidates:
        found = []
        for rule in self._rules:
            match = rule.book.match(sentence)
            if match is not None:
                found.append((rule, match.slots))
        return tuple(sorted(found, key=lambda pair: _words_for_slots(pair[1])))

    def _offer(self, text: str, hint: str | None, state: DialogueState) -> str:
        """The fallback's words: the recogniser's hint first, then the nearest to ``text``."""
        offered = [hint] if hint else []
        nearest = [*offered, *(s for s in self._nearest(text) if s not in offered)][:2]
        if callable(self._fallback):
            return self._fallback(nearest, state)
        offers = nearest or list(self.phrases.examples(2))
        return templates.fill(self._fallback, {"nearest": ", or: ".join(offers)})

    def _find_nearest(self, text: str) -> list[str]:
        """What can be said that is like ``text``: at least two words in five are the same."""
        words = spoken_form(text).split()
        if not words:
            return []
        return [
            sentence
            for sentence in self.phrases.nearest(" ".join(words), 2)
            if SequenceMatcher(None, words, sentence.split(), autojunk=False).ratio() >= 0.4
        ]


def _words_for_slots(slots: Mapping[str, str]) -> int:
    return sum(len(value.split()) for value in slots.values())


def _begins(line: str, beginning: str) -> bool:
    """Whether ``line`` begins with these words: a line that was cut short is still that line."""
    words, wanted = spoken_form(line).split(), spoken_form(beginning).split()
    return bool(wanted) and words[: len(wanted)] == wanted
