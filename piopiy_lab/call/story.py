"""A call told in plain text: what ``print(call)`` and pytest's report are made of. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from piopiy_lab.call.transcript import clock_time, heard_at, marked_text
from piopiy_lab.display.order import moment
from piopiy_lab.display.user_traceback import user_line
from piopiy_lab.display.wording import WHO
from piopiy_lab.events import CallEnded, CallerSpoke, CallerStayedSilent
from piopiy_lab.events.troubles import troubles_in
from piopiy_lab.redaction import redact_text, shown, told, visible_lines

if TYPE_CHECKING:
    from piopiy_lab.call.record import CallRecord


@dataclass(frozen=True)
class Row:
    """One thing that somebody did.

    Attributes:
        when: To sort by (see ``display.order.moment``): seconds of the call's clock first.
        who: "caller", "agent", "tool" ...
        text: What was said or done.
    """

    when: tuple[float, int]
    who: str
    text: str

    def __str__(self) -> str:
        return f"{clock_time(self.when[0])}  {self.who:<6}  {self.text}"


def rows_of(call: CallRecord) -> list[Row]:
    """Return what was said and done, in no order."""
    said = [
        Row(moment(entry.start, entry.role), WHO[entry.role], marked_text(entry))
        for entry in call.transcript
    ]
    done = [Row(moment(tool.start, "tool"), "tool", repr(tool)[1:-1]) for tool in call.tool_calls]
    return said + done + list(_beside(call))


def _beside(call: CallRecord) -> Iterator[Row]:
    """Yield what a scripted caller did beside their turns, where the transcript doesn't say it."""
    users = [entry for entry in call.transcript if entry.role == "user" and entry.manner]
    for spoke in call.events.of(CallerSpoke):
        if spoke.beside and not any(heard_at(spoke, entry) for entry in users):
            text = "" if spoke.text is None else f"{shown(spoke.text)} "
            yield Row(moment(spoke.at, "user"), WHO["user"], f"{text}[{spoke.beside}]")
    for silence in call.events.of(CallerStayedSilent):
        text = f"[stays silent for {silence.end - silence.at:.1f} s]"
        yield Row(moment(silence.at, "user"), WHO["user"], text)


def in_order(rows: list[Row]) -> list[Row]:
    """Return rows by time; of one moment the cause before its effect."""
    return sorted(rows, key=lambda row: row.when)


def story_of(call: CallRecord, error: BaseException | None) -> str:
    """Tell a call: why it failed, what was said and done, the latencies, what went wrong.

    Args:
        call: The call.
        error: What ended it badly.
    """
    parts = [repr(call), _failure(call, error), "\n".join(map(str, in_order(rows_of(call))))]
    if call.turns:
        parts.append(f"Latency in milliseconds:\n{call.turns.text()}")
    if (known := call.known_robustness) is not None:
        parts.append(f"How sure the verdicts on the caller's pauses are:\n{known.text()}")
    if wrong := troubles_in(call.events):
        lines = (f"{clock_time(at)}  {told(trouble)}" for at, trouble in wrong)
        parts.append("\n".join(("What went wrong:", *lines)))
    return "\n\n".join(part for part in parts if part)


def _failure(call: CallRecord, error: BaseException | None) -> str:
    """Return what ended the call badly, the user's own line first; "" where nothing did."""
    ended = next(iter(call.events.of(CallEnded)), None)
    if ended is None or not ended.error:
        return ""
    place = "" if error is None else user_line(error)
    return visible_lines(redact_text("\n".join(filter(None, (place, ended.error)))))
