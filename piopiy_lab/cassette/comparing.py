"""Compares a recorded answer with the live one of another prompt, as it streams.

The recorded one is played, at its pace, for as long as the live one has the same beginning; at the
first other character the live one goes on from there. What the live model does to its base class is
held back meanwhile. Nothing waits but for the live model itself: what it has not said yet isn't
spoken. Runs on the session's loop.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from typing import Any, Protocol

from pipecat.frames import frames as f
from pipecat.processors.frame_processor import FrameDirection

from piopiy_lab.cassette import seams
from piopiy_lab.cassette.recording import Recording
from piopiy_lab.cassette.tape import Answer, Came
from piopiy_lab.checks.json_values import Record
from piopiy_lab.events.tools import arguments_text
from piopiy_lab.redaction import redact
from piopiy_lab.services.frame_values import plain

TEXT, TOOLS = "_push_llm_text", "run_function_calls"
#: Seconds for which the interruption that had cut an answer off may come later than it did.
CUT_SECS = 0.1

#: A tool's name and arguments.
Call = tuple[str, Any]


@dataclass(frozen=True)
class Held:
    """Something that the live model does."""

    does: str
    args: tuple[Any, ...]
    named: Record


class LiveAnswer:
    """What the live model has answered so far."""

    def __init__(self) -> None:
        """Nothing yet."""
        self.held: list[Held] = []
        self.text = ""  # all of it so far
        self.calls: list[Call] = []  # the tools that it calls
        self.passes = False  # whether nothing is held back any more; written by Comparing
        self._over = False  # whether nothing more comes, or nothing good
        self._more = asyncio.Event()

    def holds(self, does: str, args: tuple[Any, ...], named: Record) -> bool:
        """Take what the live model does; return whether it is held back."""
        if does == TEXT:
            self.text += str(args[0])
        elif does == TOOLS:
            self.calls += [(one.function_name, redact(plain(one.arguments))) for one in args[0]]
        if self.passes:
            return False
        self.held.append(Held(does, args, named))
        self._over = self._over or does.startswith("push_error")
        self._more.set()
        return True

    def end(self, _: object = None) -> None:
        """Nothing more comes."""
        self._over = True
        self._more.set()

    async def begins(self) -> None:
        """Wait until it does anything."""
        while not (self.held or self._over):
            await self._wait()

    async def says(self, text: str) -> bool:
        """Wait until it has said a beginning; return whether it says it."""
        while not self.text.startswith(text):
            if self._over or self.calls or not text.startswith(self.text):
                return False
            await self._wait()
        return True

    async def does_call(self, text: str, calls: list[Call]) -> bool:
        """Wait until it calls tools; return whether it calls these, after this text alone."""
        while not (self.calls or self._over or self.text != text):
            await self._wait()
        return self.text == text and self.calls == calls

    async def ends_with(self, text: str, calls: list[Call]) -> bool:
        """Wait until it is over; return whether this is all."""
        while not self._over and self.text == text and self.calls == calls:
            await self._wait()
        failed = any(one.does.startswith("push_error") for one in self.held)
        return self.text == text and self.calls == calls and not failed

    async def _wait(self) -> None:
        self._more.clear()
        await self._more.wait()


class ComparedPlayer(Protocol):
    """The player of a language model that is also asked live."""

    @property
    def player(self) -> Any:
        """The cassette."""
        ...

    @property
    def service(self) -> Any:
        """The service."""
        ...

    @property
    def live(self) -> dict[str, seams.Method]:
        """The service's own methods."""
        ...

    def now(self) -> float:
        """Return the pipeline's seconds."""
        ...

    async def wait(self, due: float) -> None:
        """Wait for a moment."""
        ...

    async def do(self, came: Came, due: float) -> None:
        """Do again what came, when it is due."""
        ...

    async def do_next(self, came: Came, began: float, frame: f.LLMContextFrame) -> None:
        """Do what came next of an answer."""
        ...

    def let(self, does: str, args: tuple[Any, ...]) -> None:
        """Prepare for something of the live model's that was held back."""
        ...


