"""Records one service: what it is asked, and what it does to its base class then.

Runs on the session's loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from pipecat.frames import frames as f
from pipecat.processors.frame_processor import FrameDirection

from piopiy_lab.cassette import keys, seams
from piopiy_lab.cassette.at_work import in_tool
from piopiy_lab.cassette.tape import Came
from piopiy_lab.cassette.tools import record_tool
from piopiy_lab.cassette.utterances import EDGES, Utterances
from piopiy_lab.cassette.writing import Deck
from piopiy_lab.checks.json_values import Record
from piopiy_lab.services.error_texts import secrets_of


@dataclass
class Spoken:
    """What a voice speaks in one audio context.

    Attributes:
        number: Of its answer on the cassette.
        began: The pipeline's seconds of each text.
        task: That is within ``run_tts`` now.
    """

    number: int
    began: list[float] = field(default_factory=list[float])
    task: object = None


class Recording:
    """One service, recorded for its life."""

    def __init__(
        self, deck: Deck, kind: str, part: str, service: Any, *, adding: bool = False
    ) -> None:
        """Stand between a service and its base class.

        Args:
            deck: Where it is written.
            kind: "stt", "llm" or "tts".
            part: Whose answers they are: "llm", or "llm/anna" of a switcher's.
            service: The service, not running yet.
            adding: Whether it is asked only what is not on the cassette.
        """
        self._adding = adding
        self._deck, self._kind, self._part, self._service = deck, kind, part, service
        self._answer: int | None = None  # of a language model: the one in the making
        self._asked_at = 0.0
        self._spoken: dict[str, Spoken] = {}  # by audio context
        self._begun: int | None = None  # of what came before anything was asked
        self._begun_at = 0.0
        self._stage: tuple[object, str] | None = None  # the task that is within setup or start
        self._passing: set[int] = set()  # ids of the frames that the service is given now
        self._on: tuple[object, str] | None = None  # the task with an edge of speech, and which
        self._stopped = 0.0  # the pipeline's seconds at which the detector said it last
        self._utterances = (
            Utterances(deck.script, self._now, deck.call_now) if kind == "stt" else None
        )
        #: Asked of all that the service does: what is done in its place, and recorded there; None
        #: for most. Set by its player.
        self.gate: Callable[[str, tuple[Any, ...], Record], Awaitable[None] | None]
        self.gate = lambda *_: None
        self._own = {name: getattr(service, name) for name in seams.UPCALLS[kind]}
        for name in self._own:
            seams.replace_methods(service, **{name: self._spy(name)})
        getattr(self, f"_record_{kind}")()
        for stage in ("setup", "start"):
            seams.replace_methods(service, **{stage: self._begins(stage)})

    def _now(self) -> float:
        return self._service.get_clock().get_time() / 1e9

    def _begins(self, stage: str) -> seams.Method:
        own = getattr(self._service, stage)

        async def begin(*args: object) -> None:
            self._stage = asyncio.current_task(), stage
            try:
                await own(*args)
            finally:
                self._stage = None

        return begin

    # --- what comes ---------------------------------------------------------------------------

    def _spy(self, name: str) -> seams.Method:
        own = self._own[name]

        def call(*args: Any, **named: Any) -> Any:
            if seams.by_the_service() and not (args and id(args[0]) in self._passing):
                if (instead := self.gate(name, args, named)) is not None:
                    return instead
                self._came(name, args, named)
            return own(*args, **named)

        return call

    async def let(
        self, name: str, args: tuple[Any, ...], named: Record, doing: tuple[Any, ...] | None = None
    ) -> None:
        """Record what the gate has held back, and do it; or do it with other arguments."""
        self._came(name, args, named)
        await self._own[name](*(args if doing is None else doing), **named)

    def copy(self, came: Came, at: float) -> None:
        """Record something of a recorded answer, as a part of the one that is recorded."""
        assert self._answer is not None, "something is asked"
        self._deck.copy(self._answer, came, at)

    def _came(self, name: str, args: tuple[Any, ...], named: Record, inside: bool = False) -> None:
        if name == "push_frame":
            args, named = args[:1], {}
        if name == "run_function_calls":
            for call in () if self._adding else args[0]:
                record_tool(self._deck, self._part, self._service, call.function_name)
        if name == "push_error" and args:
            named = {"error_msg": args[0], **named}  # the others go by name
            args = ()
        if name == "push_error" and named.get("category") is None:
            error = named.get("exception")
            if isinstance(error, Exception):
                named = {**named, "category": seams.category_of(self._service, error)}
        if (tool := in_tool.get()) is not None:
            tool.came(name, args, named)
            return
        if self._is_beginning and self._adding:
            return  # what came of its connection is on the cassette, or was not missed
        if self._is_beginning:
            self._came_first(name, args, named)
        elif self._kind == "tts":
            self._came_of_voice(name, args, named, inside)
        elif self._kind == "stt":
            number, began = self._utterance()
            task, on = self._on or (None, None)
            self._write(
                number, self._now() - began, name, args, named, inside=inside, began=began,
                on=on if task is asyncio.current_task() else None, stop=self._stop_since(began),
            )  # fmt: skip
        elif self._answer is not None:
            self._write(self._answer, self._now() - self._asked_at, name, args, named)

    def _write(self, number: int, at: float, name: str, args: Any, named: Any, **more: Any) -> None:
        secrets = secrets_of(self._service) if "error" in name else ()
        self._deck.came(number, at, name, args, named, secrets=secrets, **more)

    @property
    def _is_beginning(self) -> bool:
        """Whether nothing was asked yet."""
        if self._kind == "stt":
            assert self._utterances is not None
            return not self._utterances.heard
        return not self._spoken if self._kind == "tts" else self._answer is None

    def _came_first(self, name: str, args: tuple[Any, ...], named: Record) -> None:
        """Write what came before anything was asked: of a connection that fails, say."""
        if self._begun is None:
            self._begun, self._begun_at = self._deck.ask("start", self._part, {}), self._now()
        task, stage = self._stage or (None, None)
        self._write(
            self._begun, self._now() - self._begun_at, name, args, named,
            on=stage if task is asyncio.current_task() else None,
        )  # fmt: skip

    def _came_of_voice(self, name: str, args: tuple[Any, ...], named: Record, inside: bool) -> None:
        known = (v for v in (*args, *named.values()) if isinstance(v, str) and v in self._spoken)
        framed = (getattr(v, "context_id", None) for v in args)
        contexts = [*known, *(c for c in framed if c in self._spoken), [*self._spoken][-1]]
        context_id = contexts[0]
        spoken = self._spoken[context_id]
        inside = inside or (spoken.task is not None and spoken.task is asyncio.current_task())
        text = len(spoken.began) - 1
        self._write(
            spoken.number, self._now() - spoken.began[-1], name, args, named,
            inside=inside, text=text, context_id=context_id,
        )  # fmt: skip

    # --- what is asked ------------------------------------------------------------------------

    def _utterance(self) -> tuple[int, float]:
        """Return the answer of the caller's latest act, and when that began."""
        assert self._utterances is not None
        mark = self._utterances.latest
        if mark.answer is None:
            line = {"act" if mark.act else "sound": mark.number, "text": mark.text}
            mark.answer = self._deck.ask("stt", self._part, line)
        return mark.answer, mark.began

    def _stop_since(self, began: float) -> float | None:
        """Return how long after the detector's start its stop came; None of a caller's own acts."""
        assert self._utterances is not None
        by_detector = self._utterances.latest.number and not self._utterances.latest.act
        return self._stopped - began if by_detector and self._stopped > began else None

    def _record_stt(self) -> None:
        service, process, hear = self._service, self._service.process_frame, self._service.run_stt
        utterances = self._utterances
        assert utterances is not None
        if not self._adding:
            utterances.on_mark = lambda mark: mark.number and self._utterance()

        async def process_frame(frame: f.Frame, direction: FrameDirection) -> None:
            utterances.see(frame)
            if utterances.heard and utterances.latest.answer is None and not self._adding:
                self._utterance()
            if isinstance(frame, EDGES):
                self._on = asyncio.current_task(), type(frame).__name__
            if isinstance(frame, f.VADUserStoppedSpeakingFrame):
                self._stopped = self._now()
            try:
                with _Passing(self._passing, frame):
                    await process(frame, direction)
            finally:
                if isinstance(frame, EDGES):
                    self._on = None

        async def run_stt(audio: bytes) -> AsyncGenerator[f.Frame | None, None]:
            async for frame in hear(audio):
                if frame is not None:
                    self._came("yield", (frame,), {}, inside=True)
                yield frame

        seams.replace_methods(service, process_frame=process_frame, run_stt=run_stt)

    def _record_llm(self) -> None:
        service, process = self._service, self._service.process_frame

        async def process_frame(frame: f.Frame, direction: FrameDirection) -> None:
            if not isinstance(frame, f.LLMContextFrame):
                with _Passing(self._passing, frame):
                    await process(frame, direction)
                return
            asked = keys.asked_of_llm(frame.context, seams.instruction_of(service))
            self._answer, self._asked_at = self._deck.ask_llm(self._part, asked), self._now()
            try:
                await process(frame, direction)
            except asyncio.CancelledError:
                self._deck.end(self._answer, cut=self._now() - self._asked_at)
                raise
            self._deck.end(self._answer)

        seams.replace_methods(service, process_frame=process_frame)

    def _record_tts(self) -> None:
        service, process = self._service, self._service.process_frame
        speak, interrupted = service.run_tts, service.on_audio_context_interrupted

        async def process_frame(frame: f.Frame, direction: FrameDirection) -> None:
            with _Passing(self._passing, frame):
                await process(frame, direction)

        async def run_tts(text: str, context_id: str) -> AsyncGenerator[f.Frame | None, None]:
            spoken = self._spoken.get(context_id)
            if spoken is None:
                line = {"settings": voice_of(service)}
                number = self._deck.ask("tts", self._part, line)
                spoken = self._spoken[context_id] = Spoken(number)
            spoken.began.append(self._now())
            self._deck.says(spoken.number, text)
            spoken.task = asyncio.current_task()
            try:
                async for frame in speak(text, context_id):
                    if frame is not None:
                        self._came_of_voice("yield", (frame,), {}, inside=True)
                    yield frame
            finally:
                spoken.task = None

        async def on_audio_context_interrupted(context_id: str) -> None:
            if (spoken := self._spoken.get(context_id)) is not None:
                self._deck.end(spoken.number, cut=self._now() - spoken.began[0])
            await interrupted(context_id)

        seams.replace_methods(
            service,
            process_frame=process_frame,
            run_tts=run_tts,
            on_audio_context_interrupted=on_audio_context_interrupted,
        )


def voice_of(service: object) -> dict[str, str]:
    """Return the settings that a voice's sound depends on."""
    given = seams.settings_of(service)
    return {name: str(given[name]) for name in keys.OF_VOICE if given.get(name) is not None}


class _Passing:
    """While a frame is with the service, handing it on is no answer."""

    def __init__(self, passing: set[int], frame: f.Frame) -> None:
        self._passing, self._frame = passing, frame

    def __enter__(self) -> None:
        self._passing.add(id(self._frame))

    def __exit__(self, *_: object) -> None:
        self._passing.discard(id(self._frame))
