"""Many calls in processes: how many a second, start-up included, and what they cost.

A hundred calls of about twenty seconds, each perturbed by a seed of its own, in two processes that
are started for them, and again in one; whether the rows are the same; CPU, and memory of this
process and of the workers. Then the figures of the other benchmarks in the same run: simulated
seconds per CPU second of one call (``simulation.py``), and live calls a core, beside bare pipecat
(``live_load.py``, one round). ``--quick`` makes twenty calls and one round of each kind,
``python benchmarks/many.py 20`` twenty calls. ``--short 1000`` makes so
many short ones, whose callers hear the greeting and hang up, in two processes: what memory does.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import time
from dataclasses import dataclass, field

import live_load
import psutil
import simulation
from common import CALLER, desk_session

from piopiy_lab import Caller, Calls, simulate_many
from piopiy_lab.experiments.figures.rows import CallRow
from piopiy_lab.experiments.running.processes import end_all


@dataclass
class Memory:
    """The most that processes had, in MB, looked at after each call."""

    here: list[float] = field(default_factory=list[float])
    workers: dict[int, list[float]] = field(default_factory=dict[int, list[float]])

    def look(self, row: CallRow) -> None:
        me = psutil.Process()
        self.here.append(me.memory_info().rss / 1e6)
        worker = psutil.Process(row.worker)
        self.workers.setdefault(row.worker, []).append(worker.memory_info().rss / 1e6)


def run(calls: int, workers: int, caller: Caller = CALLER) -> Calls:
    """Make the calls in so many fresh processes, and print what it took."""
    end_all()
    memory = Memory()
    began = time.perf_counter()
    made = asyncio.run(
        simulate_many(
            desk_session, {"anna": caller}, repeat=calls, executor=workers, on_call=memory.look
        )
    )
    wall = time.perf_counter() - began
    secs = sum(row.secs for row in made)
    cpu = sum(row.cpu_secs for row in made)
    grown = [seen[-1] - seen[0] for seen in memory.workers.values()]
    print(f"{len(made)} calls of {secs / len(made):.1f} s, {workers} processes, start-up included")
    print(f"  {wall:.1f} s: {len(made) / wall:.2f} calls a second, {secs / wall:.1f} x real time")
    print(f"  CPU {cpu / len(made):.2f} s a call (median {median(made):.2f}), {secs / cpu:.1f} x")
    print(
        f"  {sum(row.passed for row in made)} passed; of {len(made)} calls {distinct(made)} differ"
    )
    print(f"  memory: {max(memory.here):.0f} MB here, {highest(memory)} MB in the workers at most")
    print(f"  grown here by {grown_by(memory.here):.0f} MB after the tenth part of the calls")
    print(f"  processes: {len(memory.workers)}, grown by {max(grown):.0f} MB after the first call")
    return made


def grown_by(seen: list[float]) -> float:
    """Return by how many MB a process grew behind the first tenth of its calls."""
    return seen[-1] - seen[len(seen) // 10]


def median(made: Calls) -> float:
    """Return the median CPU seconds of a call."""
    return statistics.median(row.cpu_secs for row in made)


def distinct(made: Calls) -> int:
    """Return how many different calls there are."""
    return len({row.sha for row in made})


def highest(memory: Memory) -> str:
    """Return the most that each worker had, in MB."""
    return ", ".join(f"{max(seen):.0f}" for seen in memory.workers.values())


def main() -> None:
    """Run both and compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("calls", type=int, nargs="?", help="100, with --quick 20")
    parser.add_argument("--quick", action="store_true", help="fewer of all, and no live calls")
    parser.add_argument("--short", type=int, metavar="CALLS", help="so many short calls alone")
    given = parser.parse_args()
    if given.short is not None:
        run(given.short, 2, Caller().hears_greeting().hangs_up())
        return
    count = given.calls or (20 if given.quick else 100)
    two, one = run(count, 2), run(count, 1)
    same = two.rows == one.rows
    print(f"the rows of two processes and of one are {'the same' if same else 'DIFFERENT'}")
    end_all()
    simulation.print_speeds(rounds=1 if given.quick else 3)
    if not given.quick:
        live_load.print_loads(["bare pipecat", "ours"], calls=4, rounds=1)
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
