"""The rows of the live transcript: what was said, tools, switches, errors; from events.

Pure. The rows of the last minute or so are rebuilt when something of interest happened, and
compared with what the page has, so only the ones that changed are sent.
"""

from __future__ import annotations

from typing import Any

from piopiy_lab import events as ev
from piopiy_lab.call.tool_calls import ToolCall, build_tool_calls
from piopiy_lab.call.transcript import Entry, build_transcript
from piopiy_lab.call.turns import Turn, build_turns
from piopiy_lab.display.order import moment
from piopiy_lab.display.page import timed_words
from piopiy_lab.display.wording import called, compact, unheard
from piopiy_lab.events.troubles import trouble_in

Row = dict[str, Any]

#: Events that add or change no row: the detector's samples alone are 31 a second.
_SILENT = (ev.VADSampled, ev.MetricsReported, ev.CallerStepStarted, ev.CallerStepFinished)


#: Seconds between the newest event and what counts as settled: no event comes that late.
SETTLED_SECS = 15.0
#: So many events are built anew each time; with more, it is tried to settle some.
MOST_OPEN = 250


class Rows:
    """A call's rows as they stand. For one thread at a time.

    To build the rows of a long call ten times a second would cost more than the call. What lies
    far back is therefore *settled*: cut off where a caller's turn begins, and only there where the
    rows of both parts are shown to be the rows of the whole.
    """

    def __init__(self, settled_secs: float = SETTLED_SECS, most_open: int = MOST_OPEN) -> None:
        """Begin without a row.

        Args:
            settled_secs: Seconds between the newest event and what counts as settled.
            most_open: With more events than these that are not settled, it is tried to settle some.
        """
        self._settled_secs, self._most_open = settled_secs, most_open
        self._events: list[ev.Event] = []  # without the silent ones and the settled ones
        self._settled: list[Row] = []
        self._settled_turns: list[list[object]] = []
        self._try_at = most_open  # settle when there are so many open events
        self._rows: list[Row] = []  # as the page has them
        self._turns: list[list[object]] = []
        self._stale = False  # events came since the rows were built
        self._words = False  # whether the page has the words' times
        self._turns_from: int | None = None  # the first turn that changed since take_turns()

    def add(self, event: ev.Event) -> None:
        """Take one event, in the order of the log."""
        if not isinstance(event, _SILENT):
            self._events.append(event)
            self._stale = True

    def forget(self) -> None:
        """Let the next :meth:`update` give every row again."""
        self._rows, self._turns = [], []
        self._stale = True

    def update(self, words: bool = True) -> list[tuple[int, Row]]:
        """Return the rows that changed, with their places.

        A row's place may change while a call runs (an entry is found to have begun earlier): then
        the rows from there on are given again. There may also be fewer: see :attr:`count`.

        Args:
            words: With the times of each word: a page has no use for them while the call runs.
        """
        if words != self._words:
            self._words = words
            self.forget()
        if not self._stale:
            return []
        self._stale = False
        start = min(len(self._settled), len(self._rows))  # the page has those before it
        self._settle()
        rows, turns = _build(self._events)
        new = [*self._settled[start:], *rows]
        if not words:
            new = [{name: row[name] for name in row if name != "words"} for row in new]
        changed = [
            (i, row)
            for i, row in enumerate(new, start)
            if i >= len(self._rows) or row != self._rows[i]
        ]
        self._rows[start:] = new
        self._note_turns([*self._settled_turns, *turns])
        return changed

    def _note_turns(self, turns: list[list[Any]]) -> None:
        pairs = zip(turns, self._turns, strict=False)
        same = next((i for i, (new, old) in enumerate(pairs) if new != old), len(self._turns))
        if same < len(turns) or len(turns) < len(self._turns):
            before = same if self._turns_from is None else self._turns_from
            self._turns_from = min(same, before, len(turns))
        self._turns = turns

    def take_turns(self) -> tuple[int, list[list[object]]] | None:
        """Return the turns that changed since the last time: the first's number, and they.

        A turn is as :func:`turn_record` writes it. None when none changed.
        """
        first, self._turns_from = self._turns_from, None
        return None if first is None else (first, self._turns[first:])

    @property
    def count(self) -> int:
        """How many rows there are: the page drops what is past them (an interim text)."""
        return len(self._rows)

    @property
    def open_events(self) -> int:
        """How many events each update reads again."""
        return len(self._events)

    def _settle(self) -> None:
        """Cut off what lies far back, if it can be shown that nothing depends on it."""
        if len(self._events) < self._try_at:
            return
        events = self._events
        old = events[-1].at - self._settled_secs
        cuts = [
            i
            for i, event in enumerate(events)
            if isinstance(event, ev.UserSpeechStarted | ev.UserTurnStarted | ev.UserTextTyped)
            and i > 0
            and event.at < old
        ]
        whole = _build(events)
        for cut in reversed(cuts[-8:]):
            head, tail = _build(events[:cut]), _build(events[cut:])
            running = any(row.get("status") == "running" for row in head[0])
            if not running and head[0] + tail[0] == whole[0] and head[1] + tail[1] == whole[1]:
                self._settled += head[0]
                self._settled_turns += head[1]
                self._events = events[cut:]
                break
        self._try_at = len(self._events) + self._most_open


