"""What a page is told of a call: a picture of everything first, and then what is new.

A :class:`CallFeed` pulls from a call's log with a cursor and from its recording; producers know
nothing of it. It has no thread and no widget of its own: whoever holds it decides when to pull.

A message is a JSON record with buffers. ``"at"`` fields are seconds of the call's clock.

======== =========================================================================================
field    is
======== =========================================================================================
reset    whether the page forgets what it has
now      the call's seconds
state    "starting", "listening" or "ended"; activity: what the agent does, as Call.activity
bins     the first bin of buffer 0, the outline (see ``envelope``)
levels   caller's and agent's dBFS as last measured, while there is no outline: nothing is kept
spans    those that changed, marks: those that came (see ``spans``)
rows     ``[place, row]`` of those that changed, row_count: how many there are (see ``rows``)
turns    those that changed, turns_from: the number of the first
desk     what changed of settings and services (see ``desk``)
contexts ``[number, context]`` of those that came or changed
events   ``[at, type, fields]`` of those that came, once a page has asked for them
failure  the user's own lines of what ended the call badly, if it did
stops    what each stop window would have cut of an ended call's pauses, if somebody found it out
======== =========================================================================================

Buffer 1 holds the detector's samples: float32 (n, 3) of time, confidence and volume (-1: none).
"""

from __future__ import annotations

from array import array
from typing import Any

from piopiy_lab import events as ev
from piopiy_lab.call.call import Call
from piopiy_lab.display.user_traceback import user_traceback
from piopiy_lab.widgets.desk import Desk
from piopiy_lab.widgets.envelope import BIN_SECS, Envelope
from piopiy_lab.widgets.rows import Rows
from piopiy_lab.widgets.spans import Spans

Message = tuple[dict[str, object], list[bytes]]


class CallFeed:
    """Pulls what a page has to know of one call. For one thread at a time."""

    def __init__(self, call: Call) -> None:
        """Begin with nothing sent.

        Args:
            call: A running, ended or loaded call.
        """
        self._call = call
        self._cursor = 0  # events before it were read
        self._samples = array("f")  # the detector's, three for each; kept for pages to come
        self._samples_sent = 0  # how many of them the page has
        self._envelope = Envelope(call.sample_source)
        self._spans, self._rows, self._desk = Spans(), Rows(), Desk()
        self._levels: list[float] | None = None  # dBFS of both sides, as last measured
        self._instructions: str | None = None
        self._fresh = True  # nothing was sent since the last restart
        self._listed: int | None = None  # the next event to list; None while no page asks

    def restart(self) -> None:
        """Let the next :meth:`pull` give everything: a page was opened or loaded again."""
        self._fresh = True
        self._listed = None
        self._samples_sent = 0
        self._spans.restart()
        self._rows.forget()
        self._desk.forget()
        self._instructions = None

    def pull(self) -> Message | None:
        """Return what is new; None when the call is over and everything was said."""
        call = self._call
        over = call.state == "ended"  # asked first: what comes before the end is then in the log
        news = self._read()
        first_bin = 0 if self._fresh else len(self._envelope)
        changed_from = self._envelope.update()
        first_bin = min(first_bin, changed_from)
        content: dict[str, Any] = {
            "kind": "call",
            "now": round(call.duration, 3),
            "state": "ended" if over else call.state,
            "activity": call.activity,
        }
        if self._fresh:
            content |= {
                "reset": True,
                "call_id": call.call_id,
                "bin_secs": BIN_SECS,
                "live": not over,
                "sound": self._has_sound(),
            }
            known = self._call.known_robustness if over else None
            if known is not None and known.stops:
                content["stops"] = [stop.to_json() for stop in known.stops]
        elif over and not news and not self._has_unlisted():
            return None
        self._add_lists(content, over)
        instructions = self._asked_instructions()
        if instructions is not None and instructions != self._instructions:
            content["instructions"] = self._instructions = instructions
        if over and (failure := self._failure()):
            content["failure"] = failure
        if self._levels is not None and not self._has_sound():
            content["levels"] = self._levels
        content["bins"] = first_bin
        buffers = [self._envelope.since(first_bin), self._take_samples()]
        self._fresh = False
        return content, buffers

    def _read(self) -> bool:
        found, self._cursor = self._call.events.since(self._cursor)
        for event in found:
            match event:
                case ev.VADSampled():
                    volume = -1.0 if event.volume is None else event.volume
                    self._samples.extend((event.at, event.confidence, volume))
                case ev.LevelMeasured():
                    self._levels = [event.user_dbfs, event.agent_dbfs]
                case _:
                    self._spans.add(event)
                    self._rows.add(event)
                    self._desk.add(event)
        return bool(found)

    def _add_lists(self, content: dict[str, Any], over: bool) -> None:
        spans, marks = self._spans.take()
        if spans:
            content["spans"] = spans
        if marks:
            content["marks"] = marks
        before = self._rows.count
        rows = self._rows.update(words=over)
        if rows or self._rows.count != before:
            content["rows"] = rows
            content["row_count"] = self._rows.count
        turns = self._rows.take_turns()
        if turns is not None:
            content["turns_from"], content["turns"] = turns
        desk, contexts = self._desk.take()
        if desk:
            content["desk"] = desk
        if contexts:
            content["contexts"] = contexts
        if self._listed is not None:
            content["events"] = self._list_events()

    def list_events(self) -> None:
        """Let the next :meth:`pull` give every event, and those after it the new ones."""
        self._listed = 0

    def _has_unlisted(self) -> bool:
        return self._listed is not None and self._listed < self._cursor

    def _list_events(self) -> list[list[object]]:
        assert self._listed is not None
        found, self._listed = self._call.events.since(self._listed)
        return [
            [event.at, type(event).__name__, repr(event).partition(", ")[2].removesuffix(")")]
            for event in found
            if not isinstance(event, ev.VADSampled | ev.LevelMeasured)  # they are the plot
        ]

    def _take_samples(self) -> bytes:
        sent, self._samples_sent = self._samples_sent, len(self._samples)
        return self._samples[sent:].tobytes()

    def _asked_instructions(self) -> str | None:
        """Return the agent's instructions as they stand: a cell may have changed them."""
        agent = self._call.agent
        return None if agent is None else str(agent.instructions)

    def _failure(self) -> str:
        """Return the user's own lines of what ended the call badly, and what it was; or ""."""
        error = self._call.error
        return "" if error is None else user_traceback(error)

    def _has_sound(self) -> bool:
        return self._call.sample_source.frames > 0

    def context(self, index: int) -> dict[str, object] | None:
        """Return what the LLM was given the ``index``-th time; None when there is no such."""
        sent = self._call.events.of(ev.ContextSent)
        if not 0 <= index < len(sent):
            return None
        return {
            "kind": "context",
            "index": index,
            "at": round(sent[index].at, 3),
            "messages": sent[index].messages,
            "tools": sent[index].tools,
        }
