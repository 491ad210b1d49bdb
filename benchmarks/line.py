"""What a phone line costs: CPU for a second of sound, each way, and simulated calls' speed."""

from __future__ import annotations

import asyncio
import time

import numpy as np
from common import CALLER, caller_audio, desk_session

from piopiy_lab import Line, simulate
from piopiy_lab.line.noises import noise_loop
from piopiy_lab.line.way import Way
from piopiy_lab.sound import pcm

LINES = {
    "none of it: Line()": Line(),
    "G.711": Line(codec="pcmu"),
    "G.711, 5 % loss in bursts": Line(codec="pcmu", loss=0.05, burst=3.0),
    "Line.phone()": Line.phone(),
    "Line.phone(), street at 15 dB": Line.phone(noise="street", snr_db=15.0),
    "Line.speakerphone()": Line.speakerphone(),
    "Opus, 16 kbit/s": Line(codec="opus"),
    "Line.mobile()": Line.mobile(),
}


def cost(line: Line, rate: int, side, sound: np.ndarray) -> float:
    """Return the seconds of CPU for a second of sound: the best of three."""
    best = float("inf")
    block = rate // 50
    for _ in range(3):
        way = Way(line, rate, side)
        before = time.process_time()
        for at in range(0, len(sound), block):
            way.process(sound[at : at + block])
        best = min(best, (time.process_time() - before) * rate / len(sound))
    return best


def speed(line: Line | None, rounds: int) -> float:
    """Return the simulated seconds in a second of CPU: the best of some rounds."""
    best = 0.0
    for _ in range(rounds):
        before = time.process_time()
        call = asyncio.run(simulate(desk_session, CALLER, line=line, replace={"stt": "screenplay"}))
        best = max(best, call.duration / (time.process_time() - before))
    return best


def main() -> None:
    clip = np.tile(caller_audio([1.0, 4.0, 6.5], 8.0), 5)
    agent = pcm.resample(clip, 16000, 24000)
    print(f"{'% of a core for a second of sound':38} caller 16 kHz   agent 24 kHz   later by")
    for name, line in LINES.items():
        up, down = cost(line, 16000, "caller", clip), cost(line, 24000, "agent", agent)
        print(f"{name:38} {100 * up:10.2f} {100 * down:14.2f} {1000 * line.delay:10.0f} ms")
    for kind in ("street", "cafe", "hum"):
        before = time.process_time()
        noise_loop(kind, 8000, (300.0, 3400.0), 99)
        print(f"{kind}: made once, in {1000 * (time.process_time() - before):.0f} ms")
    speed(None, 1)
    print(f"simulated seconds in one of CPU: {speed(None, 3):.1f} without a line")
    for name in ("Line.phone()", "Line.phone(), street at 15 dB", "Line.mobile()"):
        print(f"  {speed(LINES[name], 3):.1f} over {name}")


if __name__ == "__main__":
    main()
