"""The caller's audio skips pipecat's queues for it, and arrives at the same turn of the loop."""

from __future__ import annotations

import asyncio
import hashlib

import numpy as np
import pytest
from kinds_of_calls import KINDS
from pipecat.frames.frames import InputAudioRawFrame
from pipecat.processors.aggregators.dtmf_aggregator import DTMFAggregator

from piopiy_lab import simulate
from piopiy_lab.pipeline import chain
from piopiy_lab.transports.base import SessionInput
from piopiy_lab.transports.handing_on import TURNS, InTurn


def sha(kind) -> str:
    call = asyncio.run(simulate(kind.session(), kind.caller, **dict(kind.options)))
    told = hashlib.sha256("\n".join(event.to_json() for event in call.events).encode())
    told.update(np.ascontiguousarray(call.recording).tobytes())
    return told.hexdigest()


@pytest.mark.parametrize("name", ["booking", "barge_in", "keys", "slow_llm", "typed"])
def test_a_call_is_what_it_is_through_pipecats_queues(monkeypatch, name):
    ours = sha(KINDS[name])
    make = SessionInput.__init__

    def filtered(self, transport):
        make(self, transport)
        self._filtered = True

    monkeypatch.setattr(SessionInput, "__init__", filtered)
    monkeypatch.setattr(chain, "Keypad", DTMFAggregator)
    assert sha(KINDS[name]) == ours


def frames(count: int) -> list[InputAudioRawFrame]:
    return [InputAudioRawFrame(bytes([n, 0]) * 320, 16000, 1) for n in range(count)]


def test_pieces_go_on_in_order_after_so_many_turns():
    pushed: list[tuple[int, InputAudioRawFrame]] = []
    turns = 0

    async def push(frame: InputAudioRawFrame) -> None:
        pushed.append((turns, frame))

    async def pass_turns(count: int) -> None:
        nonlocal turns
        for _ in range(count):
            await asyncio.sleep(0)
            turns += 1

    async def run(pieces: list[InputAudioRawFrame]) -> None:
        in_turn = InTurn(push)
        task = asyncio.create_task(in_turn.run())
        await asyncio.sleep(0)
        in_turn.add(pieces[0])
        await pass_turns(2 * TURNS)
        in_turn.add(pieces[1])  # two at once
        in_turn.add(pieces[2])
        await pass_turns(3 * TURNS)
        in_turn.add(pieces[3])
        in_turn.clear()
        await pass_turns(2 * TURNS)
        in_turn.add(pieces[4])
        await pass_turns(2 * TURNS)
        task.cancel()

    pieces = frames(5)
    asyncio.run(run(pieces))
    assert [frame for _, frame in pushed] == [pieces[n] for n in (0, 1, 2, 4)]
    assert [at for at, _ in pushed[:2]] == [TURNS - 1, 3 * TURNS - 1]


def test_an_input_that_is_held_pushes_nothing_until_it_starts_again():
    """As pipecat's own does between a StopFrame and the next StartFrame."""
    pushed: list[InputAudioRawFrame] = []

    class Held:
        _filtered, _held, _in_turn = False, True, None

        async def push_frame(self, frame: InputAudioRawFrame) -> None:
            pushed.append(frame)

    held, (first, second, empty) = Held(), frames(3)
    empty.audio = b""
    push = SessionInput.push_audio_frame
    asyncio.run(push(held, first))  # type: ignore[arg-type]  # what of it is looked at
    held._held = False
    asyncio.run(push(held, empty))  # type: ignore[arg-type]
    asyncio.run(push(held, second))  # type: ignore[arg-type]
    assert pushed == [second]
