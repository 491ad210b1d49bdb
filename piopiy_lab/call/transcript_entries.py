"""The entries of a transcript: from events in order to what each side was heard to say.

Pure. :mod:`piopiy_lab.call.transcript` has the whole; this is how it is found.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from piopiy_lab import events as ev
from piopiy_lab.events.values import Role

#: A word may be announced this many seconds before the event that says the agent speaks.
EARLY_WORD_SECS = 0.5
#: A final this much older than the start of a turn isn't part of it.
LOOSE_FINAL_SECS = 2.0
#: Keys that follow each other within this many seconds are one entry.
KEYPAD_PAUSE_SECS = 3.0
#: What pipecat's DTMF aggregator puts before the keys it hands on as a user's text.
KEYPAD_PREFIX = "DTMF:"

#: What is left of a shortened word ("it" "'s"); "'yes'" is a word in quotes.
_SHORTENED = re.compile(r"['’](s|t|d|m|ll|re|ve)(?![\w'’])", re.IGNORECASE)
_OPENERS = "([{“„«»¿¡"
#: Opening brackets and quotes, unless a word ends with one ("»ja«", "„ja“").
_OPENING = re.compile(r"(^|\s)[(\[{“„«»¿¡]+$")

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
        manner: What was done there beside the turns, in words: "backchannel" where the agent took
            it for one and went on, or what a scripted caller did ("aside"); "" where it was a turn,
            or nobody knows.
    """

    role: Role
    text: str
    start: float
    end: float
    interrupted: bool = False
    words: tuple[Word, ...] = ()
    source: str = "spoken"
    manner: str = ""

    def __repr__(self) -> str:
        tail = ", interrupted" if self.interrupted else ""
        return f"<{self.role} {self.start:.2f}-{self.end:.2f} s: {self.text!r}{tail}>"


def join_words(words: Iterable[str]) -> str:
    """Join words and punctuation into text, with spaces where a writer puts them.

    A piece that is punctuation, or the rest of a shortened word ("'s"), joins the word before it;
    Chinese and Japanese characters join each other.
    """
    text = ""
    for piece in (word.strip() for word in words):
        if not piece:
            continue
        glued = not text or _joins_left(piece) or _is_opened(text)
        if not glued and _is_unspaced(text[-1]) and _is_unspaced(piece[0]):
            glued = True
        text += piece if glued else f" {piece}"
    return text


READ = (
    ev.UserSpeechStarted,
    ev.UserSpeechStopped,
    ev.UserTurnStarted,
    ev.Transcribed,
    ev.BackchannelHeard,
    ev.UserTurnAdded,
    ev.UserTextTyped,
    ev.DTMFReceived,
    ev.AgentSpeechStarted,
    ev.AgentSpeechStopped,
    ev.AgentInterrupted,
    ev.AgentSpeechHeld,
    ev.AgentSpeechResumed,
    ev.WordSpoken,
)


def order(event: ev.Event) -> tuple[float, int]:
    """Sort by time; at the same microsecond a speech ends, then one begins, then words come."""
    match event:
        case ev.WordSpoken() | ev.Transcribed():
            rank = 2
        case ev.AgentSpeechStopped() | ev.AgentInterrupted() | ev.UserSpeechStopped():
            rank = 0
        case ev.UserTurnAdded() | ev.BackchannelHeard():
            rank = 3
        case _:
            rank = 1
    return round(event.at, 6), rank


# --- the agent ------------------------------------------------------------------------------


@dataclass
class _Utterance:
    start: float
    end: float | None = None
    interrupted: bool = False
    silent_since: float | None = None  # while its sound waits
    words: list[ev.WordSpoken] = field(default_factory=list[ev.WordSpoken])

    def stopped(self, at: float) -> float:
        """Return when it was heard to its end, or to where it was held before it was cut."""
        return at if self.silent_since is None else self.silent_since

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


def agent_entries(ordered: list[ev.Event], users: list[Entry], last: float) -> list[Entry]:
    """Build the agent's entries from events in the order of :func:`order`."""
    utterances: list[_Utterance] = []
    loose: list[ev.WordSpoken] = []  # words that came while no speech was open
    for event in ordered:
        current = utterances[-1] if utterances and utterances[-1].end is None else None
        match event:
            case ev.WordSpoken():
                (loose if current is None else current.words).append(event)
            case ev.AgentSpeechStarted() if current is None:
                early = [word for word in loose if event.at - word.at <= EARLY_WORD_SECS]
                _keep_late(utterances, loose[: len(loose) - len(early)])
                utterances.append(_Utterance(event.at, words=early))
                loose = []
            case ev.AgentSpeechHeld() if current is not None:  # lower, it is heard
                current.silent_since = event.at if event.how == "pause" else None
            case ev.AgentSpeechResumed() if current is not None:
                current.silent_since = None
            case ev.AgentSpeechStopped():
                if current is not None:
                    current.end = current.stopped(event.at)
                if utterances and event.cause == "interrupted":
                    utterances[-1].interrupted = True
            case ev.AgentInterrupted(speaking=True) if current is not None:
                current.end, current.interrupted = current.stopped(event.at), True
            case _:
                pass
    if not utterances and loose:
        utterances.append(_Utterance(loose[0].at))
    _keep_late(utterances, loose)
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
    """Whether the user said something meanwhile; what both began at one instant is an answer."""
    return any(start <= user.start <= end for user in users)


# --- the user -------------------------------------------------------------------------------


@dataclass
class _UserTurn:
    """What was recognised in a user turn that is still open."""

    started: float | None = None
    finals: list[ev.Transcribed] = field(default_factory=list[ev.Transcribed])


