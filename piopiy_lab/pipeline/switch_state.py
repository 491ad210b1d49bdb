"""What one switcher knows of a switch, as a state: what happened goes in, what to do comes out.

Pure: no pipeline, no loop, no clock. Services are names, frames are looked at and kept as they are,
and the seconds come in with what happened. :mod:`piopiy_lab.pipeline.switch_kinds` has a state for
each kind of service; :mod:`piopiy_lab.pipeline.switch` carries the instructions out.

Each method that takes what happened gives its instructions one by one: each is to be carried out
before the next is asked for. What comes in between finds the state as it stands at that point, so
that nothing overtakes what was held.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar

from pipecat.frames import frames as f
from pipecat.processors.frame_processor import FrameDirection

from piopiy_lab import events
from piopiy_lab.events.values import ServiceKind, SwitchCause

DOWN, UP = FrameDirection.DOWNSTREAM, FrameDirection.UPSTREAM

#: Seconds without any sign of the old service after which a switch waits for it no longer.
STALL_SECS = 10.0


@dataclass
class SwitchMark(f.ControlFrame):
    """Travels behind all that the old service was given; ``kind`` says through which switcher."""

    interruptible: bool = field(default=False, init=False)
    kind: ServiceKind = "tts"


# --- instructions ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Take:
    """Let the switcher take a frame in: it is the service's at work."""

    frame: f.Frame
    direction: FrameDirection


@dataclass(frozen=True, slots=True)
class Push:
    """Let a frame of the switcher's go on its way."""

    frame: f.Frame
    direction: FrameDirection


@dataclass(frozen=True, slots=True)
class Give:
    """Give a frame to one service."""

    service: str
    frame: f.Frame
    direction: FrameDirection = DOWN


@dataclass(frozen=True, slots=True)
class Activate:
    """Ask the switcher's strategy for another service, and say which one is at work now."""

    service: str


@dataclass(frozen=True, slots=True)
class Watch:
    """Look after a switch that waits: ask :meth:`SwitchState.stalls_in` when to look again."""


@dataclass(frozen=True, slots=True)
class Notice:
    """Tell the user of the call."""

    message: str


@dataclass(frozen=True, slots=True)
class Append:
    """Write an event into the call's log."""

    event: events.ServiceSwitched


Instruction = Take | Push | Give | Activate | Watch | Notice | Append
Instructions = Iterator[Instruction]

# --- the state ------------------------------------------------------------------------------


