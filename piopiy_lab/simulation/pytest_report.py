"""What a failed test shows and keeps of its calls: their story as text, and their files.

For :mod:`piopiy_lab.simulation.pytest_plugin`; knows no pytest.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from piopiy_lab import events as ev
from piopiy_lab.call import saved
from piopiy_lab.call.story import Row, in_order, rows_of
from piopiy_lab.call.transcript import clock_time
from piopiy_lab.display.order import moment
from piopiy_lab.events.troubles import troubles_in
from piopiy_lab.redaction import redact_text

if TYPE_CHECKING:
    from piopiy_lab.call.call import Call
    from piopiy_lab.call.record import CallRecord

TIMELINE = "timeline.png"
_OURS = (*saved.OURS, TIMELINE)


def story(call: CallRecord) -> str:
    """Tell a call: what was said and done, with its failing turn marked ">", and its latencies.

    The failing turn goes from the caller's last words before a step that waited in vain to the
    moment at which the caller gave up.
    """
    rows = rows_of(call)
    rows += [
        Row(moment(at, "error"), "error", trouble.what) for at, trouble in troubles_in(call.events)
    ]
    waiting, turn = _waiting(call)
    rows += waiting
    for end in call.events.of(ev.CallEnded):
        rows.append(Row(moment(end.at, "end"), "end", f"{end.reason}{_why(end)}"))
    lines = [
        f"{'>' if turn is not None and _in_turn(row, turn) else ' '} "
        f"{clock_time(row.when[0])}  {row.who:<6}  {' '.join(row.text.split())}"
        for row in in_order(rows)
    ]
    if call.turns:
        lines += ["", "Latency in milliseconds:", call.turns.text()]
    return redact_text("\n".join(lines))  # CI logs are public


def _why(end: ev.CallEnded) -> str:
    # a screenplay's error is told where the caller waited
    return "" if not end.error or end.error.startswith("ScreenplayError") else f": {end.error}"


def _waiting(call: CallRecord) -> tuple[list[Row], tuple[float, float] | None]:
    """Return the rows of the step that the caller was at, and the failing turn's seconds."""
    started = call.events.of(ev.CallerStepStarted)
    done = {step.number for step in call.events.of(ev.CallerStepFinished)}
    if not started or started[-1].number in done:
        return [], None
    step = started[-1]
    rows = [Row(moment(step.at, "note"), "caller", f"waits: step {step.number}, {step.step}")]
    failed = call.events.of(ev.CallerStepFailed)
    if not failed:
        return rows, None
    rows.append(Row(moment(failed[-1].at, "note"), "caller", f"gives up: {failed[-1].why}"))
    before = [e.start for e in call.transcript if e.role == "user" and e.start <= step.at]
    return rows, (max(before, default=0.0), failed[-1].at)


def _in_turn(row: Row, turn: tuple[float, float]) -> bool:
    return turn[0] <= row.when[0] <= turn[1] and row.who != "end"


# --- files ----------------------------------------------------------------------------------


def keep(calls: list[Call], folder: Path) -> list[str]:
    """Save calls and draw their timelines, in place of an earlier run's.

    One call goes into the folder itself, several into ``1``, ``2``, ... in it.

    Returns:
        For each call, a line that says where it is, or why it isn't.
    """
    _clear(folder)
    several = len(calls) > 1
    return [
        _keep_one(call, folder / str(number) if several else folder)
        for number, call in enumerate(calls, 1)
    ]


def _keep_one(call: Call, folder: Path) -> str:
    try:
        call.save(folder, overwrite=True)
    except Exception as error:  # the test's own failure must be shown, whatever the disk does
        return f"not kept: {error}"
    try:
        call.plot().savefig(folder / TIMELINE)
    except Exception as error:
        return f"kept in {folder}, without {TIMELINE}: {error!r}"
    return f"kept in {folder}"


def _clear(folder: Path) -> None:
    """Remove what an earlier run of the test has kept, and nothing else."""
    for place in (*folder.glob("[0-9]*"), folder):
        with contextlib.suppress(OSError):
            for name in _OURS:
                (place / name).unlink(missing_ok=True)
            place.rmdir()
