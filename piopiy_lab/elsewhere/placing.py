"""Which sound belongs to which words: a source's entries find their spans on the channels. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from piopiy_lab.elsewhere.draft import Draft, Said, Span
from piopiy_lab.events.values import Role

#: A span this far from an entry's own times isn't its, in seconds: platforms' times are coarse.
NEAR_SECS = 1.5
#: Seconds of silence after which what the caller says is another turn, though nobody answered.
ANOTHER_TURN_SECS = 3.0
#: A caller who begins this long before the agent's end may have cut it off, in seconds.
OVERLAP_SECS = 0.1
#: How long after the end of the caller's words an agent that was cut off may still be heard.
YIELD_SECS = 0.5

_WHOSE: dict[Role, str] = {"user": "the caller's", "assistant": "the agent's"}


def place(draft: Draft, caller: Sequence[Span], agent: Sequence[Span]) -> list[Said]:
    """Give each entry of a draft the spans of sound that are its, and make entries of the rest.

    Args:
        draft: What the source knows; notices are added to it.
        caller: Where the detector heard the caller.
        agent: Where it heard the agent.

    Returns:
        New entries in order of time, with ``start``, ``end`` and ``spans``.
    """
    heard: dict[Role, Sequence[Span]] = {"user": caller, "assistant": agent}
    placed: list[Said] = []
    for role, spans in heard.items():
        given = [replace(one, spans=[]) for one in draft.said if one.role == role]
        other = agent if role == "user" else caller
        groups = _groups(spans, other, ANOTHER_TURN_SECS)
        if not given:
            placed += [_of_group(role, group) for group in groups]
        elif all(one.start is not None for one in given):
            placed += _by_times(given, spans, other)
        else:
            placed += _in_order(draft, given, groups, _WHOSE[role])
    placed.sort(key=lambda one: (one.start or 0.0, one.role))
    if _find_interruptions(placed):
        draft.notices.append(
            "interruptions are judged by the sound, where the source doesn't name them: an agent "
            "that stops while the caller speaks was interrupted"
        )
    return placed


def fit(said: Sequence[Said], caller: Sequence[Span], agent: Sequence[Span]) -> float:
    """Return for how many seconds each side is heard where its words should be."""
    return sum(
        max(0.0, _closeness(one, span))
        for one in said
        if one.start is not None
        for span in (caller if one.role == "user" else agent)
    )


def _groups(spans: Sequence[Span], other: Sequence[Span], pause_secs: float) -> list[list[Span]]:
    """Return the spans by turn: a turn is over when the other side begins, or after a while."""
    groups: list[list[Span]] = []
    for span in spans:
        if groups:
            last = groups[-1][-1]
            parted = any(last[0] < start <= span[0] for start, _ in other)
            if not parted and span[0] - last[1] < pause_secs:
                groups[-1].append(span)
                continue
        groups.append([span])
    return groups


def _of_group(role: Role, group: list[Span]) -> Said:
    return Said(role, "", group[0][0], group[-1][1], spans=list(group))


def _by_times(given: list[Said], spans: Sequence[Span], other: Sequence[Span]) -> list[Said]:
    """Give each span to the entry it overlaps most, or that is nearest; then the rest."""
    loose: list[Span] = []
    for span in spans:
        best = max(given, key=lambda one: _closeness(one, span))
        if _closeness(best, span) > -NEAR_SECS:
            best.spans.append(span)
        else:
            loose.append(span)
    for one in given:
        if one.spans:
            one.start, one.end = one.spans[0][0], one.spans[-1][1]
        else:  # nothing was heard there: its own times have to do
            one.start = max(0.0, one.start or 0.0)
            one.end = max(one.start, one.start if one.end is None else one.end)
            one.spans = [(one.start, one.end)]
    role = given[0].role
    return given + [_of_group(role, group) for group in _groups(loose, other, ANOTHER_TURN_SECS)]


def _closeness(one: Said, span: Span) -> float:
    """Return the seconds of overlap; of none, the seconds between them, below 0."""
    start = one.start or 0.0
    end = start if one.end is None else one.end
    return min(end, span[1]) - max(start, span[0])


def _in_order(draft: Draft, given: list[Said], groups: list[list[Span]], whose: str) -> list[Said]:
    """Give the entries the turns that were heard, one by one, or by their lengths."""
    if not groups:
        draft.notices.append(
            f"no sound for {len(given)} of {whose} texts, so they have no place and are left out"
        )
        return []
    if len(groups) != len(given):
        draft.notices.append(
            f"the transcript has {len(given)} of {whose} texts and the recording {len(groups)} of "
            f"{whose} turns: the texts are placed by their lengths, and may stand at another turn; "
            "give start and end with each"
        )
        groups = _shares([len(one.text) for one in given], [s for group in groups for s in group])
    for one, group in zip(given, groups, strict=True):
        one.spans = list(group)
        one.start, one.end = group[0][0], group[-1][1]
    return given


def _shares(lengths: list[int], spans: list[Span]) -> list[list[Span]]:
    """Cut the spans into consecutive shares in proportion to the lengths of the texts."""
    secs = sum(end - start for start, end in spans)
    total = sum(lengths) or 1
    shares: list[list[Span]] = []
    rest, goal, used = list(spans), 0.0, 0.0
    for number, length in enumerate(lengths):
        goal += secs * length / total
        share: list[Span] = []
        left = len(lengths) - number - 1
        while rest:
            start, end = rest[0]
            if used + (end - start) / 2 > goal and (share or len(rest) <= left):
                break
            if share and len(rest) <= left:
                break
            share.append(rest.pop(0))
            used += end - start
            if used >= goal:
                break
        if number == len(lengths) - 1:
            share += rest
        if not share:  # more texts than spans: the last one's end
            at = shares[-1][-1][1] if shares else 0.0
            share = [(at, at)]
        shares.append(share)
    return shares


def _find_interruptions(placed: list[Said]) -> bool:
    """Judge by the sound who was cut off, where the source doesn't say; whether anybody was."""
    spans = [span for one in placed if one.role == "user" for span in one.spans]
    found = False
    for one in placed:
        if one.role == "assistant" and one.interrupted is None and one.end is not None:
            start, end = one.start or 0.0, one.end
            one.interrupted = any(
                start < span[0] < end - OVERLAP_SECS and end <= span[1] + YIELD_SECS
                for span in spans
            )
            found = found or one.interrupted
    return found
