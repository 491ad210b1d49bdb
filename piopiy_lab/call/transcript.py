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
from dataclasses import replace
from typing import TYPE_CHECKING, overload

from piopiy_lab import events as ev
from piopiy_lab.call.transcript_entries import READ, agent_entries, order, user_entries
from piopiy_lab.call.transcript_entries import Entry as Entry
from piopiy_lab.call.transcript_entries import join_words as join_words
from piopiy_lab.checks.data_frames import data_frame
from piopiy_lab.display.wording import WHO
from piopiy_lab.redaction import shown

if TYPE_CHECKING:
    from pandas import DataFrame


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
            return len(self._entries) == len(other) and all(
                (entry.role, entry.text) == same if isinstance(same, tuple) else entry == same
                for entry, same in zip(self._entries, other, strict=True)
            )
        return NotImplemented

    def __hash__(self) -> int:
        return hash(self._entries)

    def text(self) -> str:
        """Return one line per entry: ``00:01.2  agent   Hello, how can I help?``."""
        return "\n".join(
            f"{clock_time(entry.start)}  {WHO[entry.role]:<6}  {marked_text(entry)}"
            for entry in self
        )

    def markdown(self) -> str:
        """Return a Markdown list: ``- **agent** (00:01.2): Hello, how can I help?``."""
        return "\n".join(
            f"- **{WHO[entry.role]}** ({clock_time(entry.start)}): {_escape(marked_text(entry))}"
            for entry in self
        )

    def to_pandas(self) -> DataFrame:
        """Return a table: a row per entry.

        Its columns are role, text, start and end (seconds of the call's clock), interrupted and
        source.

        Raises:
            MissingExtraError: pandas isn't installed (the extra ``pandas``).
        """
        columns = {
            "role": "string", "text": "string", "start": "float64", "end": "float64",
            "interrupted": "bool", "source": "string",
        }  # fmt: skip
        return data_frame(
            ({name: getattr(entry, name) for name in columns} for entry in self), columns
        )

    def __str__(self) -> str:
        return self.text() or "(nothing was said)"

    __repr__ = __str__

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td style='text-align:right;padding:.3em .6em'>{clock_time(entry.start)}</td>"
            f"<td>{WHO[entry.role]}</td>"
            "<td style='text-align:left;padding:.3em .6em'>"
            f"{html.escape(marked_text(entry))}</td></tr>"
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
    """Return the entry's text, with what a reader must know about it in brackets.

    On one line, without secrets, whichever words and chunks it came in.
    """
    mark = "" if entry.source == "spoken" else f" [{entry.source}]"
    text = shown(" ".join(entry.text.split("\n")))
    mark += f" [{entry.manner}]" if entry.manner else ""
    return f"{text}{mark}{' [interrupted]' if entry.interrupted else ''}"


def build_transcript(events: Iterable[ev.Event]) -> Transcript:
    """Build the transcript from a call's events (of a finished or a running call).

    Pure: the same events give the same transcript. O(n) in the number of events.
    """
    log = list(events)
    ordered: list[ev.Event] = sorted((e for e in log if isinstance(e, READ)), key=order)
    last = ordered[-1].at if ordered else 0.0
    users = _with_manners(user_entries(ordered, last), log)
    both = users + agent_entries(ordered, users, last)
    # what the caller said at the very instant at which the agent began is no question before it
    return Transcript(sorted(both, key=lambda e: (e.start, e.role == "user" and e.end > e.start)))


def _with_manners(users: list[Entry], log: Iterable[ev.Event]) -> list[Entry]:
    """Return entries with what was done there beside the turns, where nothing else was said."""
    spoke = [e for e in log if isinstance(e, ev.CallerSpoke)]
    if not any(e.beside for e in spoke):
        return users
    marked: list[Entry] = []
    for entry in users:
        there = [e.beside for e in spoke if heard_at(e, entry)] if entry.source == "spoken" else []
        manner = ", ".join(dict.fromkeys(there)) if all(there) else ""
        marked.append(replace(entry, manner=entry.manner or manner))
    return marked


def heard_at(spoke: ev.CallerSpoke, entry: Entry) -> bool:
    """Whether an entry is what was heard of a scripted caller's sound, or of a part of it."""
    return spoke.at < entry.end and spoke.end > entry.start


def _escape(text: str) -> str:
    return re.sub(r"([\\`*_\[\]<>])", r"\\\1", text)
