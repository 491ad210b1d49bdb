"""``RecordedTools``: doubles that return what an agent's tools returned in a recorded call.

``simulate(..., replace={"tools": RecordedTools(call)})`` runs no tool: a call that was recorded is
answered as it was then, after as many seconds; another one is refused, and told in ``misses``.
The handlers run on the session's loop; what they found may be read from any thread.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from pipecat.frames.frames import FunctionCallResultProperties

from piopiy_lab import events as ev
from piopiy_lab.call.tool_calls import ToolCall
from piopiy_lab.errors import ArgumentTypeError, ToolError
from piopiy_lab.events.log import EventLog
from piopiy_lab.events.tools import arguments_text
from piopiy_lab.session.session import Session, current_session
from piopiy_lab.session.transfer_order import TransferOrder
from piopiy_lab.tools.calling import RecordedFailure
from piopiy_lab.tools.params import ToolCallParams
from piopiy_lab.tools.recorded_calls import RecordedCall, key_of, recorded_calls

#: Seconds after which a tool that was cancelled when recorded, and now isn't, is no longer waited
#: for.
CANCELLED_SECS = 1.0
#: Seconds by which the log's times, in microseconds, may be off.
INSTANT = 2e-6


class HasEvents(Protocol):
    """A call, running or ended."""

    @property
    def events(self) -> EventLog:
        """What happened."""
        ...


@dataclass(frozen=True)
class ToolMiss:
    """A call of a tool that was not recorded like this.

    Attributes:
        turn: The caller's turn, from 1; 0 before the first.
        at: The call's seconds.
        name: The tool's name.
        arguments: What the LLM gave.
        recorded: What was recorded instead, in words.
    """

    turn: int
    at: float
    name: str
    arguments: Any
    recorded: str

    def __str__(self) -> str:
        asked = f"{self.name}({arguments_text(self.arguments)})"
        return f"{asked} was not called when this was recorded: {self.recorded}"


class RecordedTools:
    """Answers for the tools of a recorded call: ``replace={"tools": RecordedTools(call)}``.

    A call of a tool is found by its name and arguments; the same call made twice has its results in
    the order in which they came. The result comes after the recorded time, an error is an error
    again, and what the tool did to the call itself (lines that it had spoken, the call's end, a
    transfer off the phone) is done. A call that isn't there is never made: the LLM is told so in an
    error, and it is in :attr:`misses`. Each simulation begins with all that was recorded.
    """

    recorded = True

    def __init__(self, call: HasEvents | Iterable[ev.Event]) -> None:
        """Take what was recorded.

        Args:
            call: A call, running or ended; ``Call.load(folder)`` for a saved one.

        Raises:
            ArgumentTypeError: It is no call.
        """
        events: Any = getattr(call, "events", call)
        if isinstance(events, str | Mapping) or not isinstance(events, Iterable):
            raise ArgumentTypeError(
                f"RecordedTools({call!r}): give a call, Call.load(folder) for a saved one"
            )
        #: What was recorded, in the order in which it was called.
        self.calls: tuple[RecordedCall, ...] = tuple(recorded_calls(events))
        self._plays: weakref.WeakKeyDictionary[EventLog, _Play] = weakref.WeakKeyDictionary()
        self._last = _Play(self.calls)

    @classmethod
    def for_call(cls, call: HasEvents) -> RecordedTools:
        """Return the tools of a call, as ``RecordedTools(call)`` does."""
        return cls(call)

    @property
    def misses(self) -> list[ToolMiss]:
        """The calls that were refused in the last simulation."""
        return list(self._last.misses)

    @property
    def unused(self) -> list[RecordedCall]:
        """The recorded calls that the last simulation has not made."""
        return list(self._last.left)

    def __call__(self, name: str) -> Callable[..., object]:
        """Return what is called in the place of a tool; asked by whoever runs the agent."""

        async def recorded(params: ToolCallParams) -> Any:
            session = current_session()
            return await self._play(session).answer(params, session)

        recorded.__name__ = name
        recorded.recorded = True  # type: ignore[attr-defined]  # read by tools/doubles.py
        return recorded

    def _play(self, session: Session | None) -> _Play:
        if session is not None:
            if session.log not in self._plays:
                self._plays[session.log] = self._last = _Play(self.calls)
            return self._plays[session.log]
        return self._last

    def __repr__(self) -> str:
        count = len(self.calls)
        return f"<RecordedTools: {count} call{'' if count == 1 else 's'}>"


@dataclass
class _Play:
    """The tools of one simulation."""

    recorded: tuple[RecordedCall, ...]
    left: list[RecordedCall] = field(init=False)  # what was not called again yet
    misses: list[ToolMiss] = field(default_factory=list[ToolMiss])

    def __post_init__(self) -> None:
        self.left = list(self.recorded)

    async def answer(self, params: ToolCallParams, session: Session | None) -> Any:
        """Give the recorded result of a tool call, after its time.

        Raises:
            RecordedFailure: It failed when recorded.
            ToolError: It was not recorded.
        """
        name = params.function_name
        key = key_of(name, params.arguments)
        was = next((one for one in self.left if one.key == key), None)
        if was is None:
            raise self._miss(params, session, self._instead(name, key, self.recorded))
        self.left.remove(was)
        clock = _Clock(session, was.call)
        await _act(was, params, clock)
        call = was.call
        if call.end is None or call.error == "the call ended":
            await asyncio.Event().wait()  # it came to nothing before the end
            raise AssertionError("nobody sets it")
        if call.status == "cancelled":
            await clock.wait_until(call.end + CANCELLED_SECS)
            why = f"after {call.end - call.start:.2f} s it was cancelled ({call.error})"
            raise self._miss(params, session, why)
        await clock.wait_until(call.end)
        if call.status == "failed":
            raise RecordedFailure(call.error or "", call.result, was.error_told)
        if was.run_llm is False:
            properties = FunctionCallResultProperties(run_llm=False)
            await params.result_callback(call.result, properties=properties)
        return call.result

    @staticmethod
    def _instead(name: str, key: str, recorded: Iterable[RecordedCall]) -> str:
        """Say what was recorded of a tool."""
        same = [one for one in recorded if one.call.name == name]
        if not same:
            return f"{name} was not called at all"
        if count := sum(one.key == key for one in same):
            return f"it was, but not more than {count} time{'' if count == 1 else 's'}"
        told = "; ".join(f"{name}({arguments_text(one.call.arguments)})" for one in same[:3])
        return told + ("; ..." if len(same) > 3 else "")

    def _miss(self, params: ToolCallParams, session: Session | None, recorded: str) -> ToolError:
        miss = ToolMiss(
            turn=0 if session is None else _turn_in(session.log),
            at=0.0 if session is None else session.now(),
            name=params.function_name,
            arguments=params.arguments,
            recorded=recorded,
        )
        self.misses.append(miss)
        return ToolError(f"{miss}. The tool was not run.")


class _Clock:
    """A recorded tool call's time in a simulation."""

    def __init__(self, session: Session | None, call: ToolCall) -> None:
        self._session, self._start = session, call.start
        # both to the microsecond, as logs have it: a replay of the replay waits for as long
        self._shift = round(self._now(), 6) - call.start
        if abs(self._shift) < INSTANT:  # the log's rounding: the same call again
            self._shift = 0.0

    async def wait_until(self, at: float) -> None:
        """Wait until a moment of the recorded call's clock."""
        left = at + self._shift - self._now()
        if left > 0:
            await asyncio.sleep(left)

    def _now(self) -> float:
        return self._start if self._session is None else self._session.now()


async def _act(was: RecordedCall, params: ToolCallParams, clock: _Clock) -> None:
    """Do to the call what the tool did when it was recorded."""
    for after, text in was.lines:
        if text != params.filler:  # which is said without the handler
            await clock.wait_until(was.call.start + after)
            await params.say(text)
    to, session = was.transferred_to, current_session()
    rings = to is not None and session is not None and session.scripted_transfer(to) is not None
    if to is not None and (rings or not was.rang):
        await params.transfer_as(TransferOrder(to))
    elif was.ended_at is not None:
        await clock.wait_until(was.ended_at)
        await params.end_call()


def _turn_in(log: EventLog) -> int:
    """Return the caller's turn that a call is in."""
    turn, theirs = 0, False
    for event in log:
        match event:
            case ev.UserTurnAdded() | ev.UserTextTyped():
                turn += not theirs
                theirs = True
            case ev.AgentSpeechStarted() | ev.ToolCalled():
                theirs = False
            case _:
                pass
    return turn
