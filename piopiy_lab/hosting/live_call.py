"""``start_call``: a call that starts in one cell and runs while the next one does.

The call lives on the process's loop thread (see ``loop_thread``); the cell gets a Call at once.
"""

from __future__ import annotations

import contextvars
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from piopiy_lab import display
from piopiy_lab.call.call import Call
from piopiy_lab.cassette import Cassette, RecordMode, open_cassette
from piopiy_lab.errors import UnresponsiveError
from piopiy_lab.events.log import clock_from_now
from piopiy_lab.events.values import Direction
from piopiy_lab.hosting import loop_thread
from piopiy_lab.hosting.host import CallFields, CallHost, check_after_call, check_record
from piopiy_lab.hosting.loop_thread import LoopThread
from piopiy_lab.hosting.started import Started
from piopiy_lab.hosting.watchdog import BLOCKED_SECS, Stall
from piopiy_lab.line.line import Line, check_line
from piopiy_lab.screenplay.caller import Caller
from piopiy_lab.screenplay.undone import left_undone
from piopiy_lab.session.callback import (
    SessionCallback,
    as_callback,
    check_call_details,
    parse_metadata,
)
from piopiy_lab.session.replacing import Replacements, check_replace
from piopiy_lab.session.session import SessionSettings
from piopiy_lab.transports.opening import opener
from piopiy_lab.voicing.preparing import prepared

#: Seconds that the process's exit waits for each call's winding down.
EXIT_SECS = 5.0

#: The calls that run now. The loop thread's own end at exit comes after theirs.
_running: Started[CallHost] = Started(
    lambda host: host.end("hung_up"),
    lambda host, secs: host.call.join(secs),
    EXIT_SECS,
    hurry=lambda host: host.hurry(),
)


def start_call(
    create_session: SessionCallback,
    on: object = None,
    *,
    replace: Replacements | None = None,
    call_id: str | None = None,
    agent_id: str = "local",
    from_number: str | None = None,
    to_number: str | None = None,
    metadata: object = None,
    direction: Direction | None = None,
    variables: Mapping[str, str] | None = None,
    sip_headers: Mapping[str, str] | None = None,
    record: bool | str | Path = True,
    after_call_secs: float | None = None,
    cassette: str | Path | Cassette | None = None,
    record_mode: RecordMode | None = None,
    line: Line | None = None,
) -> Call:
    """Start a call and return it at once; in a notebook it shows itself.

    The call runs on a thread of its own. Running the same cell again hangs up the call that it
    started before; so does the end of the process.

    Args:
        create_session: ``async def create_session(...)``, which may take any of ``agent_id``,
            ``call_id``, ``from_number``, ``to_number`` and ``metadata``, and starts a VoiceAgent.
        on: What the call is on: a ``Microphone``, a ``BrowserMicrophone``, a ``Keyboard``, a
            ``Caller``, an ``AudioFile(path)``, or a transport of pipecat's. None is
            ``Microphone()``.
        replace: Services to put in place of "stt", "llm" and "tts", as in ``simulate``: a service,
            or a function that makes one; or all three, as ``offline_stack()`` gives them. A bot's
            are replaced as it makes them. "tools" has functions in the place of tools' handlers.
        call_id: The call's name; a random one if None.
        agent_id: What the callback is told.
        from_number: What the callback is told.
        to_number: What the callback is told.
        metadata: What the callback is told; a JSON text is parsed. A bot's ``runner_args.body``.
        direction: What the callback is told: "inbound" or "outbound".
        variables: What the callback is told: texts that came with the call.
        sip_headers: What the callback is told: those of the call, by name.
        record: Whether the audio is kept. A path keeps the whole call in that folder as it
            happens, so that a killed process loses nothing but the last moment.
        after_call_secs: Seconds for what ``create_session`` does after ``agent.start()`` has
            returned, such as a summary or a CRM entry; then it is cancelled, and a notice says so.
            30 if None.
        cassette: A folder that keeps what the services and tools answer, or plays it in their
            place, as in ``simulate``.
        record_mode: What is done with it, as in ``simulate``: "once" if None.
        line: A phone line between whatever the call is on and the agent, as in ``simulate``: both
            ways on a microphone, a browser and a scripted caller; on a transport of pipecat's what
            the agent hears alone.

    Returns:
        The running call.

    Raises:
        ArgumentTypeError: ``create_session`` is no async function that a call could start, or
            ``on`` is nothing that a call can be on.
        AudioDeviceError: There is no PortAudio, no microphone, or no speaker.
        AudioFileError: A file that should be played can't be.
        VoiceError: A caller's voice gives no sound, or has no clip for a text.
        CassetteError: There is no such cassette to play, or it can't be read or written.
        SavedCallError: The folder exists already or can't be written.
    """
    create_session = as_callback(create_session)
    check_call_details(direction, variables, sip_headers)
    check_record(record)
    checked = check_replace(replace, create_session)
    tape = open_cassette(cassette, record_mode)
    line = check_line(line)
    origin, open_transport = opener(prepared(on) if isinstance(on, Caller) else on)
    _running.end_older()
    thread = loop_thread.shared()
    host = CallHost(
        create_session,
        CallFields(
            agent_id=agent_id,
            call_id=call_id or f"call-{uuid.uuid4().hex[:8]}",
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
            replace=checked,
            after_call_secs=check_after_call(after_call_secs),
            cassette=tape,
            line=line,
            undone=partial(left_undone, on),
        ),
        clock=clock_from_now(),
        call_on_loop=thread.call,
        record=record,
        thread=thread,
    )
    _begin(host, thread)
    display.show(host.call)
    return host.call


