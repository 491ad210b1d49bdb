"""What the browser's microphone adds to a call: delay, CPU and traffic, in a real JupyterLab.

    python benchmarks/browser_microphone.py

Needs Chromium, playwright and flite. A page of its own Chromium hears a caller from a WAV; what its
microphone gives and what its loudspeakers get is recorded in the page, on one clock.
"""

from __future__ import annotations

import argparse
import base64
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import soundfile

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

from lab_harness import Chrome, LabServer, Notebook, write_capture

from piopiy_lab.sound import pcm

RATE = 48000
SESSION = """
import time
from piopiy_lab import BrowserMicrophone, Caller, VoiceAgent, offline_stack, start_call
from piopiy_lab import events as E
from piopiy_lab.transports import browser_wire

async def create_session(call_id):
    agent = VoiceAgent(instructions="Bookings.", greeting="Hello.")
    stt, llm, tts = offline_stack()
    await agent.Action(stt=stt, llm=llm, tts=tts, vad=True)
    await agent.start()

late, up = [], []
arrived = browser_wire.PageClock.arrived

def arrived_noted(self, at, now):
    secs = arrived(self, at, now)
    late.append(secs); up.append(1280)
    return secs

browser_wire.PageClock.arrived = arrived_noted

def cpu():
    "CPU seconds of this process for each second, in percent."
    before = time.process_time(), time.monotonic()
    return lambda: 100 * (time.process_time() - before[0]) / (time.monotonic() - before[1])
"""
START = "call = start_call(create_session, BrowserMicrophone(auto_gain_control=False))"

#: Records both sides in the page: window.taps.mic and .out hold [time, base64 of float32] pieces.
TAPS = """
const code = `registerProcessor("tap", class extends AudioWorkletProcessor {
  constructor() { super(); this.left = []; }
  process([[left]]) {
    if (left) this.left.push(left.slice());
    if (this.left.length >= 40) {
      const all = new Float32Array(this.left.length * 128);
      this.left.forEach((piece, i) => all.set(piece, i * 128));
      this.port.postMessage({ at: currentTime - (this.left.length - 1) * 128 / sampleRate, all });
      this.left = [];
    }
    return true;
  }
})`;
window.taps = { mic: [], out: [] };
const connect = AudioNode.prototype.connect;
AudioNode.prototype.connect = function (to, ...rest) {
  const name = this instanceof MediaStreamAudioSourceNode ? "mic"
    : to instanceof AudioDestinationNode && this instanceof AudioWorkletNode ? "out" : null;
  if (name) {
    const context = this.context;
    window.tap_rate = context.sampleRate;
    const url = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
    window.tap_ready ??= context.audioWorklet.addModule(url);
    window.tap_ready.then(() => {
      const tap = new AudioWorkletNode(context, "tap", { channelCount: 1 });
      tap.port.onmessage = ({ data }) => {
        let text = "";
        for (const byte of new Uint8Array(data.all.buffer)) text += String.fromCharCode(byte);
        window.taps[name].push([data.at, btoa(text)]);
      };
      connect.call(this, tap);
      const quiet = context.createGain();
      quiet.gain.value = 0;
      connect.call(tap, quiet); // what leads nowhere is not computed
      connect.call(quiet, context.destination);
    });
  }
  return connect.call(this, to, ...rest);
};
"""


def caller_wav(path: Path) -> None:
    """Write ten seconds with one sentence in them."""
    with tempfile.TemporaryDirectory() as folder:
        said = f"{folder}/said.wav"
        text = "a table for two tomorrow at eight"
        subprocess.run(["flite", "-voice", "rms", "-t", text, said], check=True, timeout=20)
        samples, rate = soundfile.read(said, dtype="int16")
    clip = pcm.resample(samples, rate, RATE)
    out = np.zeros(10 * RATE, np.int16)
    out[4 * RATE : 4 * RATE + len(clip)] = clip
    write_capture(path, out, RATE)


def pieces_of(page, name):
    return [
        (at, np.frombuffer(base64.b64decode(text), np.float32))
        for at, text in page.evaluate(f"window.taps.{name}")
    ]


def sounding(pieces, rate, least):
    """The times (s) of all samples above ``least``."""
    times = [
        at + np.flatnonzero(np.abs(samples) > least) / rate
        for at, samples in pieces
        if len(samples)
    ]
    return np.concatenate(times)


def delay_added(notebook) -> tuple[float, float]:
    """Seconds from the caller's last sound to the answer's first: in the page, and in the call."""
    rate = notebook.page.evaluate("window.tap_rate")
    said = sounding(pieces_of(notebook.page, "mic"), rate, 0.01)
    heard = sounding(pieces_of(notebook.page, "out"), rate, 0.003)
    gaps = np.flatnonzero(np.diff(said) > 2)
    end = said[gaps[0]] if len(gaps) else said[-1]
    answer = heard[heard > end][0]
    return answer - end, notebook.value("call.turns[0].total")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--secs", type=float, default=10, help="of silence, for CPU and delays")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        server = LabServer(Path(folder) / "lab")
        chrome = Chrome(Path(folder) / "chrome")
        try:
            measure(server, chrome, options.secs)
        finally:
            chrome.stop()
            server.stop()
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


def measure(server: LabServer, chrome: Chrome, secs: float) -> None:
    scripted = f"call = start_call(create_session, Caller().waits({secs + 6}).hangs_up())"
    server.write_notebook("benchmark.ipynb", [SESSION, START, scripted])
    caller_wav(chrome.capture_file)
    page = chrome.context.new_page()
    page.add_init_script(TAPS)
    notebook = Notebook(page, server.url("benchmark.ipynb"))
    notebook.run(0)
    notebook.run(1)
    notebook.output(1).get_by_role("button", name="Start microphone").click()
    notebook.wait_for("len(call.events.of(E.AgentSpeechStopped)) == 2")
    in_page, in_call = delay_added(notebook)
    print(f"end of speech to answer, in the page  {in_page * 1000:5.0f} ms")
    print(f"                         in the call  {in_call * 1000:5.0f} ms")
    print(f"mouth to ear, added by the browser    {(in_page - in_call) * 1000:5.0f} ms")
    notebook.execute("call.mute(); late.clear(); up.clear(); used = cpu(); at = time.monotonic()")
    page.wait_for_timeout(secs * 1000)
    with_browser = notebook.value("used()")
    p50, p95, most = notebook.value(
        "[sorted(late)[int(q * (len(late) - 1))] * 1000 for q in (0.5, 0.95, 1)]"
    )
    print(
        f"a frame later than the fastest        {p50:5.1f} ms p50, {p95:.1f} p95, {most:.1f} worst"
    )
    kilobytes = notebook.value("sum(up) / (time.monotonic() - at) / 1000")
    print(f"up                                    {kilobytes:5.1f} kB/s")
    lost = notebook.value("sum(e.secs for e in call.events.of(E.AudioDropped))")
    print(f"audio lost or dropped                 {lost:5.2f} s")
    notebook.execute("call.hang_up()")
    notebook.wait_for("call.end_reason")
    notebook.run(2)
    notebook.wait_for("call.state == 'listening' and call.events.now() > 3")
    notebook.execute("used = cpu()")
    page.wait_for_timeout(secs * 1000)
    without = notebook.value("used()")
    print(f"kernel CPU of a muted call            {with_browser:5.1f} % of a core")
    print(f"           of a silent scripted one   {without:5.1f} %")
    notebook.execute("call.hang_up()")


if __name__ == "__main__":
    main()
