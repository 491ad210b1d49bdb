"""An Agent that serves calls beside a notebook: on a thread of its own, with a live table."""

from __future__ import annotations

import asyncio
import contextvars
import html
import threading
from concurrent.futures import CancelledError as FutureCancelledError
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from logging import Logger
from typing import Protocol

from piopiy_lab import display
from piopiy_lab.call.call import Call
from piopiy_lab.errors import ArgumentError, CallError
from piopiy_lab.events.values import AgentState, ServedState
from piopiy_lab.hosting.loop_thread import LoopThread
from piopiy_lab.hosting.started import Started
from piopiy_lab.hosting.watchdog import Stall
from piopiy_lab.logs import safe_logger
from piopiy_lab.redaction import redact_text, shown, shown_url, visible_lines
from piopiy_lab.telephony.sessions import RoomSessions

#: Seconds that the process's exit gives to the calls' winding down.
EXIT_SECS = 6.0

log: Logger = safe_logger("piopiy_lab.agent")


class Served(Protocol):
    """The agent that is at work."""

    agent_id: str
    signaling_url: str
    state: AgentState

    @property
    def calls(self) -> list[Call]:
        """Return the calls, oldest first."""
        ...

    @property
    def sessions(self) -> RoomSessions:
        """Return the sessions and their table."""
        ...

    async def connect(self) -> None:
        """Connect, and work until it is over."""
        ...

    async def shutdown(self, *, grace: float = 0.0) -> None:
        """Disconnect and end the calls."""
        ...


def start_agent(agent: Served) -> BackgroundAgent:
    """Start an agent on a thread of its own; shows it in a notebook."""
    _running.end_older()
    handle = BackgroundAgent(agent)
    handle.begin()
    display.show(handle)
    return handle


