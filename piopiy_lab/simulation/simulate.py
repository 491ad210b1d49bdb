"""``simulate``: a whole call on virtual time, with the session that a live call would run.

The same ``create_session``, pipeline, detector and services run on a loop whose clock jumps from
timer to timer, so a call takes a fraction of its duration and gives the same events every time.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Literal

from piopiy_lab import display, events
from piopiy_lab.call.call import Call
from piopiy_lab.cassette import Cassette, RecordMode, open_cassette
from piopiy_lab.display.wording import times_as_fast
from piopiy_lab.errors import ArgumentTypeError
from piopiy_lab.events.values import Direction
from piopiy_lab.hosting.host import CallFields, CallHost, check_after_call, check_record
from piopiy_lab.line.line import Line, check_line
from piopiy_lab.line.perturb import Perturb, check_perturb
from piopiy_lab.redaction import redact_line
from piopiy_lab.screenplay.caller import Caller
from piopiy_lab.screenplay.prints import prints_of
from piopiy_lab.screenplay.steps import AudioFile
from piopiy_lab.screenplay.undone import left_undone
from piopiy_lab.services.modelled_latency import Latency, check_latency
from piopiy_lab.services.pure_memory import remembered
from piopiy_lab.session.callback import (
    SessionCallback,
    as_callback,
    check_call_details,
    parse_metadata,
)
from piopiy_lab.session.replacing import Replacements, check_replace
from piopiy_lab.session.scripted_transfers import check_outcomes
from piopiy_lab.session.session import SessionSettings
from piopiy_lab.simulation.clock import patched_pipecat_time
from piopiy_lab.simulation.computing import Computing
from piopiy_lab.simulation.current import hold, refuse_nested_simulation
from piopiy_lab.simulation.drawn_noise import seeded_models
from piopiy_lab.simulation.jobs import SHORT_JOBS, JobPolicy
from piopiy_lab.simulation.limits import Limits
from piopiy_lab.simulation.placeholder_keys import placeholder_keys
from piopiy_lab.simulation.turn_model import TURN_JOB, TurnModelSecs
from piopiy_lab.simulation.virtual_loop import VirtualTimeLoop
from piopiy_lab.transports.opening import opener
from piopiy_lab.voicing.preparing import prepared_aside

#: The longest frame of a caller's silence in a simulation, in seconds: nothing listens for less.
SILENCE_SECS = 0.5


async def simulate(
    create_session: SessionCallback,
    caller: Caller | AudioFile,
    *,
    replace: Replacements | None = None,
    call_id: str = "sim-1",
    agent_id: str = "local",
    from_number: str | None = None,
    to_number: str | None = None,
    metadata: object = None,
    direction: Direction | None = None,
    variables: Mapping[str, str] | None = None,
    sip_headers: Mapping[str, str] | None = None,
    record: bool | str | Path = True,
    latency: Mapping[str, Latency] | None = None,
    outside: Literal["freeze", "charge"] = "freeze",
    shuffle_seed: int | None = None,
    limits: Limits | None = None,
    after_call_secs: float | None = None,
    transfer_outcomes: Mapping[str, str] | None = None,
    cassette: str | Path | Cassette | None = None,
    record_mode: RecordMode | None = None,
    line: Line | None = None,
    perturb: int | Perturb | None = None,
) -> Call:
    """Run a whole call in virtual time; from a script: ``asyncio.run(simulate(...))``.

    The call runs on the calling thread in short slices, so a notebook's kernel stays responsive
    and interrupting the cell ends the call.

    Args:
        create_session: As for ``start_call``.
        caller: The screenplay, or a recording that stands in for the caller.
        replace: Services to put in place of "stt", "llm" and "tts" at ``Action(...)``: a service,
            or a function that makes one when the call starts; or all three, as ``offline_stack()``
            gives them. A bot's own services are replaced as
            it makes them, so it may also be a class of theirs, or its name. ``"screenplay"`` as
            the stt hands on the caller's own words. The replaced services need no keys: provider
            variables that are not set hold a placeholder meanwhile. ``{"tools": {"book_table":
            function}}`` has a function called in the place of a tool's handler.
        call_id: What the callback is told.
        agent_id: What the callback is told.
        from_number: What the callback is told.
        to_number: What the callback is told.
        metadata: What the callback is told; a JSON text is parsed. A bot's ``runner_args.body``.
        direction: What the callback is told: "inbound" or "outbound".
        variables: What the callback is told: texts that came with the call.
        sip_headers: What the callback is told: those of the call, by name.
        record: As for ``start_call``.
        latency: Seconds that the "stt", "llm", "tts" and the end-of-"turn" model take on top of
            their own: a number, or a sequence of measured ones, of which one is drawn each time
            (the same ones in every run); those of "turn" come one after the other, and then their
            mean.
        outside: What virtual time does while something outside of the simulation is waited for
            (a thread, a process, a server): ``"freeze"`` stands still, and the call is the same
            every time; ``"charge"`` lets the real time pass, which is realistic and differs. A
            local service that computes in a thread takes 0 ms when it is frozen; the log and the
            table of latencies say so.
        shuffle_seed: Run what is due at the same instant in a seeded random order, to find races:
            the conversation must not change.
        limits: How far the simulation may go.
        after_call_secs: Virtual seconds for what ``create_session`` does after ``agent.start()``
            has returned, such as a summary or a CRM entry; then it is cancelled, and a notice says
            so. 30 if None.
        transfer_outcomes: What becomes of transfers, as on the phone: numbers or SIP addresses to
            "answered", "busy", "no_answer", "rejected", "invalid_number", "unreachable",
            "call_barred" or "network_error". Of those that aren't there a transfer is an event,
            and the end.
        cassette: A folder that keeps what the services and tools answer, and plays it in their
            place: no key, no server, the recorded delays.
        record_mode: What is done with it: "once" (the default) records if there is none, else
            plays; "none" plays; "new_episodes" plays, and asks and adds what is not there; "all"
            records anew.
        line: A phone line between caller and agent, both ways: ``Line.phone()``. The recording
            keeps the caller as they spoke; ``call.heard`` is what came over the line.
        perturb: Small changes of what the caller says, which nobody hears: a seed, or a
            ``Perturb``.

    Returns:
        The ended call. What went wrong is in its ``error``; ``raise_for_error()`` raises it.

    Raises:
        ArgumentTypeError: ``create_session`` or ``caller`` is nothing to simulate with.
        VoiceError: The caller's voice gives no sound, or has no clip for a text.
        CassetteError: There is no such cassette to play, or it can't be read or written.
        SimulationError: Virtual time can't go on; the message shows the last events and the
            caller's step.
    """
    refuse_nested_simulation()
    create_session = as_callback(create_session)
    check_call_details(direction, variables, sip_headers)
    check_record(record)
    if not isinstance(caller, Caller | AudioFile):
        raise ArgumentTypeError(
            f"simulate() takes a Caller or an AudioFile(path), got {caller!r}: a live microphone "
            "can't be simulated"
        )
    line, changes = check_line(line), check_perturb(perturb)
    checked = check_replace(replace, create_session, STAND_INS)
    if isinstance(caller, Caller):
        caller = await prepared_aside(caller)  # in real time, before virtual time
    origin, open_transport = opener(caller)
    checked_latency = check_latency(latency)
    modelled = {part: list(secs) for part, secs in checked_latency.items()}
    tape = open_cassette(cassette, record_mode)
    hosts: list[CallHost] = []
    loop = VirtualTimeLoop(
        outside=outside,
        shuffle_seed=shuffle_seed,
        limits=limits,
        jobs=JobPolicy(
            inline={**SHORT_JOBS, TURN_JOB: TurnModelSecs(checked_latency.pop("turn", ()))}
        ),
        describe=lambda: _last_moments(hosts[0]) if hosts else "",
        progress=lambda: _frames_of(hosts[0]) if hosts else 0,
        started=lambda job: computing.started(job, loop.elapsed),
    )
    computing = Computing(outside, lambda event: _tell_computing(hosts[0], tape, computing, event))
    host = CallHost(
        create_session,
        CallFields(
            agent_id=agent_id,
            call_id=call_id,
            from_number=from_number,
            to_number=to_number,
            metadata=parse_metadata(metadata),
            direction=direction,
            variables=variables,
            sip_headers=sip_headers,
        ),
        SessionSettings(
            origin=origin,
            open_transport=open_transport,
            virtual=True,
            replace=checked,
            silence_secs=SILENCE_SECS,
            latency=checked_latency,
            hold=hold,
            after_call_secs=check_after_call(after_call_secs),
            transfer_outcomes=check_outcomes(transfer_outcomes or {}),
            cassette=tape,
            line=line,
            perturb=changes,
            undone=partial(left_undone, caller),
        ),
        clock=loop.seconds,
        call_on_loop=loop.call_soon_threadsafe,
        record=record,
    )
    hosts.append(host)
    host.meta["caller"] = prints_of(caller)
    if modelled:
        host.meta["latency"] = modelled
    keyless = checked or (tape is not None and tape.keyless)
    keys = placeholder_keys() if keyless else contextlib.nullcontext()
    own_module = [name for name in (getattr(create_session, "__module__", None),) if name]
    progress = asyncio.create_task(_show_progress(host, caller))
    with patched_pipecat_time(also=own_module), seeded_models(), remembered(), keys:
        try:
            await loop.run_in_slices(host.run())
        except asyncio.CancelledError:
            host.end_log("cancelled")
            raise
        except Exception as error:
            host.end_log("error", error)
            error.call = host.call  # type: ignore[attr-defined]  # nothing recorded is lost
            raise
        except BaseException:  # Ctrl-C in the middle of a slice
            host.end_log("cancelled")
            raise
        finally:
            progress.cancel()
    if loop.leaked:
        host.meta["leaked"] = [str(left) for left in loop.leaked]
    return host.call


async def _show_progress(host: CallHost, caller: Caller | AudioFile) -> None:
    """Show how far a long run is, where a front end can; on the loop outside of the simulation."""
    line = display.progress()
    if line is None:
        return
    began = time.monotonic()
    steps = len(caller.steps) if isinstance(caller, Caller) else 1
    await asyncio.sleep(display.progress_after_secs())
    try:
        while True:
            done = len(host.log.of(events.CallerStepFinished))
            secs, wall = host.log.now(), time.monotonic() - began
            text = f"step {min(done + 1, steps)} of {steps}: {secs:.0f} s of call in {wall:.0f} s"
            line.update(done / max(1, steps), f"{text}, {times_as_fast(secs / wall)}")
            await asyncio.sleep(0.5)
    finally:
        line.close()


def _tell_computing(
    host: CallHost, tape: Cassette | None, computing: Computing, event: events.ComputedOutside
) -> None:
    """Write into the log that a service computes, and into ``meta.json`` how long it takes."""
    if tape is not None:
        tape.computed.note(event)
    known = host.log.of(events.ComputedOutside)  # of its answers on the cassette
    if not any((one.kind, one.service) == (event.kind, event.service) for one in known):
        host.log.append(event)
    host.meta["computing"] = computing.took


def _frames_of(host: CallHost) -> int:
    return 0 if host.session is None else host.session.frames


def _last_moments(host: CallHost) -> str:
    """Say what happened last, for the message of a guard."""
    steps = host.log.of(events.CallerStepStarted)
    step = f"step {steps[-1].number}, {steps[-1].step}" if steps else "before its first step"
    told = [event for event in host.log if not isinstance(event, events.VADSampled)][-6:]
    return "\n".join(
        [
            f"The caller was at {step}.",
            "Last events:",
            *(f"  {redact_line(event.to_json())}" for event in told),
        ]
    )


def _screenplay_stt() -> object:
    from piopiy_lab.simulation.screenplay_stt import ScreenplaySTTService

    return ScreenplaySTTService()


#: What may be given by a name in place of a service.
STAND_INS = {"screenplay": _screenplay_stt}
