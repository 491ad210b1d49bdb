"""How a call is put into words: times, titles, tool calls, and what nobody got to hear.

Pure functions over strings and the structural types of :mod:`piopiy_lab.display.shown`; the
plain text, the HTML and the figures all use them, so that they agree.
"""

from __future__ import annotations

import statistics

from piopiy_lab.display.following import rest_after
from piopiy_lab.display.shown import ShownCall, ShownEntry
from piopiy_lab.events.tools import arguments_text
from piopiy_lab.redaction import redact, shown

WHO = {"user": "caller", "assistant": "agent"}


def clock(seconds: float, digits: int = 0) -> str:
    """Write seconds as ``m:ss`` (with ``digits`` decimals)."""
    minutes, rest = divmod(round(max(0.0, seconds), digits), 60)
    width = 2 + (digits + 1 if digits else 0)
    return f"{minutes:.0f}:{rest:0{width}.{digits}f}"


def milliseconds(seconds: float) -> str:
    """Write seconds as whole milliseconds, ``"640 ms"``."""
    return f"{seconds * 1000:.0f} ms"


def times_as_fast(ratio: float) -> str:
    """Write how fast virtual time went, ``"34 times as fast"``; with a decimal below 10."""
    return f"{ratio:.{0 if ratio >= 10 else 1}f} times as fast"


def name_of(call: ShownCall) -> str:
    """Return ``"Call sim-1"``, or ``"Call"`` when it has no id."""
    call_id = getattr(call, "call_id", None)
    return f"Call {shown(str(call_id))}" if call_id else "Call"


def facts_of(call: ShownCall) -> list[str]:
    """Return the few facts that go beside a call's name: length, turns, latency, ending."""
    times = [turn.total for turn in call.turns]
    facts = [clock(call.duration)]
    if times:
        count = f"{len(times)} answer{'s' if len(times) > 1 else ''}"
        facts += [count, f"median {milliseconds(statistics.median(times))}"]
    if call.state == "ended":
        facts.append((call.end_reason or "ended").replace("_", " "))
    else:
        facts.append(call.state)
    return facts


def compact(value: object, limit: int = 40) -> str:
    """Write a value shortly: strings quoted, long ones cut with an ellipsis, no secrets."""
    text = repr(redact(value))
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def called(name: str, arguments: object) -> str:
    """Write a tool call as Python would: ``book_table(party_size=2)``."""
    return f"{shown(name)}({arguments_text(arguments, compact)})"


def unheard(call: ShownCall, entry: ShownEntry) -> str:
    """Return the rest of an interrupted reply: what was written but never heard.

    Found by following the heard words through what the LLM (or ``say``) gave to be spoken; empty
    when they can't be followed.
    """
    if not entry.interrupted or entry.role != "assistant":
        return ""
    return shown(rest_after(call.events, entry.end))
