from __future__ import annotations

import asyncio
import importlib.util
import os
from collections.abc import Callable

import numpy as np
import pytest
from pipecat.frames.frames import (
    EndFrame,
    ErrorFrame,
    Frame,
    InterruptionFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    LLMTextFrame,
    MetricsFrame,
    TTSAudioRawFrame,
    TTSSpeakFrame,
    TTSStartedFrame,
    TTSStoppedFrame,
    TTSTextFrame,
    TTSUpdateSettingsFrame,
)
from pipecat.metrics.metrics import TTFBMetricsData, TTSUsageMetricsData
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.workers.runner import WorkerRunner

from piopiy_lab.errors import ArgumentError, ArgumentTypeError
from piopiy_lab.offline.tts import EspeakTTSService, EspeakTTSSettings, _pieces
from piopiy_lab.sound.speech import AGENT_VOICE, SECOND_AGENT_VOICE, Voice, synthesize

pytestmark = pytest.mark.skipif(
    not importlib.util.find_spec("espeakng_loader")
    and os.environ.get("PIOPIY_LAB_REQUIRE") != "all",
    reason="espeakng-loader is not installed",
)

RATE = 16000
Settings = EspeakTTSSettings


class Ear(FrameProcessor):
    """Keeps what comes out of the service, and wakes whoever waits for a frame."""

    def __init__(self) -> None:
        super().__init__()
        self.frames: list[Frame] = []
        self.came = asyncio.Condition()

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if direction == FrameDirection.DOWNSTREAM:
            async with self.came:
                self.frames.append(frame)
                self.came.notify_all()
        await self.push_frame(frame, direction)

    def all(self, kind: type) -> list:
        return [frame for frame in self.frames if isinstance(frame, kind)]

    async def until(self, ready: Callable[[], object]) -> None:
        async with self.came:
            await asyncio.wait_for(self.came.wait_for(ready), 5)

    def audio(self) -> np.ndarray:
        data = b"".join(frame.audio for frame in self.all(TTSAudioRawFrame))
        return np.frombuffer(data, np.int16)

    def words(self) -> list[str]:
        return [frame.text for frame in self.all(TTSTextFrame)]


async def in_pipeline(service, act, *, cancel: bool = False) -> Ear:
    """Run ``act(worker, ear)`` on a pipeline of the service alone, then end or cancel it."""
    ear = Ear()
    errors: list[ErrorFrame] = []
    worker = PipelineWorker(
        Pipeline([service, ear]),
        params=PipelineParams(
            audio_out_sample_rate=RATE, enable_metrics=True, enable_usage_metrics=True
        ),
        enable_rtvi=False,
        cancel_on_idle_timeout=False,
    )
    started = asyncio.Event()

    @worker.event_handler("on_pipeline_started")
    async def on_started(worker, frame):
        started.set()

    @worker.event_handler("on_pipeline_error")
    async def on_error(worker, frame):
        errors.append(frame)

    async def drive():
        await started.wait()
        await act(worker, ear)
        if cancel:
            await worker.cancel()
        else:
            await worker.queue_frame(EndFrame())

    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    await asyncio.wait_for(asyncio.gather(runner.run(), drive()), 15)
    ear.errors = [error.error for error in errors]
    return ear


def speak(service, *frames: Frame, stops: int = 1, **options) -> Ear:
    async def act(worker, ear):
        await worker.queue_frames(list(frames))
        await ear.until(lambda: len(ear.all(TTSStoppedFrame)) >= stops)

    return asyncio.run(in_pipeline(service, act, **options))


def reply(*tokens: str) -> list[Frame]:
    """An LLM's reply, token by token."""
    texts = [LLMTextFrame(text) for text in tokens]
    return [LLMFullResponseStartFrame(), *texts, LLMFullResponseEndFrame()]


def seconds(frame: Frame, first: Frame) -> float:
    return (frame.pts - first.pts) / 1e9


