"""A call is the same to the last sample, whether models are asked or what they said is known."""

from __future__ import annotations

import asyncio
import hashlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from kinds_of_calls import KINDS

from piopiy_lab import Caller, Line, VoiceAgent, events, offline_stack, simulate
from piopiy_lab.listening import seams
from piopiy_lab.offline import booking_desk, utterance
from piopiy_lab.services.pure_memory import forget_all, remembered

CALLER = (
    Caller()
    .hears_greeting()
    .says("a table for two tomorrow at seven")
    .interrupts("no make it four people on friday", after=0.8)
    .hears_reply()
    .says("yes please")
    .hears_reply()
    .hangs_up()
)


async def desk() -> None:
    told = booking_desk()
    agent = VoiceAgent(instructions=told.instructions, greeting=told.greeting)
    stt, llm, tts = offline_stack()
    await agent.Action(stt=stt, llm=llm, tts=tts, vad=True)
    await agent.start()


def sha(call) -> str:
    """Every event and every sample."""
    call.raise_for_error()
    told = hashlib.sha256("\n".join(event.to_json() for event in call.events).encode())
    told.update(np.ascontiguousarray(call.recording).tobytes())
    return told.hexdigest()


def run(**options) -> str:
    return sha(asyncio.run(simulate(desk, CALLER, **options)))


def counts() -> tuple[int, ...]:
    return tuple(m.misses for m in (seams._windows, seams._verdicts, utterance._answers))


@pytest.mark.parametrize(
    "options",
    [{}, {"line": Line.phone()}, {"perturb": 3}, {"shuffle_seed": 5}],
    ids=["plain", "phone", "perturbed", "shuffled"],
)
def test_a_call_is_the_same_without_memory_with_an_empty_one_and_with_a_full_one(options):
    forget_all()
    with remembered(False):
        without = run(**options)
    assert not len(utterance._answers)
    assert not len(seams._verdicts)
    assert run(**options) == without
    assert len(utterance._answers)
    assert len(seams._verdicts)
    asked = counts()
    assert run(**options) == without
    assert counts() == asked, "a model was asked again"


def test_what_other_calls_have_left_changes_none():
    forget_all()
    for seed in range(3):
        asyncio.run(simulate(desk, CALLER, perturb=seed))
    after_others = [run(), run(perturb=2)]
    forget_all()
    assert [run(), run(perturb=2)] == after_others


def test_two_calls_in_two_threads_share_the_memory():
    forget_all()
    with remembered(False):
        without = run()
    with ThreadPoolExecutor(2) as threads:
        assert {call.result() for call in [threads.submit(run) for _ in range(6)]} == {without}


@pytest.mark.parametrize("name", ["booking", "long_silences", "slow_llm"])
def test_kinds_of_calls_are_the_same_a_second_time(name):
    kind = KINDS[name]

    def once() -> str:
        return sha(asyncio.run(simulate(kind.session(), kind.caller, **dict(kind.options))))

    with remembered(False):
        without = once()
    assert [once(), once()] == [without, without]


def test_a_call_in_real_time_remembers_nothing_of_its_own(monkeypatch):
    """What is known holds for the context that wants it, and is gone with it."""
    from piopiy_lab.services.pure_memory import remembers

    seen = []

    async def session() -> None:
        seen.append(remembers())
        await desk()

    call = asyncio.run(simulate(session, Caller().hears_greeting().hangs_up()))
    assert call.events.of(events.VADSampled)
    assert seen == [True]
    assert not remembers()
