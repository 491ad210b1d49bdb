"""Concurrent calls in one process: our ``Agent`` and a bare pipecat worker, on the same rooms.

The platform and its callers (aiortc: they cost more than the agents) run in this process, the
agent in a child of its own, whose CPU and memory are what is printed. Latency is the caller's: from
their last word to the first sound of the answer, over WebRTC both ways.

    python benchmarks/telephony.py                     # 1, 2 and 4 calls at once, both workers
    python benchmarks/telephony.py --calls 1 2 4 8 16  # more, on a machine that has the cores
    python benchmarks/telephony.py --many 500          # growth over many short calls

The growth is counted once everything is loaded, which is after calls at once, not one: each needs
a recogniser of its own (94 MB of PocketSphinx's models), and recognisers are kept for later calls.
Each call's end is checked, on both sides; one that ended otherwise is printed, and if it was our
Agent's, the run fails.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import sys
import time
from typing import Any

import psutil
from common import desk_session

from piopiy_lab import Agent, Caller, events
from piopiy_lab.loopback import LoopbackPlatform

LINE = "a table for two tomorrow at seven"
CALLER = Caller().hears_reply().says(LINE).hears_reply().hangs_up()
WARM = Caller().hears_reply().hangs_up()
SHORT = Caller().waits(0.3).hangs_up()
#: Short calls at once, and how many more may still be winding down beside them.
PAIR, WINDING_DOWN = 2, 2


# --- the workers, each in a child process -----------------------------------------------------


async def ours(url: str, token: str) -> None:
    """Run Agent; each line of stdin is answered with how its last calls ended, as JSON."""

    async def create_session() -> None:
        await desk_session()

    agent = Agent("bench", token, create_session, url, keep_calls=PAIR + WINDING_DOWN)
    telling = asyncio.create_task(tell_ends(agent))
    try:
        await agent.connect()
    finally:
        telling.cancel()


async def tell_ends(agent: Agent) -> None:
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(lines), sys.stdin
    )
    while await lines.readline():
        ends = {call.call_id: [call.end_reason, _words(call.error)] for call in agent.calls}
        sys.stdout.write(json.dumps(ends) + "\n")
        sys.stdout.flush()


def _words(error: BaseException | str | None) -> str | None:
    return None if error is None else str(error)


async def bare(url: str, token: str) -> None:
    """Run what one would write by hand: python-socketio, LiveKitTransport, a PipelineWorker."""
    import socketio

    client = socketio.AsyncClient(handle_sigint=False)
    running: set[asyncio.Task[None]] = set()

    async def join_room(invite: dict[str, Any]) -> None:
        task = asyncio.create_task(bare_call(invite))
        running.add(task)
        task.add_done_callback(running.discard)

    client.on("join_room", join_room)
    await client.connect(url, auth={"agent_id": "bench", "token": token}, wait_timeout=10)
    await client.wait()


async def bare_call(invite: dict[str, Any]) -> None:
    """Run one call on pipecat alone, with the services, detector and turn rules that we use."""
    from pipecat.frames.frames import TTSSpeakFrame
    from pipecat.pipeline.pipeline import Pipeline
    from pipecat.pipeline.worker import PipelineParams, PipelineWorker
    from pipecat.processors.aggregators.llm_context import LLMContext
    from pipecat.processors.aggregators.llm_response_universal import (
        LLMContextAggregatorPair,
        LLMUserAggregatorParams,
    )
    from pipecat.transports.livekit.transport import LiveKitParams, LiveKitTransport
    from pipecat.workers.runner import WorkerRunner

    from piopiy_lab import offline_stack
    from piopiy_lab.listening.turn_taking import make_strategies
    from piopiy_lab.listening.vad import make_vad
    from piopiy_lab.offline import booking_desk

    transport = LiveKitTransport(
        invite["url"],
        invite["token"],
        invite["room_name"],
        LiveKitParams(audio_in_enabled=True, audio_out_enabled=True, audio_out_end_silence_secs=0),
    )
    stt, llm, tts = offline_stack()
    desk = booking_desk()
    user, assistant = LLMContextAggregatorPair(
        LLMContext(messages=[{"role": "system", "content": desk.instructions}]),
        user_params=LLMUserAggregatorParams(
            vad_analyzer=make_vad(True),  # type: ignore[arg-type]
            user_turn_strategies=make_strategies(vad=True, allow_interruptions=True),
        ),
    )
    chain = [transport.input(), stt, user, llm, tts, transport.output(), assistant]
    worker = PipelineWorker(
        Pipeline(chain),
        params=PipelineParams(
            audio_in_sample_rate=16000,
            audio_out_sample_rate=24000,
            enable_metrics=True,
            enable_usage_metrics=True,
        ),
        enable_rtvi=False,
    )

    async def joined(*_: Any) -> None:
        await worker.queue_frame(TTSSpeakFrame(desk.greeting))

    async def left(*_: Any) -> None:
        await worker.cancel()

    transport.add_event_handler("on_first_participant_joined", joined)
    transport.add_event_handler("on_participant_left", left)
    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    await runner.run()


# --- the measuring side -----------------------------------------------------------------------


class Worker:
    """A child process that serves calls."""

    def __init__(self, kind: str, platform: LoopbackPlatform) -> None:
        self.kind, self.platform = kind, platform

    async def __aenter__(self) -> Worker:
        self.child = await asyncio.create_subprocess_exec(
            sys.executable,
            __file__,
            "--serve",
            self.kind,
            self.platform.signaling_url,
            env={**os.environ, "BENCH_TOKEN": self.platform.agent_token("bench")},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        self.process = psutil.Process(self.child.pid)
        async with asyncio.timeout(30):
            while not self.platform.agents:  # noqa: ASYNC110 - another process's state
                await asyncio.sleep(0.05)
        return self

    async def __aexit__(self, *_: Any) -> None:
        self.child.terminate()
        await self.child.wait()

    async def ends(self, call_ids: list[str]) -> dict[str, list[str | None]]:
        """Return how calls ended on the agent's side: reason and error, once they have ended."""
        assert self.child.stdin is not None
        assert self.child.stdout is not None
        ends: dict[str, list[str | None]] = {}
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            self.child.stdin.write(b"ends\n")
            ends = json.loads(await self.child.stdout.readline())
            if all(ends.get(call_id, [None])[0] for call_id in call_ids):
                break
            await asyncio.sleep(0.05)
        return {call_id: ends.get(call_id, [None, "no such call"]) for call_id in call_ids}

    def cpu(self) -> float:
        times = self.process.cpu_times()
        return times.user + times.system

    def memory(self) -> float:
        """Resident megabytes."""
        return self.process.memory_info().rss / 1e6


