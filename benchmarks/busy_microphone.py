"""Minutes on the local microphone while the kernel is busy: no captured frame may be lost.

    python benchmarks/busy_microphone.py [MINUTES [LATENCY]]

A whole call (recogniser, detector, synthesis, echo cancellation) on a virtual sound card, while the
main thread computes in Python as notebook cells do: bursts of up to three seconds, with pauses. A
line a minute; the sums at the end. The card's clock is the computer's, so the samples that the
device gave must agree with the time that has gone, and those that the pipeline got with both.
"""

from __future__ import annotations

import os
import random
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "support"))
from live_calls import count, greeted, on
from virtual_card import VirtualCard

from piopiy_lab import Microphone, VoiceAgent, events, offline_stack
from piopiy_lab.offline import booking_desk
from piopiy_lab.transports.microphone import MicrophoneTransport
from piopiy_lab.transports.sound_card import CaptureStream, PlayStream

SAYS_EVERY_SECS = 12.0
SAYS = "This is a sentence of some length, so that the speaker has something to play meanwhile."


async def desk(call_id: str) -> None:
    words = booking_desk()
    agent = VoiceAgent(
        instructions=words.instructions, greeting=words.greeting, idle_timeout_secs=0
    )
    stt, llm, tts = offline_stack()
    await agent.Action(stt=stt, llm=llm, tts=tts, vad=True)
    await agent.start()


class Counts:
    """Samples on their way, and the longest pauses between callbacks."""

    def __init__(self) -> None:
        self.captured = self.fed = self.played = 0
        self.first_at = self.last_at = 0.0
        self.longest = {"input": 0.0, "output": 0.0}
        self.streams: dict[str, CaptureStream | PlayStream] = {}

    def watch(self) -> None:
        """Count in the classes themselves, before a call is made of them."""
        counts = self
        on_captured, feed = MicrophoneTransport._on_captured, MicrophoneTransport.feed
        called = PlayStream._called

        def counted(self, age, samples):
            now = time.monotonic()
            if not counts.captured:
                counts.first_at = now
            else:
                counts.last_at = now
            counts.captured += len(samples)
            on_captured(self, age, samples)

        async def fed(self, start, samples):
            counts.fed += len(samples)
            await feed(self, start, samples)

        def timed(self, flagged):
            side = self.device.side
            if self.calls > 50:
                pause = time.monotonic() - self.called_at
                counts.longest[side] = max(counts.longest[side], pause)
            counts.streams[side] = self
            return called(self, flagged)

        MicrophoneTransport._on_captured = counted
        MicrophoneTransport.feed = fed
        for stream in (CaptureStream, PlayStream):
            stream._called = timed


def burn(secs: float) -> int:
    """Compute in pure Python, as a cell does: it holds the interpreter as long as it can."""
    until, n = time.monotonic() + secs, 0
    while time.monotonic() < until:
        n += sum(i * i % 7 for i in range(20000))
    return n


def main() -> None:
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else 10.0
    latency = float(sys.argv[2]) if len(sys.argv) > 2 else None
    counts, dice = Counts(), random.Random(5)
    counts.watch()

    def say(call: object) -> None:
        while not stop.wait(SAYS_EVERY_SECS):
            call.say(SAYS)

    def during(call):
        greeted(call)
        threading.Thread(target=say, args=(call,), daemon=True).start()
        began, minute, burnt = time.monotonic(), 1, 0.0
        while time.monotonic() - began < 60 * minutes:
            secs = dice.uniform(0.2, 3.0)
            burn(secs)
            burnt += secs
            time.sleep(dice.uniform(0.05, 0.5))
            if time.monotonic() - began >= 60 * minute:
                tell(call, minute, burnt / (time.monotonic() - began))
                minute += 1
        tell(call, (time.monotonic() - began) / 60, burnt / (time.monotonic() - began))
        stop.set()

    def tell(call, minute, busy):
        went = counts.last_at - counts.first_at
        rate = counts.streams["input"].rate
        off = counts.captured / rate - 0.02 - went
        print(
            f"{minute:5.1f} min, busy {100 * busy:.0f} %: captured {counts.captured / rate:.2f} s "
            f"in {went:.2f} s ({1000 * off:+.0f} ms); not fed yet "
            f"{1000 * (counts.captured / rate - counts.fed / 16000):.0f} ms; "
            f"PortAudio's flags: overflow {counts.streams['input'].flags}, "
            f"underflow {counts.streams['output'].flags}; "
            f"lost {1000 * counts.streams['input'].lost_secs:.0f} ms in, "
            f"{1000 * counts.streams['output'].lost_secs:.0f} ms of the agent's voice out; "
            f"AudioDropped {count(call, events.AudioDropped)}, "
            f"devices lost {count(call, events.AudioDeviceLost)}; longest pause between "
            f"callbacks in {1000 * counts.longest['input']:.0f} ms, "
            f"out {1000 * counts.longest['output']:.0f} ms; "
            f"agent spoke {count(call, events.AgentSpeechStopped)} times; "
            f"load {os.getloadavg()[0]:.1f}",
            flush=True,
        )

    stop = threading.Event()
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o700)
        card = VirtualCard(Path(folder))
        os.environ["PULSE_SERVER"] = card.env["PULSE_SERVER"]
        try:
            call, _ = on(card, Microphone(latency=latency), during, desk)
        finally:
            stop.set()
            card.stop()
    print(f"the call ended as {call.end_reason!r} after {call.duration:.1f} s")
    for event in call.events.of(events.AudioDropped):
        print(f"  at {event.at:.1f} s: {event.where} {event.cause}, {1000 * event.secs:.0f} ms")


if __name__ == "__main__":
    main()
