"""The desks: a sound one, and ten with one planted fault each."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, get_args

from pipecat.adapters.llm.schemas.function_schema import FunctionSchema
from pipecat.services.llm_service import FunctionCallParams

from piopiy_lab.bench.broken import faults, rules
from piopiy_lab.offline import booking
from piopiy_lab.offline.llm import RuleLLMService
from piopiy_lab.offline.tts import EspeakTTSService
from piopiy_lab.simulation.screenplay_stt import ScreenplaySTTService
from piopiy_lab.tools import end_call
from piopiy_lab.transports.telecmi import TelecmiParams
from piopiy_lab.voice_agent import VoiceAgent

#: What is wrong with a desk.
Fault = Literal[
    "talks over",
    "ignores interruptions",
    "yields to mm hmm",
    "dead air",
    "wrong digit",
    "books unasked",
    "books twice",
    "cuts off in a pause",
    "answers noise",
    "never ends",
]
FAULTS: tuple[Fault, ...] = get_args(Fault)
#: The name of the desk without a fault.
SOUND = "sound"
#: Seconds of silence before the desks take a turn for over: their callers stop to think.
STOP_SECS = 0.8
#: Seconds that the slow desk's book takes.
SLOW_SECS = 7.0


async def book_slowly(params: FunctionCallParams) -> None:
    """Book a table, after a long time in which nothing is said."""
    await asyncio.sleep(SLOW_SECS)
    await booking.book_table(params)


@dataclass(frozen=True)
class Desk:
    """A session callback: a booking desk, with one fault or none.

    Attributes:
        fault: What is wrong with it; None for nothing.
    """

    fault: Fault | None = None

    @property
    def __name__(self) -> str:
        """What reports call it."""
        return self.fault or SOUND

    async def __call__(self, call_id: str) -> None:
        """Run the desk."""
        desk = booking.booking_desk()
        agent = VoiceAgent(
            instructions=desk.instructions, greeting=desk.greeting, tools=[self._book(), end_call]
        )
        await agent.Action(
            **{
                "stt": ScreenplaySTTService(),
                "llm": RuleLLMService(self._rules()),
                "tts": EspeakTTSService(),
                "vad": {"stop_secs": STOP_SECS},
                "hold_backchannels": True,
                **self._parts(),
            }
        )
        await agent.start()

    def _book(self) -> FunctionSchema:
        (tool,) = booking.booking_desk().tools
        if self.fault != "dead air":
            return tool
        return FunctionSchema(
            name=tool.name,
            description=tool.description,
            properties=tool.properties,
            required=tool.required,
            handler=book_slowly,
        )

    def _rules(self) -> rules.DeskBook:
        match self.fault:
            case "wrong digit":
                return rules.DeskBook(yes=rules.misreads)
            case "books unasked":
                return rules.DeskBook(details=rules.books_at_once)
            case "books twice":
                return rules.DeskBook(twice=True)
            case "never ends":
                return rules.DeskBook(ends=False)
            case _:
                return rules.DeskBook()

    def _parts(self) -> dict[str, Any]:
        """Return what ``Action`` is given otherwise."""
        match self.fault:
            case "talks over":
                return {
                    "stt": faults.HastyRecogniser(),
                    "turn_strategies": faults.hasty_turns(),
                    "hold_backchannels": None,
                }
            case "ignores interruptions":
                return {"allow_interruptions": False, "hold_backchannels": None}
            case "yields to mm hmm":
                return {"hold_backchannels": False}
            case "cuts off in a pause":
                return {
                    "vad": {"stop_secs": 0.2},
                    "telecmi_params": TelecmiParams(turn_analyzer=faults.AlwaysComplete()),
                }
            case "answers noise":
                return {
                    "stt": faults.InventingRecogniser(),
                    "vad": faults.LoudnessDetector(STOP_SECS),
                }
            case _:
                return {}


#: All of them, by what is wrong; "sound" is the one without a fault.
DESKS: Mapping[str, Desk] = MappingProxyType(
    {SOUND: Desk(), **{fault: Desk(fault) for fault in FAULTS}}
)
