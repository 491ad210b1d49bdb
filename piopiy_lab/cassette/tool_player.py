"""Plays tools: gives what they returned when they were recorded, and runs none.

Runs on the session's loop.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Protocol

from pipecat.services.llm_service import FunctionCallParams

from piopiy_lab.cassette.at_work import ACTS
from piopiy_lab.cassette.tools import (
    Handler,
    asked_of_tool,
    recorded_tool,
    stand_in,
    unpacked_result,
)
from piopiy_lab.cassette.values import Unpacking
from piopiy_lab.checks.json_values import Record
from piopiy_lab.session.transfer_order import TransferOrder

if TYPE_CHECKING:
    from piopiy_lab.cassette.tape import Answer, Came
    from piopiy_lab.cassette.writing import Deck


class ToolTape(Protocol):
    """The cassette, as a tool's player sees it."""

    @property
    def deck(self) -> Deck | None:
        """What tools are recorded on that are not there; None where they are not run."""
        ...

    def find_tool(self, part: str, asked: Record) -> Answer | None:
        """Return what a tool did; None after a miss."""
        ...

    def sound(self, place: list[int]) -> bytes:
        """Return samples."""
        ...


class ServicePlayer(Protocol):
    """The language model whose tools they are."""

    @property
    def player(self) -> ToolTape:
        """The cassette."""
        ...

    @property
    def part(self) -> str:
        """Whose answers they are."""
        ...

    @property
    def service(self) -> Any:
        """The service."""
        ...

    @property
    def own(self) -> Record:
        """Its methods."""
        ...

    def now(self) -> float:
        """Return the pipeline's seconds."""
        ...

    async def wait(self, due: float) -> None:
        """Wait for a moment."""
        ...


def play_tool(playing: ServicePlayer, name: str) -> None:
    """Let a tool's recorded results stand in its place."""

    def making(handler: Any) -> Handler:
        host = getattr(handler, "host", None)
        deck = playing.player.deck
        live = None if deck is None else recorded_tool(deck, playing.part, playing.service, handler)

        async def played(params: FunctionCallParams) -> None:
            began = playing.now()
            answer = playing.player.find_tool(playing.part, asked_of_tool(params))
            if answer is None:
                if live is not None:
                    await live(params)
                return
            for came in answer.came:
                await playing.wait(began + came.at)
                await _do(playing, came, params, host)

        return played

    stand_in(playing.service, name, making)


async def _do(playing: ServicePlayer, came: Came, params: FunctionCallParams, host: Any) -> None:
    if came.does == "result":
        result, properties = unpacked_result(came.args[0])
        await params.result_callback(result, properties=properties)
        return
    unpacking = Unpacking(playing.player.sound)
    args = [unpacking.unpack(one) for one in came.args]
    named = {name: unpacking.unpack(one) for name, one in came.named.items()}
    if came.does == "raise":
        raise args[0]
    if came.does == "transfer":
        await host.transfer(TransferOrder(**args[0]), args[1])
        return
    act = getattr(host, came.does) if came.does in ACTS else playing.own[came.does]
    done = act(*args, **named)
    if inspect.isawaitable(done):
        await done
