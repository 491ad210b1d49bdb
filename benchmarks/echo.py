"""How loud the agent may be at the microphone: echo cancellation, at several losses of the way.

    python benchmarks/echo.py [CALLS]

First the canceller alone: how much of an echo it takes out (ERLE) after two seconds, and what it
leaves of a voice that speaks over it. Then calls on a virtual sound card whose microphone hears the
speaker, weaker by a number of dB: does the agent's own voice count as the caller's, and is a caller
who speaks over the agent heard, and understood? Agent and caller are about as loud as each other.
Needs PulseAudio, as tests/realtime does.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "support"))
from live_calls import LINE, count, desk, until
from virtual_card import VirtualCard

from piopiy_lab import Microphone, events, start_call
from piopiy_lab.sound import pcm, speech
from piopiy_lab.transports.echo import EchoCanceller

LOSSES_DB = (0, 3, 6, 10)
NEAR, FAR = 16000, 24000
DELAY_SECS = 0.08
OVER = "my name is oliver"
SAID = "A table for two tomorrow at seven. What name is it under? " * 3


def level(samples: np.ndarray) -> float:
    return pcm.dbfs(pcm.rms(samples))


def alone(loss_db: float) -> None:
    far, echo = (speech.synthesize(SAID, speech.AGENT_VOICE, sample_rate=r) for r in (FAR, NEAR))
    voice = speech.synthesize(OVER, speech.CALLER_VOICE, sample_rate=NEAR).samples
    delay, at = round(DELAY_SECS * NEAR), 5 * NEAR
    echoed = np.zeros(len(echo.samples), np.float64)
    echoed[delay:] = echo.samples[:-delay] * 10 ** (-loss_db / 20)
    both = echoed.copy()
    both[at : at + len(voice)] += voice

    def cleaned(near: np.ndarray) -> np.ndarray:
        canceller, out = EchoCanceller(NEAR, FAR), []
        near = np.clip(near, -32768, 32767).astype(np.int16)
        for block in range(len(near) // 320):
            canceller.far(far.samples[480 * block : 480 * (block + 1)])
            out.append(canceller.near(near[320 * block : 320 * (block + 1)]))
        return np.concatenate(out)

    late = slice(2 * NEAR, len(echoed) - NEAR // 10)
    taken = level(echoed[late].astype(np.int16)) - level(cleaned(echoed)[late])
    kept = level(cleaned(both)[at : at + len(voice)]) - level(voice)
    print(f"{loss_db:3} dB: ERLE {taken:.0f} dB; a voice over it {kept:+.1f} dB", flush=True)


def one_call(card: VirtualCard) -> tuple[int, bool, bool]:
    """Return false starts, whether the caller was heard over the agent, and understood."""
    call, false, heard = start_call(desk, Microphone()), 0, False
    try:
        until(call, lambda: count(call, events.AgentSpeechStopped) >= 1)
        time.sleep(0.7)
        false = count(call, events.UserSpeechStarted)
        greeted = count(call, events.AgentSpeechStarted)
        card.say(LINE)
        until(call, lambda: count(call, events.AgentSpeechStarted) > greeted)
        time.sleep(0.8)
        before = count(call, events.AgentInterrupted)
        card.say(OVER)
        until(call, lambda: count(call, events.AgentInterrupted) > before, 3)
        heard = True
        until(call, lambda: count(call, events.AgentSpeechStopped) > greeted + 1)
    except AssertionError:
        pass  # it did not come: that is what is counted
    finally:
        call.hang_up()
        call.join(8)
    return false, heard, any(e.role == "user" and OVER in e.text for e in call.transcript)


def in_calls(card: VirtualCard, loss_db: int, calls: int) -> None:
    false, heard, understood = map(sum, zip(*(one_call(card) for _ in range(calls)), strict=True))
    print(
        f"{loss_db:3} dB, {calls} calls: {false} false starts in the greeting; a caller who speaks "
        f"over the agent is heard in {heard}, understood in {understood}",
        flush=True,
    )


def main() -> None:
    calls = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    for loss_db in LOSSES_DB:
        alone(loss_db)
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o700)
        card = VirtualCard(Path(folder))
        os.environ["PULSE_SERVER"] = card.env["PULSE_SERVER"]
        try:
            for loss_db in LOSSES_DB:
                with card.acoustic_echo(loss_db):
                    in_calls(card, loss_db, calls)
        finally:
            card.stop()


if __name__ == "__main__":
    main()
