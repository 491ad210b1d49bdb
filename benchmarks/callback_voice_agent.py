"""A witness that is not ours: callback-voice's restaurant agent, and its authors' planted faults.

    pip install callback-voice    # Python 3.12 or later; none of its extras
    python benchmarks/callback_voice_agent.py [--most N] [--jobs N]

Their session, detector, turn rules and dialog run as they are, as one stage of a pipecat bot, in
virtual time; the recogniser is the screenplay's and the voice espeak-ng's. Prints the bench's
figures of their good agent and of their buggy one. Their replies are short, so that only stimuli
of up to 2.5 s into the agent's speech are taken, and some calls come to nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import functools
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
from callback_voice.providers.stt.base import Transcript
from callback_voice.providers.vad.silero_vad import SileroVad
from callback_voice.reference_agents.restaurant.bookings.booking_store import BookingStore
from callback_voice.reference_agents.restaurant.dialog.agent_flaws import AgentFlaws
from callback_voice.reference_agents.restaurant.dialog.reservation_brain import ReservationBrain
from callback_voice.reference_agents.restaurant.voice import agent_session, paced_speaker
from callback_voice.reference_agents.restaurant.voice.agent_session import AgentModels, AgentSession
from callback_voice.reference_agents.restaurant.voice.behavior import BEHAVIORS
from pipecat.frames.frames import (
    CancelFrame,
    EndFrame,
    Frame,
    InputAudioRawFrame,
    StartFrame,
    TTSAudioRawFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.runner.utils import create_transport
from pipecat.transports.base_transport import TransportParams
from pipecat.workers.runner import WorkerRunner

from piopiy_lab import run_bench, speech
from piopiy_lab.bench.stimuli import Stimulus, load_stimuli
from piopiy_lab.experiments.figures.listing import text_table
from piopiy_lab.session.session import current_session

RATE = 16000
#: Seconds by which a clip may end before the recogniser is asked: the detector's own time.
LATE_SECS = 0.8
#: Seconds of a word that their recogniser needs of it in the middle of speech.
PART_SECS = 0.15


class LoopClock:
    """The time that their agent asks for: the loop's, which is virtual here."""

    @staticmethod
    def monotonic() -> float:
        """Return seconds of the running loop."""
        return asyncio.get_running_loop().time()


agent_session.time = paced_speaker.time = LoopClock  # type: ignore[assignment]


class ScreenplayEars:
    """Their recogniser: the words of the screenplay that were said in the clip's time.

    In the middle of speech a word is heard once it has been begun for 0.15 s, as they hear a part.
    """

    name = "screenplay"

    def __init__(self, *, parts: bool = False) -> None:
        self._session = current_session()
        self._parts = parts

    async def transcribe(self, audio: Any, *, language: str | None = None) -> Transcript:
        now = self._session.now()
        since = now - len(audio) / RATE - LATE_SECS
        words = [
            one.text
            for one in self._session.script.words
            if one.end >= since and (one.start + PART_SECS if self._parts else one.end) <= now
        ]
        return Transcript(" ".join(words), language)


class EspeakVoice:
    """Their voice: espeak-ng."""

    name = identity = "espeak"

    async def synthesize(self, text: str, **_: Any) -> Any:
        said = speech.synthesize(text, "en-us", sample_rate=RATE)
        return (said.samples / 32768.0).astype(np.float32)


class Line:
    """Their end of the call."""

    def __init__(self, say: Any) -> None:
        self.heard: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.send = say
        self.closed = asyncio.Event()

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._messages()

    async def _messages(self) -> AsyncIterator[bytes]:
        while (message := await self.heard.get()) is not None:
            yield message

    async def close(self) -> None:
        self.closed.set()


class Restaurant(FrameProcessor):
    """Their whole agent as one stage of a pipeline."""

    def __init__(self, behavior: str) -> None:
        super().__init__()
        self._behavior = BEHAVIORS[behavior]
        self._line = Line(self._say)
        self._running: asyncio.Task[None] | None = None

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        match frame:
            case InputAudioRawFrame():
                self._line.heard.put_nowait(frame.audio)
                return
            case StartFrame():
                await self.push_frame(frame, direction)
                self._running = self.create_task(self._run())
                return
            case EndFrame() | CancelFrame() if self._running is not None:
                await self.cancel_task(self._running)
                self._running = None
        await self.push_frame(frame, direction)

    async def _run(self) -> None:
        flaws = AgentFlaws(
            misread=self._behavior.misread, leaks_other_guests=self._behavior.leaks_other_guests
        )
        ears, judge = ScreenplayEars(), ScreenplayEars(parts=True)
        models = AgentModels(ears, judge, EspeakVoice(), SileroVad())
        brain = ReservationBrain(BookingStore(), flaws=flaws)
        await AgentSession(self._line, self._behavior, models, brain).run()

    async def _say(self, piece: bytes) -> None:
        await self.push_frame(TTSAudioRawFrame(piece, RATE, 1))


async def restaurant(runner_args: Any, behavior: str = "good") -> None:
    """Run their agent as a pipecat bot."""

    def params() -> TransportParams:
        return TransportParams(audio_in_enabled=True, audio_out_enabled=True)

    transport = await create_transport(runner_args, {"webrtc": params})
    stages = [transport.input(), Restaurant(behavior), transport.output()]
    worker = PipelineWorker(
        Pipeline(stages),
        params=PipelineParams(audio_in_sample_rate=RATE, audio_out_sample_rate=RATE),
    )

    @transport.event_handler("on_client_disconnected")
    async def on_client_disconnected(transport: Any, client: Any) -> None:
        await worker.cancel()

    runner = WorkerRunner(handle_sigint=runner_args.handle_sigint)
    await runner.add_workers(worker)
    await runner.run()


AGENTS = {name: functools.partial(restaurant, behavior=name) for name in BEHAVIORS}
#: Their reply to our question takes some 5 s.
LATEST_SECS = 2.5
KINDS = ("backchannel", "interruption", "noise", "end")


async def main() -> None:
    """Measure both, and print what was found."""
    told = argparse.ArgumentParser()
    told.add_argument("--most", type=int, default=20, help="so many of each kind")
    told.add_argument("--jobs", type=int)
    options = told.parse_args()
    listed: list[Stimulus] = []
    for kind in KINDS:
        early = [one for one in load_stimuli(kinds=[kind]) if one.after <= LATEST_SECS]
        listed += early[: options.most]
    own = dict.fromkeys(("stt", "llm", "tts"), "own")
    reports = {
        name: await run_bench(
            bot, stimuli=listed, recogniser="own", replace=own, latency={}, executor=options.jobs
        )
        for name, bot in AGENTS.items()
    }
    figures = [one for one in reports["good"].figures if one.n]
    rows = [[one.name, *(of[one.key].told() for of in reports.values())] for one in figures]
    print(text_table(["figure", *reports], rows))
    for name, report in reports.items():
        print(f"{name}: {len(report.failed)} calls came to nothing")


if __name__ == "__main__":
    asyncio.run(main())
