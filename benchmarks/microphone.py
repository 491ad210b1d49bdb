"""The local microphone on a virtual sound card: CPU, callback jitter, lost frames, time to silence.

    python benchmarks/microphone.py [SECONDS]

Needs PulseAudio, as tests/audio does. Not measured: mouth-to-ear through real hardware, and
pipecat's own local transport, which needs PyAudio built from source.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "audio"))
from live_calls import count, greeted, on
from virtual_card import VirtualCard

from piopiy_lab import Microphone, VoiceAgent, events, offline_stack
from piopiy_lab.offline import booking_desk
from piopiy_lab.transports import sound_card


async def no_detector(call_id):
    """The path alone: no detector, for Silero costs more than all the rest."""
    agent = VoiceAgent(instructions="x", greeting=booking_desk().greeting, idle_timeout_secs=0)
    stt, llm, tts = offline_stack()
    stt.needs_vad = False
    await agent.Action(stt=stt, llm=llm, tts=tts)
    await agent.start()


def cpu(card: VirtualCard, echo: bool, secs: float) -> None:
    times: list[float] = []
    called = sound_card._Stream._called

    def timed(self, trouble):
        if self.device.side == "input":
            times.append(time.monotonic())
        called(self, trouble)

    sound_card._Stream._called = timed

    def during(call):
        greeted(call)
        times.clear()
        began, used = time.monotonic(), time.process_time()
        time.sleep(secs)
        share = (time.process_time() - used) / (time.monotonic() - began)
        gaps = np.diff(times)
        print(
            f"echo cancellation {echo!s:5}  CPU {100 * share:4.1f} % of a core (budget 5)  "
            f"callback gap sd {1000 * gaps.std():.1f} ms, "
            f"p99 {1000 * np.percentile(gaps, 99):.1f} ms"
        )

    try:
        call, _ = on(card, Microphone(echo_cancellation=echo), during, no_detector)
    finally:
        sound_card._Stream._called = called
    print(f"  lost or invented: {count(call, events.AudioDropped)} events in {secs:g} s")


def silence(card: VirtualCard) -> None:
    """How long the speaker sounds after an interruption was decided."""

    def during(call):
        while not count(call, events.AgentSpeechStarted):
            time.sleep(0.01)
        time.sleep(1.2)
        call.interrupt()
        time.sleep(0.8)

    call, speaker = on(card, Microphone(echo_cancellation=False), during, no_detector)
    agent = call.recording[:, 0 + 1]
    cut = call.events.of(events.AgentInterrupted)[0].at
    last = np.flatnonzero(np.abs(agent) > 50)[-1] / call.recording.sample_rate
    loud = np.flatnonzero(np.abs(speaker) > 50) / 16000
    first = np.flatnonzero(np.abs(agent) > 50)[0] / call.recording.sample_rate
    heard = first + loud[-1] - loud[0]
    print(
        f"interruption to silence: {1000 * (last - cut):.0f} ms by the schedule, "
        f"{1000 * (heard - cut):.0f} ms at the speaker's monitor (budget 60)"
    )


def main() -> None:
    secs = float(sys.argv[1]) if len(sys.argv) > 1 else 10.0
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o700)
        card = VirtualCard(Path(folder))
        os.environ["PULSE_SERVER"] = card.env["PULSE_SERVER"]
        try:
            for echo in (False, True):
                cpu(card, echo, secs)
            silence(card)
        finally:
            card.stop()


if __name__ == "__main__":
    main()