@dataclass(frozen=True, kw_only=True)
class Patience:
    """For how many seconds a call may stand still before it counts as unresponsive.

    Attributes:
        answering: While its own code holds the loop, and somebody waits for an answer.
        starting: The same before it listens: models that its code loads there, or downloads, take
            their time, and nobody waits yet.
        others: While another call's code holds the loop that they share.
    """

    answering: float = BLOCKED_SECS
    starting: float = 120.0
    others: float = 30.0

    def with_call(self, *, own: bool, listening: bool) -> float:
        """Return the seconds for a call, by whose code it is and whether the call listens yet."""
        if not own:
            return self.others
        return self.answering if listening else self.starting


def _begin(host: CallHost, thread: LoopThread, patience: Patience | None = None) -> None:
    patience = patience or Patience()

    def on_stuck(stall: Stall) -> None:
        own = host.owns(stall.context)
        if stall.secs < patience.with_call(own=own, listening=host.listening):
            if stall.first and own:
                host.notice(
                    "the call is slow to begin: it holds the session's loop at "
                    f"{stall.place}. {_REMEDY}"
                )
            return
        host.end_log(
            "unresponsive",
            UnresponsiveError(
                f"the session's loop did not answer for {stall.secs:.0f} s; it is stuck at "
                f"{stall.place}. {_REMEDY}"
            ),
        )
        host.end("unresponsive")  # for when the loop answers again: its pipeline must go
        thread.unwatch(host)

    def on_done(_: object) -> None:
        thread.unwatch(host)
        _running.discard(host)
        if thread.blocked and not any(other.thread is thread for other in _running):
            thread.end()  # given up, and empty by now

    _running.add(host)
    thread.watch(host, on_stuck)
    thread.submit(host.run(), contextvars.copy_context()).add_done_callback(on_done)


_REMEDY = "Blocking work belongs in a thread: await asyncio.to_thread(function)"


def hang_up_all(timeout: float = EXIT_SECS) -> None:
    """Hang up every call that runs, wait for them, and stop the loop thread.

    Args:
        timeout: Seconds to wait for each.
    """
    _running.end_all(timeout)
    loop_thread.stop_shared()
