"""The phrase mini syntax: parsed to a tree, compiled to JSGF, a pattern and a word graph.

Private to `piopiy_lab.offline.phrases`, which documents the syntax. Pure functions.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import lru_cache

from piopiy_lab.errors import PhraseError

_TOKEN = re.compile(r"\{[^{}]*\}|[\[\]()|]|[^\s\[\](){}|]+|[{}]")
_CLOSER = {"[": "]", "(": ")"}
# Between words, these are punctuation; anything else that isn't a letter can't be pronounced.
_PUNCTUATION = frozenset('.,;:!?"-\u2013\u2014\u2026\u201c\u201d\u00bf\u00a1')
# Adding or leaving out one word of a sentence; replacing one costs up to the same.
_EDIT = 1.0


@dataclass(frozen=True)
class Word:
    """One normalised word."""

    text: str


@dataclass(frozen=True)
class Slot:
    """A placeholder."""

    name: str


@dataclass(frozen=True)
class Sequence_:  # noqa: N801 - typing has the plain name
    """Parts said one after the other; ``optional`` parts may be left out as a whole."""

    parts: tuple[Node, ...]
    optional: bool = False


@dataclass(frozen=True)
class Choice:
    """One of several sequences."""

    options: tuple[Sequence_, ...]
    optional: bool = False


Node = Word | Slot | Sequence_ | Choice
# For each state, its arcs: (word, or "" for none; the state it leads to). Arcs only lead onward,
# state 0 is the beginning and the last state is the end.
Graph = list[list[tuple[str, int]]]


@lru_cache(maxsize=4096)
def normalise(text: str) -> str:
    """Lower-case words with single spaces; apostrophes inside words stay, the rest goes.

    Accents are dropped, and an abbreviation's full stops are ("p.m." is "pm").
    """
    text = unicodedata.normalize("NFKD", text.replace("\u2019", "'")).lower()
    text = re.sub(r"(?<=\w)\.(?=\w\b)", "", text)
    text = "".join(c for c in text if not unicodedata.combining(c))
    words = re.sub(r"[^a-z0-9']+", " ", text).split()
    return " ".join(word for word in (word.strip("'") for word in words) if word)


def value_words(value: str, slot: str) -> str:
    """Normalise one slot value, or say why it can't be spoken."""
    _check_pronounceable(value, f"the value {value!r} of the slot {slot!r}")
    words = normalise(value)
    if not words:
        raise PhraseError(f"the value {value!r} of the slot {slot!r} holds no words")
    return words


def parse(phrase: str, slots: Mapping[str, Sequence[str]]) -> Choice:
    """Parse one phrase.

    Raises:
        PhraseError: See `piopiy_lab.offline.phrases.PhraseBook`.
    """
    tokens = _TOKEN.findall(phrase)
    tree, rest = _choice(phrase, tokens, 0, None, False)
    assert rest == len(tokens)
    seen: set[str] = set()
    for name in slots_in(tree):
        if name not in slots:
            known = ", ".join(slots) or "none"
            raise PhraseError(
                f"the phrase {phrase!r} uses the slot {name!r}, which isn't listed "
                f"(listed: {known}): add it to slots="
            )
        if name in seen:
            raise PhraseError(
                f"the phrase {phrase!r} uses the slot {name!r} twice: write two phrases, or list "
                f"a second slot such as {name + '_two'!r} with the same values"
            )
        seen.add(name)
    return tree


def _choice(
    phrase: str, tokens: list[str], at: int, closer: str | None, optional: bool
) -> tuple[Choice, int]:
    """Parse alternatives up to ``closer`` (None: the phrase's end); gives the next position."""
    options: list[Sequence_] = []
    parts: list[Node] = []
    while at < len(tokens) and tokens[at] != closer:
        token = tokens[at]
        at += 1
        if token in _CLOSER:
            part, at = _choice(phrase, tokens, at, _CLOSER[token], token == "[")
            parts.append(part)
        elif token == "|":
            options.append(_sequence(phrase, parts))
            parts = []
        elif token.startswith("{") and token.endswith("}") and len(token) > 1:
            parts.append(Slot(token[1:-1].strip()))
        elif token in "])}{":
            raise PhraseError(f"the phrase {phrase!r} has an unbalanced {token!r}")
        else:
            _check_pronounceable(token, f"the phrase {phrase!r}")
            parts.extend(Word(word) for word in normalise(token).split())
    if closer is not None:
        if at == len(tokens):
            raise PhraseError(f"the phrase {phrase!r} lacks a closing {closer!r}")
        at += 1
    options.append(_sequence(phrase, parts))
    return Choice(tuple(options), optional), at


def _sequence(phrase: str, parts: list[Node]) -> Sequence_:
    if not parts:
        raise PhraseError(
            f"the phrase {phrase!r} is empty, or has an empty bracket or alternative: "
            "write [words] for words that may be left out"
        )
    return Sequence_(tuple(parts))


def _check_pronounceable(token: str, where: str) -> None:
    if found := _unpronounceable(token):
        raise PhraseError(f"{where} holds {token!r}, {found}")


@lru_cache(maxsize=4096)
def _unpronounceable(token: str) -> str:
    """Say what of a token can't be pronounced, "" if all can."""
    for c in unicodedata.normalize("NFKD", token.replace("\u2019", "'")):
        if c.isdigit():
            return "which the recogniser can't pronounce: write the number in words"
        plain = c.isascii() and (c.isalpha() or c in "' ")
        if not (plain or c in _PUNCTUATION or unicodedata.combining(c)):
            return f"and {c!r} can't be pronounced: write it in words"
    return ""


