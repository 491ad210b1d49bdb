"""Simulated seconds per CPU second of one core, for kinds of calls, and where the CPU goes."""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import os
import pstats
import time

from common import CALLER, desk_session
from pipecat.turns.user_stop import SpeechTimeoutUserTurnStopStrategy
from pipecat.turns.user_turn_strategies import UserTurnStrategies

from piopiy_lab import Caller, VoiceAgent, offline_stack, simulate, start_call
from piopiy_lab.offline import booking_desk
from piopiy_lab.services.pure_memory import forget_all


async def lean_session() -> None:
    """The same desk with a fixed turn rule in place of the end-of-turn model."""
    desk = booking_desk()
    agent = VoiceAgent(instructions=desk.instructions, greeting=desk.greeting, idle_timeout_secs=0)
    stt, llm, tts = offline_stack()
    rule = UserTurnStrategies(stop=[SpeechTimeoutUserTurnStopStrategy(user_speech_timeout=0.2)])
    await agent.Action(stt=stt, llm=llm, tts=tts, vad=True, turn_strategies=rule)
    await agent.start()


#: Ten minutes in which hardly anything is said.
QUIET = (
    Caller()
    .hears_greeting()
    .waits(290)
    .says("a table for two tomorrow at seven")
    .hears_reply()
    .waits(290)
)

#: Name to session, caller, what is replaced, whether its sound was heard before, floor and aim.
KINDS = {
    "default stack, new sound": (desk_session, CALLER, None, False, 25, 30),
    "default stack, sound heard before": (desk_session, CALLER, None, True, 45, 45),
    "lean (fixed turn rule, screenplay recogniser)": (
        lean_session, CALLER, {"stt": "screenplay"}, True, 75, 100,
    ),
    "ten minutes, mostly silence": (lean_session, QUIET, None, True, 340, 340),
}  # fmt: skip


def measure(session, caller, replace, heard_before, rounds):
    asyncio.run(simulate(session, caller, replace=replace))  # imports and models
    best = 0.0
    for _ in range(rounds):
        if not heard_before:
            forget_all()
        cpu = time.process_time()
        call = asyncio.run(simulate(session, caller, replace=replace))
        call.raise_for_error()
        best = max(best, call.duration / (time.process_time() - cpu))
    return best, call


#: The functions that call PocketSphinx, whose own time a profile counts as theirs.
_DECODE = ("_catch_up", "_look", "_look_again", "_sentence", "close", "_start", "_measured_mean")

#: The split of CPU time, by what the path and name of a profiled function holds: the first that
#: fits. The profiler itself makes Python dearer than C, so C's true share is larger.
PARTS = (
    ("PocketSphinx", tuple(f"offline/utterance.py:{name}" for name in _DECODE)),
    ("the recogniser around it", ("offline/recogniser", "offline/utterance", "offline/rejection")),
    ("Silero and Smart Turn (ONNX)", ("onnxruntime",)),
    ("Smart Turn's features", ("smart_turn", "_pocketfft", "fft", "linalg")),
    ("loudness of the detector", ("loudness", "audio/volume", "audio/utils")),
    ("what models are known to say", ("pure_memory", "blake2b", "hashlib")),
    ("espeak and clips", ("sound/speech", "espeak")),
    ("phrases and rules", ("offline/",)),
    ("pipecat", ("pipecat/", "wait_for2", "loguru")),
    ("asyncio", ("asyncio", "selectors", "_contextvars", "heapq", "select.epoll")),
    ("the clock of pipecat's modules", ("simulation/clock.py", "simulation/time_sites")),
    ("the virtual loop", ("piopiy_lab/simulation", "thread_time", "perf_counter", "monotonic")),
    ("recording", ("sound/recorder", "sound/track", "sound/hearing", "sound/sample_store")),
    ("events and their log", ("piopiy_lab/events", "pipeline/observer", "pipeline/worker")),
    ("transports and the caller", ("piopiy_lab/transports", "piopiy_lab/screenplay")),
    ("our call path, the rest", ("piopiy_lab/",)),
    ("resampling", ("soxr",)),
    ("numpy", ("numpy",)),
)


def split(session, caller, replace, heard_before) -> list[tuple[str, float]]:
    if not heard_before:
        forget_all()
    profile = cProfile.Profile()
    profile.enable()
    asyncio.run(simulate(session, caller, replace=replace))
    profile.disable()
    rows = pstats.Stats(profile).stats  # type: ignore[attr-defined]
    total, parts = 0.0, dict.fromkeys([name for name, _ in PARTS] + ["the rest of Python"], 0.0)
    for (path, _, function), (_, _, own, _, _) in rows.items():
        total += own
        place = f"{path}:{function}"
        name = next((n for n, keys in PARTS if any(k in place for k in keys)), None)
        parts[name or "the rest of Python"] += own
    return sorted(
        ((n, s / total) for n, s in parts.items() if s / total > 0.005), key=lambda p: -p[1]
    )


def print_speeds(rounds: int) -> None:
    """Print the best of so many rounds of each kind, with its floor and aim."""
    print(f"{'simulated seconds per CPU second':48}{'got':>7}{'at least':>10}{'aimed at':>10}")
    for name, (session, caller, replace, heard, least, aim) in KINDS.items():
        speed, call = measure(session, caller, replace, heard, rounds)
        verdict = "" if speed >= least else "   BELOW"
        print(f"{name:48}{speed:6.1f}x{least:9}x{aim:9}x{verdict}   ({call.duration:.0f} s)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--no-live", action="store_true", help="leave out the call in real time")
    options = parser.parse_args()
    print_speeds(options.rounds)
    for name, (session, caller, replace, heard, _, _) in KINDS.items():
        print(f"\nwhere it goes: {name}")
        for part, share in split(session, caller, replace, heard):
            print(f"  {share:5.0%}  {part}")
    if not options.no_live:
        began = time.monotonic()
        asyncio.run(simulate(desk_session, CALLER))
        simulated = time.monotonic() - began
        began = time.monotonic()
        start_call(desk_session, CALLER).join()
        live = time.monotonic() - began
        times = f"simulated {simulated:.2f} s, live {live:.2f} s"
        print(f"\nthe same call: {times}: x{live / simulated:.1f}")
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