class Comparing:
    """One answer, recorded and live."""

    def __init__(self, playing: ComparedPlayer, recording: Recording, answer: Answer) -> None:
        """Compare an answer of the cassette's.

        Args:
            playing: What plays it.
            recording: What records the live one.
            answer: The recorded one.
        """
        self.live = LiveAnswer()
        self._playing, self._recording, self._answer = playing, recording, answer
        self._text = ""  # of the recorded answer: what was played of it
        self._calls: list[Call] = []
        self._done: Counter[str] = Counter()  # what was done besides, by kind
        self._left = list(answer.came)  # what was not played
        self._began = playing.now()

    async def run(self, frame: f.LLMContextFrame, direction: FrameDirection) -> None:
        """Answer a context."""
        service = self._playing.service
        asked = service.create_task(self._playing.live["process_frame"](frame, direction))
        asked.add_done_callback(self.live.end)
        try:
            if not await self._alike(frame):
                await self._hand_over()
            await asked
        except asyncio.CancelledError:
            await service.cancel_task(asked)
            if not self.live.passes:
                for came in self._left:
                    if ends_answer(came):
                        await self._playing.do(came, 0.0)
                        self._copy(came)
            raise

    def tell(self) -> None:
        """Say what the live model answers, if that is something else."""
        if self.live.passes:
            tape = _text_of(self._answer), _calls_of(self._answer)
            was, now = _told(*tape), _told(self.live.text, self.live.calls)
            self._playing.player.other_answer(self._answer.turn, was, now)

    async def _alike(self, frame: f.LLMContextFrame) -> bool:
        """Play what is the same in both; return whether that is all of both."""
        await self.live.begins()
        content = [n for n, came in enumerate(self._left) if came.does in (TEXT, TOOLS)]
        last = content[-1] if content else -1
        for number, came in enumerate(self._answer.came):
            if self._answer.cut is not None and came.at >= self._answer.cut:
                # then the interruption ended it, and will again if all is the same
                await self._playing.wait(self._began + self._answer.cut + CUT_SECS)
                return False
            if not await self._agrees(came, beyond=number > last):
                return False
            await self._playing.do_next(came, self._began, frame)
            self._copy(came)
            self._left.pop(0)
            self._note(came)
        if self._answer.cut is not None:
            await self._playing.wait(self._began + self._answer.cut + CUT_SECS)
            return False
        return await self.live.ends_with(self._text, self._calls)

    async def _agrees(self, came: Came, *, beyond: bool) -> bool:
        if came.does == TEXT:
            return await self.live.says(self._text + came.args[0])
        if came.does == TOOLS:
            return await self.live.does_call(self._text, self._calls + _called(came))
        if beyond:  # the end: of both, or of the recorded one only
            return await self.live.ends_with(self._text, self._calls)
        return True

    def _note(self, came: Came) -> None:
        if came.does == TEXT:
            self._text += came.args[0]
        elif came.does == TOOLS:
            self._calls += _called(came)
        else:
            named = came.args[0].get("frame") if came.does == "push_frame" else ""
            self._done[f"{came.does} {named}"] += 1

    def _copy(self, came: Came) -> None:
        self._recording.copy(came, self._playing.now() - self._began)

    async def _hand_over(self) -> None:
        """Do what was held back and is not done yet; nothing is held back from then on."""
        held = self.live.held
        said = len(self._text)  # characters of the live answer that were said already
        while held:
            one = held.pop(0)
            args = one.args
            if one.does == TEXT:
                text = str(args[0])
                args = (text[said:],)
                said = max(0, said - len(text))
                if not args[0]:
                    continue
            elif one.does == TOOLS:
                if self._calls:
                    continue  # the same ones are at work
                self._playing.let(one.does, args)
            else:
                named = type(args[0]).__name__ if one.does == "push_frame" else ""
                key = f"{one.does} {named}"
                if self._done[key]:
                    self._done[key] -= 1
                    continue
            await self._recording.let(one.does, args, one.named)
        self.live.passes = True


def ends_answer(came: Came) -> bool:
    """Whether it ends what was begun of an answer, also of one that is cut off."""
    if came.does == "push_frame":
        return came.args[0].get("frame") == "LLMFullResponseEndFrame"
    return came.does in seams.ENDING


def _called(came: Came) -> list[Call]:
    return [(one["call"], one["arguments"]) for one in came.args[0]]


def _text_of(answer: Answer) -> str:
    return "".join(came.args[0] for came in answer.came if came.does == TEXT)


def _calls_of(answer: Answer) -> list[Call]:
    return [call for came in answer.came if came.does == TOOLS for call in _called(came)]


def _told(text: str, calls: list[Call]) -> str:
    """Return an answer in words."""
    made = [f"{name}({arguments_text(arguments)})" for name, arguments in calls]
    return " ".join([*([repr(text.strip())] if text.strip() else ()), *made]) or "nothing"
