"""Performs a screenplay: decides when the scripted caller speaks, waits, complains or hangs up.

The caller knows only what a person on the phone would know (what is heard, and when), plus the
tool calls that a screenplay may expect. All of it runs on the session's loop, on its clock.
"""

from __future__ import annotations

import asyncio
import itertools
import math
from collections import deque
from collections.abc import Callable
from typing import Protocol

from piopiy_lab import events
from piopiy_lab.errors import ReplayError, ScreenplayError
from piopiy_lab.events.log import EventLog
from piopiy_lab.events.tools import arguments_text
from piopiy_lab.events.troubles import Trouble, trouble_in
from piopiy_lab.screenplay.caller import REPLY_SILENCE_SECS, Caller
from piopiy_lab.screenplay.manners import (
    Backchannels,
    Beside,
    Coughs,
    FalseStarts,
    SaysAside,
    StaysSilent,
    TalksOver,
)
from piopiy_lab.screenplay.mouth import Sound
from piopiy_lab.screenplay.recalled import Recalls
from piopiy_lab.screenplay.recalling import GoesAnotherWay, Recalling, RecallLine
from piopiy_lab.screenplay.replies import Ear, Replies
from piopiy_lab.screenplay.sayings import contains
from piopiy_lab.screenplay.sounds import make_sound
from piopiy_lab.screenplay.steps import (
    ExpectsTool,
    HangsUp,
    Hears,
    HearsGreeting,
    HearsReply,
    Interrupts,
    Listens,
    Presses,
    Says,
    Step,
    Waits,
    has_arguments,
)

#: Seconds of the agent's silence after which a polite caller begins to speak.
POLITE_SECS = 0.3
#: Seconds between two key presses.
KEY_SECS = 0.2
#: So many things that went wrong are named when a step fails: the last ones.
MOST_TROUBLES = 3
#: Seconds that are no time at all: the rounding of a clock, not a wait.
INSTANT = 1e-6

#: A condition of a waiting step: 0.0 when it is met, else the seconds after which to look again
#: at the latest (``math.inf``: when something has happened).
Condition = Callable[[], float]


class Line(Protocol):
    """What a scripted caller speaks and listens on: a pipeline's transport, or a phone line."""

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

    async def speak(self, sound: Sound) -> float:
        """Speak a sound to its end; returns the call's seconds of its end."""
        ...

    async def press(self, digit: str) -> None:
        """Press a key."""
        ...


