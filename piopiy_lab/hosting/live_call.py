"""``start_call``: a call that starts in one cell and runs while the next one does.

The call lives on the process's loop thread (see ``loop_thread``); the cell gets a Call at once.
"""

from __future__ import annotations

import atexit
import contextvars
import time
import uuid
import weakref
from pathlib import Path
from typing import Any

from piopiy_lab import display
from piopiy_lab.call.call import Call
from piopiy_lab.errors import UnresponsiveError
from piopiy_lab.hosting import loop_thread
from piopiy_lab.hosting.host import CallFields, CallHost, check_record
from piopiy_lab.hosting.loop_thread import LoopThread
from piopiy_lab.session.callback import SessionCallback, check_callback, parse_metadata
from piopiy_lab.transports.opening import opener

#: The calls that run now, so that the kernel's exit can hang them up.
_running: set[CallHost] = set()
#: The call that each notebook cell started, so that running it again hangs up the old one.
_by_cell: weakref.WeakValueDictionary[str, Call] = weakref.WeakValueDictionary()


def start_call(
    create_session: SessionCallback,
    on: Any = None,
    *,
    call_id: str | None = None,
    agent_id: str = "local",
    from_number: str | None = None,
    to_number: str | None = None,
    metadata: Any = None,
    record: bool | str | Path = True,
) -> Call:
    """Start a call and return it at once; in a notebook it shows itself.

    The call runs on a thread of its own. Running the same cell again hangs up the call that it
    started before; so does the end of the process.

    Args:
        create_session: ``async def create_session(...)``, which may take any of ``agent_id``,
            ``call_id``, ``from_number``, ``to_number`` and ``metadata``, and starts a VoiceAgent.
        on: What the call is on: a ``Microphone``, a ``Caller``, an ``AudioFile(path)``, or a
            transport of pipecat's. None is ``Microphone()``.
        call_id: The call's name; a random one if None.
        agent_id: What the callback is told.
        from_number: What the callback is told.
        to_number: What the callback is told.
        metadata: What the callback is told; a JSON text is parsed.
        record: Whether the audio is kept. A path keeps the whole call in that folder as it
            happens, so that a killed process loses nothing but the last moment.

    Returns:
        The running call.

    Raises:
        ArgumentTypeError: ``create_session`` is no async function that a call could start, or
            ``on`` is nothing that a call can be on.
        AudioDeviceError: There is no PortAudio, no microphone, or no speaker.
        AudioFileError: A file that should be played can't be.
        SavedCallError: The folder exists already or can't be written.
    """
    check_callback(create_session)
    check_record(record)
    origin, open_transport = opener(on)
    cell = display.cell_key()
    if cell is not None and (old := _by_cell.get(cell)) is not None:
        old.hang_up()
    thread = loop_thread.shared()
    began = time.monotonic()
    host = CallHost(
        create_session,
        CallFields(
            agent_id=agent_id,
            call_id=call_id or f"call-{uuid.uuid4().hex[:8]}",
            from_number=from_number,
            to_number=to_number,
            metadata=parse_metadata(metadata),
        ),
        origin=origin,
        open_transport=open_transport,
        clock=lambda: time.monotonic() - began,
        call_on_loop=thread.call,
        record=record,
        loop_thread_ident=thread.thread_ident,
    )
    if cell is not None:
        _by_cell[cell] = host.call
    _begin(host, thread)
    display.show(host.call)
    return host.call


def _begin(host: CallHost, thread: LoopThread) -> None:
    def on_blocked(place: str) -> None:
        host.end_log(
            "unresponsive",
            UnresponsiveError(
                f"the session's loop did not answer for {loop_thread.BLOCKED_SECS:g} s; it is "
                f"stuck at {place}. Blocking work belongs in a thread: await "
                "asyncio.to_thread(function)"
            ),
        )
        host.end("unresponsive")  # for when the loop answers again: its pipeline must go

    def on_done(_: Any) -> None:
        thread.unwatch(host)
        _running.discard(host)
        if thread.blocked and not any(other.thread is thread for other in _running):
            thread.call(thread.loop.stop)  # given up, and empty by now

    host.thread = thread
    _running.add(host)
    thread.watch(host, on_blocked)
    thread.submit(host.run(), contextvars.copy_context()).add_done_callback(on_done)


def hang_up_all(timeout: float = 5.0) -> None:
    """Hang up every call that runs, wait for them, and stop the loop thread.

    Args:
        timeout: Seconds to wait for each.
    """
    for host in list(_running):
        host.hang_up()
    for host in list(_running):
        try:
            host.call.join(timeout)
        except TimeoutError:
            continue  # a blocked loop: its watchdog ends the call, and the thread is a daemon
    loop_thread.stop_shared()


atexit.register(hang_up_all)
