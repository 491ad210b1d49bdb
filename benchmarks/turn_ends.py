"""The end of a turn: how late it is known, what an answer begun ahead gains, and how sure it is.

    python benchmarks/turn_ends.py [latency] [pauses] [phases] [live] [--turns N]

* ``latency``, virtual: from the end of speech to the first sound of the answer, with a turn model
  of 60 ms, an LLM of 350 ms and a voice of 200 ms, for several stop windows: as pipecat does, with
  the early look, with the LLM asked ahead, and the voice, too; for recognisers whose interims come
  late or early, or that have none.
* ``pauses``, virtual: the bench's callers who pause in mid-sentence, how many are cut off; and
  those who don't, how late they are answered.
* ``phases``, virtual: a sentence is said at 16 phases of the detector's windows, 10 ms apart: in
  how many of them does the turn end when the detector is sure?
* ``live``, in real time, on a quiet machine: from the end of speech to the first sound with instant
  services, pipecat's own turn strategies and ours by turns.

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
from typing import Any, Literal

import numpy as np
from pipecat.turns.user_turn_strategies import UserTurnStrategies

from piopiy_lab import Audio, Call, Caller, VoiceAgent, events, offline_stack, simulate, start_call
from piopiy_lab.bench.scripting import caller_of
from piopiy_lab.bench.stimuli import Stimulus, load_stimuli
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
Ahead = Literal["llm", "sound"] | None


def session(stop_secs: float = 0.2, ahead: Ahead = None, **action: Any):
    async def create_session() -> None:
        agent = VoiceAgent(instructions="x", greeting="Hello.")
        replies = dict.fromkeys((*LINES, *SENTENCES), "At ten.")
        stt, rules, tts = offline_stack(
            phrases=[*LINES, *SENTENCES], replies=replies, first_token_delay=0.0
        )
        made = {name: make() for name, make in action.items()}
        given = {"stt": stt, "llm": rules, "tts": tts, "speculate": ahead, **made}
        await agent.Action(vad={"stop_secs": stop_secs}, **given)
        await agent.start()

    return create_session


def look_early(early: bool) -> None:
    turn_taking.EARLY_LOOKS_BY_DEFAULT = early


def answer_ms(call: Call) -> list[float]:
    """From the end of each turn of the caller's to the next sound of the agent's."""
    found: list[float] = []
    for said in call.events.of(events.CallerSpoke):
        began = [e.at for e in call.events.of(events.AgentSpeechStarted) if e.at > said.end]
        found.append(1000 * (began[0] - said.end))
    return found


# --- virtual -------------------------------------------------------------------------------------


def run(ways: tuple[float, bool, Ahead, float | None], caller: Caller) -> Call:
    """One call: the stop window, whether early looks are on, what works ahead, interims' lag."""
    stop, early, ahead, lag = ways
    look_early(early)
    stt = {"stt": lambda: ScreenplaySTTService(interim_secs=lag)}
    made = simulate(session(stop, ahead), caller, latency=LATENCY, replace=stt)
    return asyncio.run(made).raise_for_error()


def wasted(call: Call) -> int:
    return sum(e.outcome != "confirmed" for e in call.events.of(events.SpeculationSettled))


def latency(turns: int) -> None:
    caller = Caller().hears_greeting()
    for index in range(turns):
        caller = caller.says(LINES[index % len(LINES)]).hears_reply()
    print(
        "end of speech -> sound, ms, median; LLM 350, voice 200, turn model 60; (requests wasted)"
    )
    print(
        "stop  pipecat  early | llm ahead: interims 0.05, 0.2, 0.3 s late; finals only | sound: ..."
    )
    lags = (0.05, 0.2, 0.3, None)
    for stop in (0.2, 0.5, 0.8):
        cells: list[str] = []
        for way in (
            *((stop, False, None, 0.2), (stop, True, None, 0.2)),
            *((stop, True, "llm", lag) for lag in lags),
            *((stop, True, "sound", lag) for lag in lags),
        ):
            call = run(way, caller.hangs_up())
            cell = f"{statistics.median(answer_ms(call)):.0f}"
            cells.append(f"{cell} ({wasted(call)})" if way[2] else cell)
        print(f"{stop:>5} " + " | ".join(cells), flush=True)


WAYS: tuple[tuple[float, bool, Ahead], ...] = (
    *((0.2, False, None), (0.2, True, None), (0.5, False, None), (0.5, True, None)),
    (0.8, True, None),
    *((0.5, True, "llm"), (0.5, True, "sound"), (0.8, True, "llm"), (0.8, True, "sound")),
)


