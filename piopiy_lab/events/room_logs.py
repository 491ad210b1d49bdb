"""Which event log belongs to which room: how a loopback caller finds the agent's side.

A caller on the phone has only audio. When the agent runs in the same process, a scripted caller
may know more: the words that the agent says, and the tools that it calls. Whoever runs a session
in a room says so here (``publish``); the loopback platform's caller looks it up.

Safe from any thread. A log is held weakly: nothing has to be taken back.
"""

from __future__ import annotations

import threading
import weakref

from piopiy_lab.events.log import EventLog

_logs: weakref.WeakValueDictionary[str, EventLog] = weakref.WeakValueDictionary()
_lock = threading.Lock()  # guards _logs


def publish(room_name: str, log: EventLog) -> None:
    """Say that ``log`` is the account of the agent's side in a room; the latest one stands."""
    with _lock:
        _logs[room_name] = log


def log_of(room_name: str) -> EventLog | None:
    """Return the agent's log in a room; None when no agent of this process is there."""
    with _lock:
        return _logs.get(room_name)
