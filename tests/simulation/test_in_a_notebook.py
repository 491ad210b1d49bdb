"""A simulation in a notebook's cell: the kernel stays responsive, interrupt works, output lands."""

from __future__ import annotations

import asyncio
import time

import pytest

from piopiy_lab import Caller, VoiceAgent, display, offline_stack, simulate
from piopiy_lab.simulation.screenplay_stt import ScreenplaySTTService

LONG = Caller().hears_greeting().waits(600)


async def quiet_session():
    agent = VoiceAgent(instructions="x", greeting="Hello.", idle_timeout_secs=0)
    _, llm, tts = offline_stack()
    await agent.Action(stt=ScreenplaySTTService(), llm=llm, tts=tts, vad=True)
    await agent.start()


def test_the_kernels_own_loop_goes_on_meanwhile():
    async def cell():
        beats = []

        async def heartbeat():
            while True:
                beats.append(time.monotonic())
                await asyncio.sleep(0.01)

        beating = asyncio.create_task(heartbeat())
        call = await simulate(quiet_session, LONG)
        beating.cancel()
        return call, beats

    call, beats = asyncio.run(cell())
    assert call.duration > 600
    gaps = [later - earlier for earlier, later in zip(beats, beats[1:], strict=False)]
    assert len(gaps) > 5
    assert sorted(gaps)[len(gaps) // 2] < 0.1  # a slice is 20 ms


def test_cancelling_the_cell_ends_the_call():
    async def cell():
        running = asyncio.create_task(simulate(quiet_session, Caller().waits(3000)))
        await asyncio.sleep(0.2)
        running.cancel()
        await running

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(cell())


def test_what_the_session_prints_lands_where_it_runs(capsys):
    async def talks():
        print("hello from the session")  # noqa: T201 - that is what is tested
        await quiet_session()

    asyncio.run(simulate(talks, Caller().hears_greeting()))
    assert "hello from the session" in capsys.readouterr().out


def test_a_long_run_shows_how_far_it_is(monkeypatch):
    shown = []

    class Line:
        def update(self, part, text):
            shown.append((part, text))

        def close(self):
            shown.append("closed")

    hook = display.Hook(show=lambda obj: None, progress=Line, progress_after_secs=0.05)
    before = display.set_hook(hook)
    try:
        asyncio.run(simulate(quiet_session, LONG))
    finally:
        display.set_hook(before)
    assert shown[-1] == "closed"
    part, text = shown[0]
    assert 0 <= part <= 1
    assert "of 2:" in text
    assert "times as fast" in text
