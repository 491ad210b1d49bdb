"""Performs what a caller did in a recorded call, beside what the agent does now.

Each act waits for what it followed: the caller's own last act, or the agent's n-th beginning or
end of speech since then. The caller stays as polite as in the recording, and no politer: an act
that came into the agent's silence waits while the agent speaks or thinks, one that came over its
words comes at the same place of them. Runs on the session's loop, on its clock.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import Protocol, runtime_checkable

from piopiy_lab import events
from piopiy_lab.checks.json_values import Record
from piopiy_lab.events.log import EventLog
from piopiy_lab.events.values import FLOOR_MANNERS
from piopiy_lab.screenplay.from_call import BusyReader
from piopiy_lab.screenplay.mouth import Clip, Sound
from piopiy_lab.screenplay.recalled import Line, Place, Recalls
from piopiy_lab.screenplay.replies import Ear
from piopiy_lab.screenplay.steps import Step
from piopiy_lab.sound import pcm

#: Seconds of nothing, neither of the agent's speech nor of its thinking, beyond what it took in the
#: recording, after which what an act waits for is taken not to come: longer than any end-of-turn
#: wait.
PATIENCE_SECS = 5.0
#: A pause in the caller's own turn is no longer than this: then they wait for the agent's end.
OWN_PAUSE_SECS = 2.0
#: Seconds that are no time at all.
INSTANT = 1e-6
#: Seconds that no clock tells apart.
TICK = 1e-9


class GoesAnotherWay(Exception):  # noqa: N818 - the performer's own signal, never seen outside
    """The call has parted from the recorded one: other steps are done from here on."""

    def __init__(self, otherwise: tuple[Step, ...]) -> None:
        """Hand over the steps."""
        super().__init__()
        self.otherwise = otherwise


@runtime_checkable
class RecallLine(Protocol):
    """What a recalled caller acts on: a transport whose sounds keep their place."""

    @property
    def log(self) -> EventLog:
        """The call's events, and its clock."""
        ...

    @property
    def ear(self) -> Ear:
        """What is heard of the agent."""
        ...

    @property
    def mouth_rate(self) -> int:
        """Hz of the sounds that :meth:`speak` takes."""
        ...

    def placed(self, due: float, place: Place) -> tuple[float, float | None]:
        """Return when to begin a sound that is due, and from which of the call's seconds on.

        Args:
            due: The call's seconds.
            place: Where it must stand in the stream.
        """
        ...

    async def speak(self, sound: Sound, at: float | None = None) -> float:
        """Speak a sound to its end; returns the call's seconds of its end."""
        ...

    async def press(self, digit: str) -> None:
        """Press a key."""
        ...

    async def write(self, text: str) -> None:
        """Type a user turn."""
        ...

    def mute(self, muted: bool) -> None:
        """Close or open the caller's side."""
        ...

    def act_by_hand(self, record: Record) -> str | None:
        """Do what somebody did to the call by hand; return why it can't be done, if it can't."""
        ...