class Performer:
    """Performs one caller's screenplay in one call."""

    def __init__(self, line: Line, caller: Caller) -> None:
        """Get ready to perform ``caller`` on ``line``."""
        self._line = line
        self._log = line.log
        self._now = line.log.now
        self._ear = line.ear
        self._caller = caller
        self._changed = asyncio.Event()  # something was heard or logged: look again
        self._replies = Replies(self._ear)  # what of the heard answers the caller; by note()
        self._turn_events: list[events.Event] = []  # what matters of the log since the caller spoke
        self._troubles: list[Trouble] = []  # what went wrong since the agent was last heard out
        self._open_tools: set[int] = set()  # numbers of the tool calls without a result
        self._tool_over_at = 0.0  # seconds: when the last tool call was over
        self._thinking = False  # whether the LLM is giving an answer
        self._recalling: Recalling | None = None  # of a caller from a call; written by perform()
        self.current: str = "before the first step"  # for error messages: the step being performed

    def look(self) -> None:
        """Look at what is heard again."""
        self._changed.set()

    async def perform(self) -> None:
        """Perform the steps in order.

        Raises:
            ScreenplayError: A step waited in vain; the message names it and what was heard.
        """
        log, now = self._log, self._now
        self._replies = Replies(self._ear, log)
        self._troubles = [trouble for event in log if (trouble := trouble_in(event))]
        unsubscribe = log.subscribe(self.note)
        if self._caller.line is not None:
            self._recalling = self._begin_to_recall()
        try:
            steps = deque(self._caller.steps)
            stays = 0.0 if self._caller.line is None else self._caller.line.stays
            for number in itertools.count(1):
                if not steps:
                    break
                step = steps.popleft()
                self.current = f"step {number}, {step}"
                log.append(events.CallerStepStarted(at=now(), number=number, step=str(step)))
                try:
                    late = await self._do(step)
                    if late is not None:
                        log.append(
                            events.CallerStepFailed(
                                at=now(), number=number, step=str(step), why=late
                            )
                        )
                except GoesAnotherWay as other:
                    steps, stays = deque(other.otherwise), 0.0
                    continue
                except _Vain as vain:
                    log.append(
                        events.CallerStepFailed(
                            at=now(), number=number, step=str(step), why=str(vain)
                        )
                    )
                    raise ScreenplayError(
                        f"step {number} of the screenplay, {step}, failed: {vain}. "
                        f"Heard since the caller last spoke: {self._heard() or 'nothing'!r}."
                        f"{self._what_went_wrong()}"
                    ) from None
                log.append(events.CallerStepFinished(at=now(), number=number, step=str(step)))
                if not isinstance(step, Recalls):
                    stays = 0.0
            self.current = "after the last step"
            if stays:  # for an end that is the agent's
                await asyncio.sleep(stays)
        finally:
            unsubscribe()

    def note(self, event: events.Event) -> None:
        """Take what matters to the caller; runs at every append to the line's log."""
        self._replies.note(event)
        if self._recalling is not None:
            self._recalling.note(event)
        if (trouble := trouble_in(event)) is not None and trouble not in self._troubles:
            self._troubles.append(trouble)
        match event:
            case events.ToolCalled():
                self._open_tools.add(event.number)
            case events.ToolReturned() | events.ToolCancelled():
                self._open_tools.discard(event.number)
                self._tool_over_at = event.at
            case events.LLMResponseStarted():
                self._thinking = True
            case events.LLMResponseStopped() | events.AgentInterrupted():
                self._thinking = False
            case events.WordSpoken() | events.CallerSpoke():
                pass
            case _:
                return
        self._turn_events.append(event)
        self._changed.set()

    def _begin_to_recall(self) -> Recalling:
        if not isinstance(self._line, RecallLine):
            raise ReplayError(
                "a caller from a call can't be performed on this line: use simulate() or "
                "start_call(), or call.to_code() for a screenplay"
            )
        assert self._caller.line is not None, "whoever recalls has a recorded line"
        return Recalling(self._line, self._now(), self._caller.line)

    async def _do(self, step: Step) -> str | None:
        """Perform a step; returns why it went on without what it waited for, if it did."""
        match step:
            case Recalls():
                assert self._recalling is not None, "whoever recalls has a recorded line"
                return await self._recalling.act(step, self._begin_turn)
            case HearsGreeting(timeout):
                await self._until(self._speech_over, timeout, "no greeting was heard to its end")
                self._heard_out()
            case Says(timeout=timeout, over_agent=over_agent):
                if not over_agent:
                    await self._until_silent(timeout)
                await self._speak(step)
            case FalseStarts(timeout=timeout):
                await self._until_silent(timeout)
                await self._speak(step)
            case Backchannels() | Coughs() | SaysAside() | TalksOver():
                into = step.after or 0.0
                await self._until(
                    lambda: self._into_reply(step), step.timeout, "the agent did not speak", into
                )
                await self._speak(step)
            case StaysSilent(secs, timeout):
                await self._until_silent(timeout)
                start = self._now()
                await asyncio.sleep(secs)
                self._log.append(events.CallerStayedSilent(at=start, end=round(self._now(), 6)))
            case HearsReply(timeout):
                await self._until(self._reply_over, timeout, "no reply was heard to its end")
                self._heard_out()
            case Listens(silence):
                await self._until(lambda: self._idle_for(silence), math.inf, "")
            case Hears(pattern, within):
                await self._until(
                    lambda: 0.0 if contains(self._heard(), pattern) else math.inf,
                    within,
                    "it was not heard",
                )
            case ExpectsTool(name, args, timeout):
                await self._until(
                    lambda: 0.0 if self._tool_was_called(name, dict(args)) else math.inf,
                    timeout,
                    lambda: f"it was not called{self._calls_so_far()}",
                )
            case Interrupts(after=after, timeout=timeout):
                await self._until(
                    lambda: self._into_speech(after), timeout, "the agent did not speak", after
                )
                await self._speak(step)
            case Waits(secs):
                await asyncio.sleep(secs)
            case Presses(digits):
                self._begin_turn()
                for index, digit in enumerate(digits):
                    if index:
                        await asyncio.sleep(KEY_SECS)
                    await self._line.press(digit)
                self._begin_turn()
            case HangsUp():
                pass  # perform() ends with the last step, and with it the call
            case _:
                raise AssertionError(f"unknown step {step!r}")
        return None

    async def _speak(self, step: Step) -> None:
        sound = make_sound(step, self._caller, self._line.mouth_rate)
        if sound.wants_floor:
            self._begin_turn()
        await self._line.speak(sound)

    async def _until_silent(self, secs: float) -> None:
        await self._until(lambda: self._silent_for(POLITE_SECS), secs, "the agent kept talking")

    def _begin_turn(self) -> None:
        self._replies.begin_turn(self._now())
        self._turn_events.clear()

    def _heard_out(self) -> None:
        self._replies.consume(self._now())
        self._troubles.clear()

    async def _until(
        self, condition: Condition, secs: float, why: str | Callable[[], str], into: float = 0.0
    ) -> None:
        """Wait until a condition is met, ``into`` seconds longer once it is known when.

        Raises:
            _Vain: It was not met within ``secs`` seconds.
        """
        now = self._now
        deadline = now() + secs
        while (again := condition()) > INSTANT:
            left = deadline + (0.0 if math.isinf(again) else into) - now()
            if left <= INSTANT:
                said = why if isinstance(why, str) else why()
                raise _Vain(f"{said} within {secs:g} s")
            self._changed.clear()
            wait = min(again, left)
            try:
                async with asyncio.timeout(None if math.isinf(wait) else wait):
                    await self._changed.wait()
            except TimeoutError:
                pass

    # --- conditions: what the caller knows ---------------------------------------------------

    def _silent_for(self, secs: float) -> float:
        """Met when the agent has not been heard for ``secs`` seconds."""
        if not self._ear.speech_starts:
            return 0.0
        return max(0.0, self._ear.audible_until + secs - self._now())

    def _speech_over(self) -> float:
        """Met when something that is news to the caller was heard to its end."""
        return self._over(self._replies.speech_heard())

    def _reply_over(self) -> float:
        """Met when a reply to the caller's last words was heard to its end."""
        return self._over(self._replies.reply_heard())

    def _over(self, heard: bool) -> float:
        if not heard or self._open_tools:
            return math.inf
        since_tool = self._tool_over_at + REPLY_SILENCE_SECS - self._now()  # a filler is no reply
        return max(self._silent_for(REPLY_SILENCE_SECS), since_tool)

    def _idle_for(self, secs: float) -> float:
        """Met when the agent has neither spoken, thought nor worked for ``secs`` seconds."""
        if self._open_tools or self._thinking:
            return math.inf
        last = max(self._replies.spoke_until, self._ear.audible_until)
        return max(0.0, last + secs - self._now())

    def _into_speech(self, after: float) -> float:
        """Met ``after`` seconds into the agent's current speech."""
        now, ear = self._now(), self._ear
        if ear.speech_starts and ear.audible_until >= now:
            return max(0.0, ear.speech_starts[-1] + after - now)
        if any(start >= self._replies.since for start in ear.speech_starts):
            spoke = ear.audible_until - ear.speech_starts[-1]
            raise _Vain(
                f"the agent was silent again after {spoke:.1f} s of speech, before the caller "
                f"could interrupt {after:g} s into it"
            )
        return math.inf

    def _into_reply(self, step: Beside) -> float:
        """Met so many seconds into the agent's current reply as a step beside the turns says."""
        if step.after is None:
            return 0.0
        now, ear = self._now(), self._ear
        starts = [start for start in ear.speech_starts if start >= self._replies.since]
        if not starts and ear.speech_starts and ear.audible_until >= now:
            starts = ear.speech_starts[-1:]  # it goes on with what it was saying before
        if not starts:
            return math.inf
        left = max(0.0, starts[0] + step.after - now)
        idle = not self._open_tools and not self._thinking
        over = idle and self._silent_for(REPLY_SILENCE_SECS) <= INSTANT
        if over and isinstance(step, Backchannels | TalksOver):
            spoke = ear.audible_until - starts[0]
            raise _Vain(
                f"the agent's reply was over after {spoke:.1f} s, before the caller could "
                f"speak {step.after:g} s into it"
            )
        return left

    def _tool_was_called(self, name: str, args: dict[str, object]) -> bool:
        return any(
            event.name == name and has_arguments(event.arguments, args)
            for event in self._turn_events
            if isinstance(event, events.ToolCalled)
        )

    def _calls_so_far(self) -> str:
        calls = [
            f"{e.name}({arguments_text(e.arguments)})"
            for e in self._turn_events
            if isinstance(e, events.ToolCalled)
        ]
        return f" (but {', '.join(calls)} was)" if calls else ""

    def _heard(self) -> str:
        """The agent's words since the caller last spoke."""
        return " ".join(e.text for e in self._turn_events if isinstance(e, events.WordSpoken))

    def _what_went_wrong(self) -> str:
        """What the log says of it, for the message of a step that failed."""
        told = "; ".join(map(str, self._troubles[-MOST_TROUBLES:]))
        return f" What went wrong meanwhile: {told}." if told else ""


class _Vain(Exception):  # noqa: N818 - the performer's own signal, never seen outside
    """A step waited in vain."""
