"""Plays a language model's answers, and compares them with the live ones of another prompt.

Runs on the session's loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

from pipecat.frames import frames as f
from pipecat.processors.frame_processor import FrameDirection

from piopiy_lab.cassette import keys, seams
from piopiy_lab.cassette.comparing import Comparing, ends_answer
from piopiy_lab.cassette.playing import BEYOND_SECS, INSTANT, Player, Playing
from piopiy_lab.cassette.recording import Recording
from piopiy_lab.cassette.tape import Answer, Came
from piopiy_lab.cassette.tool_player import play_tool
from piopiy_lab.checks.json_values import Record


class PlayingLLM(Playing):
    """A language model's answers."""

    def __init__(
        self, player: Player, part: str, service: Any, *, recording: Recording | None = None
    ) -> None:
        """Play them."""
        super().__init__(player, "llm", part, service, recording=recording)
        self._comparing: Comparing | None = None  # of the answer in the making; by _compare()
        if recording is not None:
            recording.gate = self._gate
        register_own_tools(service)
        seams.replace_methods(service, process_frame=self._process_frame)

    def _gate(self, does: str, args: tuple[Any, ...], named: Record) -> Awaitable[None] | None:
        """Return nothing to be done where what the live model does is held back for a while."""
        if self._comparing is not None and self._comparing.live.holds(does, args, named):
            return asyncio.sleep(0)
        self._play_tools(does, args)
        return None

    def _play_tools(self, does: str, args: tuple[Any, ...]) -> None:
        if does == "run_function_calls":
            for call in args[0]:
                play_tool(self, call.function_name)

    async def _process_frame(self, frame: f.Frame, direction: FrameDirection) -> None:
        if not isinstance(frame, f.LLMContextFrame):
            if self.asked_live:
                await self.live["process_frame"](frame, direction)
                return
            await self.process(frame, direction)
            await self.own["push_frame"](frame, direction)
            return
        asked = keys.asked_of_llm(frame.context, seams.instruction_of(self.service))
        answer = self.player.find_llm(self.part, asked)
        if answer is None:
            if self.asked_live:
                await self.live["process_frame"](frame, direction)
        elif self.recording is not None and keys.prompt_difference(asked, answer.asked):
            await self._compare(self.recording, answer, frame, direction)
        else:
            await self.process(frame, direction)
            await self._play(answer, frame)

    async def _play(self, answer: Answer, frame: f.LLMContextFrame) -> None:
        began = self.now()
        left = list(answer.came)
        try:
            while left:
                came = left[0]
                if answer.cut is not None and came.at > answer.cut - INSTANT:
                    await self.wait(began + answer.cut + BEYOND_SECS)  # the interruption ends it
                    break
                await self.do_next(came, began, frame)
                left.pop(0)
        except asyncio.CancelledError:  # the rest stays unsaid, what was begun is ended
            for came in left:
                if ends_answer(came):
                    await self.do(came, 0.0)
            raise
        if answer.cut is not None:
            self.player.beyond_the_cut(answer)
            for came in left:
                await self.do(came, 0.0)

    async def do_next(self, came: Came, began: float, frame: f.LLMContextFrame) -> None:
        """Do what came next of an answer that began at one of the pipeline's seconds."""
        if came.does == "_push_llm_text":
            await asyncio.sleep(0)  # an interruption finds the stream here
        if came.does == "run_function_calls":
            for call in came.args[0]:
                play_tool(self, call["call"])
        await self.do(came, began + came.at, context=frame.context)

    async def _compare(
        self,
        recording: Recording,
        answer: Answer,
        frame: f.LLMContextFrame,
        direction: FrameDirection,
    ) -> None:
        """Play an answer for as long as the live one, asked with another prompt, is the same."""
        comparing = self._comparing = Comparing(self, recording, answer)
        try:
            await comparing.run(frame, direction)
        finally:
            self._comparing = None
            comparing.tell()

    def let(self, does: str, args: tuple[Any, ...]) -> None:
        """Prepare for something of the live model's that was held back."""
        self._play_tools(does, args)


def register_own_tools(service: Any) -> None:
    """Register the tools that a service registers by itself when it runs: the offline ones'."""
    for name, tool in getattr(service, "_own_tools", {}).items():
        if not service.has_function(name):
            service.register_function(name, tool.handler)