class Recalling:
    """Where a recalled caller stands in one call."""

    def __init__(self, line: RecallLine, begins: float, recorded: Line) -> None:
        """Begin.

        Args:
            line: What to act on.
            begins: The call's seconds of the first sample.
            recorded: How the line was, and what to do when the call has gone another way.
        """
        self._line = line
        self._recorded = recorded
        self._now = line.log.now
        self._own = begins
        self._agent: list[
            tuple[float, str]
        ] = []  # since the last act: (seconds, "start" or "stop")
        self._busy = BusyReader()
        self._last = begins  # seconds: when the agent last did something that can be seen
        self._changed = asyncio.Event()
        self._tool_called = False  # whether one was since somebody looked; by note() and _wait()

    def note(self, event: events.Event) -> None:
        """Take what the agent does; runs at every append to the log."""
        match event:
            case events.AgentSpeechStarted():
                self._agent.append((event.at, "start"))
            case events.AgentSpeechStopped():
                self._agent.append((event.at, "stop"))
            case _:
                self._tool_called |= isinstance(event, events.ToolCalled)
                if not self._busy.note(event):
                    return
        self._last = max(self._last, event.at)
        self._changed.set()

    async def act(self, step: Recalls, begin_turn: Callable[[], None]) -> str | None:
        """Do what was done, when it is due.

        Args:
            step: What was done.
            begin_turn: Told when the caller begins to speak, to type or to press keys.

        Returns:
            Why it was done at another moment than it waited for; None if it wasn't.

        Raises:
            GoesAnotherWay: The call has parted from the recorded one, and something else is done.
        """
        due, begin, why = await self._wait(step)
        speaks = bool(self._agent) and self._agent[-1][1] == "start"
        ends = step.wants_floor or step.what == "hangs up"
        self._look_for_divergence(
            step.turn if ends and not self._busy.busy else None,
            speaks if step.after == "start" else None,
        )
        if step.what in ("presses", "types") or (
            step.what == "says" and step.manner in FLOOR_MANNERS
        ):
            begin_turn()
        match step.what:
            case "says":
                assert step.audio is not None, "what was said has a sound"
                rate = self._line.mouth_rate
                samples = pcm.resample(step.audio.samples, step.audio.sample_rate, rate)
                sound = Sound(
                    Clip(samples),
                    step.text,
                    step.words,
                    step.manner,
                    step.parts,
                    step.found,
                    step.said,
                )
                self._own = round(await self._line.speak(sound, begin), 6)
            case "presses":
                await self._line.press(step.text or "")
                self._own = due
            case "types":
                await self._line.write(step.text or "")
                self._own = due
            case "mutes":
                self._line.mute(step.muted)
                self._own = due
            case "acts":
                assert step.command is not None, "what was done by hand has a record"
                why = self._line.act_by_hand(step.command) or why
                self._own = due
            case "hangs up":
                pass  # the screenplay ends with it
        self._agent = [(at, kind) for at, kind in self._agent if at > self._own]
        return why

    def _look_for_divergence(self, turn: int | None = None, speaks: bool | None = None) -> None:
        """Look whether the call has gone another way.

        Raises:
            GoesAnotherWay: It has.
        """
        diverged = self._recorded.diverged
        if diverged is not None and diverged(self._line.log, turn, speaks):
            raise GoesAnotherWay(self._recorded.otherwise)

    async def _wait(self, step: Recalls) -> tuple[float, float | None, str | None]:
        """Wait until the act is due; return when, where its sound begins, and a complaint."""
        while True:
            if self._tool_called:
                self._tool_called = False
                self._look_for_divergence()
            anchor = self._anchor(step)
            if anchor is None:
                if (left := self._patience(step)) <= INSTANT:
                    why = f"what it waited for did not come: {step.gap:.2f} s {step.when}"
                    return self._now(), None, why
                await self._wait_for_change(left)
                continue
            due = round(anchor + step.gap, 6)
            at, begin = due, None
            if step.place is not None and self._recorded.rate == self._line.mouth_rate:
                at, begin = self._line.placed(due, step.place)
            if at - self._now() > TICK:
                await self._wait_for_change(at - self._now())
                continue
            if self._must_wait(step):
                await self._wait_for_change(math.inf)
                continue
            return due, begin, None

    def _anchor(self, step: Recalls) -> float | None:
        """Return what the act follows, in seconds; None if it has not come yet."""
        if step.after == "own":
            stops = [at for at, kind in self._agent if kind == "stop"]
            return max(self._own, *stops) if stops and step.gap > OWN_PAUSE_SECS else self._own
        times = [at for at, kind in self._agent if kind == step.after and at > self._own]
        if len(times) < step.nth:
            return None
        return times[-1] if step.after == "stop" else times[step.nth - 1]

    def _must_wait(self, step: Recalls) -> bool:
        """Whether the agent has the floor now, and had not when this was recorded."""
        if step.what == "acts":
            return False  # whoever did it need not be polite
        if step.after == "start" or (step.after == "own" and step.gap <= OWN_PAUSE_SECS):
            return False
        speaking = bool(self._agent) and self._agent[-1][1] == "start"
        return speaking or (self._busy.busy and not step.busy)

    def _patience(self, step: Recalls) -> float:
        if self._busy.busy or (self._agent and self._agent[-1][1] == "start"):
            return math.inf
        last = max(self._own, self._last, self._line.ear.audible_until)
        return last + PATIENCE_SECS + step.waited - self._now()

    async def _wait_for_change(self, secs: float) -> None:
        self._changed.clear()
        try:
            async with asyncio.timeout(None if math.isinf(secs) else secs):
                await self._changed.wait()
        except TimeoutError:
            pass
