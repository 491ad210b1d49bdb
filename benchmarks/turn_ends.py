"""The end of a turn: how late it is known, what an answer begun ahead gains, and how sure it is.

    python benchmarks/turn_ends.py [latency] [phases] [live] [--turns N]

* ``latency``, virtual: from the end of speech to the first sound of the answer, with a turn model
  of 60 ms, an LLM of 350 ms and a voice of 200 ms, for several stop windows: as pipecat does, with
  the early look, and with the LLM asked ahead, for recognisers whose interims come late or early.
* ``phases``, virtual: a sentence is said at 16 phases of the detector's windows, 10 ms apart: in
  how many of them does the turn end when the detector is sure?
* ``live``, in real time: the same way with instant services, pipecat's way and ours by turns.

Sentences are espeak's and, where it is installed, flite's.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import statistics
import subprocess
import tempfile
import time
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np

from piopiy_lab import Audio, Call, Caller, VoiceAgent, events, offline_stack, simulate, start_call
from piopiy_lab.listening import early_looks, turn_taking
from piopiy_lab.simulation.screenplay_stt import ScreenplaySTTService
from piopiy_lab.sound import speech

RATE = 16000
LINES = ("what time do you close", "make it six people", "my name is anna", "seven thirty")
#: Said whole, and broken off.
SENTENCES = (
    *("yes please", "a table for two tomorrow at seven", "no that is not right", "okay"),
    *("thank you very much", "I want to cancel the", "a table for", "my name is"),
)
LATENCY = {"turn": 0.06, "llm": 0.35, "tts": 0.2}
Ahead = Literal["llm"] | None


def session(stop_secs: float = 0.2, ahead: Ahead = None, llm: float = 0.0):
    async def create_session() -> None:
        agent = VoiceAgent(instructions="x", greeting="Hello.")
        replies = dict.fromkeys((*LINES, *SENTENCES), "At ten.")
        stt, rules, tts = offline_stack(
            phrases=[*LINES, *SENTENCES], replies=replies, first_token_delay=llm
        )
        vad = {"stop_secs": stop_secs}
        await agent.Action(stt=stt, llm=rules, tts=tts, vad=vad, speculate=ahead)
        await agent.start()

    return create_session


def answer_ms(call: Call) -> list[float]:
    """From the end of each turn of the caller's to the next sound of the agent's."""
    found: list[float] = []
    for said in call.events.of(events.CallerSpoke):
        began = [e.at for e in call.events.of(events.AgentSpeechStarted) if e.at > said.end]
        found.append(1000 * (began[0] - said.end))
    return found


# --- virtual -------------------------------------------------------------------------------------


def latency(turns: int) -> None:
    caller = Caller().hears_greeting()
    for index in range(turns):
        caller = caller.says(LINES[index % len(LINES)]).hears_reply()
    print("end of speech -> sound, ms, median; LLM 350, voice 200, turn model 60; requests wasted")
    print(f"{'stop':>5} {'pipecat':>8} {'early':>6}   ahead, interims 0.05 / 0.2 / 0.3 s late")
    for stop in (0.2, 0.5, 0.8):
        cells: list[str] = []
        for early, ahead, lag in (
            *((False, None, 0.2), (True, None, 0.2)),
            *((True, "llm", 0.05), (True, "llm", 0.2), (True, "llm", 0.3)),
        ):
            turn_taking.EARLY_LOOKS_BY_DEFAULT = early_looks.ANCHORED = early
            stt = {"stt": lambda lag=lag: ScreenplaySTTService(interim_secs=lag)}
            made = simulate(
                session(stop, "llm" if ahead else None),
                caller.hangs_up(),
                latency=LATENCY,
                replace=stt,
            )
            call = asyncio.run(made).raise_for_error()
            settled = call.events.of(events.SpeculationSettled)
            lost = sum(e.outcome != "confirmed" for e in settled)
            cells.append(f"{statistics.median(answer_ms(call)):.0f}" + f" ({lost})" * bool(ahead))
        print(f"{stop:>5} {cells[0]:>8} {cells[1]:>6}   " + " / ".join(cells[2:]), flush=True)


def phases() -> None:
    print("of 16 phases, in how many the turn ends at the detector's stop")
    same = {False: 0, True: 0}
    rows = 0
    for voice, clip, text in clips():
        counts: dict[bool, int] = {}
        for early in (False, True):
            turn_taking.EARLY_LOOKS_BY_DEFAULT = early_looks.ANCHORED = early
            counts[early] = sum(_ends(clip, phase / 100) for phase in range(16))
            same[early] += counts[early] in (0, 1, 15, 16)
        rows += 1
        print(f"{voice:13} {text:34} {counts[False]:2} {counts[True]:2}", flush=True)
    print(f"one verdict in 15 or more: pipecat's way {same[False]} of {rows}, ours {same[True]}")


def _ends(clip: np.ndarray, phase: float) -> bool:
    """Whether the turn ends at once when a clip is said at a phase."""
    caller = Caller().hears_greeting().waits(0.3 + phase).says(Audio(clip, RATE)).waits(1.0)
    call = asyncio.run(simulate(session(), caller.hangs_up())).raise_for_error()
    stops = [e.at for e in call.events.of(events.UserSpeechStopped)]
    looks = [e for e in call.events.of(events.TurnPredicted) if e.outcome == "used"]
    return any(look.complete and look.at >= stops[-1] for look in looks)


def clips() -> Iterator[tuple[str, np.ndarray, str]]:
    for text in SENTENCES:
        for voice in (speech.CALLER_VOICE, speech.find_voice("en-us+f3")):
            made = speech.synthesize(text, voice, sample_rate=RATE).samples
            yield f"espeak {'caller' if voice is speech.CALLER_VOICE else 'f3'}", made, text
        if shutil.which("flite"):
            yield "flite slt", _flite(text), text


def _flite(text: str) -> np.ndarray:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "said.wav"
        subprocess.run(["flite", "-voice", "slt", "-t", text, "-o", path], check=True)
        with wave.open(str(path)) as said:  # 16 kHz
            return np.frombuffer(said.readframes(said.getnframes()), np.int16)


# --- real time -----------------------------------------------------------------------------------


def live(turns: int) -> None:
    print("end of speech -> first sound with instant services, ms")
    for early in (False, True, False, True):
        turn_taking.EARLY_LOOKS_BY_DEFAULT = early_looks.ANCHORED = early
        caller = Caller().hears_greeting()
        for index in range(turns):
            caller = caller.says(LINES[index % len(LINES)]).hears_reply()
        cpu, wall = time.process_time(), time.perf_counter()
        call = start_call(session(), caller.hangs_up())
        call.join(60 + 10 * turns).raise_for_error()
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        found = answer_ms(call)
        stops = [
            1000 * (next(e.at for e in call.events.of(events.UserSpeechStopped) if e.at > s.end))
            - 1000 * s.end
            for s in call.events.of(events.CallerSpoke)
        ]
        print(
            f"{'ours' if early else 'pipecat':8} n={len(found)} median "
            f"{statistics.median(found):.0f} p95 {np.percentile(found, 95):.0f}; the detector's "
            f"stop {statistics.median(stops):.0f}; CPU {100 * cpu / wall:.1f} % of a core; "
            f"load {os.getloadavg()[0]:.1f}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="*", help="latency, phases, live")
    parser.add_argument("--turns", type=int, default=5)
    given = parser.parse_args()
    what = given.what or ["latency", "phases"]
    if "latency" in what:
        latency(given.turns)
    if "phases" in what:
        phases()
    if "live" in what:
        live(given.turns)


if __name__ == "__main__":
    main()
