"""Ten calls of different kinds, each with its agent and caller: what a replay must give again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from piopiy_lab import Caller, MinWordsInterruptionStrategy, VoiceAgent, offline_stack, pause
from piopiy_lab.offline import booking_desk
from piopiy_lab.session.commands import UserSays
from piopiy_lab.session.session import current_session

BOOKING = (
    Caller()
    .hears_greeting()
    .says("a table for two tomorrow at seven")
    .interrupts("no make it friday", after=1.2)
    .hears("friday")
    .hears_reply()
    .says("my name is anna")
    .hears_reply()
    .says("yes please")
    .hears_reply()
    .hangs_up()
)

#: Two turns with a pause in each.
PAUSING = (
    Caller()
    .hears_greeting()
    .says("a table for two", pause(0.6), "tomorrow at seven")
    .hears_reply()
    .says("for two", pause(0.9), "my name is anna")
    .hears_reply()
    .hangs_up()
)


def desk(*, greeting=None, instructions=None, stack=None, by_hand=None, **action):
    """The booking desk as a session callback.

    Args:
        greeting: Another greeting.
        instructions: Another prompt.
        stack: Makes the services.
        by_hand: ``(seconds, coroutine function)``: what somebody does in mid-call.
        **action: For ``Action()``.
    """
    spec = booking_desk()

    async def create_session(call_id):
        stt, llm, tts = (stack or offline_stack)()
        agent = VoiceAgent(
            instructions=instructions or spec.instructions, greeting=greeting or spec.greeting
        )
        await agent.Action(**{"stt": stt, "llm": llm, "tts": tts, "vad": True, **action})
        if by_hand is not None:
            secs, act = by_hand
            session = current_session()

            def go():
                tasks.append(asyncio.ensure_future(act(session)))

            asyncio.get_running_loop().call_later(secs, go)
        await agent.start()

    tasks: list[asyncio.Task] = []
    return create_session


@dataclass(frozen=True)
class Kind:
    """A kind of call.

    Attributes:
        caller: Who calls.
        session: Makes the session callback of the recorded call.
        again: Makes that of the replay: without what somebody did by hand.
        options: For ``simulate``.
    """

    caller: Caller
    session: Callable[[], Any] = desk
    again: Callable[[], Any] | None = None
    options: tuple[tuple[str, Any], ...] = ()


async def _types(session):
    await session.agents[-1].prepare(UserSays("make it friday"))()


async def _mutes(session):
    session.mute(True)
    await asyncio.sleep(2.5)
    session.mute(False)


KINDS: dict[str, Kind] = {
    "booking": Kind(BOOKING),
    "barge_in": Kind(
        Caller()
        .hears_greeting()
        .says("a table for two tomorrow at eight")
        .interrupts("my name is oliver", after=0.9)
        .hears_reply()
        .says("yes that is right")
        .interrupts("thank you", after=0.7)
        .hears_reply()
        .hangs_up()
    ),
    "keys": Kind(
        Caller()
        .hears_greeting()
        .presses("12#")
        .hears_reply(timeout=20)
        .says("a table for two tomorrow at seven")
        .hears_reply()
    ),
    "typed": Kind(
        Caller().hears_greeting().says("a table for two tomorrow at seven").waits(9).hangs_up(),
        lambda: desk(by_hand=(8.5, _types)),
        desk,
    ),
    "muted": Kind(
        Caller()
        .hears_greeting()
        .says("a table for two tomorrow at seven")
        .hears_reply()
        .says("my name is anna")
        .waits(1.0)
        .says("my name is anna")
        .hears_reply()
        .hangs_up(),
        lambda: desk(by_hand=(9.0, _mutes)),
        desk,
    ),
    "min_words": Kind(
        BOOKING,
        lambda: desk(interruption_strategy=MinWordsInterruptionStrategy(min_words=3)),
    ),
    "slow_llm": Kind(BOOKING, options=(("latency", {"llm": 0.7, "tts": 0.2, "turn": 0.09}),)),
    "long_silences": Kind(
        Caller()
        .hears_greeting()
        .waits(7.3)
        .says("a table for two tomorrow at seven")
        .hears_reply()
        .waits(6.05)
        .says("my name is anna")
        .hears_reply()
        .hangs_up()
    ),
    "agent_ends": Kind(Caller().hears_greeting().says("goodbye").waits(30)),
    "unclear": Kind(
        Caller(voice="en-us")
        .hears_greeting()
        .says("what about the weather in the mountains")
        .hears_reply()
        .says("a table for two tomorrow at seven")
        .hears_reply()
        .hangs_up()
    ),
}
