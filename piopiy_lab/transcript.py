"""What was said in a call, as it was heard: a pure function from events to entries.

The user's entries come from the recogniser's finals, from what was written to the LLM's context
(which aggregates the finals of one turn), from typed text and from keys. The agent's entries hold
the words that began to be heard, so a reply that was interrupted ends where the user stopped
hearing it. Consecutive utterances of the agent (two sentences, a tool call between them) are one
entry until the user says something.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import overload

from piopiy_lab import events as ev

#: A word may be announced this many seconds before the event that says the agent speaks.
EARLY_WORD_SECS = 0.5
#: Keys that follow each other within this many seconds are one entry.
KEYPAD_PAUSE_SECS = 3.0
#: What pipecat's DTMF aggregator puts before the keys it hands on as a user's text.
KEYPAD_PREFIX = "DTMF:"

Word = tuple[str, float, float]


@dataclass(frozen=True)
class Entry:
    """One side's turn, as it was heard.

    Attributes:
        role: "user" or "assistant".
        text: What was heard. For keys, the keys ("12#").
        start: Seconds of the call's clock when it began to be heard.
        end: Seconds of the call's clock when it ended.
        interrupted: Whether the agent was stopped before it had said all of it.
        words: ``(text, start, end)`` in seconds, empty when the service gave no word times.
        source: "spoken", "typed" or "keypad".
    """

    role: str
    text: str
    start: float
    end: float
    interrupted: bool = False
    words: tuple[Word, ...] = ()
    source: str = "spoken"

    def __repr__(self) -> str:
        tail = ", interrupted" if self.interrupted else ""
        return f"<{self.role} {self.start:.2f}-{self.end:.2f} s: {self.text!r}{tail}>"


class Transcript(Sequence[Entry]):
    """The entries of a call in the order in which they began; reads as text."""

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self._entries = tuple(entries)

    @overload
    def __getitem__(self, index: int) -> Entry: ...
    @overload
    def __getitem__(self, index: slice) -> Transcript: ...
    def __getitem__(self, index: int | slice) -> Entry | Transcript:
        if isinstance(index, slice):
            return Transcript(self._entries[index])
        return self._entries[index]

    def __len__(self) -> int:
        return len(self._entries)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Transcript):
            return self._entries == other._entries
        if isinstance(other, list | tuple):
            return list(self._entries) == list(other)
        return NotImplemented

    def __hash__(self) -> int:
        return hash(self._entries)

    def text(self) -> str:
        """Return one line per entry: ``00:01.2  assistant  Hello, how can I help?``."""
        return "\n".join(
            f"{clock_time(entry.start)}  {entry.role:<9}  {marked_text(entry)}" for entry in self
        )

    def markdown(self) -> str:
        """Return a Markdown list: ``- **assistant** (00:01.2): Hello, how can I help?``."""
        return "\n".join(
            f"- **{entry.role}** ({clock_time(entry.start)}): {_escape(marked_text(entry))}"
            for entry in self
        )

    def __str__(self) -> str:
        return self.text() or "(nothing was said)"

    __repr__ = __str__

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td style='text-align:right'>{clock_time(entry.start)}</td>"
            f"<td>{entry.role}</td>"
            f"<td style='text-align:left'>{html.escape(marked_text(entry))}</td></tr>"
            for entry in self
        )
        return f"<table><tbody>{rows}</tbody></table>" if rows else "<em>nothing was said</em>"


def clock_time(secs: float) -> str:
    """Return ``mm:ss.s`` for seconds of the call's clock (``h:mm:ss.s`` past an hour)."""
    tenths = round(max(secs, 0.0) * 10)
    minutes, tenths = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    head = f"{hours}:" if hours else ""
    return f"{head}{minutes:02d}:{tenths // 10:02d}.{tenths % 10}"


def marked_text(entry: Entry) -> str:
    """Return the entry's text, with what a reader must know about it in brackets."""
    mark = "" if entry.source == "spoken" else f" [{entry.source}]"
    return f"{entry.text}{mark}{' [interrupted]' if entry.interrupted else ''}"


def join_words(words: Iterable[str]) -> str:
    """Join words and punctuation into text, with spaces where a writer puts them.

    A piece that is punctuation, or starts with an apostrophe ("'s"), joins the word before it;
    Chinese and Japanese characters join each other.
    """
    text = ""
    for piece in (word.strip() for word in words):
        if not piece:
            continue
        glued = not text or _joins_left(piece) or text[-1] in "([{“«¿¡"
        if not glued and _is_unspaced(text[-1]) and _is_unspaced(piece[0]):
            glued = True
        text += piece if glued else f" {piece}"
    return text