class SwitchState:
    """One switcher's services and the switch that waits for its seam.

    Attributes:
        active: The service at work, as the log has it.
        wanted: The service of a switch that waits; None where none does.
        held: The frames that wait with it; None while frames go to the service.
    """

    kind: ClassVar[ServiceKind]
    #: What only a service itself gives: from one that is not active it comes late.
    output: ClassVar[tuple[type[f.Frame], ...]]

    def __init__(self, active: str) -> None:
        """Begin with ``active`` at work, and nothing under way."""
        self.active = active
        self.wanted: str | None = None
        self.held: list[tuple[f.Frame, FrameDirection]] | None = None
        self.moved_at = 0.0  # seconds: when the old service last gave a sign; written by the kinds

    # --- what happened -----------------------------------------------------------------------

    def asked(self, service: str, at_work: str, now: float) -> Instructions:
        """Somebody asks for ``service`` while ``at_work`` is."""
        if self.wanted is not None:
            self.wanted = service  # the last wish counts; the seam is the same
            return
        if service == at_work:
            return
        self.wanted = service
        self.moved_at = now
        yield from self._begin()
        if self.wanted is not None:
            yield Watch()

    def came_in(self, frame: f.Frame, direction: FrameDirection, now: float) -> Instructions:
        """A frame is at the switcher's door."""
        self._look_at(frame, direction, now)
        if self.held is None:
            self._given(frame, direction)
        elif self._holds(frame, direction):
            self.held.append((frame, direction))
            return
        yield Take(frame, direction)
        if self.wanted is not None:
            yield from self._work_went_in()

    def came_out(self, frame: f.Frame, direction: FrameDirection, now: float) -> Instructions:
        """A frame has left the services, and is about to go on its way."""
        self.moved_at = now
        self._came(frame, direction)
        yield Push(frame, direction)
        if isinstance(frame, f.InterruptionFrame) and direction == DOWN:
            yield from self._interrupted()
        elif self.wanted is not None:
            yield from self._work_came_out()

    def played(self) -> Instructions:
        """The mark has left the output: all that the old service was given has been heard."""
        if self.wanted is not None:
            yield from self._switch()

    def stalls_in(self, now: float) -> float | None:
        """Return the seconds after which a switch that waits is stuck; None where none waits."""
        return None if self.wanted is None else self.moved_at + STALL_SECS - now

    def stalled(self) -> Instructions:
        """The old service has given no sign for too long."""
        old = self.active if self.wanted != self.active else f"before {self.active}"
        yield Notice(
            f"the {self.kind} {old} did not finish within {STALL_SECS:g} s of its last sign; "
            "switched all the same"
        )
        yield from self._switch()

    def is_active(self, service: str, cause: SwitchCause, now: float) -> Instructions:
        """``service`` is at work; nothing is new if it was before."""
        if service == self.active:
            return
        old, self.active = self.active, service
        yield Append(
            events.ServiceSwitched(at=now, kind=self.kind, old=old, new=service, cause=cause)
        )

    def failed_over(self, service: str) -> Instructions:
        """The service at work failed, and ``service`` takes its place: the lost work is its own."""
        self.wanted = None
        yield from self._resume(service)
        yield from self._release()

    def is_late(self, frame: f.Frame) -> bool:
        """Whether a frame, coming from a service that is not at work, is to be dropped."""
        return isinstance(frame, self.output)

    # --- what the kinds differ in ------------------------------------------------------------

    def _look_at(self, frame: f.Frame, direction: FrameDirection, now: float) -> None:
        """Take note of a frame at the door, whether it is held or not."""

    def _given(self, frame: f.Frame, direction: FrameDirection) -> None:
        """Take note of a frame that the service at work is given."""
        raise NotImplementedError

    def _came(self, frame: f.Frame, direction: FrameDirection) -> None:
        """Take note of a frame that the service at work gave, or that passed it."""

    def _holds(self, frame: f.Frame, direction: FrameDirection) -> bool:
        """Whether a frame waits for the switch behind the mark."""
        return direction == DOWN and not isinstance(frame, f.SystemFrame)

    def _begin(self) -> Instructions:
        """Begin to wait for the seam, or switch at once."""
        raise NotImplementedError

    def _work_went_in(self) -> Instructions:
        """See whether the seam has come, after a frame that went in."""
        return iter(())

    def _work_came_out(self) -> Instructions:
        """See whether the seam has come, after a frame that came out."""
        return iter(())

    def _interrupted(self) -> Instructions:
        """Forget the work that an interruption has ended, and what waited behind it."""
        if self.held is not None:
            self.held = [(frame, d) for frame, d in self.held if not frame.interruptible]
        return iter(())

    def _resume(self, service: str) -> Instructions:
        """Give a service the work that a failed one was given and did not do."""
        raise NotImplementedError

    # --- the seam ----------------------------------------------------------------------------

    def _drain(self) -> Instructions:
        """Send a mark behind the old service's work; what comes after the mark is held."""
        self.held = self.held or []
        yield Take(SwitchMark(kind=self.kind), DOWN)

    def _switch(self) -> Instructions:
        wanted, self.wanted = self.wanted, None
        if wanted is not None:  # else it has just happened
            if wanted != self.active:
                yield Activate(wanted)
            yield from self._release()

    def _release(self) -> Instructions:
        while self.held:
            frame, direction = self.held.pop(0)
            self._given(frame, direction)
            yield Take(frame, direction)
        self.held = None
