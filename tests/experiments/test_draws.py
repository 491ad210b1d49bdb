"""What a session draws at random is the call's own: the same on any executor."""

from __future__ import annotations

import asyncio
import random
import uuid

import numpy as np
from live_calls import desk

from piopiy_lab import Caller, VoiceAgent, offline_stack, simulate_many

SHORT = Caller().hears_greeting()


def many(session, callers, **told):
    return asyncio.run(simulate_many(session, callers, **{"executor": 0, **told}))


async def drawing(call_id):
    """A session that greets with what it draws."""
    stt, llm, tts = offline_stack()
    drawn = f"{random.randrange(10**6)} {np.random.randint(10**6)}"
    agent = VoiceAgent(instructions="You take bookings.", greeting=f"You are number {drawn}.")
    await agent.Action(stt=stt, llm=llm, tts=tts, vad=True)
    await agent.start()


def words(calls):
    return [calls.call(row).transcript[0].text for row in calls]


def test_the_rows_are_the_same_here_and_on_two_workers():
    callers = {"anna": SHORT, "bo": SHORT}
    here, there = many(drawing, callers, repeat=2), many(drawing, callers, repeat=2, executor=2)
    assert here.rows == there.rows
    assert len(set(words(here))) == 4, "each call draws its own"
    alone = many(drawing, {"bo": SHORT}, repeat=2)
    assert words(alone) == words(here)[2:], "and not another's, if that one is left out"
    unperturbed = many(drawing, callers)
    assert words(unperturbed) == words(many(drawing, callers))


def test_what_was_drawn_before_goes_on_as_if_no_call_had_been():
    def three():
        return [random.random(), float(np.random.random()), random.gauss(0, 1)]

    random.seed(7)
    np.random.seed(7)
    three()
    wanted = three()
    random.seed(7)
    np.random.seed(7)
    three()
    many(drawing, {"anna": SHORT})

    async def broken(call_id):
        random.seed(1)
        raise ValueError("no table")

    many(broken, {"anna": SHORT})
    assert three() == wanted


async def asks_the_machine(call_id):
    stt, llm, tts = offline_stack()
    agent = VoiceAgent(instructions="You take bookings.", greeting=f"You are {uuid.uuid4()}.")
    await agent.Action(stt=stt, llm=llm, tts=tts, vad=True)
    await agent.start()


def test_what_the_machine_gives_is_told_of():
    (notice,) = many(asks_the_machine, SHORT, repeat=10).notices
    assert "uuid4, os.urandom" in notice
    assert many(drawing, SHORT, repeat=10).notices == many(desk, SHORT, repeat=10).notices == ()