def build_transcript(events: Iterable[ev.Event]) -> Transcript:
    """Build the transcript from a call's events (of a finished or a running call).

    Pure: the same events give the same transcript. O(n) in the number of events.
    """
    ordered: list[ev.Event] = sorted((e for e in events if isinstance(e, _READ)), key=_order)
    users = _user_entries(ordered)
    return Transcript(sorted(users + _agent_entries(ordered, users), key=lambda e: e.start))


_READ = (
    ev.UserSpeechStarted,
    ev.UserSpeechStopped,
    ev.UserTurnStarted,
    ev.Transcribed,
    ev.UserTurnAdded,
    ev.UserTextTyped,
    ev.DTMFReceived,
    ev.AgentSpeechStarted,
    ev.AgentSpeechStopped,
    ev.AgentInterrupted,
    ev.WordSpoken,
)


def _order(event: ev.Event) -> tuple[float, int]:
    """Sort by time; at the same microsecond a speech ends, then one begins, then words come."""
    rank = 1
    if isinstance(event, ev.AgentSpeechStopped | ev.AgentInterrupted | ev.UserSpeechStopped):
        rank = 0
    elif isinstance(event, ev.WordSpoken | ev.Transcribed):
        rank = 2
    elif isinstance(event, ev.UserTurnAdded):
        rank = 3
    return round(event.at, 6), rank


# --- the agent ------------------------------------------------------------------------------


@dataclass
class _Utterance:
    start: float
    end: float | None = None
    interrupted: bool = False
    words: list[ev.WordSpoken] = field(default_factory=list[ev.WordSpoken])

    def entry(self, last: float) -> Entry:
        end = max(self.end if self.end is not None else last, self.start)
        starts = [min(word.at, end) for word in self.words]
        ends = [*starts[1:], end]
        timed = all(word.timed for word in self.words)
        words = tuple(
            (word.text.strip(), begin, max(begin, finish))
            for word, begin, finish in zip(self.words, starts, ends, strict=True)
        )
        text = join_words(word.text for word in self.words)
        return Entry("assistant", text, self.start, end, self.interrupted, words if timed else ())


def _agent_entries(ordered: list[ev.Event], users: list[Entry]) -> list[Entry]:
    utterances: list[_Utterance] = []
    loose: list[ev.WordSpoken] = []  # words that came while no speech was open
    for event in ordered:
        current = utterances[-1] if utterances and utterances[-1].end is None else None
        if isinstance(event, ev.AgentSpeechStarted) and current is None:
            early = [word for word in loose if event.at - word.at <= EARLY_WORD_SECS]
            _keep_late(utterances, loose[: len(loose) - len(early)])
            utterances.append(_Utterance(event.at, words=early))
            loose = []
        elif isinstance(event, ev.WordSpoken):
            (loose if current is None else current.words).append(event)
        elif isinstance(event, ev.AgentSpeechStopped):
            if current is not None:
                current.end = event.at
            if utterances and event.cause == "interrupted":
                utterances[-1].interrupted = True
        elif isinstance(event, ev.AgentInterrupted) and event.speaking and current is not None:
            current.end, current.interrupted = event.at, True
    if not utterances and loose:
        utterances.append(_Utterance(loose[0].at))
    _keep_late(utterances, loose)
    last = ordered[-1].at if ordered else 0.0
    said = [utterance.entry(last) for utterance in utterances if utterance.words]
    return _merge([entry for entry in said if entry.text], users)


def _keep_late(utterances: list[_Utterance], words: list[ev.WordSpoken]) -> None:
    """Give words that came after an utterance's end to it, unless it was cut off there."""
    if utterances and not utterances[-1].interrupted:
        utterances[-1].words.extend(words)
        if words and utterances[-1].end is not None:
            utterances[-1].end = max(utterances[-1].end, words[-1].at)


def _merge(said: list[Entry], users: list[Entry]) -> list[Entry]:
    """Make one entry of the agent's utterances between two entries of the user's."""
    merged: list[Entry] = []
    for entry in said:
        before = merged[-1] if merged else None
        if before is None or before.interrupted or _between(users, before.start, entry.start):
            merged.append(entry)
            continue
        words = before.words + entry.words if before.words and entry.words else ()
        merged[-1] = replace(
            before,
            text=join_words([before.text, entry.text]),
            end=entry.end,
            interrupted=entry.interrupted,
            words=words,
        )
    return merged


