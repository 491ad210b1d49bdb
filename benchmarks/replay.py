"""How fast a call is replayed, that it is the same, and how far acts are moved on a changed agent.

    python benchmarks/replay.py [--rounds N]

Each kind of call of the tests is recorded, saved, loaded and replayed: seconds of call by second of
replay, and whether every event and sample is the same. Then the booking is replayed on agents that
greet longer and think slower: by how many ms each of the caller's acts is off its place beside the
agent. Each kind is kept on a cassette, too: its size by the minute of call, with its sound raw (as
it is written) and compressed (as it is left), and how fast it is played. Prints a table and JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1] / "tests" / "support")]

import soundfile  # noqa: E402
from kinds_of_calls import KINDS, desk  # noqa: E402

from piopiy_lab import Call, Caller, simulate  # noqa: E402

LONG = "Hello, and welcome to the booking desk of the garden restaurant. How can I help you today?"


def recorded(name: str, folder: Path) -> Call:
    """Record a kind of call, and load it."""
    kind = KINDS[name]
    call = asyncio.run(simulate(kind.session(), kind.caller, **dict(kind.options)))
    return Call.load(call.save(folder))


def gaps(call: Call) -> list[float]:
    """Return how long after what of the agent's each act came: seconds."""
    return [step.gap for step in Caller.from_call(call).steps if step.what == "says"]


def cassette(name: str, folder: Path, rounds: int) -> dict[str, object]:
    """Record a kind of call on a cassette, and play it: sizes by the minute of call."""
    kind = KINDS[name]

    def call(**options: object) -> Call:
        made = simulate(kind.session(), kind.caller, **dict(kind.options), **options)
        return asyncio.run(made).raise_for_error()

    minutes = call(cassette=folder, record_mode="all").duration / 60
    took: list[float] = []
    for _ in range(rounds):
        began = time.perf_counter()
        call(cassette=folder, record_mode="none")
        took.append(time.perf_counter() - began)
    sound = folder / "sound.flac"
    return {
        "lines MB a minute": round((folder / "cassette.jsonl").stat().st_size / 1e6 / minutes, 2),
        "sound MB a minute, raw": round(2 * soundfile.info(sound).frames / 1e6 / minutes, 2),
        "compressed": round(sound.stat().st_size / 1e6 / minutes, 2),
        "30 s play in": round(statistics.median(took) / minutes / 2, 2),
    }


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    table: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as temporary:
        for name, kind in KINDS.items():
            call = recorded(name, Path(temporary) / name)
            took: list[float] = []
            same = True
            for _ in range(rounds):
                began = time.perf_counter()
                again = asyncio.run(call.replay((kind.again or kind.session)()))
                took.append(time.perf_counter() - began)
                same = same and again.identical
            speed = call.duration / statistics.median(took)
            size = (Path(temporary) / name / "caller.flac").stat().st_size / 1000
            table[name] = {
                "secs": round(call.duration, 1),
                "times_as_fast": round(speed, 1),
                "30 s take": round(30 / speed, 2),
                "identical": same,
                "caller.flac kB a minute": round(size / call.duration * 60),
            }
            print(f"{name:<14}", table[name], flush=True)
        for name in KINDS:
            sizes = cassette(name, Path(temporary) / f"{name} cassette", rounds)
            table[f"{name} cassette"] = sizes
            print(f"{name:<14}", sizes, flush=True)
        call = recorded("booking", Path(temporary) / "anchors")
        off: list[float] = []
        for change in ({"greeting": LONG}, {}):
            for llm in (0.0, 0.213, 0.8, 1.137):
                again = asyncio.run(call.replay(desk(**change), latency={"llm": llm}))
                assert again.divergence is None, str(again)
                off += [
                    1000 * abs(b - a) for a, b in zip(gaps(call), gaps(again.call), strict=True)
                ]
    table["anchors"] = {
        "acts": len(off),
        "median_ms": round(statistics.median(off), 1),
        "most_ms": round(max(off), 1),
    }
    print("anchors       ", table["anchors"])
    print(json.dumps(table))


if __name__ == "__main__":
    main()
