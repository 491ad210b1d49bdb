"""Testing the tester: desks with planted faults, which check finds which, and false alarms.

    python benchmarks/broken_desks.py [--runs N] [--recogniser offline] [--faults]

The sound desk's callers are perturbed, run by run; with ``--faults`` every broken desk is called
once by each caller, too. A line for each run with an alarm, and the share of them at the end.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Mapping

from piopiy_lab import offline_stack
from piopiy_lab.bench.broken import DESKS, SOUND, run_trial
from piopiy_lab.experiments.figures.statistics import share_of


def offline_recogniser():
    """Return the offline recogniser of the booking desk."""
    return offline_stack()[0]


RECOGNISERS: dict[str, Mapping[str, object] | None] = {
    "screenplay": None,
    "offline": {"stt": offline_recogniser},
}


async def main() -> None:
    """Call them, and print what was found."""
    told = argparse.ArgumentParser()
    told.add_argument("--runs", type=int, default=100, help="of the sound desk")
    told.add_argument("--recogniser", choices=list(RECOGNISERS), default="screenplay")
    told.add_argument("--faults", action="store_true", help="the broken desks, once")
    told.add_argument("--jobs", type=int, help="processes; 0: in this one")
    options = told.parse_args()
    how = {"replace": RECOGNISERS[options.recogniser], "executor": options.jobs}
    began = time.perf_counter()
    if options.faults:
        print(await run_trial([name for name in DESKS if name != SOUND], **how), "\n")
    blamed = 0
    for run in range(1, options.runs + 1):
        trial = await run_trial([SOUND], perturb=run, **how)
        blamed += bool(trial.alarms)
        for one in trial.alarms:
            print(f"run {run}: {one.caller}: {one.check}: {one.why}", flush=True)
        if run % 10 == 0:
            print(f"{run} runs, {time.perf_counter() - began:.0f} s", flush=True)
    print(f"the sound desk, {options.recogniser}: blamed in {share_of(blamed, options.runs)} runs")


if __name__ == "__main__":
    asyncio.run(main())
