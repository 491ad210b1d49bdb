"""The same eval file on the same bot with pipecat's own harness and with ours, side by side.

pipecat's harness talks to the bot over a WebSocket on 127.0.0.1 in real time (its older transport,
which needs no FastAPI); ours in memory, in virtual time. Each scenario's verdict is compared, turn
by turn and expectation by expectation; a difference is an error. The bot is the booking desk on the
offline services, the user an offline voice, the judge rules: no model costs either side any time.
Ours runs once before, so that the models are loaded for both.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import time
from pathlib import Path

from loguru import logger

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

import eval_bots
from pipecat_harness import by_pipecat, verdict_of

from piopiy_lab import run_eval

SPEAKING = """
name: spoken
user: {modality: audio, speech: {factory: piopiy_lab.evals.espeak}}
judge:
  modality: audio
  eval: {factory: piopiy_lab.evals.rules, explainer: false}
  transcription: {factory: piopiy_lab.evals.spoken_words}
scenarios:
  - name: booking
    turns:
      - expect: [{event: response, text_contains: "booking desk"}]
      - user: "a table for two tomorrow at eight"
        expect:
          - {event: user_transcription, text_contains: "two tomorrow"}
          - {event: response, eval: "asks for the name"}
      - user: "my name is oliver"
        expect: [{event: response, eval: "a table for two at eight for Oliver"}]
      - user: "yes that is right"
        expect:
          - {event: function_call, calls: [{name: book_table, args: {party_size: 2}}]}
          - {event: response, text_contains: "booked"}
"""

WRITTEN = """
name: written
scenarios:
  - name: booking
    turns:
      - user: "a table for two tomorrow at eight"
        expect: [{event: response, text_contains: "What name"}]
      - user: "my name is oliver"
        expect: [{event: response, text_contains: "for Oliver"}]
      - user: "yes that is right"
        expect:
          - {event: function_call, calls: [{name: book_table, args: {party_size: 2}}]}
          - {event: response, text_contains: "booked"}
  - name: silence
    turns:
      - user: "a table for two tomorrow at eight"
        expect:
          - {event: response, text_contains: "What name"}
          - {event: llm_started, absent: true, within_ms: 10000}
  - name: never
    turns:
      - user: "a table for two tomorrow at eight"
        expect: [{event: response, text_contains: "What day", within_ms: 10000}]
"""


async def compare(text: str) -> None:
    """Run a file with both, compare the verdicts, print the times."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "desk.yaml"
        path.write_text(text)
        await run_eval(path, eval_bots.bot)
        began, cpu = time.monotonic(), time.process_time()
        report = await run_eval(path, eval_bots.bot)
        ours, cpu = time.monotonic() - began, time.process_time() - cpu
        began = time.monotonic()
        theirs = await by_pipecat(path, eval_bots.bot)
        took = time.monotonic() - began
    for run in report:
        same = verdict_of(run.result) == verdict_of(theirs[run.scenario.name])
        told = "the same verdicts" if same else "DIFFERENT VERDICTS"
        print(f"{run.name}: {run.status} with both, {told}")
        if not same:
            raise SystemExit(f"{verdict_of(run.result)}\n{verdict_of(theirs[run.scenario.name])}")
    print(
        f"pipecat's harness {took:.1f} s, ours {ours:.2f} s ({cpu:.2f} s of CPU): "
        f"x{took / ours:.1f}\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.parse_args()
    logger.remove()
    for text in (SPEAKING, WRITTEN):
        asyncio.run(compare(text))
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
