"""Plays one service: does to its base class what it did when it was recorded.

The service's own instance stays, so its settings, its sentences and its tools do; what reaches for
its provider does not run. Runs on the session's loop.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncGenerator, Iterable
from typing import Any, Protocol

from pipecat.frames import frames as f
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.frame_processor import FrameDirection

from piopiy_lab.cassette import seams
from piopiy_lab.cassette.recording import Recording
from piopiy_lab.cassette.tape import Answer, Came
from piopiy_lab.cassette.utterances import EDGES, Mark, Utterances
from piopiy_lab.cassette.values import Unpacking
from piopiy_lab.cassette.writing import Deck
from piopiy_lab.checks.json_values import Record
from piopiy_lab.events.values import ServiceKind
from piopiy_lab.screenplay.spoken_words import Script

#: Seconds that are no time at all: the rounding of a clock, not a wait.
INSTANT = 1e-9
#: Seconds that an edge of speech may come beside its recorded time.
EDGE_SECS = 0.05
#: Seconds that the detector's stop may come beside its recorded time: what was recognised then
#: keeps to it. A sound card gives its sound in pieces of tens of ms.
STOP_SECS = 0.1
#: Seconds that the interruption of an answer may come later than it did.
BEYOND_SECS = 0.5


class Player(Protocol):
    """The cassette that is played, as its services see it."""

    script: Script
    deck: Deck | None

    @property
    def by_detector(self) -> bool:
        """Whether recognition hangs on the detector's starts of speech."""
        ...

    def call_now(self) -> float:
        """Return the call's seconds."""
        ...

    def sound(self, place: list[int]) -> bytes:
        """Return samples."""
        ...

    def find_start(self, part: str) -> Answer | None:
        """Return what came before anything was asked; None of most."""
        ...

    def find_llm(self, part: str, asked: Record) -> Answer | None:
        """Return the answer to messages; None after a miss."""
        ...

    def find_tts(self, part: str, text: str, settings: dict[str, str]) -> Answer | None:
        """Return what was spoken for a text; None after a miss."""
        ...

    def computes(self, kind: ServiceKind) -> None:
        """Say, once, which services of a kind computed when what is played was recorded."""
        ...

    def has_words(self, part: str) -> bool:
        """Whether a voice's words have times in any of its answers, or it has no answers."""
        ...

    def find_stt(self, part: str, mark: Mark) -> Answer | None:
        """Return what was recognised after a mark; None after a miss."""
        ...

    def prompt_changed(self, changed: list[str]) -> None:
        """Take note of a prompt that is not the recorded one, once."""
        ...

    def other_answer(self, turn: int, recorded: str, now: str) -> None:
        """Take note of what the live model answers in the place of a recorded answer."""
        ...

    def find_tool(self, part: str, asked: Record) -> Answer | None:
        """Return what a tool did; None after a miss."""
        ...

    def beyond_the_cut(self, answer: Answer) -> None:
        """Take note of an answer that was cut off when it was recorded, and isn't now."""
        ...


class Playing:
    """What the players of all kinds have in common."""

    def __init__(
        self,
        player: Player,
        kind: str,
        part: str,
        service: Any,
        *,
        recording: Recording | None = None,
    ) -> None:
        """Cut a service off, and stand in its provider's place.

        Args:
            player: The cassette.
            kind: "stt", "llm" or "tts".
            part: Whose answers are played: "llm", or "llm/anna" of a switcher's.
            service: The service, not running yet.
            recording: What records the service where it is asked what is not there; None where
                nobody is asked.
        """
        self.player: Player = player
        self.part: str = part
        self.service: Any = service
        self.recording: Recording | None = recording
        self.asked_live: bool = recording is not None  # what is not there
        self.live: dict[str, seams.Method] = {}  # methods that ask the service; recorded
        if self.asked_live:
            names = ("process_frame", "run_tts", "run_stt", "on_audio_context_interrupted")
            self.live = {n: getattr(service, n) for n in names if hasattr(service, n)}
            self.process: seams.Method = seams.base_method(service, kind, "process_frame")
        else:
            seams.cut_off(service, kind)
            self.process = service.process_frame
        self.own: dict[str, seams.Method] = {
            name: getattr(service, name) for name in seams.UPCALLS[kind]
        }
        self._first = player.find_start(part)
        if self._first is not None and not self.asked_live:
            for stage in ("setup", "start"):
                seams.replace_methods(service, **{stage: self._begins(stage, self._first.came)})

    def _begins(self, stage: str, came: list[Came]) -> seams.Method:
        own = getattr(self.service, stage)

        async def begin(*args: object) -> None:
            await own(*args)
            for one in came:
                if one.on == stage:
                    await self.do(one, 0.0)
            later = [one for one in came if one.on is None]
            if stage == "start" and later:
                self.service.create_task(self._later(later, self.now()))

        return begin

    async def _later(self, came: list[Came], began: float) -> None:
        for one in came:
            await self.do(one, began + one.at)

    def now(self) -> float:
        """Return the pipeline's seconds."""
        return self.service.get_clock().get_time() / 1e9

    async def wait(self, due: float) -> None:
        """Wait for a moment."""
        if due > self.now() + INSTANT:
            await asyncio.sleep(due - self.now())

    async def do(
        self,
        came: Came,
        due: float,
        *,
        began: float = 0.0,
        context_id: str | None = None,
        context: LLMContext | None = None,
    ) -> None:
        """Do again what came, when it is due."""
        await self.wait(due)
        unpacking = Unpacking(self.player.sound, began, context_id, context)
        args = [unpacking.unpack(one) for one in came.args]
        named = {name: unpacking.unpack(one) for name, one in came.named.items()}
        done = self.own[came.does](*args, **named)
        if inspect.isawaitable(done):
            await done