def _build(events: list[ev.Event]) -> tuple[list[Row], list[list[object]]]:
    turns = list(build_turns(events))
    return build_rows(events, turns), [turn_record(turn) for turn in turns]


def turn_record(turn: Turn) -> list[object]:
    """Return ``[start, total, {part: secs}, user]`` of a turn, seconds to the millisecond."""
    parts = {name: round(secs, 3) for name, secs in turn.parts.items()}
    return [round(turn.start, 3), round(turn.total, 3), parts, turn.user]


def build_rows(events: list[ev.Event], turns: list[Turn]) -> list[Row]:
    """Return the rows of a call, ordered by time."""
    shown = _Told(events)
    timed: list[tuple[tuple[float, int], Row]] = []
    for entry in build_transcript(events):
        timed.append((moment(entry.start, entry.role), _entry(shown, entry, turns)))
    for tool in build_tool_calls(events):
        timed.append((moment(tool.start, "tool"), _tool(tool)))
    timed += [
        (moment(event.at, "error" if row["kind"] == "error" else "note"), row)
        for event in events
        if (row := _note(event)) is not None
    ]
    timed.sort(key=lambda item: item[0])
    rows = [row for _, row in timed]
    interim = _interim(events)
    return rows if interim is None else [*rows, interim]


class _Told:
    """As much of a call as ``unheard`` asks for."""

    def __init__(self, events: list[ev.Event]) -> None:
        self.events = events


def _entry(shown: Any, entry: Entry, turns: list[Turn]) -> Row:
    row: Row = {
        "kind": entry.role,
        "at": round(entry.start, 3),
        "end": round(entry.end, 3),
        "text": entry.text,
    }
    words = [
        [text, round(begin, 3), round(end, 3)]
        for text, begin, end in timed_words(entry)
        if begin is not None and end is not None
    ]
    if words:
        row["words"] = words
    if entry.source != "spoken":
        row["source"] = entry.source
    elif manner := getattr(entry, "manner", ""):
        row["source"] = manner  # shown at the same place
    if entry.interrupted:
        row["cut"] = unheard(shown, entry) or True
    for turn in turns:
        if entry.role == "assistant" and entry.start - 0.05 <= turn.answered <= entry.end + 0.05:
            row["latency"] = round(turn.total, 3)
            row["parts"] = {name: round(secs, 3) for name, secs in turn.parts.items() if secs > 0}
            break
    return row


def _tool(tool: ToolCall) -> Row:
    row: Row = {
        "kind": "tool",
        "at": round(tool.start, 3),
        "text": called(tool.name, tool.arguments),
        "status": tool.status,
    }
    if tool.end is not None:
        row["end"] = round(tool.end, 3)
    detail = {"arguments": tool.arguments}
    if tool.error:
        row["error"] = tool.error
    elif tool.status == "returned":
        row["result"] = compact(tool.result, 200)
        detail["result"] = tool.result
    row["detail"] = detail
    return row


def _note(event: ev.Event) -> Row | None:
    at = round(event.at, 3)
    if (trouble := trouble_in(event)) is not None:
        row: Row = {"kind": "error", "at": at, "text": trouble.what}
        return {**row, "remedy": trouble.remedy} if trouble.remedy else row
    match event:
        case ev.ServiceSwitched():
            how = "" if event.cause == "manual" else f" ({event.cause})"
            text = f"{event.kind}: {event.old} → {event.new}{how}"
            return {"kind": "switch", "at": at, "text": text}
        case ev.SettingsChanged():
            text = ", ".join(f"{name} = {value:g}" for name, value in event.new.items())
            return {"kind": "setting", "at": at, "text": text}
        case ev.InstructionsChanged():
            return {"kind": "setting", "at": at, "text": "new instructions, from the next turn"}
        case ev.NoticeGiven():
            return {"kind": "notice", "at": at, "text": event.message}
        case _:
            return None


def _interim(events: list[ev.Event]) -> Row | None:
    """Return the recogniser's guess so far, while no final has replaced it."""
    for event in reversed(events):
        match event:
            case ev.Transcribed() | ev.UserTurnAdded() | ev.CallEnded():
                return None
            case ev.InterimTranscribed():
                if not event.text.strip():
                    return None
                return {"kind": "interim", "at": round(event.at, 3), "text": event.text}
            case _:
                pass
    return None