def pauses() -> None:
    """The bench's callers who pause in mid-sentence, and those who don't."""
    stimuli = load_stimuli(kinds=["pause"])
    print(f"of {len(stimuli)} turns with a pause, interims 0.2 s late")
    print("stop  early ahead  cut off  heard before the caller went on  requests wasted")
    for stop, early, ahead in WAYS:
        rows = [_paused((stop, early, ahead, 0.2), stimulus) for stimulus in stimuli]
        cut, heard, waste = (sum(row[place] for row in rows) for place in range(3))
        print(f"{stop:>4} {early!s:>6} {ahead!s:>6} {cut:>6} {heard:>8} {waste:>8}", flush=True)


def ends() -> None:
    """How late they are answered who don't."""
    stimuli = load_stimuli(kinds=["end"])
    print(f"of {len(stimuli)} turns without a pause, interims 0.2 s late")
    print("stop  early ahead  answered after, ms: median p90  ended at once  requests wasted")
    for stop, early, ahead in WAYS:
        late, once, waste = list[float](), 0, 0
        for stimulus in stimuli:
            call = run((stop, early, ahead, 0.2), caller_of(stimulus))
            late += answer_ms(call)[-1:]
            looks = [e for e in call.events.of(events.TurnPredicted) if e.outcome == "used"]
            once += looks[-1].complete
            waste += wasted(call)
        print(
            f"{stop:>4} {early!s:>6} {ahead!s:>6} {statistics.median(late):>8.0f} "
            f"{np.percentile(late, 90):.0f} {once:>8} {waste:>8}",
            flush=True,
        )


def _paused(
    way: tuple[float, bool, Ahead, float | None], stimulus: Stimulus
) -> tuple[bool, bool, int]:
    """Whether the turn ended in the pause, and was answered there; the requests wasted."""
    call = run(way, caller_of(stimulus))
    said = call.events.of(events.CallerSpoke)[-1]
    goes_on = said.parts[-1][1]
    ended = any(said.at < e.at < said.end for e in call.events.of(events.UserTurnStopped))
    began = call.events.of(events.AgentSpeechStarted)
    return ended, any(said.at < e.at < goes_on for e in began), wasted(call)


def phases() -> None:
    print("of 16 phases, in how many the turn ends at the detector's stop")
    same = {False: 0, True: 0}
    rows = 0
    for voice, clip, text in clips():
        counts: dict[bool, int] = {}
        for early in (False, True):
            look_early(early)
            early_looks.ANCHORED = early
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


def live(turns: int, rounds: int = 3) -> None:
    print("end of speech -> first sound with instant services, ms")
    pooled: dict[str, list[float]] = {}
    for index in range(2 * rounds):
        who = ("pipecat", "ours")[index % 2]
        theirs = {"turn_strategies": UserTurnStrategies} if who == "pipecat" else {}
        caller = Caller().hears_greeting()
        for turn in range(turns + 1):
            caller = caller.says(LINES[turn % len(LINES)]).hears_reply()
        cpu, wall = time.process_time(), time.perf_counter()
        create_session = session(stt=ScreenplaySTTService, **theirs)
        call = start_call(create_session, caller.hangs_up())
        call.join(60 + 10 * turns).raise_for_error()
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        found = answer_ms(call)[1:]  # models are warm from the second one on
        pooled.setdefault(who, []).extend(found)
        stops = [
            1000 * (next(e.at for e in call.events.of(events.UserSpeechStopped) if e.at > s.end))
            - 1000 * s.end
            for s in call.events.of(events.CallerSpoke)
        ]
        print(
            f"{who:8} {_figures(found)}; the detector's stop {statistics.median(stops):.0f}; "
            f"CPU {100 * cpu / wall:.1f} % of a core; load {os.getloadavg()[0]:.1f}",
            flush=True,
        )
    for who, found in pooled.items():
        print(f"{who:8} {_figures(found)}, all rounds")


def _figures(found: list[float]) -> str:
    median, p95 = statistics.median(found), np.percentile(found, 95)
    return f"n={len(found)} median {median:.0f} p95 {p95:.0f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="*", help="latency, pauses, phases, live")
    parser.add_argument("--turns", type=int, default=5)
    given = parser.parse_args()
    what = given.what or ["latency", "phases"]
    if "latency" in what:
        latency(given.turns)
    if "pauses" in what:
        pauses()
        ends()
    if "phases" in what:
        phases()
    if "live" in what:
        live(given.turns)


if __name__ == "__main__":
    main()