async def concurrent(kind: str, platform: LoopbackPlatform, number: int) -> str:
    """Place ``number`` calls at once and return a line of the table."""
    async with Worker(kind, platform) as worker:
        (await platform.place_call("bench", WARM)).raise_for_error()  # everything is loaded
        before, cpu, began = worker.memory(), worker.cpu(), time.monotonic()
        peak = before

        async def watch() -> None:
            nonlocal peak
            while True:
                peak = max(peak, worker.memory())
                await asyncio.sleep(0.2)

        watching = asyncio.create_task(watch())
        calls = await asyncio.gather(
            *(platform.place_call("bench", CALLER, record=False) for _ in range(number))
        )
        watching.cancel()
        cpu, secs = worker.cpu() - cpu, time.monotonic() - began
    waits = [turn.total for call in calls for turn in call.turns]
    failed = sum(call.error is not None for call in calls)
    spent = sum(call.duration for call in calls)
    worst = sorted(waits)[min(len(waits) - 1, round(0.95 * len(waits)))] if waits else float("nan")
    return (
        f"{kind:6} {number:5} {1000 * cpu / spent:8.0f} {statistics.median(waits or [0]):8.3f} "
        f"{worst:8.3f} {(peak - before) / number:9.1f} {secs:6.1f} {failed:6}"
    )


async def growth(kind: str, platform: LoopbackPlatform, number: int) -> int:
    """Place many short calls, two at a time, print the memory on the way; return the bad ends."""
    step = max(PAIR, number // 5 // PAIR * PAIR)
    async with Worker(kind, platform) as worker:
        bad = await together(worker, WARM, PAIR + WINDING_DOWN)
        for done in range(0, number + 1, step):
            for _ in range(step // PAIR if done else 0):
                bad += await together(worker, SHORT, PAIR)
            await asyncio.sleep(0.5)  # LiveKit's threads put away what they had
            print(
                f"{kind:6} after {done:4} calls: {worker.memory():6.1f} MB, "
                f"{worker.process.num_threads()} threads, {worker.process.num_fds()} files, "
                f"{bad} ended otherwise than they should",
                flush=True,
            )
    return bad


async def together(worker: Worker, caller: Caller, number: int) -> int:
    """Place calls at once; return how many did not end by the caller's hanging up, everywhere."""
    calls = await asyncio.gather(
        *(worker.platform.place_call("bench", caller, record=False) for _ in range(number))
    )
    ends = {f"{call.call_id} (caller)": [call.end_reason, _words(call.error)] for call in calls}
    for call in calls:  # such as: the agent was still in the room
        for notice in call.events.of(events.NoticeGiven):
            ends[f"{call.call_id} (notice)"] = [None, notice.message]
    if worker.kind == "ours":
        theirs = await worker.ends([call.call_id for call in calls])
        ends |= {f"{call_id} (agent)": end for call_id, end in theirs.items()}
    bad = {who: end for who, end in ends.items() if end != ["caller_hung_up", None]}
    for who, (reason, error) in bad.items():
        print(f"{worker.kind:6} {who}: {reason}, {error}", flush=True)
    return len({who.split()[0] for who in bad})


async def measure(options: argparse.Namespace) -> int:
    """Run what was asked for; returns how many of our calls ended otherwise than they should."""
    async with LoopbackPlatform() as platform:
        if options.many:
            bad = {kind: await growth(kind, platform, options.many) for kind in options.workers}
            return bad.get("ours", 0)
        print("worker calls  CPU ms/s  p50 s    p95 s   MB/call  wall s failed")
        for number in options.calls:
            for kind in options.workers:
                print(await concurrent(kind, platform, number), flush=True)
    return 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--many", type=int, default=0)
    parser.add_argument("--workers", nargs="+", default=["ours", "bare"])
    parser.add_argument("--serve", nargs=2, metavar=("KIND", "URL"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        kind, url = options.serve
        worker = {"ours": ours, "bare": bare}[kind](url, os.environ["BENCH_TOKEN"])
        asyncio.run(worker)
    else:
        sys.exit(1 if asyncio.run(measure(options)) else 0)


if __name__ == "__main__":
    main()