class PlayingSTT(Playing):
    """What a recogniser understood."""

    def __init__(
        self, player: Player, part: str, service: Any, *, recording: Recording | None = None
    ) -> None:
        """Play it."""
        super().__init__(player, "stt", part, service, recording=recording)
        self._hears = False  # whether the service hears from here on; written by _on_mark()
        self._inside: list[tuple[float, float, Came]] = []  # due, mark's time, what; in order
        self._utterances = Utterances(player.script, self.now, player.call_now)
        self._utterances.on_mark = self._on_mark
        self._utterances.by_detector = player.by_detector
        self._edges: dict[str, float] = {}  # when the latest of each was taken
        self._edge = asyncio.Event()  # another one was
        seams.replace_methods(service, process_frame=self._process_frame, run_stt=self._run_stt)

    def _on_mark(self, mark: Mark) -> None:
        answer = self.player.find_stt(self.part, mark)
        if answer is None:
            self._hears = self._hears or (self.asked_live and mark.number > 0)
            return
        beside: list[Came] = []
        for came in answer.came:
            if came.inside:
                self._inside.append((mark.began + came.at, mark.began, came))
            else:
                beside.append(came)
        if beside:
            self.service.create_task(self._beside(beside, mark.began))

    async def _beside(self, came: Iterable[Came], began: float) -> None:
        for one in came:
            due = began + one.at
            if one.stop is not None:
                due += await self._stop_moved(began + one.stop)
            if one.on is not None:
                await self._after_edge(one.on, due)
            await self.wait(due)
            self.player.computes("stt")
            await self.do(one, due, began=began)

    async def _after_edge(self, on: str, due: float) -> None:
        """Wait until the service has taken the edge of speech that it answered at, or was to."""
        await self.wait(due)
        while self._edges.get(on, 0.0) < due - EDGE_SECS and self.now() < due + EDGE_SECS:
            self._edge.clear()
            try:
                async with asyncio.timeout(due + EDGE_SECS - self.now()):
                    await self._edge.wait()
            except TimeoutError:
                return

    async def _stop_moved(self, expected: float) -> float:
        """Return by how many seconds the detector's stop is later than it was; waits for it."""
        name = f.VADUserStoppedSpeakingFrame.__name__
        while self._edges.get(name, 0.0) < expected - STOP_SECS:
            if self.now() >= expected + STOP_SECS - INSTANT:
                return 0.0
            self._edge.clear()
            try:
                async with asyncio.timeout(expected + STOP_SECS - self.now()):
                    await self._edge.wait()
            except TimeoutError:
                return 0.0
        moved = self._edges[name] - expected
        return moved if moved < STOP_SECS else 0.0

    async def _process_frame(self, frame: f.Frame, direction: FrameDirection) -> None:
        self._utterances.see(frame)
        await (self.live["process_frame"] if self._hears else self.process)(frame, direction)
        if isinstance(frame, EDGES):
            self._edges[type(frame).__name__] = self.now()
            self._edge.set()

    async def _run_stt(self, audio: bytes) -> AsyncGenerator[f.Frame | None, None]:
        while self._inside and self._inside[0][0] <= self.now() + INSTANT:
            _, began, came = self._inside.pop(0)
            self.player.computes("stt")
            yield Unpacking(self.player.sound, began).unpack(came.args[0])
        if self._hears:
            async for frame in self.live["run_stt"](audio):
                yield frame
