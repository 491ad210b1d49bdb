"""Phrases with slots: what the offline recogniser can hear, and what was said.

A `PhraseBook` holds the sentences of one domain, written in a mini syntax::

    plain words          said as they are; case and punctuation don't matter
    {slot}               one of the slot's listed values
    [on] {day}           square brackets: may be left out
    (yes | sure) please  round brackets: one of the alternatives

Each phrase is parsed once into a small tree (`_syntax`), and everything else is compiled from the
tree: the JSGF grammar that PocketSphinx listens with, one regular expression for `match`, and one
word graph for `nearest`. Nothing enumerates the sentences, whose number is the product of all the
slots' sizes.

This module is pure: no audio, no pipecat, no recogniser, no clock. Any thread may use a
`PhraseBook`; it never changes after construction.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType

from piopiy_lab.errors import ArgumentTypeError, PhraseError
from piopiy_lab.offline import _syntax
from piopiy_lab.offline._syntax import normalise

_UNCLEAR = re.compile(r"\[unclear(?:: (?P<nearest>[^\]]*))?\]")


@dataclass(frozen=True)
class Match:
    """A sentence that a phrase allows.

    Attributes:
        phrase: The phrase exactly as it was given to the `PhraseBook`, with its braces.
        slots: The value said for each slot of that sentence, as listed in ``slots=`` (not as
            said: "FRIDAY" gives "Friday" when that is how the list spells it). A slot in an
            optional part that was not said is absent.
    """

    phrase: str
    slots: dict[str, str] = field(default_factory=dict)


def unclear_text(nearest: str | None = None) -> str:
    """The transcript of speech that was heard and not understood.

    It is text, not a special frame, so that any language model knows that something was said.

    Args:
        nearest: The closest sentence that could have been understood, if there is one.

    Returns:
        ``"[unclear]"`` or ``"[unclear: <nearest>]"``.
    """
    return f"[unclear: {nearest}]" if nearest else "[unclear]"


def parse_unclear(text: str) -> str | None:
    """Undo `unclear_text`.

    Returns:
        None when ``text`` is an ordinary transcript, else the nearest sentence, which is ``""``
        when there was none.
    """
    found = _UNCLEAR.fullmatch(text.strip())
    return None if found is None else found["nearest"] or ""


class PhraseBook:
    """The sentences of one domain.

    Args:
        phrases: Phrases in the mini syntax of this module; at least one.
        slots: Each slot's values, in ordinary words. A value may have several words.

    Raises:
        PhraseError: No phrases, a slot that isn't listed or has no values, a slot used twice in
            one phrase, unbalanced brackets, a phrase that can be said by saying nothing, or a
            token that can't be pronounced (write "seven", not "7"). Names the phrase.
        ArgumentTypeError: No list of strings where one belongs, or no dict of them.
    """

    def __init__(
        self, phrases: Sequence[str], slots: Mapping[str, Sequence[str]] | None = None
    ) -> None:
        self.phrases: tuple[str, ...] = _strings(phrases, "phrases")
        if not self.phrases:
            raise PhraseError("phrases is empty: give at least one phrase to listen for")
        self.slots: Mapping[str, tuple[str, ...]] = MappingProxyType(_slot_values(slots or {}))
        # Normalised value -> value as listed; the first of two equal spellings wins.
        self._said: dict[str, dict[str, str]] = {
            name: {_syntax.value_words(v, name): v for v in reversed(values)}
            for name, values in self.slots.items()
        }
        self._trees = [_syntax.parse(phrase, self.slots) for phrase in self.phrases]
        said = {name: list(reversed(spoken)) for name, spoken in self._said.items()}
        self._patterns = [re.compile(_syntax.pattern(tree, said)) for tree in self._trees]
        for phrase, pattern in zip(self.phrases, self._patterns, strict=True):
            if pattern.fullmatch(""):
                raise PhraseError(
                    f"the phrase {phrase!r} can be said by saying nothing: "
                    "keep at least one word outside its square brackets"
                )
        self._graphs = [_syntax.graph(tree, said) for tree in self._trees]
        self._values = said

    def __repr__(self) -> str:
        return (
            f"PhraseBook({len(self.phrases)} phrases, {len(self.slots)} slots, "
            f"{len(self.words)} words)"
        )

    @cached_property
    def words(self) -> frozenset[str]:
        """Every word that a sentence can contain, normalised."""
        return frozenset(
            word for graph in self._graphs for arcs in graph for word, _ in arcs if word
        )

    def jsgf(self) -> str:
        """The grammar in JSGF, one public rule; equal books give equal text."""
        used = {name for tree in self._trees for name in _syntax.slots_in(tree)}
        rules = [
            f"<{_syntax.rule_name(name)}> = {' | '.join(values)};"
            for name, values in self._values.items()
            if name in used
        ]
        bodies = dict.fromkeys(_syntax.jsgf(tree) for tree in self._trees)
        rules.append("public <sentence> = " + "\n  | ".join(bodies) + ";")
        return "#JSGF V1.0;\ngrammar phrases;\n" + "\n".join(rules) + "\n"

    def examples(self, n: int | None = None) -> Iterator[str]:
        """Sentences that can be said, the same ones each time.

        Goes round the phrases; each round and each phrase takes the next value of its slots, the
        next alternative, and by turns says or leaves out the optional words.

        Args:
            n: How many; None gives one for each phrase. A phrase with little to vary repeats its
                sentences in later rounds.

        Yields:
            Normalised sentences.
        """
        count = len(self.phrases) if n is None else n
        turns: dict[str, int] = {}
        for i in range(count):
            round_, which = divmod(i, len(self._trees))
            yield " ".join(_syntax.example(self._trees[which], self._values, round_, turns))

    def match(self, text: str) -> Match | None:
        """Find the phrase that allows exactly this sentence.

        Args:
            text: What was said or typed; case and punctuation don't matter.

        Returns:
            The first phrase, in the order given, that allows the whole text; None if none does.
        """
        sentence = normalise(text)
        sentence = f"{sentence} " if sentence else ""
        for phrase, pattern in zip(self.phrases, self._patterns, strict=True):
            found = pattern.fullmatch(sentence)
            if found:
                said = {k: v.rstrip() for k, v in found.groupdict().items() if v is not None}
                return Match(phrase, {name: self._said[name][v] for name, v in said.items()})
        return None

    def nearest(self, text: str, n: int = 3) -> list[str]:
        """The closest sentences that can be said, closest first.

        The distance is a word edit distance in which replacing a word by a similarly spelt one
        costs less, found exactly for each phrase's word graph, and divided by the number of words
        in the longer sentence. Phrases compete with one sentence each, so the answers differ by
        more than a slot's value. Ties go to the phrase given first.

        Args:
            text: What was said, understood or not; may be empty.
            n: How many sentences, at most.

        Returns:
            Up to ``n`` normalised sentences.
        """
        words = normalise(text).split()
        ranked = []
        for order, graph in enumerate(self._graphs):
            cost, sentence = _syntax.closest(graph, words)
            ranked.append((cost / max(len(words), len(sentence)), order, " ".join(sentence)))
        return list(dict.fromkeys(sentence for _, _, sentence in sorted(ranked)))[: max(n, 0)]


def _strings(value: Sequence[str], what: str) -> tuple[str, ...]:
    """Check a list of strings; a bare string would silently become its letters."""
    if isinstance(value, str):
        raise ArgumentTypeError(f"{what} is the string {value!r}: give a list, [{value!r}]")
    if not isinstance(value, Iterable):
        raise ArgumentTypeError(f"{what} is {value!r}: give a list of strings")
    items = tuple(value)
    for item in items:
        if not isinstance(item, str):
            raise ArgumentTypeError(f"{what} holds {item!r}: every item must be a string")
    return items


def _slot_values(slots: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    if not isinstance(slots, Mapping):
        raise ArgumentTypeError(f"slots is {slots!r}: give a dict, {{name: [value, ...]}}")
    checked = {}
    for name, values in slots.items():
        if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            raise PhraseError(
                f"the slot name {name!r} can't be used: take letters, digits and underscores, "
                "beginning with a letter"
            )
        checked[name] = _strings(values, f"slots[{name!r}]")
        if not checked[name]:
            raise PhraseError(f"the slot {name!r} has no values: list what can be said for it")
    return checked
