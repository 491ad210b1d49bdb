"""Golden conversations: what was said and done in a call, kept in a text file beside the test.

The file reads like a screenplay and holds no times, so it changes only when the conversation
does::

    agent: Hello, this is the booking desk. How can I help?

    caller: a table for two tomorrow at seven
    agent: A table for two [interrupted]

    caller: no make it friday
    tool: book_table(day="friday", party_size=2) returned {"status": "booked"}
    agent: Your table is booked.

    end: caller_hung_up

A caller's line that nothing answered ends with ``[not answered]``, so the file tells the turns too.
Lines that begin with ``#`` are notes. pytest's ``golden`` fixture uses this, and so can a
notebook: ``compare(call, "golden/booking.txt")``.
"""

from __future__ import annotations

import json
import re
from difflib import SequenceMatcher
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from piopiy_lab import events as ev
from piopiy_lab.call.transcript import Entry
from piopiy_lab.checks.arguments import check_secs
from piopiy_lab.display.order import moment
from piopiy_lab.display.wording import WHO
from piopiy_lab.events.tools import arguments_text
from piopiy_lab.redaction import redact, redact_text
from piopiy_lab.simulation.conversation_diff import Line, conversation_diff, line_text

if TYPE_CHECKING:
    from piopiy_lab.call.record import CallRecord
    from piopiy_lab.call.tool_calls import ToolCall
    from piopiy_lab.call.turns import Turn

__all__ = ["compare", "conversation_lines", "conversation_text", "read_lines"]

UPDATE_HINT = "pytest --voice-update, or compare(..., update=True)"

_LATENCY = re.compile(r" \[answered after (\d+(?:\.\d+)?) s\]$")
_WHO = re.compile(r"([a-z]+(?: \([a-z]+\))?):(?: |$)")
#: As files have it that were written before 0.3.
_FORMERLY = {"user": "caller", "assistant": "agent"}


def conversation_lines(call: CallRecord, *, latencies: bool = False) -> list[Line]:
    """Return who said and did what in a call, in order, and how it ended; no times.

    Args:
        call: An ended call; a loaded one gives the same lines as the one that was saved.
        latencies: Also tell how long each answer took, in seconds.
    """
    answered = _answered(call)
    told: list[tuple[tuple[float, int], Line]] = []
    for index, entry in enumerate(call.transcript):
        line = _entry_line(entry, answered.get(index), latencies)
        told.append((moment(entry.start, entry.role), line))
    told += [(moment(tool.start, "tool"), ("tool", _tool_text(tool))) for tool in call.tool_calls]
    told.sort(key=lambda when_line: when_line[0])
    return [*(line for _, line in told), ("end", _ending(call))]


def conversation_text(call: CallRecord, *, latencies: bool = False) -> str:
    """Return the conversation as a golden file has it; see :func:`conversation_lines`."""
    blocks = ""
    for line in conversation_lines(call, latencies=latencies):
        if blocks and line[0].split()[0] in ("caller", "end"):
            blocks += "\n"  # a turn begins
        blocks += f"{line_text(line)}\n"
    return blocks


def read_lines(text: str) -> list[Line]:
    """Read what :func:`conversation_text` wrote; empty lines and ``#`` notes are left out."""
    found: list[Line] = []
    for line in text.splitlines():
        if line.strip() and not line.startswith("#"):
            who = _WHO.match(line)
            text = _plain(line[who.end() :] if who else line)
            found.append((_named(who.group(1)) if who else "", text))
    return found


def _named(who: str) -> str:
    first, *rest = who.split(" ", 1)
    return " ".join([_FORMERLY.get(first, first), *rest])


