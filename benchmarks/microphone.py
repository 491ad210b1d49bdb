"""The local microphone on a virtual sound card, alone: CPU, delays, time to silence.

    python benchmarks/microphone.py [SECONDS]

Nothing but the transport is measured: its pipeline gets no frames, and the agent's audio is handed
over by hand. Beside it pipecat's own local transport, where PyAudio is installed (``apt install
portaudio19-dev; pip install pyaudio``). Needs PulseAudio, as tests/realtime does. For the call as a
whole with a busy kernel see busy_microphone.py.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from pipecat.frames.frames import EndFrame, InterruptionFrame, OutputAudioRawFrame
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.workers.runner import WorkerRunner

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "support"))
from live_calls import until
from virtual_card import VirtualCard

from piopiy_lab import Microphone, VoiceAgent, events, offline_stack, start_call
from piopiy_lab.transports.microphone import MicrophoneTransport
from piopiy_lab.transports.sound_card import OUTPUT_LATENCY_SECS, CaptureStream, PlayStream

RATE = 24000
LOUD = 1000  # int16; the tones are far above, and there is nothing else on the virtual card
ROUNDS = 4


def tone(secs: float, rate: int) -> np.ndarray:
    return (8000 * np.sin(2 * np.pi * 440 * np.arange(round(secs * rate)) / rate)).astype(np.int16)


async def silent_agent(call_id: str) -> None:
    agent = VoiceAgent(instructions="x", idle_timeout_secs=0)
    stt, llm, tts = offline_stack()
    stt.needs_vad = False
    await agent.Action(stt=stt, llm=llm, tts=tts)
    await agent.start()


class Monitor:
    """Listens to a source of the virtual card and knows when each sample was there."""

    def __init__(self, card: VirtualCard, source: str) -> None:
        self._recorder = subprocess.Popen(
            ["parec", "--raw", "--rate=48000", "--channels=1", "--format=s16le",
             "--latency-msec=5", f"--device={source}"],
            env=card.env, stdout=subprocess.PIPE,
        )  # fmt: skip
        self._parts: list[np.ndarray] = []
        self._came: list[tuple[int, float]] = []  # samples so far, and when they were there
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        count = 0
        assert self._recorder.stdout is not None
        while data := os.read(self._recorder.stdout.fileno(), 1 << 16):
            if len(data) % 2:
                data += os.read(self._recorder.stdout.fileno(), 1)
            count += len(data) // 2
            self._came.append((count, time.monotonic()))
            self._parts.append(np.frombuffer(data, np.int16))

    def stop(self) -> tuple[list[float], list[float]]:
        """Return when each tone began and ended, in monotonic seconds."""
        self._recorder.terminate()
        self._recorder.wait()
        self._thread.join()
        loud = np.flatnonzero(np.abs(np.concatenate(self._parts).astype(np.int32)) > LOUD)
        breaks = np.flatnonzero(np.diff(loud) > 0.2 * 48000)
        counts = np.array([count for count, _ in self._came])
        times = np.array([at for _, at in self._came])

        def there(samples: np.ndarray) -> list[float]:
            block = np.searchsorted(counts, samples, side="right")
            return list(times[block] - (counts[block] - samples) / 48000)

        return there(loud[np.r_[0, breaks + 1]]), there(loud[np.r_[breaks, len(loud) - 1]])


class PathAlone:
    """Our transport in a call, cut off from its pipeline."""

    def __init__(self) -> None:
        self.fed: list[tuple[float, float]] = []  # monotonic seconds, and the piece's peak
        self.audio_threads: set[int] = set()

    @contextmanager
    def call(self, microphone: Microphone):
        path = self
        kept = MicrophoneTransport.feed
        called = CaptureStream._called

        async def feed(self, start, samples):
            path.fed.append((time.monotonic(), float(np.abs(samples).max(initial=0))))

        def on_call(self, *args):
            path.audio_threads.add(threading.get_native_id())
            return called(self, *args)

        MicrophoneTransport.feed = feed
        CaptureStream._called = PlayStream._called = on_call
        call = start_call(silent_agent, microphone)
        try:
            until(call, lambda: call.state == "listening")
            self.transport = call._port.session.agents[-1].transport
            yield call
        finally:
            call.hang_up()
            call.join(8)
            MicrophoneTransport.feed = kept
            for stream in (CaptureStream, PlayStream):
                del stream._called

    def on_loop(self, coroutine):
        loop = self.transport._loop  # the call's own: the benchmark reaches into it from outside
        return asyncio.run_coroutine_threadsafe(coroutine, loop).result(120)  # noqa: TID251

    async def play(self, samples: np.ndarray, cut: bool = False) -> tuple[float, float]:
        """Hand audio over in pieces of 100 ms; returns when it began, and when it was cut."""
        transport, began = self.transport, time.monotonic()
        for at in range(0, len(samples), RATE // 10):
            piece = samples[at : at + RATE // 10]
            transport.playout.write(transport.session.now(), piece)
            transport.play(piece)
            wait = transport.playout.ends_at - transport.audio.lead_secs - transport.session.now()
            await asyncio.sleep(max(0.0, wait))
            transport.audio.record_played()
        if cut:
            transport.output().clear()
        return began, time.monotonic()


def thread_secs() -> dict[int, float]:
    """CPU seconds of each thread of this process, also of C libraries."""
    there = {}
    for task in Path("/proc/self/task").iterdir():
        there[int(task.name)] = int((task / "schedstat").read_text().split()[0]) / 1e9
    return there


def cpu(card: VirtualCard, name: str, microphone: Microphone, secs: float) -> None:
    path = PathAlone()
    with path.call(microphone) as call:
        player = card.speak(tone(secs + 1, 16000))
        before = thread_secs()
        began = time.monotonic()
        path.on_loop(path.play(tone(secs, RATE)))
        went = time.monotonic() - began
        used = {t: 100 * (s - before.get(t, 0.0)) / went for t, s in thread_secs().items()}
        loop = path.transport._loop._thread_id
        audio = sum(used.get(t, 0.0) for t in path.audio_threads)
        ids = {t.ident: t.native_id for t in threading.enumerate()}
        names = {t.native_id: t.name for t in threading.enumerate()}
        on_loop = used.get(ids.get(loop, 0) or 0, 0.0)
        cleaning = sum(used.get(n or 0, 0.0) for n, name in names.items() if "cleaning" in name)
        player.wait()
    total = sum(used.values())
    print(
        f"CPU, {name:28} {total:4.1f} % of a core: loop {on_loop:.1f}, audio threads {audio:.1f}, "
        f"cleaning {cleaning:.1f}, others (PulseAudio's client) "
        f"{total - on_loop - audio - cleaning:.1f}; "
        f"AudioDropped {len(call.events.of(events.AudioDropped))}",
        flush=True,
    )


def onsets(fed: list[tuple[float, float]]) -> list[float]:
    """When frames with a tone began to come."""
    found, last = [], -1.0
    for at, peak in fed:
        if peak > LOUD:
            if at - last > 0.2:
                found.append(at)
            last = at
    return found


def told(name: str, begins: list[float], ends: list[float]) -> str:
    if len(begins) != len(ends):
        return f"{name} not measured: {len(begins)} tones, {len(ends)} found"
    ms = 1000 * (np.array(ends) - np.array(begins))
    return f"{name} {np.median(ms):.0f} ms (most {ms.max():.0f})"


def mouth(card: VirtualCard) -> None:
    """Play tones into the microphone, apart by silence."""
    clip = np.concatenate([np.zeros(8000, np.int16), tone(0.3, 16000)] * ROUNDS)
    card.speak(clip).wait()
    time.sleep(0.4)


def ours(card: VirtualCard, microphone: Microphone, name: str) -> None:
    path = PathAlone()
    with path.call(microphone) as call:
        mic, speaker = Monitor(card, "micsink.monitor"), Monitor(card, "speaker.monitor")
        time.sleep(1.2)
        path.fed.clear()
        mouth(card)
        began, cut = [], []
        for _ in range(ROUNDS):
            at = path.on_loop(path.play(tone(0.9, RATE), cut=True))
            began.append(at[0])
            cut.append(at[1])
            time.sleep(0.5)
        play = path.transport._play
    spoken, _ = mic.stop()
    heard, silent = speaker.stop()
    print(
        f"{name:34} {told('microphone to frame', spoken, onsets(path.fed))}, "
        f"{told('audio to speaker', began, heard)}, {told('cut to silence', cut, silent)}; "
        f"underflow flags {play.flags}, voice lost {1000 * play.lost_secs:.0f} ms, "
        f"AudioDropped {len(call.events.of(events.AudioDropped))}",
        flush=True,
    )


async def pipecats(card: VirtualCard, secs: float) -> None:
    from pipecat.transports.local import audio as local

    fed: list[tuple[float, float]] = []
    wrote: list[float] = []

    class In(local.LocalAudioInputTransport):
        async def push_audio_frame(self, frame):
            samples = np.frombuffer(frame.audio, np.int16)
            fed.append((time.monotonic(), float(np.abs(samples).max(initial=0))))

    class Out(local.LocalAudioOutputTransport):
        async def write_audio_frame(self, frame):
            wrote.append(time.monotonic())
            return await super().write_audio_frame(frame)

    params = local.LocalAudioTransportParams(
        audio_in_enabled=True, audio_in_sample_rate=16000, audio_out_enabled=True,
        audio_out_sample_rate=RATE, audio_out_end_silence_secs=0,
    )  # fmt: skip
    transport = local.LocalAudioTransport(params)
    source, sink = In(transport._pyaudio, params), Out(transport._pyaudio, params)
    worker = PipelineWorker(
        Pipeline([source, sink]),
        params=PipelineParams(audio_in_sample_rate=16000, audio_out_sample_rate=RATE),
        enable_rtvi=False,
        idle_timeout_secs=None,
    )
    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    running = asyncio.create_task(runner.run())
    mic, speaker = Monitor(card, "micsink.monitor"), Monitor(card, "speaker.monitor")
    await asyncio.sleep(2.0)
    fed.clear()
    await asyncio.to_thread(mouth, card)
    began, cut = [], []
    for _ in range(ROUNDS):
        wrote.clear()
        await worker.queue_frame(OutputAudioRawFrame(tone(3.0, RATE).tobytes(), RATE, 1))
        await asyncio.sleep(0.9)
        began.append(wrote[0])
        cut.append(time.monotonic())
        await worker.queue_frame(InterruptionFrame())
        await asyncio.sleep(0.8)
    spoken, _ = mic.stop()
    heard, silent = speaker.stop()
    print(
        f"{'pipecat, LocalAudioTransport':34} "
        f"{told('microphone to frame', spoken, onsets(fed))}, "
        f"{told('audio to speaker', began, heard)}, {told('cut to silence', cut, silent)}",
        flush=True,
    )
    player = card.speak(tone(secs + 1, 16000))
    await worker.queue_frame(OutputAudioRawFrame(tone(secs + 1, RATE).tobytes(), RATE, 1))
    began_at, used = time.monotonic(), sum(thread_secs().values())
    await asyncio.sleep(secs)
    share = (sum(thread_secs().values()) - used) / (time.monotonic() - began_at)
    print(f"CPU, pipecat, LocalAudioTransport, no cancellation {100 * share:.1f} % of a core")
    player.wait()
    await worker.queue_frame(EndFrame())
    await asyncio.wait_for(running, 20)
    transport._pyaudio.terminate()


def main() -> None:
    secs = float(sys.argv[1]) if len(sys.argv) > 1 else 10.0
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o700)
        card = VirtualCard(Path(folder))
        os.environ["PULSE_SERVER"] = card.env["PULSE_SERVER"]
        try:
            plain, full = Microphone(echo_cancellation=False), Microphone()
            cpu(card, "no cancellation", plain, secs)
            cpu(card, "cancellation", full, secs)
            ours(card, full, "ours, cancellation")
            for latency in (0.02, OUTPUT_LATENCY_SECS, 0.1):
                name = f"ours, latency={latency:g}"
                ours(card, Microphone(echo_cancellation=False, latency=latency), name)
            try:
                import pyaudio  # noqa: F401
            except ImportError:
                print("no PyAudio: pipecat's own local transport is not compared")
            else:
                asyncio.run(pipecats(card, secs))
        finally:
            card.stop()


if __name__ == "__main__":
    main()