class _UserSide:
    """Collects the user's entries, event by event in their order."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self._segments: list[tuple[float, float | None]] = []  # speech since the last entry
        self._turn = _UserTurn()
        self._typed: list[str] = []  # texts that may come back as UserTurnAdded
        self._keys_open = False  # whether the last entry is keys, and may grow or come back

    def take(self, event: ev.Event) -> None:
        match event:
            case ev.UserSpeechStarted():
                self._segments.append((event.at - event.start_secs, None))
            case ev.UserSpeechStopped():
                if self._segments and self._segments[-1][1] is None:
                    begin = self._segments[-1][0]
                    self._segments[-1] = (begin, max(begin, event.at - event.stop_secs))
            case ev.UserTurnStarted():
                self._turn_started(event.at)
            case ev.Transcribed():
                self._final(event)
            case ev.UserTextTyped():
                self.entries.append(_at_once(event.text, event.at, "typed"))
                self._typed.append(event.text.strip())
                self._keys_open = False
            case ev.DTMFReceived():
                self._key(event)
            case ev.BackchannelHeard():
                self._listened(event)
            case ev.UserTurnAdded():
                self._turn_added(event.text.strip(), event.at)
            case _:
                pass

    def finish(self, at: float) -> None:
        """Keep what was recognised and never became a turn: the user said it all the same."""
        if self._turn.finals:
            self._close(self._turn, None, at)

    def _turn_started(self, at: float) -> None:
        finals = self._turn.finals
        if finals and at - finals[-1].at > LOOSE_FINAL_SECS:
            self._close(self._turn, None, finals[-1].at)
            self._turn = _UserTurn()
        if not self._turn.finals or self._turn.started is None:
            self._turn.started = at

    def _final(self, event: ev.Transcribed) -> None:
        of_keys = self._keys_open and event.text.startswith(KEYPAD_PREFIX)
        if event.text.strip() and not of_keys:
            self._turn.finals.append(event)
            self._keys_open = False

    def _key(self, event: ev.DTMFReceived) -> None:
        last = self.entries[-1] if self._keys_open else None
        if last is not None and event.at - last.end <= KEYPAD_PAUSE_SECS:
            self.entries[-1] = replace(last, text=last.text + event.digit, end=event.at)
        else:
            self.entries.append(_at_once(event.digit, event.at, "keypad"))
        self._keys_open = True

    def _turn_added(self, text: str, at: float) -> None:
        if text in self._typed:
            self._typed.remove(text)
        elif not self._turn.finals and (self._keys_open or text.startswith(KEYPAD_PREFIX)):
            self._keys_open = False  # the keys are an entry already, also when a typed turn came
        else:
            apart, finals = _split_finals(self._turn.finals, text)
            if apart:  # heard before, but not taken for this turn
                self._close(_UserTurn(None, apart), None, apart[-1].at)
            self._close(_UserTurn(self._turn.started, finals), text, at)
            self._turn = _UserTurn()

    def _listened(self, event: ev.BackchannelHeard) -> None:
        """Make an entry of what was no turn; what was recognised of it belongs to none."""
        own = [final for final in self._turn.finals if final.at >= event.start]
        if own:
            before = [final for final in self._turn.finals if final.at < event.start]
            self._turn = _UserTurn(self._turn.started if before else None, before)
        if event.text.strip():
            words = tuple(
                (str(word), float(start), float(end))
                for final in own
                for word, start, end in final.words
            )
            text, start, end = event.text.strip(), event.start, event.end
            manner = "aside" if event.aside else "backchannel"
            self.entries.append(Entry("user", text, start, end, words=words, manner=manner))
        self._segments = [(begin, end) for begin, end in self._segments if begin > event.end]

    def _close(self, turn: _UserTurn, text: str | None, at: float) -> None:
        spoken = text if text is not None else join_words(f.text for f in turn.finals)
        if spoken.strip():
            self.entries.append(_spoken(spoken.strip(), turn, self._segments, at))
        self._segments = [(begin, end) for begin, end in self._segments if end is None or end > at]


def user_entries(ordered: Iterable[ev.Event], last: float) -> list[Entry]:
    """Build the user's entries from events in the order of :func:`order`."""
    side = _UserSide()
    for event in ordered:
        side.take(event)
    side.finish(last)
    return side.entries


def _split_finals(
    finals: list[ev.Transcribed], text: str
) -> tuple[list[ev.Transcribed], list[ev.Transcribed]]:
    """Split off the first finals that the turn's text doesn't hold, if it holds a later one."""
    inside = [_plain(final.text) in _plain(text) for final in finals]
    first = inside.index(True) if True in inside else 0
    return finals[:first], finals[first:]


def _plain(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.lower()))


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
        if turn.started is not None:
            in_turn = [begin for begin, end in heard if end >= turn.started]
            start = min([start, *in_turn])
        end = heard[-1][1]
    elif words:
        start, end = words[0][1], words[-1][2]
    else:  # no detector: the turn began when the transcripts, or the provider, said so
        began = first if turn.started is None else min(turn.started, first)
        start, end = began, last
    return Entry("user", text, start, max(start, end), words=words)


# --- text -----------------------------------------------------------------------------------


def _joins_left(piece: str) -> bool:
    if piece[0] in "'’" and _SHORTENED.match(piece):
        return True
    return piece[0] in ",.;:!?…%)]}”»、。，！？" and not piece[1:2].isalnum()


def _is_opened(text: str) -> bool:
    return text[-1] in _OPENERS and _OPENING.search(text) is not None  # the first is quick


def _is_unspaced(char: str) -> bool:
    """Whether it is Chinese or Japanese, their punctuation included: CJK blocks of Unicode."""
    return (
        "\u3000" <= char <= "\u30ff" or "\u3400" <= char <= "\u9fff" or "\uff00" <= char <= "\uffef"
    )
