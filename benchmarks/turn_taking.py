"""Turn-taking by the bench: cut at once, held in three manners first, and pipecat's default.

    python benchmarks/turn_taking.py [--recogniser interims] [--agents paused ducked] [--jobs N]
    python benchmarks/turn_taking.py --recogniser whisper --most 10   # needs real_weights.PACKAGES

Prints a column for each, with intervals; the figures are the same every time. The recogniser's
computing isn't in them: in virtual time it takes none.
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from piopiy_lab import VoiceAgent, offline_stack, run_bench
from piopiy_lab.bench.agents import GREETING, pipecat_bot, plain_session
from piopiy_lab.bench.stimuli import KINDS, Stimulus, load_stimuli
from piopiy_lab.experiments.figures.listing import text_table
from piopiy_lab.simulation import ScreenplaySTTService


async def session(call_id, hold=None, aside_db=None):
    """Run an agent that holds its sound before it is cut, or doesn't."""
    agent = VoiceAgent(instructions="You tell callers about a restaurant.", greeting=GREETING)
    stt, llm, tts = offline_stack()
    how = {"hold_backchannels": False} if hold is None else {"hold": hold, "aside_db": aside_db}
    await agent.Action(stt=stt, llm=llm, tts=tts, vad=True, **how)
    await agent.start()


def with_interims():
    """Return the screenplay recogniser as a streaming one: each word 0.2 s after its end."""
    return ScreenplaySTTService(interim_secs=0.2)


def offline_recogniser():
    """Return the offline recogniser of the booking desk."""
    return offline_stack()[0]


def whisper():
    """Return Whisper base, on the processor."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))
    import real_weights
    from pipecat.services.whisper.stt import WhisperSTTService
    from pipecat.transcriptions.language import Language

    return WhisperSTTService(
        compute_type="int8",
        settings=WhisperSTTService.Settings(
            model=str(real_weights.models() / "whisper-base"), language=Language.EN
        ),
    )


RECOGNISERS = {
    "screenplay": "screenplay",
    "interims": with_interims,
    "offline": offline_recogniser,
    "whisper": whisper,
}
AGENTS = {
    "cut at once": functools.partial(session, hold=None),
    "paused": functools.partial(session, hold="pause"),
    "ducked": functools.partial(session, hold="duck"),
    "ducked, then paused": functools.partial(session, hold="duck_then_pause"),
    "asides by level": functools.partial(session, hold="duck_then_pause", aside_db=9),
    "default": plain_session,
    "pipecat": pipecat_bot,
}


def some(listed: Sequence[Stimulus], most: int | None) -> list[Stimulus]:
    """Return so many of each kind, spread over the list; all for None."""
    if most is None:
        return list(listed)
    found: list[Stimulus] = []
    for kind in KINDS:
        of_kind = [one for one in listed if one.kind == kind]
        step = max(1, len(of_kind) // most)
        found += of_kind[::step][:most]
    return found


async def main() -> None:
    """Measure, and print a table."""
    told = argparse.ArgumentParser()
    told.add_argument("--split", choices=("tune", "accept"))
    told.add_argument("--recogniser", choices=list(RECOGNISERS), default="screenplay")
    told.add_argument("--agents", nargs="*", default=list(AGENTS), choices=list(AGENTS))
    told.add_argument("--jobs", type=int)
    told.add_argument("--kinds", nargs="*", choices=list(KINDS), help="only these")
    told.add_argument("--most", type=int, help="so many of each kind, spread over the list")
    told.add_argument("--json", metavar="PREFIX", help="keep each agent's figures")
    options = told.parse_args()
    heard = RECOGNISERS[options.recogniser]
    listed = some(load_stimuli(split=options.split, kinds=options.kinds), options.most)
    reports = {}
    for name in options.agents:
        began = time.perf_counter()
        reports[name] = await run_bench(
            AGENTS[name], recogniser=heard, stimuli=listed, executor=options.jobs
        )
        print(f"{name}: {time.perf_counter() - began:.0f} s", flush=True)
        if options.json:
            reports[name].save_json(f"{options.json}-{name.replace(' ', '-')}.json")
    first = next(iter(reports.values()))
    rows = [
        [figure.name, *(report[figure.key].told() for report in reports.values())]
        for figure in first.figures
    ]
    print(text_table(["figure", *reports], rows))
    for name, report in reports.items():
        for one, why in report.failed[:3]:
            print(f"{name}: {one.id} came to nothing: {why}")


if __name__ == "__main__":
    asyncio.run(main())
