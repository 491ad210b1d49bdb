"""``piopiy-lab demo``: the booking desk against a scripted caller, played, judged and saved.

The call runs on virtual time (or, with ``--realtime``, on the loop thread); this module looks at
its log a few times a second and prints what is new. Nothing is printed from the call's own loop,
so a terminal that is slow, or gone, can't disturb it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from piopiy_lab.call.call import Call
from piopiy_lab.cli.demo_voices import choose
from piopiy_lab.cli.live import Follower
from piopiy_lab.cli.report import ending, print_latency, save_plot
from piopiy_lab.cli.terminal import OutputClosedError, Terminal
from piopiy_lab.display.wording import times_as_fast
from piopiy_lab.errors import SavedCallError
from piopiy_lab.screenplay.caller import Caller
from piopiy_lab.screenplay.sayings import contains
from piopiy_lab.voicing.preparing import prepared

#: The demo's call id; a folder that holds such a call may be overwritten.
CALL_ID = "demo"
#: What the caller wants to have in the end.
BOOKING = {"party_size": 2, "day": "friday", "time": "20:00", "name": "Oliver"}
#: Seconds between two looks at the log.
LOOK_SECS = 0.05
#: Seconds that the call gets to end after Ctrl-C.
HANG_UP_SECS = 5.0


@dataclass
class Played:
    """A demo call, also one that was broken off.

    Attributes:
        call: The call; None before it began.
        took: Seconds of the wall clock that it took.
    """

    call: Call | None = None
    took: float = 0.0


def demo(terminal: Terminal, out: Path, *, realtime: bool = False) -> int:
    """Play the demo call, print it as it happens, judge it and save it.

    Args:
        terminal: Where to print.
        out: The folder to save it in.
        realtime: Whether it runs on the wall clock.

    Returns:
        The exit code: 0 if the agent understood, called the tool and answered, else 1.

    Raises:
        MissingExtraError: The offline stack isn't installed.
        SavedCallError: The folder can't be used.
    """
    check_out(out)
    clock = "in real time" if realtime else "on virtual time"
    terminal.line(f"A restaurant's booking desk and a scripted caller, offline, {clock}.")
    from piopiy_lab.cli import demo_session

    caller, told = choose(demo_session.caller)
    terminal.line(told)
    played = Played()
    try:
        began = time.monotonic()
        load()
        caller = prepared(caller)
        loading = time.monotonic() - began
        terminal.line()
        (_play_realtime if realtime else _play_virtual)(terminal, played, caller)
    except BaseException as error:
        _save_rest(terminal, played, out, silent=isinstance(error, OutputClosedError))
        raise
    call = played.call
    assert call is not None, "a call that was played has begun"
    fast = times_as_fast(call.duration / max(played.took, 0.01))
    speed = "" if realtime else f", {fast}"
    terminal.line(
        f"\n{call.duration:.1f} s of call in {played.took:.1f} s{speed}"
        f" (loading took {loading:.1f} s)"
    )
    print_latency(terminal, call)
    good = _print_verdict(terminal, call)
    _save(terminal, call, out)
    _print_next(terminal, out)
    return 0 if good else 1


def check_out(out: Path) -> None:
    """Check that the demo may write there, before anything is played.

    Raises:
        SavedCallError: It may not, or can't; says what to do.
    """
    other = f"give another folder: piopiy-lab demo --out {out.name or 'demo'}-2"
    if out.exists() and not out.is_dir():
        raise SavedCallError(f"{out} is a file; {other}")
    try:
        if out.is_dir() and any(out.iterdir()) and not _is_ours(out):
            raise SavedCallError(f"{out} holds something that the demo did not make; {other}")
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        if isinstance(error, SavedCallError):
            raise
        raise SavedCallError(
            f"can't write the folder {out} ({error.strerror or error}); {other}"
        ) from error


def _is_ours(folder: Path) -> bool:
    try:
        meta = Call.load(folder).meta
    except SavedCallError:
        return False
    return meta.get("call_id") == CALL_ID and meta.get("origin") == "caller"


def load() -> None:
    """Import and load what the call needs, so that a missing part is known at once.

    Raises:
        MissingExtraError: The offline stack isn't installed.
    """
    from piopiy_lab.listening.turn_taking import make_strategies
    from piopiy_lab.listening.vad import make_vad
    from piopiy_lab.offline import offline_stack
    from piopiy_lab.sound import speech

    speech.synthesize("hello")
    offline_stack()
    make_vad(True)
    make_strategies(vad=True, allow_interruptions=True)


# --- playing ----------------------------------------------------------------------------------


def _play_virtual(terminal: Terminal, played: Played, caller: Caller) -> None:
    """Run the call on a virtual clock and follow it."""
    from piopiy_lab.cli import demo_session
    from piopiy_lab.session.session import current_session
    from piopiy_lab.simulation.simulate import simulate

    async def create_session(call_id: str) -> None:
        session = current_session()
        assert session is not None, "simulate() runs the callback in a session"
        # A view of the call that runs: simulate() gives the Call itself only when it has ended.
        played.call = Call(session.log, session.recorder, None, {"call_id": call_id})
        played.call.meta["origin"] = session.settings.origin
        await demo_session.create_session(call_id)

    async def follow() -> None:
        follower = Follower(terminal)
        task = asyncio.create_task(simulate(create_session, caller, call_id=CALL_ID))
        try:
            while not task.done():
                await asyncio.wait((task,), timeout=LOOK_SECS)
                if played.call is not None:
                    follower.update(played.call)
        finally:
            task.cancel()
            await asyncio.wait((task,))
            if played.call is not None:
                follower.update(played.call, over=True)
        played.call = task.result()

    began = time.monotonic()
    try:
        asyncio.run(follow())
    finally:
        played.took = time.monotonic() - began


def _play_realtime(terminal: Terminal, played: Played, caller: Caller) -> None:
    """Start the call on the loop thread and follow it from this one."""
    from piopiy_lab.cli import demo_session
    from piopiy_lab.hosting.live_call import start_call

    follower = Follower(terminal)
    began = time.monotonic()
    call = played.call = start_call(demo_session.create_session, caller, call_id=CALL_ID)
    try:
        while call.state != "ended":
            follower.update(call)
            _join(call, LOOK_SECS)
        follower.update(call, over=True)
    finally:
        call.hang_up()  # does nothing after the end
        _join(call, HANG_UP_SECS)
        played.took = time.monotonic() - began


def _join(call: Call, secs: float) -> None:
    try:
        call.join(secs)
    except TimeoutError:
        return


# --- judging ----------------------------------------------------------------------------------


def verdict(call: Call) -> list[tuple[bool, str]]:
    """Judge the demo call: what should have happened, and whether it did.

    Pure.
    """
    agent = [entry for entry in call.transcript if entry.role == "assistant"]
    bookings = [tool for tool in call.tool_calls if tool.name == "book_table"]
    booked = bookings[-1] if bookings else None
    result: Any = booked.result if booked else None
    answered = bool(booked and booked.end is not None) and any(
        contains(entry.text, "your table is booked")
        for entry in agent
        if booked and booked.end is not None and entry.end >= booked.end
    )
    last = agent[-1] if agent else None
    said_goodbye = last is not None and contains(last.text, "goodbye") and not last.interrupted
    return [
        (any(entry.interrupted for entry in agent), "the agent stopped when the caller broke in"),
        (
            booked is not None and booked.arguments == BOOKING,
            f"it understood: {_values(booked.arguments if booked else None)}",
        ),
        (
            len(bookings) == 1 and isinstance(result, dict) and result.get("status") == "booked",
            "it called book_table once, and the table is booked",
        ),
        (answered and said_goodbye, "it told the caller, and said goodbye"),
        (
            call.error is None and call.end_reason == "caller_hung_up",
            f"the call ended as it should ({ending(call)})",
        ),
    ]


def _values(arguments: Mapping[str, object] | None) -> str:
    if arguments is None:
        return "nothing was booked"
    given = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
    wanted = ", ".join(f"{name}={value!r}" for name, value in BOOKING.items())
    return given if arguments == BOOKING else f"{given}, where the caller wanted {wanted}"


def _print_verdict(terminal: Terminal, call: Call) -> bool:
    judged = verdict(call)
    good = all(met for met, _ in judged)
    terminal.heading("It works" if good else "It does not work")
    for met, what in judged:
        mark = terminal.styled("ok  ", "caller") if met else terminal.styled("FAIL", "bad")
        terminal.line(f"{mark}  {what}")
    if not good:
        terminal.line("\nPlease report it with what 'piopiy-lab doctor' prints.")
    return good


# --- keeping ----------------------------------------------------------------------------------


def _save(terminal: Terminal, call: Call, out: Path) -> None:
    call.save(out, overwrite=True)
    save_plot(call, out / "timeline.png")
    terminal.heading("Saved")
    rows = (
        ("call.wav", "the sound: caller left, agent right"),
        ("events.jsonl", "everything that happened, one event per line"),
        ("meta.json", "which versions made it"),
        ("timeline.png", "the call as a picture"),
    )
    _print_rows(terminal, ((str(out / name), what) for name, what in rows))


def _save_rest(terminal: Terminal, played: Played, out: Path, *, silent: bool) -> None:
    """Save what there is of a call that was broken off."""
    call = played.call
    if call is None:
        if not any(out.iterdir()):
            out.rmdir()
        return
    call.save(out, overwrite=True)
    (out / "timeline.png").unlink(missing_ok=True)  # of an earlier demo
    if not silent:
        terminal.line(f"\nBroken off; the first {call.duration:.1f} s are in {out}")


def _print_next(terminal: Terminal, out: Path) -> None:
    terminal.heading("Next")
    rows = (
        (f"piopiy-lab show {out}", "see it again"),
        ("piopiy-lab demo --realtime", "the same call on the wall clock"),
        ("piopiy-lab demo --source > my_agent.py", "start your own agent from this one"),
        ("piopiy-lab doctor", "what is installed, and what is missing"),
    )
    terminal.line(f"Listen to {out / 'call.wav'} in any player, and look at timeline.png beside it")
    _print_rows(terminal, rows)


def _print_rows(terminal: Terminal, rows: Iterable[tuple[str, str]]) -> None:
    rows = list(rows)
    width = max(len(left) for left, _ in rows)
    for left, right in rows:
        terminal.line(f"{left:<{width}}  {terminal.styled(right, 'dim')}")
