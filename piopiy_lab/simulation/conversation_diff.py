"""The difference of two conversations, line by line and word by word, to be read by people.

Like this::

      caller: a table for two tomorrow at seven
    - agent: A table for «two» tomorrow at seven. What name is it under?
    + agent: A table for «ten» tomorrow at seven. What name is it under?
      ... 4 lines alike

Pure: lines in, lines out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher

#: Who, and what they said or did.
Line = tuple[str, str]

#: Lines alike that are shown before and after one that differs.
CONTEXT_LINES = 2
#: Two lines of one speaker with at least this part of their words in common are one line changed.
SAME_LINE_RATIO = 0.4
#: Longest runs of differing lines that are compared with each other, each with each.
MOST_LINES = 60

#: A word (with what joins its parts: "it's", "0.25"), or a mark.
_WORD = re.compile(r"\w+(?:[.:'’-]\w+)*|[^\w\s]")

_Pair = tuple[Line | None, Line | None]  # before, after: alike, changed, gone (None) or new


def conversation_diff(
    before: Sequence[Line], after: Sequence[Line], *, context: int = CONTEXT_LINES
) -> list[str]:
    """Return how two conversations differ; nothing when they don't.

    Args:
        before: What was expected; its lines begin with "-".
        after: What was heard; its lines begin with "+".
        context: How many lines alike are shown around one that differs.

    Returns:
        Lines to be printed below each other, words that differ in « ».
    """
    pairs = list(_aligned(list(before), list(after)))
    differing = [index for index, (old, new) in enumerate(pairs) if old != new]
    if not differing:
        return []
    near = {index for at in differing for index in range(at - context, at + context + 1)}
    shown: list[str] = []
    alike = 0
    for index, pair in enumerate(pairs):
        if index in near:
            shown += _skipped(alike)
            alike = 0
            shown += _shown(*pair)
        else:
            alike += 1
    return shown + _skipped(alike)


def line_text(line: Line) -> str:
    """Return a line as it is written: ``caller: a table for two``."""
    return f"{line[0]}: {line[1]}" if line[0] else line[1]


def _skipped(alike: int) -> list[str]:
    return [f"  ... {alike} line{'' if alike == 1 else 's'} alike"] if alike else []


def _shown(old: Line | None, new: Line | None) -> list[str]:
    if old is not None and old == new:
        return [f"  {line_text(old)}"]
    if old is not None and new is not None:
        gone, come = _marked(old[1], new[1])
        return [f"- {line_text((old[0], gone))}", f"+ {line_text((new[0], come))}"]
    return [
        f"{sign} {line_text(line)}" for sign, line in (("-", old), ("+", new)) if line is not None
    ]


def _marked(old: str, new: str) -> tuple[str, str]:
    """Put the words that differ between « »."""
    before, after = list(_WORD.finditer(old)), list(_WORD.finditer(new))
    words = [[word.group() for word in side] for side in (before, after)]
    gone, come = old, new
    for what, i, j, k, m in reversed(SequenceMatcher(None, *words, autojunk=False).get_opcodes()):
        if what != "equal":
            gone, come = _quoted(gone, before[i:j]), _quoted(come, after[k:m])
    return gone, come


def _quoted(text: str, run: list[re.Match[str]]) -> str:
    if not run:
        return text
    start, end = run[0].start(), run[-1].end()
    return f"{text[:start]}«{text[start:end]}»{text[end:]}"


def _aligned(before: list[Line], after: list[Line]) -> Iterator[_Pair]:
    for what, i, j, k, m in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if what == "equal":
            yield from zip(before[i:j], after[k:m], strict=True)
        else:
            yield from _paired(before[i:j], after[k:m])


def _paired(before: list[Line], after: list[Line]) -> list[_Pair]:
    """Pair the lines of two runs so that as much as possible is a line changed, in order."""
    if max(len(before), len(after)) > MOST_LINES:
        return [*((line, None) for line in before), *((None, line) for line in after)]
    # best[i][k]: the likeness of before[i:] and after[k:], paired as well as can be
    best = [[0.0] * (len(after) + 1) for _ in range(len(before) + 1)]
    alike = [[_likeness(old, new) for new in after] for old in before]
    for i in reversed(range(len(before))):
        for k in reversed(range(len(after))):
            best[i][k] = max(best[i + 1][k], best[i][k + 1], alike[i][k] + best[i + 1][k + 1])
    pairs: list[_Pair] = []
    i = k = 0
    while i < len(before) or k < len(after):
        both = i < len(before) and k < len(after)
        if both and alike[i][k] and best[i][k] == alike[i][k] + best[i + 1][k + 1]:
            pairs.append((before[i], after[k]))
            i, k = i + 1, k + 1
        elif i < len(before) and (k == len(after) or best[i][k] == best[i + 1][k]):
            pairs.append((before[i], None))
            i += 1
        else:
            pairs.append((None, after[k]))
            k += 1
    return pairs


def _likeness(old: Line, new: Line) -> float:
    if old[0] != new[0]:
        return 0.0
    ratio = SequenceMatcher(
        None, _WORD.findall(old[1]), _WORD.findall(new[1]), autojunk=False
    ).ratio()
    return ratio if ratio >= SAME_LINE_RATIO else 0.0
