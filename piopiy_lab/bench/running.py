"""``run_bench``: every stimulus of the list calls an agent, and what it did is counted."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from importlib.metadata import version
from os import PathLike
from typing import Any, Literal

from piopiy_lab.bench.agents import pipecat_bot, plain_session
from piopiy_lab.bench.eot_data import eot_silences
from piopiy_lab.bench.human import load_recordings
from piopiy_lab.bench.measuring import Measured, measure, undisturbed_reply
from piopiy_lab.bench.reactions import BREATH_SECS
from piopiy_lab.bench.report import BenchReport
from piopiy_lab.bench.scripting import UNDISTURBED, caller_of, undisturbed
from piopiy_lab.bench.stimuli import Kind, Split, Stimulus, load_stimuli
from piopiy_lab.bench.talker import make_talker, make_voice
from piopiy_lab.errors import ArgumentError, ArgumentTypeError
from piopiy_lab.experiments.calls import Calls
from piopiy_lab.experiments.figures.rows import CallRow
from piopiy_lab.experiments.simulating import simulate_many
from piopiy_lab.line.line import Line, check_line
from piopiy_lab.services.modelled_latency import check_latency
from piopiy_lab.session.callback import SessionCallback, as_callback
from piopiy_lab.sound.pcm import Int16

#: Seconds that the stand-ins take, as real ones do. With none at all an agent that is cut off
#: answers within two ticks of 0.2 s, and the public definitions take it for one that went on.
LATENCY = {"llm": 0.35, "tts": 0.2}
#: Keeps a session's own service, where another would take its place.
OWN = "own"


async def run_bench(
    create_session: SessionCallback | None = None,
    *,
    recogniser: object = "screenplay",
    against: Literal["pipecat"] | SessionCallback | None = None,
    replace: Mapping[str, object] | None = None,
    kinds: Iterable[Kind] | None = None,
    split: Split | None = None,
    stimuli: Sequence[Stimulus] | None = None,
    human: str | PathLike[str] | None = None,
    eot: str | PathLike[str] | None = None,
    executor: int | Executor | None = None,
    line: Line | None = None,
    latency: Mapping[str, Any] | None = None,
    on_call: Callable[[CallRow], object] | None = None,
) -> BenchReport:
    """Measure an agent's turn-taking by the public definitions and by ours, in virtual time.

    Example::

        report = await run_bench(create_session)
        report  # the table
        report.tau.s_bc  # backchannels that it talked through, with the interval

    Each stimulus is a call of its own: the caller makes the agent talk, and speaks, coughs or
    breaks in; or speaks a turn, with a pause in it. What the agent says doesn't matter, so a
    stand-in talks in the place of its language model, with an offline voice; detector, turn rules
    and all else of the session are its own. The same figures every time, whatever the executor.

    Args:
        create_session: The agent, as for ``simulate``: a session or a bot. None for a plain one
            with this package's defaults.
        recogniser: "screenplay" hands on what was really said; "own" is the session's; or a
            function that makes one.
        against: Another agent for a second column: "pipecat" for a bot with pipecat's defaults.
        replace: Services in place of the stand-ins, as for ``simulate``: by "stt", "llm" and
            "tts"; "own" is the session's.
        kinds: Only these of "backchannel", "interruption", "noise", "aside", "pause" and "end".
        split: Only the stimuli for setting parameters ("tune"), or those that no parameter was set
            on ("accept"). None for all.
        stimuli: Others than those that ship.
        human: A folder of recordings with labels (``piopiy_lab.bench.human``), in place of those
            that ship. Their words' times are estimated.
        eot: A folder of eot-bench's data (``piopiy_lab.bench.eot_data``): the turn model is
            scored on it too, by the same rule; some 50 ms for each silence.
        executor: Where the calls run, as for ``simulate_many``.
        line: A phone line, as for ``simulate``.
        latency: As for ``simulate``; None for an LLM of 0.35 s and a voice of 0.2 s.
        on_call: Called with the row of each call as it ends.

    Raises:
        ArgumentError: No stimuli, or a value that can't be used.
        ArgumentTypeError: A value of the wrong type.
        AudioFileError: A recording can't be read.
        MissingExtraError: The extra ``offline`` isn't installed.
    """
    listed = _listed(stimuli, human, kinds, split)
    session = plain_session if create_session is None else create_session
    other_session = pipecat_bot if against == "pipecat" else against
    if isinstance(other_session, str):
        raise ArgumentError(f"against={against!r}: give 'pipecat', or a session")
    for one in (session, other_session):
        if one is not None:
            as_callback(one)  # before the first of many calls
    if not isinstance(recogniser, str) and not callable(recogniser):
        raise ArgumentTypeError(
            f"recogniser={recogniser!r}: give 'screenplay', 'own', or a function that makes one"
        )
    taken = check_latency(LATENCY if latency is None else latency)
    silences = () if eot is None else await eot_silences(eot)
    settings: dict[str, object] = {
        "stimuli": len(listed),
        "split": split or "all",
        "recogniser": recogniser if isinstance(recogniser, str) else _name(recogniser),
        "line": None if check_line(line) is None else repr(line),
        "latency": {part: list(secs) for part, secs in taken.items()},
        "pipecat": version("pipecat-ai"),
    }
    options: dict[str, Any] = {
        "executor": executor,
        "line": line,
        "latency": LATENCY if latency is None else latency,
        "on_call": on_call,
    }
    stand_ins = {"stt": recogniser, "llm": make_talker, "tts": make_voice}
    for part, by in (replace or {}).items():
        if by == OWN and part not in stand_ins:
            raise ArgumentError(f"replace={{{part!r}: 'own'}}: give {', '.join(stand_ins)}")
    services = {**stand_ins, **(replace or {})}
    options["replace"] = {part: by for part, by in services.items() if by != OWN}
    other = None
    measured, failed, notices = await _run(session, listed, options)
    if other_session is not None:
        found = await _run(other_session, listed, options)
        name = f"pipecat {settings['pipecat']}" if against == "pipecat" else _name(against)
        other = BenchReport(*found, name=name, settings=settings)
    return BenchReport(
        measured,
        failed,
        notices,
        name="a plain agent" if create_session is None else _name(create_session),
        against=other,
        settings=settings,
        eot=silences,
    )


def _listed(
    stimuli: Sequence[Stimulus] | None,
    human: str | PathLike[str] | None,
    kinds: Iterable[Kind] | None,
    split: Split | None,
) -> tuple[Stimulus, ...]:
    """Return the stimuli that were asked for, one list or another.

    Raises:
        ArgumentError: There are none, or two lists were given.
    """
    shipped = load_stimuli(kinds=kinds, split=split)  # checks both
    if stimuli is not None and human is not None:
        raise ArgumentError("stimuli= and human= both say who is heard: give one of them")
    if human is not None:
        stimuli = load_recordings(human)
    if stimuli is None:
        return shipped
    wanted = {one.kind for one in shipped}
    listed = tuple(one for one in stimuli if one.kind in wanted and split in (None, one.split))
    if not listed:
        raise ArgumentError("there are no stimuli: give one at least, or leave stimuli= out")
    return listed


def _name(thing: object) -> str:
    while isinstance(thing, functools.partial):
        thing = thing.func
    return str(getattr(thing, "__qualname__", type(thing).__qualname__))


async def _run(
    session: SessionCallback, listed: Sequence[Stimulus], options: Mapping[str, Any]
) -> tuple[list[Measured], list[tuple[Stimulus, str]], tuple[str, ...]]:
    callers = {UNDISTURBED: undisturbed(), **{one.id: caller_of(one) for one in listed}}
    calls = await simulate_many(session, callers, **options)
    calm = next(row for row in calls if row.caller == UNDISTURBED)
    reply = undisturbed_reply(calls.call(calm)) if calm.passed else None
    notices = list(calls.notices)
    if reply is None:
        why = "said nothing" if calm.passed else f"came to nothing: {calm.error or calm.kind}"
        notices.append(
            f"the call without a stimulus {why}; so no speech was laid beside it: lowered voices "
            f"are not seen, and silences of more than {BREATH_SECS:g} s are pauses"
        )
    return (*_measured(listed, calls, reply), tuple(notices))


def _measured(
    listed: Sequence[Stimulus], calls: Calls, reply: Int16 | None
) -> tuple[list[Measured], list[tuple[Stimulus, str]]]:
    """Return what became of each stimulus; and those whose call came to nothing, with the why."""
    rows = {row.caller: row for row in calls}
    found: list[Measured] = []
    failed: list[tuple[Stimulus, str]] = []
    for stimulus in listed:
        row = rows[stimulus.id]
        if row.passed:
            found.append(measure(stimulus, calls.call(row), reply))
        else:
            failed.append((stimulus, row.error or row.kind))
    return found, failed
