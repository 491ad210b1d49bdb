"""Plays a realtime model: does to its base class what it did, after the same moments of the call.

An interruption cuts off what is being said where it comes: the rest stays unsaid, and what was
begun is ended. Runs on the session's loop.
"""

from __future__ import annotations

import asyncio
import inspect
from dataclasses import dataclass, field
from typing import Any, Protocol

from pipecat.frames import frames as f
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.frame_processor import FrameDirection

from piopiy_lab.cassette import keys, seams
from piopiy_lab.cassette.llm_playing import register_own_tools
from piopiy_lab.cassette.moments import Moment, Moments
from piopiy_lab.cassette.playing import BEYOND_SECS, INSTANT, Player
from piopiy_lab.cassette.realtime_recording import KEEPS
from piopiy_lab.cassette.realtime_tape import RealtimeTape
from piopiy_lab.cassette.responses import Response, ends, is_said
from piopiy_lab.cassette.tape import Answer, Came
from piopiy_lab.cassette.tool_player import play_tool
from piopiy_lab.cassette.values import Unpacking


class RealtimePlayer(Player, Protocol):
    """The cassette that is played, as a realtime model sees it."""

    turn: int

    def prompt_changed(self, changed: list[str]) -> None:
        """Take note of another prompt than the recorded one."""
        ...


@dataclass
class Run:
    """What came after one moment, while it comes again.

    Attributes:
        answer: What is played.
        moment: After what.
        responses: By the place in ``came``: the response that it belongs to, 0 of none.
        cuts: By response: set when it is interrupted, and what is not said yet stays unsaid.
        speaking: The response that is being said, 0 before; written as it is played.
        task: Plays what nothing that the model is given brings about.
    """

    answer: Answer
    moment: Moment
    responses: list[int] = field(default_factory=list[int])
    cuts: list[asyncio.Event] = field(default_factory=list[asyncio.Event])
    speaking: int = 0
    task: asyncio.Task[None] | None = None

    def __post_init__(self) -> None:
        response = 0
        for came in self.answer.came:
            response += came.begins
            self.responses.append(response)
        self.cuts.extend(asyncio.Event() for _ in range(response + 1))

    def cut_off(self, *, unsaid: bool) -> None:
        """Cut off what is being said, and what is not said yet, if ``unsaid``."""
        for number, cut in enumerate(self.cuts):
            if number and (unsaid or number == self.speaking):
                cut.set()


