"""What the live panel costs the kernel: CPU for each frame drawn, bytes on the wire, memory.

    python benchmarks/panel.py            # without a browser
    python benchmarks/panel.py --browser  # and in a real JupyterLab (Chromium, playwright)

A lively call (the booking desk, simulated once) is told over and over until ten minutes are full,
and played into a Panel at full speed: its messages go through ipywidgets, the comm and Jupyter's
own serialisation, and are counted there.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
import tracemalloc
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import comm
import numpy as np
from comm.base_comm import BaseComm
from common import CALLER, desk_session
from jupyter_client.session import Session

from piopiy_lab import Call, simulate
from piopiy_lab import events as ev
from piopiy_lab.events.log import EventLog
from piopiy_lab.sound.recorder import Recorder
from piopiy_lab.widgets.pump import PULL_SECS

FPS = 20
MINUTES = 10
#: Milliseconds of CPU for a frame, payload kB a second.
BUDGET = (2.0, 5.0)


class WireComm(BaseComm):
    """A comm whose messages are serialised as a kernel does it, counted, and dropped."""

    session = Session(key=b"benchmark")
    payload = 0  # bytes of our own: the message's JSON and its buffers
    wire = 0  # bytes of Jupyter's message
    messages = 0

    def publish_msg(self, msg_type: str, data=None, metadata=None, buffers=None, **keys: Any):
        content = {"data": data or {}, "comm_id": self.comm_id, **keys}
        message = self.session.msg(msg_type, content, metadata=metadata)
        parts = self.session.serialize(message, ident=b"comm-" + self.comm_id.encode())
        sound = sum(len(b) for b in buffers or ())
        cls = type(self)
        cls.messages += 1
        cls.wire += sum(map(len, parts)) + sound
        cls.payload += len(json.dumps((data or {}).get("content", {}))) + sound


class Port:
    """A running call's commands, for a call that nothing answers."""

    agent = None
    error = None
    services: dict[str, str] = {}
    loop_thread_ident = None


@dataclass
class Story:
    """One call's events and sound, to be told again and again."""

    events: list[ev.Event]
    sound: np.ndarray
    rate: int
    secs: float

    def events_until(self, end: float) -> Iterator[ev.Event]:
        """Yield the events of a call of ``end`` seconds."""
        times = 0
        while times * self.secs < end:
            for event in self.events:
                if times and isinstance(event, ev.CallStarted | ev.PipelineStarted):
                    continue
                yield moved(event, times * self.secs, 1000 * times)
            times += 1

    def sound_of(self, start: float, secs: float) -> np.ndarray:
        """Return ``secs`` of both sides from ``start`` on, int16 (n, 2)."""
        first = round(start * self.rate)
        return self.sound.take(
            np.arange(first, first + round(secs * self.rate)), axis=0, mode="wrap"
        )


def moved(event: ev.Event, secs: float, numbers: int) -> ev.Event:
    """Return the event as it would be ``secs`` later, its tool call with another number."""
    changes: dict[str, Any] = {"at": event.at + secs}
    names = {field.name for field in fields(event)}
    if "number" in names:
        changes["number"] = event.number + numbers
    if "words" in names and isinstance(event, ev.Transcribed):
        changes["words"] = [[text, a + secs, b + secs] for text, a, b in event.words]
    if isinstance(event, ev.CallerSpoke):
        changes["end"] = event.end + secs
    return replace(event, **changes)


def story() -> Story:
    """Simulate the booking desk's call."""
    call = asyncio.run(simulate(desk_session, CALLER))
    call.raise_for_error()
    events = [event for event in call.events if not isinstance(event, ev.CallEnded)]
    recording = call.recording
    return Story(events, np.asarray(recording), recording.sample_rate, call.duration)


class Played:
    """Ten minutes of call in a Panel, step by step; each pull is measured."""

    def __init__(self, told: Story, secs: float) -> None:
        from piopiy_lab.widgets import Panel

        self.now = 0.0
        self.log = EventLog(lambda: self.now)
        self.recorder = Recorder(told.rate)
        self.call = Call(self.log, self.recorder, Port(), {"call_id": "benchmark"})  # type: ignore[arg-type]
        self.view = Panel(self.call)
        self._told, self._secs = told, secs

    def run(self) -> Iterator[tuple[float, float]]:
        """Yield (second of the call, CPU seconds) of each pull."""
        events = self._told.events_until(self._secs)
        event = next(events)
        self.view.pull()
        for step in range(int(self._secs / PULL_SECS)):
            self.now = (step + 1) * PULL_SECS
            sound = self._told.sound_of(step * PULL_SECS, PULL_SECS)
            self.recorder.write_caller(step * PULL_SECS, sound[:, 0], self._told.rate)
            self.recorder.write_agent(step * PULL_SECS, sound[:, 1], self._told.rate)
            while event is not None and event.at <= self.now:
                self.log.append(event)
                event = next(events, None)
            cpu = time.thread_time()
            self.view.pull()
            yield self.now, time.thread_time() - cpu