def test_speaks_the_clip_at_the_pipelines_rate():
    ear = speak(EspeakTTSService(), TTSSpeakFrame("A table for two, please."))
    clip = synthesize("A table for two, please.", AGENT_VOICE, sample_rate=RATE)
    frames = ear.all(TTSAudioRawFrame)
    assert ear.audio().tobytes() == clip.samples.tobytes()
    assert {frame.sample_rate for frame in frames} == {RATE}
    assert max(len(frame.audio) for frame in frames) == 2 * RATE // 10
    assert ear.words() == ["A", "table", "for", "two,", "please."]


def test_stops_right_after_the_last_audio():
    ear = speak(EspeakTTSService(), TTSSpeakFrame("Hello there."))
    kinds = [
        type(frame)
        for frame in ear.frames
        if isinstance(frame, TTSStartedFrame | TTSAudioRawFrame | TTSStoppedFrame)
    ]
    assert kinds[0] is TTSStartedFrame
    assert kinds[-2:] == [TTSAudioRawFrame, TTSStoppedFrame]
    assert kinds.count(TTSStoppedFrame) == 1


def test_a_turns_sentences_share_a_context_and_their_words_one_clock():
    first, second = "Yes, of course.", "For how many people?"
    ear = speak(EspeakTTSService(), *reply("Yes, ", "of course. ", "For how many ", "people?"))
    a, b = (synthesize(s, AGENT_VOICE, sample_rate=RATE) for s in (first, second))
    words = ear.all(TTSTextFrame)
    assert len({frame.context_id for frame in words}) == 1
    assert len(ear.all(TTSStoppedFrame)) == 1
    assert [frame.text for frame in words] == (first + " " + second).split()
    gap = len(ear.audio()) / RATE - a.duration - b.duration
    assert gap == pytest.approx(0.2, abs=0.001)
    expected = [w.start for w in a.words] + [a.duration + gap + w.start for w in b.words]
    assert [seconds(w, words[0]) for w in words] == pytest.approx(expected, abs=0.02)


def test_words_of_the_next_utterance_wait_for_the_audio_before_it():
    ear = speak(
        EspeakTTSService(), TTSSpeakFrame("One moment, please."), TTSSpeakFrame("Done."), stops=2
    )
    clip = synthesize("One moment, please.", AGENT_VOICE, sample_rate=RATE)
    words = ear.all(TTSTextFrame)
    assert seconds(words[-1], words[0]) == pytest.approx(clip.duration, abs=0.02)


@pytest.mark.parametrize("text", ["👍", "...", "— 😀 —"])
def test_text_without_sound_still_starts_and_stops(text):
    ear = speak(EspeakTTSService(), *reply(text))
    assert len(ear.all(TTSStartedFrame)) == len(ear.all(TTSStoppedFrame)) == 1
    assert 0 < len(ear.audio()) <= RATE * 0.02
    assert not ear.audio().any()
    assert ear.errors == []


def test_silent_turns_never_write_the_service_off():
    frames = [TTSSpeakFrame("...") for _ in range(5)]
    ear = speak(EspeakTTSService(), *frames, TTSSpeakFrame("Hello."), stops=6)
    assert ear.errors == []
    assert ear.words()[-1] == "Hello."


@pytest.mark.parametrize(
    "text",
    ["Well - yes 👍 at 7:30 on the 21st, <b>ok</b> & fine!", "Done 👍", "👍 yes", "— so — on —"],
)
def test_the_context_gets_the_whole_text_even_what_is_not_spoken(text):
    ear = speak(EspeakTTSService(), *reply(text))
    context = "".join(frame.raw_text or frame.text for frame in ear.all(TTSTextFrame))
    assert context.replace(" ", "") == text.replace(" ", "")


def test_an_interruption_ends_the_turn_and_the_next_one_is_timed_afresh():
    async def act(worker, ear):
        await worker.queue_frames(reply("This is a long sentence that nobody will hear. "))
        await ear.until(lambda: ear.all(TTSAudioRawFrame))
        await worker.queue_frame(InterruptionFrame())
        await ear.until(lambda: ear.all(InterruptionFrame))
        del ear.frames[:]
        await worker.queue_frames(reply("Sorry, go ahead."))
        await ear.until(lambda: ear.all(TTSStoppedFrame))

    ear = asyncio.run(in_pipeline(EspeakTTSService(), act))
    assert ear.words() == ["Sorry,", "go", "ahead."]
    clip = synthesize("Sorry, go ahead.", AGENT_VOICE, sample_rate=RATE)
    assert ear.audio().tobytes() == clip.samples.tobytes()
    assert ear.all(TTSTextFrame)[0].pts < 2e9