def slots_in(node: Node) -> Iterator[str]:
    """The slot names below a node, from left to right, with repetitions."""
    if isinstance(node, Slot):
        yield node.name
    for child in _children(node):
        yield from slots_in(child)


def _children(node: Node) -> tuple[Node, ...]:
    if isinstance(node, Sequence_):
        return node.parts
    return node.options if isinstance(node, Choice) else ()


def rule_name(slot: str) -> str:
    """The slot's rule in the grammar."""
    return f"slot_{slot}"


def jsgf(node: Node) -> str:
    """The node as a JSGF expansion."""
    if isinstance(node, Word):
        return node.text
    if isinstance(node, Slot):
        return f"<{rule_name(node.name)}>"
    if isinstance(node, Sequence_):
        return " ".join(jsgf(part) for part in node.parts)
    body = " | ".join(jsgf(option) for option in node.options)
    if node.optional:
        return f"[{body}]"
    return f"({body})" if len(node.options) > 1 else body


def pattern(node: Node, values: Mapping[str, Sequence[str]]) -> str:
    """The node as a regular expression over words that each end in one space."""
    if isinstance(node, Word):
        return re.escape(node.text) + " "
    if isinstance(node, Slot):
        said = "|".join(re.escape(value) for value in values[node.name])
        return f"(?P<{node.name}>(?:{said}) )"
    if isinstance(node, Sequence_):
        return "".join(pattern(part, values) for part in node.parts)
    body = "|".join(pattern(option, values) for option in node.options)
    return f"(?:{body})" + ("?" if node.optional else "")


def example(
    node: Node, values: Mapping[str, Sequence[str]], round_: int, turns: dict[str, int]
) -> list[str]:
    """One sentence of the node; ``turns`` counts each slot's uses and is advanced."""
    if isinstance(node, Word):
        return [node.text]
    if isinstance(node, Slot):
        turn = turns.get(node.name, 0)
        turns[node.name] = turn + 1
        return values[node.name][turn % len(values[node.name])].split()
    if isinstance(node, Sequence_):
        return [w for part in node.parts for w in example(part, values, round_, turns)]
    if node.optional:
        if round_ % 2:
            return []
        round_ //= 2
    chosen = node.options[round_ % len(node.options)]
    return example(chosen, values, round_ // len(node.options), turns)


def graph(tree: Choice, values: Mapping[str, Sequence[str]]) -> Graph:
    """The phrase as a word graph without loops, its size linear in the phrase and its slots."""
    states: Graph = [[]]
    end = _grow(tree, values, states, 0)
    assert end == len(states) - 1
    return states


def _grow(node: Node, values: Mapping[str, Sequence[str]], states: Graph, start: int) -> int:
    """Add the node's arcs from ``start``; gives the state where it ends, the newest one."""
    if isinstance(node, Word):
        states[start].append((node.text, len(states)))
        states.append([])
        return len(states) - 1
    if isinstance(node, Sequence_):
        for part in node.parts:
            start = _grow(part, values, states, start)
        return start
    if isinstance(node, Slot):
        options = [Sequence_(tuple(Word(w) for w in v.split())) for v in values[node.name]]
    else:
        options = list(node.options)
    ends = [start] if isinstance(node, Choice) and node.optional else []
    for option in options:
        # Its own first state: arcs out of ``start`` may only lead into this option.
        states[start].append(("", len(states)))
        states.append([])
        ends.append(_grow(option, values, states, len(states) - 1))
    states.append([])
    for end in ends:
        states[end].append(("", len(states) - 1))
    return len(states) - 1


def closest(graph_: Graph, words: Sequence[str]) -> tuple[float, list[str]]:
    """The graph's sentence with the least word edit distance to ``words``.

    A shortest path through (state, words used so far), which needs one pass because arcs only
    lead onward: O(arcs x words).

    Returns:
        The distance, and the sentence's words.
    """
    n = len(words)
    unset = (float("inf"), (-1, -1), "")
    # best[state][used] = (cost, where it came from, the word said on the way)
    best: list[list[tuple[float, tuple[int, int], str]]] = [[unset] * (n + 1) for _ in graph_]
    best[0][0] = (0.0, (-1, -1), "")
    for state, arcs in enumerate(graph_):
        row = best[state]
        for used in range(n + 1):
            cost = row[used][0]
            if cost == float("inf"):
                continue
            here = (state, used)
            if used < n and cost + _EDIT < row[used + 1][0]:
                row[used + 1] = (cost + _EDIT, here, "")
            for word, target in arcs:
                to = best[target]
                step = _EDIT if word else 0.0
                if cost + step < to[used][0]:
                    to[used] = (cost + step, here, word)
                if word and used < n:
                    changed = cost + _difference(word, words[used])
                    if changed < to[used + 1][0]:
                        to[used + 1] = (changed, here, word)
    sentence: list[str] = []
    at = (len(graph_) - 1, n)
    while at != (-1, -1):
        _, before, word = best[at[0]][at[1]]
        if word:
            sentence.append(word)
        at = before
    return best[-1][n][0], sentence[::-1]


@lru_cache(maxsize=20_000)
def _difference(word: str, other: str) -> float:
    """0 for the same word, near 0 for a similar spelling, 1 (as adding one) for another word."""
    if word == other:
        return 0.0
    return _EDIT * (1.0 - SequenceMatcher(None, word, other).ratio())