def cpu_and_bytes(told: Story, secs: float) -> bool:
    """Print CPU and bytes, minute by minute; return whether the budget is kept."""
    played = Played(told, secs)
    WireComm.payload = WireComm.wire = WireComm.messages = 0
    kept = True
    pulls: list[float] = []
    print("  minute  CPU a frame     CPU  worst pull    payload       wire")
    for now, cpu in played.run():
        pulls.append(cpu)
        if len(pulls) < round(60 / PULL_SECS):
            continue
        frame = 1000 * sum(pulls) / (60 * FPS)
        payload, wire = WireComm.payload / 60e3, WireComm.wire / 60e3
        print(
            f"{now / 60:8.0f} {frame:9.3f} ms {sum(pulls) / 0.6:5.1f} % {1000 * max(pulls):8.1f} ms"
            f" {payload:5.1f} kB/s {wire:5.1f} kB/s"
        )
        kept = kept and frame <= BUDGET[0] and payload <= BUDGET[1]
        pulls.clear()
        WireComm.payload = WireComm.wire = WireComm.messages = 0
    return kept


def memory(told: Story, secs: float) -> None:
    """Print how the view's memory grows; the log and the recording are the call's own."""
    played = Played(told, secs)
    tracemalloc.start()
    ours = [tracemalloc.Filter(True, f"*/piopiy_lab/{name}") for name in (
        "widgets/*", "turns.py", "entries.py", "transcript.py", "tool_calls.py", "latency.py",
    )]  # fmt: skip
    for now, _ in played.run():
        if abs(now - 60) < PULL_SECS / 2 or abs(now - secs) < PULL_SECS / 2:
            found = tracemalloc.take_snapshot().filter_traces(ours)
            size = sum(trace.size for trace in found.traces)
            print(
                f"{now / 60:8.0f} min: {size / 1e6:.2f} MB in the kernel for one panel", flush=True
            )
    tracemalloc.stop()
    bins, samples = secs / 0.02 * 2, len(played.log.of(ev.VADSampled)) * 12
    print(
        f"{secs / 60:8.0f} min: {(bins + samples) / 1e6:.2f} MB in the page: outline and detector"
    )


BROWSER = """
from piopiy_lab import Caller, VoiceAgent, offline_stack, start_call
from piopiy_lab.offline import booking_desk
import time, threading

async def create_session():
    desk = booking_desk()
    agent = VoiceAgent(instructions=desk.instructions, greeting=desk.greeting)
    stt, llm, tts = offline_stack()
    await agent.Action(stt=stt, llm=llm, tts=tts, vad=True)
    await agent.start()

caller = Caller().hears_greeting()
for line in ("a table for two tomorrow at seven", "my name is anna", "yes please") * 2:
    caller = caller.says(line).hears_reply()

from piopiy_lab.widgets import pump
pulls, pull = [], None
from piopiy_lab.widgets.view import CallView
pull = CallView.pull
def pull_noted(self):
    cpu = time.thread_time()
    try:
        return pull(self)
    finally:
        pulls.append((time.monotonic(), time.thread_time() - cpu))
CallView.pull = pull_noted
"""


def in_the_browser() -> None:
    """Print what a pull costs in a real kernel, and what comes down the page's web socket."""
    import tempfile

    sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))
    from lab_harness import Chrome, LabServer, Notebook

    with tempfile.TemporaryDirectory() as folder:
        server, chrome = LabServer(Path(folder) / "lab"), Chrome(Path(folder) / "chrome")
        try:
            server.write_notebook(
                "panel.ipynb", [BROWSER, "call = start_call(create_session, caller)"]
            )
            received: list[int] = []
            page = chrome.context.new_page()
            page.on(
                "websocket",
                lambda ws: ws.on("framereceived", lambda data: received.append(len(data))),
            )
            notebook = Notebook(page, server.url("panel.ipynb"))
            notebook.run(0)
            notebook.run(1)
            notebook.wait_for("call.state == 'listening'")
            page.locator(".piopiy-panel .pl-row").first.wait_for()
            before, began = len(received), time.monotonic()
            page.wait_for_timeout(15000)
            secs, size = time.monotonic() - began, sum(received[before:])
            cpu = notebook.value(
                "[sum(c for _, c in pulls), pulls[-1][0] - pulls[0][0], len(pulls)]"
            )
            print(
                f"in JupyterLab: {1000 * cpu[0] / cpu[1] / FPS:.3f} ms a frame, "
                f"{100 * cpu[0] / cpu[1]:.1f} % of a core, {cpu[2] / cpu[1]:.1f} messages/s; "
                f"{size / secs / 1e3:.1f} kB/s on the web socket"
            )
            notebook.execute("call.hang_up()")
        finally:
            chrome.stop()
            server.stop()


def main() -> None:
    """Print it all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=int, default=MINUTES)
    parser.add_argument("--browser", action="store_true")
    asked = parser.parse_args()
    comm.create_comm = WireComm
    told, secs = story(), 60.0 * asked.minutes
    kept = cpu_and_bytes(told, secs)
    memory(told, secs)
    told_by = f"{BUDGET[0]} ms of CPU a frame at {FPS} fps, {BUDGET[1]} kB/s of payload"
    print(f"budget: {told_by}: {'kept' if kept else 'BROKEN'}")
    if asked.browser:
        in_the_browser()


if __name__ == "__main__":
    main()
