"""Records a realtime model: what it does to its base class, and after which moment of the call.

What it does while it takes a frame is counted from that frame; an answer stays with the moment at
which it began, as long as it is open; all else is counted from the latest moment.

Runs on the session's loop.
"""

from __future__ import annotations

import asyncio
from typing import Any

from pipecat.frames import frames as f
from pipecat.processors.frame_processor import FrameDirection

from piopiy_lab.cassette import keys, seams
from piopiy_lab.cassette.at_work import in_tool
from piopiy_lab.cassette.moments import Moment, Moments
from piopiy_lab.cassette.responses import Response, belongs, is_said
from piopiy_lab.cassette.tools import record_tool
from piopiy_lab.cassette.writing import Deck
from piopiy_lab.checks.json_values import Record
from piopiy_lab.services.error_texts import secrets_of

#: The "method" of a line that says which frames a model does not hand on.
KEEPS = "keeps"


class RecordingRealtime:
    """One realtime model, recorded for its life."""

    def __init__(self, deck: Deck, part: str, service: Any) -> None:
        """Stand between a service and its base class.

        Args:
            deck: Where it is written.
            part: Whose answers they are: "llm", or "llm/anna" of a switcher's.
            service: The service, not running yet.
        """
        self._deck, self._part, self._service = deck, part, service
        self._moments = Moments(deck.script, self._now, deck.call_now)
        self._moments.on_moment = self._on_moment
        self._own_detector = seams.detects_turns(service)
        self._latest = self._setup = Moment("setup", 0, 1, 0.0)  # that is counted from
        line = {"moment": self._setup.key, "own_detector": self._own_detector}
        self._setup.answer = deck.ask("realtime", part, line)
        self._prompted = False  # whether it has its first context; written by _ask()
        self._connected = False  # whether the clock of the connection runs; written by _came()
        self._response = Response()
        self._began: Moment = self._setup  # the moment that the open answer began after
        self._kept: set[str] = set()  # classes of frames that it does not hand on
        self._passing: dict[int, bool] = {}  # ids of frames that it is given now: handed on?
        #: By task: the class of the frame that it was given there, and its moment.
        self._within: dict[object, tuple[str, Moment | None]] = {}
        self._own = {name: getattr(service, name) for name in seams.UPCALLS["realtime"]}
        for name in self._own:
            seams.replace_methods(service, **{name: self._spy(name)})
        self._process = service.process_frame
        self._prepare = service.setup
        seams.replace_methods(service, process_frame=self._process_frame, setup=self._set_up)

    def _now(self) -> float:
        return self._service.get_clock().get_time() / 1e9

    # --- what it is given ---------------------------------------------------------------------

    async def _set_up(self, *args: object) -> None:
        task = asyncio.current_task()
        self._within[task] = "setup", self._setup
        try:
            await self._prepare(*args)
        finally:
            self._within.pop(task, None)

    async def _process_frame(self, frame: f.Frame, direction: FrameDirection) -> None:
        task, name = asyncio.current_task(), type(frame).__name__
        if isinstance(frame, f.InterruptionFrame):
            self._cut()
        moment = self._moments.see(frame, direction)
        self._passing[id(frame)] = False
        self._within[task] = name, moment
        try:
            if moment is not None:
                self._ask(moment, frame)
            await self._process(frame, direction)
        finally:
            self._within.pop(task, None)
            handed_on = self._passing.pop(id(frame), True)
        if not handed_on and name not in self._kept:
            self._kept.add(name)
            assert self._setup.answer is not None
            self._deck.came(self._setup.answer, 0.0, KEEPS, (name,), {})

    def _on_moment(self, moment: Moment) -> None:
        if self._moments.counts(moment, own_detector=self._own_detector):
            self._latest = moment
        if moment.kind in ("utterance", "result"):  # the others are asked with their frame
            self._ask(moment, None)

    def _ask(self, moment: Moment, frame: f.Frame | None) -> None:
        self._deck.turn = self._moments.utterance
        line: Record = {"moment": moment.key}
        if moment.told is not None:
            line["told"] = moment.told
        if isinstance(frame, f.LLMContextFrame) and not self._prompted:
            self._prompted = True
            line |= keys.asked_of_llm(frame.context, seams.instruction_of(self._service))
        moment.answer = self._deck.ask("realtime", self._part, line)

    def _cut(self) -> None:
        """An interruption: what is open is cut off, and what comes is counted from here."""
        if self._response.open and self._began.answer is not None:
            self._deck.end(self._began.answer, cut=self._now() - self._began.began)
        self._response.open.clear()

    # --- what comes ---------------------------------------------------------------------------

    def _spy(self, name: str) -> seams.Method:
        own = self._own[name]

        def call(*args: Any, **named: Any) -> Any:
            frame = args[0] if args else named.get("frame")
            if name == "push_frame" and id(frame) in self._passing:
                self._passing[id(frame)] = True
            elif seams.by_the_service():
                self._came(name, args, named)
            elif isinstance(frame, f.FunctionCallResultFrame) and not _goes_up(args, named):
                self._moments.result(frame)
            return own(*args, **named)

        return call

    def _came(self, name: str, args: tuple[Any, ...], named: Record) -> None:
        given = args[0] if args else named.get("frame")
        frame = type(given).__name__ if isinstance(given, f.Frame) else ""
        made = given if isinstance(given, type) else type(given)
        if issubclass(made, f.Frame) and getattr(f, made.__name__, None) is not made:
            return  # a frame of the provider's own: a play could not make it
        if (tool := in_tool.get()) is not None:
            tool.came(name, args, named)
            return
        args, named = self._as_written(name, args, named)
        if not self._connected:
            self._connected, self._setup.began = True, self._now()
        on, taken = self._within.get(asyncio.current_task(), (None, None))
        goes_on = bool(self._response.open) and belongs(name, frame)
        moment = taken or (self._began if goes_on else self._latest)
        begins = is_said(name, frame) and not goes_on
        if begins:
            self._began = moment
        self._response.see(frame)
        assert moment.answer is not None, "it was asked when it was seen"
        secrets = secrets_of(self._service) if "error" in name else ()
        self._deck.came(
            moment.answer, self._now() - moment.began, name, args, named,
            began=moment.began, timed=True, secrets=secrets,
            on=on, begins=begins,
        )  # fmt: skip
        if name == "broadcast_interruption":
            self._cut()

    def _as_written(
        self, name: str, args: tuple[Any, ...], named: Record
    ) -> tuple[tuple[Any, ...], Record]:
        """Return what a method was given, as a line holds it."""
        if name == "run_function_calls":
            for call in args[0]:
                record_tool(self._deck, self._part, self._service, call.function_name)
        if name == "push_frame":
            return args[:1] or (named["frame"],), {"up": True} if _goes_up(args, named) else {}
        if name == "push_error" and args:
            named, args = {"error_msg": args[0], **named}, ()
        if name == "push_error" and named.get("category") is None:
            error = named.get("exception")
            if isinstance(error, Exception):
                named = {**named, "category": seams.category_of(self._service, error)}
        return args, named


def _goes_up(args: tuple[Any, ...], named: Record) -> bool:
    return FrameDirection.UPSTREAM in (*args[1:], named.get("direction"))
