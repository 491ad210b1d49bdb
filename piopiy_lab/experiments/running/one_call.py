"""One call of many: whatever its session does, there is a row that says so.

Runs on the thread that asks, in a worker or here; nothing is shown, and no log line is printed.
"""

from __future__ import annotations

import os
import time
from dataclasses import replace
from typing import Any

from piopiy_lab import events as ev
from piopiy_lab.call.call import Call
from piopiy_lab.call.packed import pack
from piopiy_lab.cassette.tape import LINES
from piopiy_lab.checks.file_names import file_name
from piopiy_lab.checks.texts import described
from piopiy_lab.display.user_traceback import user_line
from piopiy_lab.errors import (
    ArgumentError,
    ArgumentTypeError,
    BotError,
    ScreenplayError,
    SimulationError,
    SimulationLimitError,
    VoiceError,
)
from piopiy_lab.experiments.figures.rows import CallRow, Kind, figures_of
from piopiy_lab.experiments.running.checking import failed_check
from piopiy_lab.experiments.running.drawing import seeded_draws
from piopiy_lab.experiments.running.work import Job, Result, Work
from piopiy_lab.logs import silenced
from piopiy_lab.redaction import redact_text
from piopiy_lab.session.replacing import check_replace
from piopiy_lab.simulation.limits import Limits
from piopiy_lab.simulation.simulate import STAND_INS, simulate

#: Ends of a call that were no expectation of the screenplay's.
_NO_CALL = (ArgumentError, ArgumentTypeError, BotError, VoiceError)


async def one_call(work: Work, job: Job) -> Result:
    """Make one call.

    Raises:
        Nothing that a session does, ``sys.exit()`` included; only what stops this process's own
        work comes out: a cancellation, Ctrl-C, and the signal for a call that hangs.
    """
    began = time.process_time()
    call: Call | None = None
    error: BaseException | None = None
    played = is_played(work, job)
    try:
        with silenced(), seeded_draws(job):
            call = await _simulated(work, job)
        error = call.error
    except (Exception, SystemExit) as raised:
        # a simulation that can't go on has its call with it
        call, error = getattr(raised, "call", None), raised
    row = row_of(work, job, call, error)
    keep = work.keep == "all" or (work.keep == "failed" and not row.passed)
    packed = None if call is None or not keep else pack(call)
    spent = time.process_time() - began
    row = replace(row, kept=packed is not None, cpu_secs=round(spent, 4), worker=os.getpid())
    ran = () if call is None or played else ran_tools(work, call)
    return Result(row, packed, ran)


async def _simulated(work: Work, job: Job) -> Call:
    options: dict[str, Any] = {"limits": Limits(outside_secs=work.still_secs), **work.options}
    if work.line is not None:
        options["line"] = replace(work.line, seed=work.line.seed + job.run - 1)
    if work.cassette is not None:
        options["cassette"] = _cassette(work.cassette, job)
    return await simulate(
        work.create_session,
        work.callers[job.caller],
        call_id=job.call_id,
        perturb=job.seed,
        **options,
    )


def _cassette(folder: str, job: Job) -> str:
    """Return the folder of a call's cassette: by its id, made safe where none is called so yet."""
    plain = os.path.join(folder, job.call_id)
    return plain if os.path.isdir(plain) else os.path.join(folder, file_name(job.call_id))


def is_played(work: Work, job: Job) -> bool:
    """Whether what a call's tools give is played from its cassette."""
    if work.cassette is None or work.options.get("record_mode") == "all":
        return False
    return os.path.exists(os.path.join(_cassette(work.cassette, job), LINES))


def ran_tools(work: Work, call: Call) -> tuple[str, ...]:
    """Return the agent's own tools that a call has run, each once; none that was replaced.

    What the offline stand-in brings itself, its booking for one, is none of the agent's.
    """
    own = {name for sent in call.events.of(ev.ContextSent) for name in sent.tools}
    called = dict.fromkeys(tool.name for tool in call.tool_calls if tool.name in own)
    replaced = check_replace(work.options.get("replace"), work.create_session, STAND_INS).tools
    if replaced is None:
        return tuple(called)
    return tuple(name for name in called if replaced.find(name) is None)


def row_of(work: Work, job: Job, call: Call | None, error: BaseException | None) -> CallRow:
    """Return a call's row: what it was, and whether it passed."""
    figures: dict[str, Any] = {} if call is None else figures_of(call, job.run - 1)
    kind: Kind = "passed"
    told: str | None = None
    if error is not None:
        kind, told = _kind_of(error), _told(error)
    elif call is not None and (steps := call.events.of(ev.CallerStepFailed)):
        kind, told = "failed", redact_text(steps[0].why)  # of a recorded caller, who goes on
    elif call is not None and (failed := failed_check(work.checks, call)) is not None:
        kind, (figures["failing_step"], told) = "failed", failed
    row = CallRow(job.index, job.caller, job.run, job.seed, kind, told, unit=job.unit)
    return replace(row, **figures)


def _kind_of(error: BaseException) -> Kind:
    if isinstance(error, ScreenplayError):
        return "failed"
    if isinstance(error, _NO_CALL):
        return "raised"
    if isinstance(error, SimulationLimitError) and error.stood_still:
        return "hung"
    return "failed" if isinstance(error, SimulationError) else "raised"


def _told(error: BaseException) -> str:
    """Return an error and the line of the user's that it came from."""
    place = "" if isinstance(error, ScreenplayError) else user_line(error)
    text = described(error)
    return redact_text(text if not place or place in text else f"{text} ({place})")