class PlayingRealtime:
    """One realtime model, played for its life."""

    def __init__(self, player: RealtimePlayer, part: str, service: Any, tape: RealtimeTape) -> None:
        """Cut a service off, and stand in its provider's place.

        Args:
            player: The cassette.
            part: Whose answers are played: "llm", or "llm/anna" of a switcher's.
            service: The service, not running yet.
            tape: Its answers.
        """
        self.player: RealtimePlayer = player
        self.part: str = part
        self.service: Any = service
        seams.cut_off(service, "realtime")
        self.own: dict[str, seams.Method] = {
            name: seams.base_method(service, "realtime", name) for name in seams.UPCALLS["realtime"]
        }
        self._tape = tape
        self._process: seams.Method = service.process_frame
        self._prepare: seams.Method = service.setup
        self._moments = Moments(player.script, self.now, player.call_now)
        self._moments.by_detector = not tape.has_acts
        self._moments.on_moment = self._begin
        self._runs: list[Run] = []
        self._waiting: list[tuple[float, Run, int]] = []  # for a frame that is no moment
        self._response = Response()
        self._context: LLMContext | None = None  # the model's; written by _process_frame()
        setup = Moment("setup", 0, 1, 0.0)
        found = tape.find(setup)
        self._setup: Run | None = None if found is None else Run(found, setup)
        came = [] if found is None else found.came
        self._keeps: set[str] = {one.args[0] for one in came if one.does == KEEPS}
        register_own_tools(service)
        seams.replace_methods(
            service,
            setup=self._set_up,
            process_frame=self._process_frame,
            push_frame=self._push_frame,
        )

    def now(self) -> float:
        """Return the pipeline's seconds."""
        return self.service.get_clock().get_time() / 1e9

    async def wait(self, due: float) -> None:
        """Wait for a moment."""
        if due > self.now() + INSTANT:
            await asyncio.sleep(due - self.now())

    # --- what the model is given ------------------------------------------------------------

    async def _set_up(self, *args: object) -> None:
        await self._prepare(*args)
        if (run := self._setup) is not None:
            run.moment.began = self.now()
            await self._inline(run, "setup")
            self._play_beside(run, "setup")

    async def _process_frame(self, frame: f.Frame, direction: FrameDirection) -> None:
        name = type(frame).__name__
        if isinstance(frame, f.LLMContextFrame):
            self._context = frame.context
        if isinstance(frame, f.InterruptionFrame):
            self._cut()
        moment = self._moments.see(frame, direction)
        run = next((run for run in reversed(self._runs) if run.moment is moment), None)
        await self._process(frame, direction)
        if isinstance(frame, f.LLMContextFrame) and run is not None and "said" in run.answer.asked:
            asked = keys.asked_of_llm(frame.context, seams.instruction_of(self.service))
            self.player.prompt_changed(self._tape.compare(asked, run.answer))
        if run is not None:
            await self._inline(run, name)
            self._play_beside(run, name)
        elif moment is not None and moment.kind == "interruption":
            await self._end_what_is_open()
        await self._play_within(name)
        if isinstance(frame, f.EndFrame):
            if name in self._keeps:  # the model let its answer be heard to the end first
                await asyncio.gather(*(run.task for run in self._runs if run.task is not None))
        elif name in self._keeps:
            return
        await self.own["push_frame"](frame, direction)

    async def _push_frame(
        self, frame: f.Frame, direction: FrameDirection = FrameDirection.DOWNSTREAM
    ) -> None:
        if isinstance(frame, f.FunctionCallResultFrame) and direction == FrameDirection.DOWNSTREAM:
            self._moments.result(frame)
        await self.own["push_frame"](frame, direction)

    def _begin(self, moment: Moment) -> None:
        self.player.turn = self._moments.utterance
        answer = self._tape.find(moment)
        if answer is None:
            return
        self._runs = [run for run in self._runs if run.task is None or not run.task.done()]
        run = Run(answer, moment)
        self._runs.append(run)
        if moment.kind in ("utterance", "result"):  # the others go on when they are taken
            self._play_beside(run, None)

    # --- what comes of it ---------------------------------------------------------------------

    async def _inline(self, run: Run, name: str) -> None:
        """Play what came while the model took the moment's own frame."""
        for place, came in enumerate(run.answer.came):
            if came.on == name:
                await self._do(run, place)

    def _play_beside(self, run: Run, name: str | None) -> None:
        """Play the rest: with frames that are no moments, and by itself."""
        beside: list[int] = []
        for place, came in enumerate(run.answer.came):
            if came.does == KEEPS or (came.on is not None and came.on == name):
                continue
            if came.on == "InputAudioRawFrame":
                self._waiting.append((run.moment.began + came.at, run, place))
            else:
                beside.append(place)
        self._waiting.sort(key=lambda one: one[0])
        if beside or run.answer.cut is not None:
            run.task = self.service.create_task(self._beside(run, beside))

    async def _play_within(self, name: str) -> None:
        if name != "InputAudioRawFrame":
            return
        while self._waiting and self._waiting[0][0] <= self.now() + INSTANT:
            _, run, place = self._waiting.pop(0)
            await self._do(run, place)

    async def _beside(self, run: Run, beside: list[int]) -> None:
        for place in beside:
            await self._do(run, place)
        if run.answer.cut is None:
            return
        cut = run.cuts[-1]
        await self._wait_or_cut(cut, run.moment.began + run.answer.cut + BEYOND_SECS)
        if not cut.is_set():
            self._tape.beyond_the_cut(run.moment)
            await self._end_what_is_open()

    async def _wait_or_cut(self, cut: asyncio.Event, due: float) -> None:
        if due <= self.now() + INSTANT or cut.is_set():
            return
        try:
            async with asyncio.timeout(due - self.now()):
                await cut.wait()
        except TimeoutError:
            return

    async def _do(self, run: Run, place: int) -> None:
        """Do again what came, when it is due; not what an interruption leaves unsaid."""
        came, response = run.answer.came[place], run.responses[place]
        due, frame, cut = run.moment.began + came.at, _frame_of(came), run.cuts[response]
        said, ending = is_said(came.does, frame), ends(came.does, frame)
        if said or ending:
            await self._wait_or_cut(cut, due)
            if cut.is_set() and (not ending or self._response.lacks(frame)):
                return
        else:
            await self.wait(due)
        if came.does == "run_function_calls":
            for call in came.args[0]:
                play_tool(self, call["call"])
        if came.does == "broadcast_interruption":
            self._cut()
        run.speaking = response if said else run.speaking
        self._response.see(frame)
        unpacking = Unpacking(
            self.player.sound, run.moment.began, None, self._context, self.service.name
        )
        args = [unpacking.unpack(one) for one in came.args]
        named = {name: unpacking.unpack(one) for name, one in came.named.items()}
        if named.pop("up", False):
            named["direction"] = FrameDirection.UPSTREAM
        done = self.own[came.does](*args, **named)
        if inspect.isawaitable(done):
            await done

    def _cut(self) -> None:
        """Cut off what is being said, and what was to be said to an earlier utterance."""
        for run in self._runs:
            run.cut_off(unsaid=run.moment.began < self._moments.utterance_began)

    async def _end_what_is_open(self) -> None:
        for frame in self._response.close():
            await self.own["push_frame"](getattr(f, frame)())


def _frame_of(came: Came) -> str:
    first = came.args[0] if came.args else None
    return str(first.get("frame", "")) if isinstance(first, dict) else ""