def test_a_long_text_comes_in_pieces_and_can_be_interrupted():
    async def act(worker, ear):
        await worker.queue_frame(TTSSpeakFrame("This sentence comes again and again. " * 60))
        await ear.until(lambda: ear.all(TTSAudioRawFrame))
        await worker.queue_frame(InterruptionFrame())
        await ear.until(lambda: ear.all(InterruptionFrame))

    ear = asyncio.run(in_pipeline(EspeakTTSService(), act))
    whole = synthesize("This sentence comes again and again.", AGENT_VOICE).duration * 60
    # Nothing paces this pipeline: how many pieces are out by then is the event loop's choice.
    assert len(ear.audio()) / RATE < whole * 0.75


def test_pieces_keep_the_text():
    text = "One. Two? " * 100 + "word " * 500
    assert "".join(_pieces(text)) == text
    assert max(len(piece) for piece in _pieces(text)) < 610
    assert list(_pieces("  ")) == []


def test_metrics_have_the_first_byte_and_the_characters():
    ear = speak(EspeakTTSService(), TTSSpeakFrame("Hello there."))
    data = [item for frame in ear.all(MetricsFrame) for item in frame.data]
    usage = [item.value for item in data if isinstance(item, TTSUsageMetricsData)]
    assert usage == [len("Hello there.")]
    assert any(isinstance(item, TTFBMetricsData) and item.value > 0 for item in data)


def test_the_voice_changes_while_it_runs():
    service = EspeakTTSService(voice=Voice("en-us+f2", rate=200))
    change = TTSUpdateSettingsFrame(delta=Settings(voice="second_agent"))
    ear = speak(service, TTSSpeakFrame("Hello."), change, TTSSpeakFrame("Hello."), stops=2)
    voices = (Voice("en-us+f2", rate=200), SECOND_AGENT_VOICE)
    clips = [synthesize("Hello.", voice, sample_rate=RATE).samples for voice in voices]
    assert ear.audio().tobytes() == np.concatenate(clips).tobytes()
    assert service.settings.voice == "second_agent"


def test_a_bad_voice_is_refused_and_the_old_one_speaks_on():
    service = EspeakTTSService()
    change = TTSUpdateSettingsFrame(delta=Settings(voice="nobody"))
    ear = speak(service, change, TTSSpeakFrame("Hello."))
    assert len(ear.errors) == 1
    assert "nobody" in ear.errors[0]
    assert (
        ear.audio().tobytes()
        == synthesize("Hello.", AGENT_VOICE, sample_rate=RATE).samples.tobytes()
    )


@pytest.mark.parametrize("cancel", [False, True])
def test_an_instance_works_in_the_next_pipeline_on_another_loop(cancel):
    service = EspeakTTSService()
    service.add_text_transformer(shout, "*")

    async def act(worker, ear):
        await worker.queue_frames(reply("This is a long sentence. ", "And another one. "))
        await ear.until(lambda: ear.all(TTSAudioRawFrame))

    asyncio.run(in_pipeline(service, act, cancel=cancel))
    name = service.name
    ear = speak(service, *reply("Hello again."))
    assert ear.words() == ["Hello", "again!"]
    assert ear.all(TTSTextFrame)[0].pts < 2e9
    assert service.name == name


async def shout(text: str, kind: str) -> str:
    return text.replace(".", "!")


def test_a_bad_voice_is_refused_at_once():
    with pytest.raises(ArgumentError, match="nobody"):
        EspeakTTSService(voice="nobody")
    with pytest.raises(ArgumentTypeError, match="int"):
        EspeakTTSService(voice=3)
    with pytest.raises(ArgumentError, match="rate"):
        EspeakTTSService(settings=Settings(rate=9000))
