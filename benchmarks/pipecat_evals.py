"""The wall time of one scripted call with ``simulate`` and with pipecat's own eval harness.

The caller says the same three lines to the same booking desk (the same recogniser, rules and
voice), each line after the reply to the one before has a word that must be in it. What differs is
who plays the caller:

* ``piopiy_lab.simulate``: a whole call of a VoiceAgent over our line, in virtual time.
* pipecat's harness, as ``tests/support/pipecat_harness.py`` runs it: a scripted scenario with the
  user in audio modality, over a WebSocket on 127.0.0.1, to the desk as a pipecat bot, in real time,
  its start and its end included. The user's voice is our espeak service; the replies are compared
  as text (``llm_response``), so that neither an LLM judge nor a transcription costs any time. It is
  run twice: with the bot speaking, as in ``simulate``, and with the bot silenced, which is what the
  harness does by default (``judge.modality: text``): no reply is then heard, and the first line
  talks over the greeting, so that call is shorter than ``simulate``'s.

``evals.py`` plays one file with both harnesses. Everything runs in one process, with models loaded
beforehand. No download, no key.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from loguru import logger

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

import eval_bots
from pipecat_harness import by_pipecat

from piopiy_lab import Caller, simulate

#: What the caller says, and a word of the reply that it waits for.
SCRIPT = (
    ("a table for two tomorrow at eight", "name"),
    ("my name is oliver", "right"),
    ("yes that is right", "booked"),
)

CALLER = Caller().hears_greeting()
for line, word in SCRIPT:
    CALLER = CALLER.says(line).hears(word)
CALLER = CALLER.hears_reply()  # to the end of the last one


def scenario(speaking: bool) -> dict[str, Any]:
    """The script as a scenario of pipecat's harness."""
    judge: dict[str, Any] = {"modality": "text"}
    spoken = []
    if speaking:  # the transcription is only made for a scenario that asks for a "response"
        judge = {"modality": "audio", "transcription": {}}
        spoken = [{"event": "bot_stopped_speaking"}]
    turns = [
        {"user": line, "expect": [{"event": "llm_response", "text_contains": word}, *spoken]}
        for line, word in SCRIPT
    ]
    return {
        "name": "booking",
        "user": {"modality": "audio", "speech": {"factory": "piopiy_lab.evals.espeak"}},
        "judge": judge,
        "scenarios": [{"name": "booking", "turns": [{"expect": spoken}, *turns]}],
    }


async def with_pipecat(speaking: bool) -> float:
    """Play the scenario with pipecat's harness; its wall seconds."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "booking.yaml"
        path.write_text(json.dumps(scenario(speaking)))
        began = time.monotonic()
        (result,) = (await by_pipecat(path, eval_bots.bot, timeout_secs=20)).values()
        wall = time.monotonic() - began
    if not result.passed:
        log = "\n".join(result.debug_log)
        raise RuntimeError(f"pipecat's harness: {result.failures}\n{log}")
    return wall


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3, help="of simulate: the fastest counts")
    parser.add_argument("--timeout", type=float, default=120, help="seconds for each call")
    options = parser.parse_args()
    logger.remove()
    logger.add(sys.stderr, level="ERROR")

    async def limited(call: Coroutine[Any, Any, Any]) -> Any:
        return await asyncio.wait_for(call, options.timeout)

    asyncio.run(limited(simulate(eval_bots.create_session, CALLER)))  # imports and models
    walls = []
    for _ in range(options.rounds):
        began = time.monotonic()
        call = asyncio.run(limited(simulate(eval_bots.create_session, CALLER)))
        walls.append(time.monotonic() - began)
        call.raise_for_error()
    simulated = min(walls)
    print(
        f"simulate: {simulated:.2f} s (fastest of {options.rounds}; slowest {max(walls):.2f} s) "
        f"for {call.duration:.1f} s of conversation"
    )
    for speaking, who in ((True, "the bot speaking"), (False, "the bot silenced")):
        wall = asyncio.run(limited(with_pipecat(speaking)))
        print(
            f"pipecat's eval harness, {who}: {wall:.1f} s for the call; "
            f"simulate: {simulated:.1f} s: x{wall / simulated:.1f}"
        )
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