def _between(users: list[Entry], start: float, end: float) -> bool:
    return any(start <= user.start < end for user in users)


# --- the user -------------------------------------------------------------------------------


@dataclass
class _UserTurn:
    """The finals of a user turn that is still open."""

    turn_started: float | None
    finals: list[ev.Transcribed] = field(default_factory=list[ev.Transcribed])


def _user_entries(ordered: list[ev.Event]) -> list[Entry]:
    entries: list[Entry] = []
    segments: list[tuple[float, float | None]] = []  # speech since the last spoken entry
    turn = _UserTurn(None)
    typed: list[str] = []  # typed texts that may come back as UserTurnAdded
    keys_open = False  # whether the last entry is a keypad one that may grow or come back

    def close(text: str | None, at: float) -> None:
        nonlocal turn
        spoken = text if text is not None else join_words(f.text for f in turn.finals)
        if spoken.strip():
            entries.append(_spoken(spoken.strip(), turn, segments, at))
        segments[:] = [segment for segment in segments if segment[1] is None]
        turn = _UserTurn(None)

    for event in ordered:
        if isinstance(event, ev.UserSpeechStarted):
            segments.append((event.at - event.start_secs, None))
        elif isinstance(event, ev.UserSpeechStopped):
            if segments and segments[-1][1] is None:
                begin = segments[-1][0]
                segments[-1] = (begin, max(begin, event.at - event.stop_secs))
        elif isinstance(event, ev.UserTurnStarted):
            if turn.finals:
                close(None, event.at)
            turn.turn_started = event.at
        elif isinstance(event, ev.DTMFReceived):
            last = entries[-1] if entries and keys_open else None
            if last is not None and event.at - last.end <= KEYPAD_PAUSE_SECS:
                entries[-1] = replace(last, text=last.text + event.digit, end=event.at)
            else:
                entries.append(_at_once(event.digit, event.at, "keypad"))
            keys_open = True
        elif isinstance(event, ev.UserTextTyped):
            entries.append(_at_once(event.text, event.at, "typed"))
            typed.append(event.text.strip())
            keys_open = False
        elif isinstance(event, ev.Transcribed):
            if event.text.strip() and not (keys_open and event.text.startswith(KEYPAD_PREFIX)):
                turn.finals.append(event)
                keys_open = False
        elif isinstance(event, ev.UserTurnAdded):
            text = event.text.strip()
            if text in typed:
                typed.remove(text)
            elif keys_open and not turn.finals:
                keys_open = False
            else:
                close(text, event.at)
    if turn.finals:
        close(None, ordered[-1].at)
    return entries


def _at_once(text: str, at: float, source: str) -> Entry:
    return Entry("user", text.strip(), at, at, source=source)


def _spoken(
    text: str, turn: _UserTurn, segments: list[tuple[float, float | None]], at: float
) -> Entry:
    words = tuple(
        (str(word), float(start), float(end))
        for final in turn.finals
        for word, start, end in final.words
    )
    first = turn.finals[0].at if turn.finals else at
    last = turn.finals[-1].at if turn.finals else at
    heard = [(begin, at if end is None else end) for begin, end in segments if begin <= last]
    if heard:
        of_first = [segment for segment in heard if segment[0] <= first] or heard[:1]
        start = of_first[-1][0]
        if turn.turn_started is not None:
            in_turn = [begin for begin, end in heard if end >= turn.turn_started]
            start = min([start, *in_turn])
        end = heard[-1][1]
    elif words:
        start, end = words[0][1], words[-1][2]
    else:
        start, end = first, last
    return Entry("user", text, start, max(start, end), words=words)


# --- text -----------------------------------------------------------------------------------


def _joins_left(piece: str) -> bool:
    if piece[0] in "'’" and len(piece) > 1 and piece[1].isalpha():
        return True
    return piece[0] in ",.;:!?…%)]}”»、。，！？" and not piece[1:2].isalnum()


def _is_unspaced(char: str) -> bool:
    return "぀" <= char <= "ヿ" or "㐀" <= char <= "鿿"


def _escape(text: str) -> str:
    return re.sub(r"([\\`*_\[\]<>])", r"\\\1", text)