class BackgroundAgent:
    """An Agent at work on its own thread. Every method may be called from any thread.

    Its ``repr`` is a table of the sessions as they are now; in a notebook the cell's output
    follows them.
    """

    def __init__(self, agent: Served) -> None:
        """Hold an agent that isn't connected yet."""
        if agent.state != "stopped":
            raise ArgumentError(f"start(): this agent is {agent.state} already")
        self.agent = agent
        self._thread = LoopThread("piopiy-lab-agent")
        self._future: Future[None] | None = None  # connect()'s; written by begin()

    def begin(self) -> None:
        """Let the agent connect."""
        _running.add(self)
        self._thread.watch(self, self._blocked)
        self._future = self._thread.submit(self.agent.connect(), contextvars.copy_context())
        self._future.add_done_callback(self._ended)

    def _ended(self, future: Future[None]) -> None:
        """Let the thread go; runs on it."""
        self._thread.unwatch(self)
        _running.discard(self)
        if self.error is not None:
            log.error("the agent has stopped: %s", self.error)
        # what its sessions started in the background gets a turn before the loop ends
        self._thread.loop.call_later(0.1, self._thread.end)

    def _blocked(self, stall: Stall) -> None:
        if stall.first:
            log.error(
                "the agent's loop is blocked at %s: every call stands still. Blocking work belongs "
                "in a thread: await asyncio.to_thread(function)",
                stall.place,
            )

    @property
    def state(self) -> ServedState:
        """One of "connecting", "connected", "reconnecting", "draining", "stopped", "failed"."""
        if self._future is not None and self._future.done():
            return "failed" if self.error is not None else "stopped"
        state = self.agent.state
        return "connecting" if state == "stopped" else state

    @property
    def error(self) -> BaseException | None:
        """Why it stopped, if it did so by itself (a :class:`SignalingError`, say)."""
        if self._future is None or not self._future.done() or self._future.cancelled():
            return None
        return self._future.exception()

    @property
    def calls(self) -> list[Call]:
        """The calls, oldest first: those that run, and the last ended ones."""
        return self.agent.calls

    @property
    def changes(self) -> int:
        """A number that grows with every change in the table, for views that pull."""
        return self.agent.sessions.changes + (self.state in ("stopped", "failed"))

    def stop(self, *, grace: float = 0.0) -> None:
        """Shut down: disconnect and end the calls. Returns at once.

        Args:
            grace: Seconds in which running calls may end by themselves.
        """
        if self._future is None or self._future.done():
            return

        async def shutdown() -> None:
            if self.agent.state == "stopped":  # asked before it began
                if self._future is not None:
                    self._future.cancel()
                return
            await self.agent.shutdown(grace=grace)

        self._thread.submit(shutdown(), contextvars.Context())

    def join(self, timeout: float | None = None) -> BackgroundAgent:
        """Block until it has stopped, for scripts; in a notebook use ``await handle.wait()``.

        Raises:
            SignalingError: It stopped because signalling failed.
            TimeoutError: It goes on.
            CallError: Called on its own thread.
        """
        if self._future is None:
            return self
        if self._thread.thread_ident == threading.get_ident() and not self._future.done():
            raise CallError("join() inside of a session would wait for ever; use stop()")
        try:
            error = self._future.exception(timeout)
        except FutureTimeoutError:
            raise TimeoutError(f"the agent was not done after {timeout} s; it goes on") from None
        except FutureCancelledError:
            return self
        if error is not None:
            raise error
        return self

    async def wait(self) -> BackgroundAgent:
        """Wait until it has stopped, from any event loop; cancelling the waiter leaves it alone.

        Raises:
            SignalingError: It stopped because signalling failed.
        """
        if self._future is not None:
            waiter: Future[object] = Future()
            self._future.add_done_callback(lambda _: waiter.done() or waiter.set_result(None))
            await asyncio.wrap_future(waiter)
        if self.error is not None:
            raise self.error
        return self

    async def wait_connected(self) -> BackgroundAgent:
        """Wait until the signalling server has accepted the agent.

        Raises:
            SignalingError: It did not.
        """
        while self.state == "connecting":  # noqa: ASYNC110 - another thread's state
            await asyncio.sleep(0.02)
        if self.error is not None:
            raise self.error
        return self

    # --- showing it --------------------------------------------------------------------------

    def rows(self) -> list[tuple[str, str, str, str, str]]:
        """Return the table: call, from, state, seconds, and how many turns, newest first."""
        rows: list[tuple[str, str, str, str, str]] = []
        for call in reversed(self.calls):
            state = call.end_reason or call.state
            caller = shown(str(call.meta.get("from_number") or "-"))
            rows.append(
                (shown(call.call_id), caller, state, f"{call.duration:.0f}", str(len(call.turns)))
            )
        return rows

    def __repr__(self) -> str:
        sessions = self.agent.sessions
        counts = f"{sessions.running} running, {sessions.started} started"
        for name in ("refused", "failed"):
            if number := getattr(sessions, name):
                counts += f", {number} {name}"
        lines = [
            f"<Agent {self.agent.agent_id!r} at {shown_url(self.agent.signaling_url)}: "
            f"{self.state}; {counts}>"
        ]
        rows = self.rows()
        if rows:
            lines.append(f"{'call':24} {'from':16} {'state':16} {'s':>5} {'turns':>5}")
            lines += [f"{c:24.24} {f:16.16} {s:16} {d:>5} {t:>5}" for c, f, s, d, t in rows]
        if self.error is not None:
            lines.append(visible_lines(redact_text(str(self.error))))
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        head, *_ = repr(self).splitlines()
        cells = "".join(
            "<tr>" + "".join(f"<td>{html.escape(value)}</td>" for value in row) + "</tr>"
            for row in self.rows()
        )
        table = (
            "<table><thead><tr><th>call</th><th>from</th><th>state</th><th>s</th><th>turns</th>"
            f"</tr></thead><tbody>{cells}</tbody></table>"
            if cells
            else "<p>No call yet.</p>"
        )
        error = (
            f"<p><b>{html.escape(redact_text(str(self.error)))}</b></p>"
            if self.error is not None
            else ""
        )
        return f"<div><p>{html.escape(head.strip('<>'))}</p>{table}{error}</div>"


#: The agents that run in the background.
_running: Started[BackgroundAgent] = Started(
    BackgroundAgent.stop, BackgroundAgent.join, exit_secs=EXIT_SECS
)


def stop_all(timeout: float = EXIT_SECS) -> None:
    """Shut down every agent that runs in the background, and wait for them."""
    _running.end_all(timeout)
