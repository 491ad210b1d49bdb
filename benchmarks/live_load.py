"""Live calls at once in one process: CPU a call, and how late answers are, beside bare pipecat.

Services that answer at once (the offline stack). Every side runs the same calls in the same
minutes, by turns, each time in a process of its own: process CPU counts, so other work on the
machine hardly moves it; the answers' times it does move, on all sides. The scripted caller of ours
and the clip that the bare workers hear are in the figures.

    python benchmarks/live_load.py                # 4 calls at once, 2 rounds
    python benchmarks/live_load.py --calls 8 --rounds 1 --sides ours "bare pipecat"
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import subprocess
import sys
import time

import numpy as np
from common import CALLER, LINES, bare_pipecat, caller_audio, desk_session
from overhead import answer_secs
from pipecat.audio.vad.vad_analyzer import VADAnalyzer

from piopiy_lab import Caller, events, simulate, start_call
from piopiy_lab.listening import seams

#: The caller of the other benchmarks, more patient: on a full machine an answer may take its time.
PATIENT = Caller().hears_greeting(timeout=60)
for line in LINES:
    PATIENT = PATIENT.says(line).hears_reply(timeout=60)

#: Seconds between two calls' beginnings: callers don't all speak at once.
APART_SECS = 1.3

#: What a side is, and what it leaves out or does otherwise.
SIDES = {
    "bare pipecat": "pipecat's own pipeline, detector and turn rules as ours",
    "ours": "as it is",
    "ours, BLAS free": "without the limit of one thread",
    "ours, detector apart": "the detector's model in its thread, as pipecat has it",
}


def side(name: str, calls: int) -> dict[str, object]:
    """Run a side's calls at once in this process; return its CPU, seconds and answers."""
    plan = asyncio.run(simulate(desk_session, CALLER))  # also warms the models up
    plan.raise_for_error()
    if name in ("bare pipecat", "ours, BLAS free"):
        seams.one_thread = contextlib.nullcontext
    if name in ("bare pipecat", "ours, detector apart"):
        seams.SharedSileroVADAnalyzer.analyze_audio = VADAnalyzer.analyze_audio
    if name == "bare pipecat":
        starts = [spoke.at for spoke in plan.events.of(events.CallerSpoke)]
        clip = caller_audio(starts, plan.duration)
        asyncio.run(bare_pipecat(clip[: 16000 * 3]))
        cpu, answers, secs = asyncio.run(bare_at_once(clip, calls))
    else:
        cpu, answers, secs = ours_at_once(calls)
    return {"cpu": cpu, "secs": secs, "answers": answers}


async def bare_at_once(clip: np.ndarray, calls: int) -> tuple[float, list[float], float]:
    cpu = time.process_time()

    async def later(secs: float) -> tuple[list[float], float, float]:
        await asyncio.sleep(secs)
        return await bare_pipecat(clip)

    ran = await asyncio.gather(*(later(APART_SECS * number) for number in range(calls)))
    cpu = time.process_time() - cpu
    return cpu, [secs for answers, _, _ in ran for secs in answers], sum(s for _, _, s in ran)


def ours_at_once(calls: int) -> tuple[float, list[float], float]:
    cpu = time.process_time()
    made = []
    for _ in range(calls):
        made.append(start_call(desk_session, PATIENT))
        time.sleep(APART_SECS)
    for call in made:
        call.join()
    cpu = time.process_time() - cpu
    for call in made:
        call.raise_for_error()
    answers = [secs for call in made for secs in answer_secs(call)]
    return cpu, answers, sum(call.duration for call in made)


def in_a_process(name: str, calls: int) -> dict[str, object]:
    """Run a side in a process of its own."""
    ran = subprocess.run(
        [sys.executable, __file__, "--side", name, "--calls", str(calls)],
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(ran.stdout.splitlines()[-1])


def print_loads(sides: list[str], calls: int, rounds: int) -> None:
    """Run the sides by turns, and print what a second of a call cost and how late answers were."""
    print(f"{calls} live calls at once, {rounds} rounds", flush=True)
    found = {name: [] for name in sides}
    for _ in range(rounds):
        for name in sides:
            found[name].append(in_a_process(name, calls))
    print(f"{'':24}{'CPU / s of call':>17}{'calls a core':>14}{'answer, median':>16}{'p95':>10}")
    for name, ran in found.items():
        cpu = sum(one["cpu"] for one in ran) / sum(one["secs"] for one in ran)
        answers = [secs for one in ran for secs in one["answers"]]
        median, late = np.quantile(answers, (0.5, 0.95))
        print(
            f"{name:24}{cpu * 1000:14.1f} ms{1 / cpu:14.1f}{median * 1000:13.0f} ms"
            f"{late * 1000:7.0f} ms   ({len(answers)} answers; {SIDES[name]})"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--sides", nargs="+", choices=list(SIDES), default=list(SIDES))
    parser.add_argument("--side", help=argparse.SUPPRESS)  # this process is one
    given = parser.parse_args()
    if given.side:
        print(json.dumps(side(given.side, given.calls)))
        return
    print_loads(given.sides, given.calls, given.rounds)
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