def compare(
    call: CallRecord,
    path: str | PathLike[str],
    update: bool = False,
    *,
    latency_tolerance: float | None = None,
) -> bool:
    """Compare a call with a golden conversation, or write it.

    Compared are roles, texts, interruptions, tool calls with arguments and results, which turns
    were answered, and why the call ended.

    Args:
        call: The call.
        path: The golden file.
        update: Write the file if it isn't there or differs, instead of raising.
        latency_tolerance: Seconds by which each answer's latency may differ; None compares none.

    Returns:
        Whether the file was written.

    Raises:
        ArgumentError: The tolerance is negative or not finite.
        ArgumentTypeError: It is no number.
        AssertionError: The conversation differs, with the difference; or there is no such file,
            with the remedy.
    """
    __tracebackhide__ = True  # pytest shows the test's line instead of these
    if latency_tolerance is not None:
        check_secs("latency_tolerance", latency_tolerance, zero=True)
    path, timed = Path(path), latency_tolerance is not None
    if not path.is_file():
        if update:
            return _write(call, path, timed)
        heard = "\n".join(f"  {line}" for line in conversation_text(call).splitlines())
        raise AssertionError(
            f"there is no golden conversation {_short(path)}: if this call is as it should be, "
            f"write it with {UPDATE_HINT}\n{heard}"
        )
    wanted = read_lines(path.read_text(encoding="utf-8-sig", errors="replace"))
    heard = conversation_lines(call, latencies=timed)
    if latency_tolerance is None:
        wanted = [_untimed(line) for line in wanted]
    else:
        heard = _within(wanted, heard, latency_tolerance)
    differing = conversation_diff(wanted, heard)
    if not differing:
        return False
    if update:
        return _write(call, path, timed)
    allowed = "" if latency_tolerance is None else f", latencies within {latency_tolerance:g} s"
    raise AssertionError(
        "\n".join(
            [
                f"the conversation is not that of {_short(path)} (- golden, + this call{allowed}):",
                *differing,
                f"If this call is as it should be: {UPDATE_HINT}",
            ]
        )
    )


# --- inside ---------------------------------------------------------------------------------


def _write(call: CallRecord, path: Path, latencies: bool) -> bool:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(conversation_text(call, latencies=latencies), encoding="utf-8", newline="\n")
    return True


def _short(path: Path) -> Path:
    """Return the path as it is seen from here."""
    full, here = path.absolute(), Path.cwd()
    return full.relative_to(here) if full.is_relative_to(here) else path


def _answered(call: CallRecord) -> dict[int, Turn]:
    """Return the answered turns by the index of their user's entry in the transcript."""
    found: dict[int, Turn] = {}
    for turn in call.turns:
        for index, entry in reversed(list(enumerate(call.transcript))):
            asked = entry.role == "user" and entry.start <= turn.answered
            if asked and entry.text == turn.user and index not in found:
                found[index] = turn
                break
    return found


def _entry_line(entry: Entry, turn: Turn | None, latencies: bool) -> Line:
    who = WHO[entry.role] + ("" if entry.source == "spoken" else f" ({entry.source})")
    text = _plain(entry.text)
    if entry.interrupted:
        text += " [interrupted]"
    if entry.role == "user" and turn is None:
        text += " [not answered]"
    elif turn is not None and latencies:
        text += f" [answered after {turn.total:.3f} s]"
    return who, text


def _tool_text(tool: ToolCall) -> str:
    values: Any = redact(tool.arguments)  # golden files are shared
    if isinstance(values, dict):
        values = {name: values[name] for name in sorted(values)}
    given = arguments_text(values, _json)
    outcome = {"returned": f" {_json(redact(tool.result))}", "running": ""}
    tail = outcome.get(tool.status, f": {tool.error}" if tool.error else "")
    return _plain(f"{tool.name}({given}) {tool.status}{tail}")


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _ending(call: CallRecord) -> str:
    ended = call.events.of(ev.CallEnded)
    if not ended:
        return "(not ended)"
    error = (ended[-1].error or "").partition(":")[0]
    return f"{ended[-1].reason}, {error}" if error else ended[-1].reason


def _plain(text: str) -> str:
    """Return the text on one line, with nothing in it that a file can't or shouldn't hold."""
    return " ".join(redact_text(text).encode("utf-8", "backslashreplace").decode("utf-8").split())


def _untimed(line: Line) -> Line:
    return line[0], _LATENCY.sub("", line[1])


def _within(wanted: list[Line], heard: list[Line], tolerance: float) -> list[Line]:
    """Return what was heard, with latencies that are near enough as they are wanted."""
    result = list(heard)
    plain = [_untimed(line) for line in wanted], [_untimed(line) for line in heard]
    for i, k, size in SequenceMatcher(None, *plain, autojunk=False).get_matching_blocks():
        for old, new in zip(range(i, i + size), range(k, k + size), strict=True):
            before, after = _LATENCY.search(wanted[old][1]), _LATENCY.search(heard[new][1])
            if before and after:
                # both are written in whole milliseconds
                apart = abs(float(before.group(1)) - float(after.group(1)))
                if apart <= tolerance + 1e-9:
                    result[new] = wanted[old]
    return result
