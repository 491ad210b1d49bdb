"""Switching between services while a call runs, without a word cut, lost or said twice.

pipecat's ``ServiceSwitcher`` closes the way *into* the services that aren't active, and switches at
once. So what the old service still gives comes out, and what it still holds is lost. Here a switch
waits for a seam, and what comes late from a service that was switched off is dropped:

- tts: what the old voice was given is heard to its end; what comes after waits, and is the new
  voice's. A mark that travels behind the old voice's audio says when it has been played.
- llm: the answer in progress is ended, with the tools that an interruption would cancel.
- stt: the caller's turn is ended.

An interruption cuts this short, as it cuts the reply. When the active service fails, a failover
switches at once, and the work that was lost is given to the new service: the rest of the reply, the
context that has no answer yet, the caller's utterance so far.

Runs on the session's loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pipecat.frames import frames as f
from pipecat.pipeline.service_switcher import ServiceSwitcher
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor

from piopiy_lab import events
from piopiy_lab.pipeline.work_in_progress import UnsaidWords, Utterance
from piopiy_lab.session.session import Session

_DOWN, _UP = FrameDirection.DOWNSTREAM, FrameDirection.UPSTREAM

#: Seconds without any sign of the old service after which a switch waits for it no longer.
STALL_SECS = 10.0
#: Frames whose ids pipecat's switcher may remember before it is made to forget them; each frame
#: passes within milliseconds, and without this a call's audio would pile up there.
_MOST_SEEN = 4096

#: What only a service itself gives: from one that is not active it comes late.
_OUTPUT: dict[str, tuple[type[f.Frame], ...]] = {
    "stt": (
        f.TranscriptionFrame,
        f.InterimTranscriptionFrame,
        f.TranslationFrame,
        f.EagerTranscriptionFrame,
        f.UserStartedSpeakingFrame,
        f.UserStoppedSpeakingFrame,
        f.ProposedUserStartedSpeakingFrame,
        f.ProposedUserStoppedSpeakingFrame,
    ),
    "llm": (
        f.LLMFullResponseStartFrame,
        f.LLMFullResponseEndFrame,
        f.LLMTextFrame,
        f.TTSAudioRawFrame,
        f.TTSTextFrame,
        f.TTSStartedFrame,
        f.TTSStoppedFrame,
    ),
    "tts": (
        f.TTSAudioRawFrame,
        f.TTSTextFrame,
        f.TTSStartedFrame,
        f.TTSStoppedFrame,
        f.AggregatedTextFrame,
        f.LLMAssistantPushAggregationFrame,
    ),
}


@dataclass
class SwitchRequestFrame(f.ManuallySwitchServiceFrame):
    """A request for a switch, which an interruption does not lose on its way."""

    interruptible: bool = field(default=False, init=False)


@dataclass
class SwitchMark(f.ControlFrame):
    """Travels behind all that the old service was given."""

    interruptible: bool = field(default=False, init=False)
    switch: Any = None


class Switch:
    """One switcher at work in one call."""

    def __init__(
        self, kind: str, switcher: ServiceSwitcher[Any], names: Mapping[str, Any], session: Session
    ) -> None:
        """Take a switcher over.

        Args:
            kind: "stt", "llm" or "tts".
            switcher: The user's switcher, of which this pipeline is the first.
            names: Its services by name.
            session: The call.
        """
        self.kind = kind
        self.switcher = switcher
        self.names = names
        self._name_of = {id(service): name for name, service in names.items()}
        self._session = session
        self._take, self._give = switcher.process_frame, switcher.push_frame
        self._active = self.active
        self._cause = "manual"
        self._wanted: Any = None  # the service of a switch that waits for its seam
        self._held: list[tuple[f.Frame, FrameDirection]] | None = None  # what waits with it
        self._marked = False  # llm: the mark has come out
        self._moved_at = 0.0  # seconds: when the old service last gave a sign
        self._watch: asyncio.Task[None] | None = None
        # llm: it answers; the tools that it runs and an interruption ends; the context that it
        # has not answered; whether the end of its answer is another one's to give.
        self._answering = False
        self._tools: set[str] = set()
        self._unanswered: tuple[f.Frame, FrameDirection] | None = None
        self._drop_end = False
        self._unsaid = UnsaidWords()  # tts
        self._utterance = Utterance()  # stt
        self._wrap()

    @property
    def active(self) -> Any:
        """The service at work."""
        return self.switcher.strategy.active_service

    def name_of(self, service: Any) -> str:
        """Return a service's name in this call."""
        return self._name_of.get(id(service), type(service).__name__)

    # --- the way in and out ------------------------------------------------------------------

    def _wrap(self) -> None:
        switcher, strategy = self.switcher, self.switcher.strategy
        switcher.process_frame = self._process  # type: ignore[method-assign]
        switcher.push_frame = self._push  # type: ignore[method-assign]
        handle_error = strategy.handle_error

        async def handling(error: f.ErrorFrame) -> Any:
            return await self._fail_over(error, handle_error)

        strategy.handle_error = handling

        async def on_switched(_: Any, service: Any) -> None:
            self._note()  # a strategy that switches by itself

        strategy.add_event_handler("on_service_switched", on_switched)
        for service in self.names.values():
            for gate in (service.previous, service.next):
                if isinstance(gate, FrameProcessor):
                    self._guard(gate, service)

    def _guard(self, gate: FrameProcessor, service: Any) -> None:
        """Drop at a gate what a service gives that is not at work."""
        outward = _UP if gate is service.previous else _DOWN
        passing = gate.process_frame

        async def process_frame(frame: f.Frame, direction: FrameDirection) -> None:
            if direction != outward or not self.is_late(service, frame):
                await passing(frame, direction)

        gate.process_frame = process_frame  # type: ignore[method-assign]

    def is_late(self, service: Any, frame: f.Frame) -> bool:
        """Whether a frame is the output of a service that is not at work."""
        if service is self.active or not isinstance(frame, _OUTPUT[self.kind]):
            return False
        # The end of an answer that was begun is owed, unless another model answers instead.
        ends = self.kind == "llm" and isinstance(frame, f.LLMFullResponseEndFrame)
        return not (ends and self._answering and not self._drop_end)

    async def _process(self, frame: f.Frame, direction: FrameDirection) -> None:
        if isinstance(frame, f.ManuallySwitchServiceFrame) and frame.service in self.names.values():
            await self._request(frame.service)
            return
        self._see_input(frame, direction)
        if self._held is not None and self._holds(frame, direction):
            self._held.append((frame, direction))
            return
        await self._take(frame, direction)
        if len(self.switcher._seen_ids) > _MOST_SEEN:
            self.switcher._seen_ids.clear()
        await self._after_input(frame)

    def _holds(self, frame: f.Frame, direction: FrameDirection) -> bool:
        if direction == _UP:
            return self.kind == "llm" and isinstance(frame, f.LLMContextFrame)
        return not isinstance(frame, f.SystemFrame)

    async def _push(self, frame: f.Frame, direction: FrameDirection = _DOWN) -> None:
        self._moved_at = self._session.now()
        if isinstance(frame, SwitchMark) and frame.switch is self and self.kind == "llm":
            self._marked = True
            await self._settle_llm()
            return
        self._see_output(frame, direction)
        await self._give(frame, direction)
        if isinstance(frame, f.InterruptionFrame) and direction == _DOWN:
            await self._interrupted()
        elif self.kind == "llm" and self._wanted is not None:
            await self._settle_llm()

    # --- what is known of the work in progress -----------------------------------------------

    def _see_input(self, frame: f.Frame, direction: FrameDirection) -> None:
        if self.kind == "stt":
            self._utterance.heard(frame)
        elif self.kind == "llm":
            if isinstance(frame, f.LLMContextFrame) and self._held is None:
                self._unanswered = (frame, direction)
                self._drop_end = False
        elif direction == _UP:
            if isinstance(frame, f.BotSpeakingFrame):
                self._moved_at = self._session.now()
        elif self._held is None:
            self._unsaid.given(frame)

    def _see_output(self, frame: f.Frame, direction: FrameDirection) -> None:
        if self.kind == "tts" and direction == _DOWN:
            self._unsaid.came(frame)
        elif self.kind == "llm":
            if isinstance(frame, f.LLMFullResponseStartFrame):
                self._answering = True
            elif isinstance(frame, f.LLMTextFrame | f.FunctionCallsStartedFrame):
                self._unanswered = None
            elif isinstance(frame, f.LLMFullResponseEndFrame):
                self._answering = False
            if isinstance(frame, f.FunctionCallInProgressFrame) and frame.cancel_on_interruption:
                self._tools.add(frame.tool_call_id)
            elif isinstance(frame, f.FunctionCallCancelFrame) or _is_final(frame):
                self._tools.discard(frame.tool_call_id)  # type: ignore[attr-defined]

    # --- a switch, from its request to its seam ----------------------------------------------

    async def _request(self, service: Any) -> None:
        if self._wanted is not None:
            self._wanted = service  # the last wish counts; the seam is the same
            return
        if service is self.active:
            return
        self._wanted = service
        self._moved_at = self._session.now()
        if self.kind == "stt":
            await self._settle_stt()
        elif self.kind == "llm" or not self._unsaid.in_reply:
            await self._drain()
        self._watch = self.switcher.create_task(self._watch_stall())

    async def _after_input(self, frame: f.Frame) -> None:
        if self._wanted is None:
            return
        if self.kind == "stt":
            await self._settle_stt()
        elif self.kind == "tts" and self._held is None and not self._unsaid.in_reply:
            await self._drain()

    async def _drain(self) -> None:
        """Send a mark behind the old service's work; what comes after the mark is held."""
        self._held, self._marked = [], False
        await self._take(SwitchMark(switch=self), _DOWN)

    async def played(self) -> None:
        """Take the news that the mark has left the output: the old voice has been heard."""
        if self._wanted is not None:
            await self._switch()

    async def _settle_llm(self) -> None:
        if self._wanted is not None and self._marked and not self._answering and not self._tools:
            await self._switch()

    async def _settle_stt(self) -> None:
        if self._wanted is not None and not self._utterance:
            await self._switch()

    async def _interrupted(self) -> None:
        """Forget the work that an interruption has ended, and what waited behind it."""
        self._answering = False
        self._unsaid.forget()
        self._unanswered = None
        if self._held is not None:
            self._held = [(frame, d) for frame, d in self._held if not frame.interruptible]
        elif self._wanted is not None and self.kind == "tts":
            await self._drain()
        if self.kind == "llm":
            await self._settle_llm()

    async def _watch_stall(self) -> None:
        while self._wanted is not None:
            if self.kind == "stt":  # a turn ends by itself
                return
            left = self._moved_at + STALL_SECS - self._session.now()
            if left <= 0:
                self._session.notice(
                    f"the {self.kind} {self.name_of(self.active)} did not finish within "
                    f"{STALL_SECS:g} s of its last sign; switched all the same"
                )
                await self._switch()
                return
            await asyncio.sleep(left)

    async def _switch(self) -> None:
        service, self._wanted = self._wanted, None
        await self._take(f.ManuallySwitchServiceFrame(service=service), _DOWN)
        if self.active is not service:
            reason = (
                "it can no longer do its job"
                if not service.is_usable
                else f"{type(self.switcher.strategy).__name__} does not switch on request"
            )
            self._session.notice(f"not switched to {self.name_of(service)}: {reason}")
        self._note()
        await self._release()

    async def _release(self) -> None:
        while self._held:
            frame, direction = self._held.pop(0)
            held, self._held = self._held, None
            self._see_input(frame, direction)
            self._held = held
            await self._take(frame, direction)
        self._held = None

    def _note(self) -> None:
        """Write a switch that has happened into the log."""
        old, new = self._active, self.active
        if new is not old:
            self._active = new
            self._session.log.append(
                events.ServiceSwitched(
                    at=self._session.now(),
                    kind=self.kind,
                    old=self.name_of(old),
                    new=self.name_of(new),
                    cause=self._cause,
                )
            )

    # --- failover ----------------------------------------------------------------------------

    async def _fail_over(self, error: f.ErrorFrame, handle: Callable[..., Any]) -> Any:
        failed = error.processor
        if failed is not None and error.exception is not None and uncaught(error):
            await failed.set_usable(False)  # it raised in our hands: it is not asked again
        self._cause = "failover"
        try:
            switched = await handle(error)
            self._note()
        finally:
            self._cause = "manual"
        if switched is None:
            return None
        self._wanted = None
        if self.kind == "tts":
            await self._say_the_rest(switched)
        elif self.kind == "llm" and self._unanswered is not None:
            self._drop_end = True
            await switched.queue_frame(*self._unanswered)
        elif self.kind == "stt" and self._utterance:
            await self._hear_again(switched)
        await self._release()
        return switched

    async def _say_the_rest(self, service: Any) -> None:
        """Let another voice say what the failed one was given and did not say."""
        if not self._unsaid:
            return
        ended = not self._unsaid.in_reply
        await service.queue_frame(f.LLMFullResponseStartFrame())
        if self._unsaid.text:
            await service.queue_frame(f.LLMTextFrame(self._unsaid.text + ("" if ended else " ")))
        if ended:
            await service.queue_frame(f.LLMFullResponseEndFrame())

    async def _hear_again(self, service: Any) -> None:
        """Give another recogniser the caller's utterance so far."""
        for frame in self._utterance.audio:
            await service.queue_frame(frame)
        if self._utterance.speaking:
            await service.queue_frame(f.VADUserStartedSpeakingFrame())


def _is_final(frame: f.Frame) -> bool:
    """Whether a frame is a tool's last result."""
    return isinstance(frame, f.FunctionCallResultFrame) and (
        frame.properties is None or frame.properties.is_final
    )


def uncaught(error: f.ErrorFrame) -> bool:
    """Whether an error is an exception that a processor let out of its hands."""
    return str(error.error).startswith(("Error processing frame", "Uncaught exception"))
