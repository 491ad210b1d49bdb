"""`PhraseSTTService` in a pipeline of its own, with the detector's frames sent by hand.

A call is a list of what goes in, in order: samples and frames. The pipeline's clock tells how much
has gone in, so nothing here waits for real time.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import re
from collections.abc import Sequence

import numpy as np
import pytest
from pipecat.clocks.base_clock import BaseClock
from pipecat.frames.frames import (
    EndFrame,
    ErrorFrame,
    Frame,
    InputAudioRawFrame,
    InterimTranscriptionFrame,
    MetricsFrame,
    STTMuteFrame,
    STTUpdateSettingsFrame,
    TextFrame,
    TranscriptionFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.metrics.metrics import TTFBMetricsData
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.services.settings import STTSettings
from pipecat.workers.runner import WorkerRunner

from piopiy_lab import Audio, Caller, events, simulate
from piopiy_lab.cli.talk import desk_session
from piopiy_lab.errors import ArgumentError, PhraseError
from piopiy_lab.offline.booking import booking_desk
from piopiy_lab.offline.phrases import PhraseBook, parse_unclear
from piopiy_lab.offline.recogniser import Recogniser
from piopiy_lab.offline.stt import PhraseSTTService, PhraseSTTSettings
from piopiy_lab.sound.speech import CALLER_VOICE, synthesize

_LACKING = [m for m in ("pocketsphinx", "espeakng_loader") if not importlib.util.find_spec(m)]
pytestmark = pytest.mark.skipif(
    bool(_LACKING) and os.environ.get("PIOPIY_LAB_REQUIRE") != "all",
    reason=f"{' and '.join(_LACKING)} not installed: pip install 'piopiy-lab[offline]'",
)

LEAD, TAIL = 0.5, 0.25  # s of silence before a sentence, and until the detector is sure of its end
SURE = 0.36  # s from the first sound to when the detector is sure
STOP_SECS = 0.2
DOORS = PhraseBook(
    ["open the {room} door", "what time is it", "thank you very much", "good morning"],
    {"room": ["kitchen", "garden"]},
)


class HandClock(BaseClock):
    """A clock that is set."""

    seconds = 0.0

    def start(self) -> None:
        pass

    def get_time(self) -> int:
        return round(self.seconds * 1e9)


class Ear(FrameProcessor):
    """Keeps what comes out of the service, and wakes whoever waits for it."""

    def __init__(self) -> None:
        super().__init__()
        self.frames: list[Frame] = []
        self.errors: list[str] = []
        self.came = asyncio.Condition()

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        async with self.came:
            self.frames.append(frame)
            self.came.notify_all()
        await self.push_frame(frame, direction)

    async def until(self, frame: Frame) -> None:
        async with self.came:
            there = self.came.wait_for(lambda: any(f.id == frame.id for f in self.frames))
            await asyncio.wait_for(there, 8)

    def all(self, kind: type) -> list:
        return [frame for frame in self.frames if isinstance(frame, kind)]

    def texts(self) -> list[str]:
        return [frame.text for frame in self.all(TranscriptionFrame)]


Call = Sequence[np.ndarray | Frame]


async def call(service, steps: Call, *, rate: int, piece: float, cancel: bool) -> Ear:
    ear, clock = Ear(), HandClock()
    worker = PipelineWorker(
        Pipeline([service, ear]),
        params=PipelineParams(audio_in_sample_rate=rate, enable_metrics=True),
        clock=clock,
        enable_rtvi=False,
        cancel_on_idle_timeout=False,
    )
    started = asyncio.Event()

    @worker.event_handler("on_pipeline_started")
    async def on_started(worker, frame):
        started.set()

    @worker.event_handler("on_pipeline_error")
    async def on_error(worker, frame: ErrorFrame):
        ear.errors.append(frame.error)

    async def play(samples: np.ndarray) -> None:
        size = round(piece * rate)
        for at in range(0, len(samples), size):
            audio = samples[at : at + size].tobytes()
            frame = InputAudioRawFrame(audio=audio, sample_rate=rate, num_channels=1)
            await worker.queue_frame(frame)
        await ear.until(frame)
        clock.seconds += len(samples) / rate

    async def drive() -> None:
        await started.wait()
        for step in steps:
            if isinstance(step, np.ndarray):
                await play(step)
            else:
                await worker.queue_frame(step)
                if not isinstance(step, STTUpdateSettingsFrame | STTMuteFrame):
                    await ear.until(step)
        await play(silence(0.02, rate))  # what came before is through when this is
        if cancel:
            await worker.cancel()
        else:
            await worker.queue_frame(EndFrame())

    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    await asyncio.wait_for(asyncio.gather(runner.run(), drive()), 15)
    assert ear.errors == []
    return ear


def listen(service, *steps, rate=16000, piece=0.02, cancel=False) -> Ear:
    """Play a call to the service, in audio frames of ``piece`` seconds; what came out of it."""
    flat = [part for step in steps for part in (step if isinstance(step, list) else [step])]
    return asyncio.run(call(service, flat, rate=rate, piece=piece, cancel=cancel))


def silence(seconds: float, rate: int = 16000) -> np.ndarray:
    return np.zeros(round(seconds * rate), np.int16)


def spoken(text: str, *, rate: int = 16000, sure: float = SURE, lead: float = LEAD) -> list:
    """A sentence, as a detector sees it."""
    clip = synthesize(text, CALLER_VOICE, sample_rate=rate).samples
    clip = np.concatenate([silence(lead, rate), clip, silence(TAIL, rate)])
    return around(clip, lead + sure, rate)


def around(clip: np.ndarray, start: float, rate: int = 16000) -> list:
    at = round(start * rate)
    begin, end = VADUserStartedSpeakingFrame(), VADUserStoppedSpeakingFrame(stop_secs=STOP_SECS)
    return [clip[:at], begin, clip[at:], end]


def noise(seconds: float) -> np.ndarray:
    burst = np.random.default_rng(2).normal(0, 4000, round(seconds * 16000))
    return (burst * np.exp(-np.arange(len(burst)) / 1500)).clip(-32000, 32000).astype(np.int16)


@pytest.fixture
def stt():
    return PhraseSTTService(DOORS)


@pytest.mark.parametrize("rate", [8000, 16000, 24000, 48000])
def test_the_booking_desk_is_understood_at_any_rate(rate):
    desk = booking_desk()
    service = PhraseSTTService(PhraseBook(desk.phrases, desk.slots))
    ear = listen(service, spoken("a table for two on friday", rate=rate), rate=rate)
    assert ear.texts() == ["a table for two on friday"]


def test_interim_transcripts_come_before_one_final(stt):
    ear = listen(stt, spoken("open the kitchen door"))
    texts = ear.all(TranscriptionFrame | InterimTranscriptionFrame)
    *interim, final = texts
    assert [type(frame) for frame in interim] == [InterimTranscriptionFrame] * len(interim)
    assert final.text == "open the kitchen door"
    assert final.finalized
    parts = [frame.text for frame in interim]
    assert parts
    assert all("open the kitchen door".startswith(part) for part in parts[-2:])
    assert all(one != other for one, other in zip(parts, parts[1:], strict=False))


def test_words_are_timed_on_the_pipelines_clock(stt):
    sentence, lead = "open the kitchen door", 1.7
    ear = listen(stt, silence(0.77), spoken(sentence, lead=lead))
    (final,) = ear.all(TranscriptionFrame)
    onset = 0.77 + lead
    said = synthesize(sentence, CALLER_VOICE, sample_rate=16000).words
    assert [word for word, _, _ in final.result["words"]] == sentence.split()
    heard = [time for _, start, end in final.result["words"] for time in (start, end)]
    expected = [onset + time for word in said for time in (word.start, word.end)]
    assert heard == pytest.approx(expected, abs=0.15)
    assert final.result["score"] < 0.0017
    assert final.result["nearest"] == sentence


def test_words_are_timed_alike_at_any_rate():
    timed = []
    for rate in (16000, 24000, 48000):
        ear = listen(PhraseSTTService(DOORS), spoken("what time is it", rate=rate), rate=rate)
        (final,) = ear.all(TranscriptionFrame)
        timed.append([time for _, start, end in final.result["words"] for time in (start, end)])
    assert timed[1] == pytest.approx(timed[0], abs=0.025)
    assert timed[2] == pytest.approx(timed[0], abs=0.025)


@pytest.mark.parametrize(
    "sentence", ["how much does a new bicycle cost", "the train leaves from platform nine"]
)
def test_what_cannot_be_said_is_unclear_with_something_near(stt, sentence):
    (final,) = listen(stt, spoken(sentence)).all(TranscriptionFrame)
    nearest = parse_unclear(final.text)
    assert nearest
    assert DOORS.match(nearest)
    assert final.text == f"[unclear: {nearest}]"
    assert final.result["nearest"] == nearest
    assert final.result["words"] == []
    assert final.finalized


def test_noise_behind_the_voice_is_told_once_and_names_the_way(stt):
    def noisy(text):
        before, begin, after, end = spoken(text, lead=0.6)
        draws = np.random.default_rng(4)
        before, after = (
            np.rint(part + 900 * draws.standard_normal(len(part))).astype(np.int16)
            for part in (before, after)
        )
        return [before, begin, after, end]

    ear = listen(stt, spoken("good morning"), noisy("open the kitchen door"), noisy("good morning"))
    notices = [frame.result.get("piopiy_lab_notice") for frame in ear.all(TranscriptionFrame)]
    assert len(notices) == 3
    assert [bool(notice) for notice in notices] == [False, True, False]
    assert re.match(r"the caller's voice is only \d+ dB above .*stack\('whisper", notices[1])


def test_a_call_with_noise_says_what_can_not_be_had(tmp_path):
    voice = synthesize("a table for two tomorrow at seven", sample_rate=16000).samples
    voice = np.pad(voice, 16000).astype(np.float64)
    hiss = 1000 * np.random.default_rng(4).standard_normal(len(voice))
    said = Audio(np.rint(voice + hiss).clip(-32768, 32767).astype(np.int16), 16000)
    caller = Caller().hears_greeting().says(said).hangs_up()
    for _ in ("recorded", "played"):
        call = asyncio.run(simulate(desk_session, caller, cassette=tmp_path / "tape"))
        notices = [event.message for event in call.events.of(events.NoticeGiven)]
        (notice,) = [message for message in notices if "dB above" in message]
        assert "stack('whisper+...')" in notice


def test_the_threshold_is_the_services_own():
    strict = PhraseSTTService(DOORS, rejection_threshold=1e-9)
    forgiving = PhraseSTTService(DOORS, rejection_threshold=1)
    other = "the children are playing in the snow"
    assert parse_unclear(*listen(strict, spoken(other)).texts())
    assert DOORS.match(*listen(forgiving, spoken(other)).texts())


def test_a_cough_is_nothing(stt):
    clip = np.concatenate([silence(LEAD), noise(0.4), silence(0.25)])
    ear = listen(stt, around(clip, LEAD + SURE), spoken("good morning"))
    (stopped, *_) = ear.all(VADUserStoppedSpeakingFrame)
    before = ear.frames[: ear.frames.index(stopped)]
    assert len(clip) / 16000 - LEAD - SURE < 0.3
    assert not [frame for frame in before if isinstance(frame, TranscriptionFrame)]
    assert ear.texts() == ["good morning"]


def test_a_pause_in_a_turn_makes_two_transcripts(stt):
    ear = listen(stt, spoken("good morning", lead=0.3), spoken("what time is it", lead=0.1))
    assert ear.texts() == ["good morning", "what time is it"]
    one, other = (frame.result["words"] for frame in ear.all(TranscriptionFrame))
    assert one[-1][2] < other[0][1] + 0.15


def test_a_detector_that_takes_long_loses_no_word(stt):
    assert listen(stt, spoken("open the garden door", sure=0.75)).texts() == [
        "open the garden door"
    ]


def test_a_second_start_in_the_middle_changes_nothing(stt):
    first, begin, rest, end = spoken("open the garden door")
    again = VADUserStartedSpeakingFrame()
    ear = listen(stt, first, begin, rest[:4000], again, rest[4000:], end)
    assert ear.texts() == ["open the garden door"]


def test_an_end_without_a_start_is_nothing(stt):
    clip, _, rest, end = spoken("good morning")
    assert listen(stt, clip, rest, end).texts() == []


def test_audio_frames_of_any_length_give_the_same():
    sentence = spoken("what time is it", rate=24000)
    heard = []
    for piece in (0.01, 0.02, 0.1, 1.0):
        ear = listen(PhraseSTTService(DOORS), sentence_again(sentence), rate=24000, piece=piece)
        heard += [(frame.text, frame.result) for frame in ear.all(TranscriptionFrame)]
    assert heard[0][0] == "what time is it"
    assert heard == [heard[0]] * 4


def sentence_again(sentence: list) -> list:
    """The same samples, with new frames."""
    first, _, rest, _ = sentence
    return [
        first,
        VADUserStartedSpeakingFrame(),
        rest,
        VADUserStoppedSpeakingFrame(stop_secs=STOP_SECS),
    ]


@pytest.mark.parametrize("cancel", [False, True])
def test_a_call_that_ends_in_mid_utterance_leaves_nothing_for_the_next(stt, cancel):
    first, begin, rest, _ = spoken("open the kitchen door")
    alone = listen(PhraseSTTService(DOORS), spoken("good morning"))
    cut_off = listen(stt, first, begin, rest[:6000], cancel=cancel)
    assert cut_off.texts() == []
    assert stt._borrowed is None
    ear = listen(stt, spoken("good morning"))
    assert ear.texts() == ["good morning"]
    assert ear.all(TranscriptionFrame)[0].result == alone.all(TranscriptionFrame)[0].result


def test_a_muted_service_hears_nothing(stt):
    ear = listen(
        stt,
        spoken("open the garden door")[:3],
        STTMuteFrame(mute=True),
        VADUserStoppedSpeakingFrame(),
        spoken("open the kitchen door, thank you very much"),
        STTMuteFrame(mute=False),
        spoken("what time is it"),
    )
    assert ear.texts() == ["what time is it"]


def test_an_utterance_that_is_muted_in_its_second_look_has_no_transcript(monkeypatch):
    desk = booking_desk()
    service = PhraseSTTService(PhraseBook(desk.phrases, desk.slots))
    whole = Recogniser.end_in_steps

    def muted_in_between(self, threshold):
        monkeypatch.undo()
        steps = whole(self, threshold)
        next(steps)
        service._drop()
        return (yield from steps)

    monkeypatch.setattr(Recogniser, "end_in_steps", muted_in_between)
    assert listen(service, spoken("london"), spoken("yes please")).texts() == ["yes please"]
    unheard, _ = listen(service, spoken("london"), spoken("yes please")).texts()
    assert unheard == "[unclear: on sunday]", "so it was looked at again"


def test_new_settings_do_no_harm(stt):
    delta = PhraseSTTSettings(model="other", language="de")
    marker = TextFrame("the settings are through")
    ear = listen(
        stt, STTUpdateSettingsFrame(delta=delta), marker, spoken("good morning"), silence(0.1)
    )
    assert ear.texts() == ["good morning"]


def test_pipecats_settings_are_taken():
    service = PhraseSTTService(DOORS, settings=PhraseSTTSettings(model="mine"))
    assert service._settings.model == "mine"
    assert isinstance(service._settings, STTSettings)


def test_the_time_to_the_transcript_is_reported(stt):
    ear = listen(stt, spoken("good morning"))
    data = [item for frame in ear.all(MetricsFrame) for item in frame.data]
    assert any(isinstance(item, TTFBMetricsData) and item.value > 0 for item in data)
    assert stt.can_generate_metrics()


def test_it_says_what_it_needs():
    assert PhraseSTTService.needs_vad is True
    assert PhraseSTTService.reusable is True


@pytest.mark.parametrize("threshold", [0, -0.1, True, "0.002", None, float("nan")])
def test_a_wrong_threshold_is_refused(threshold):
    with pytest.raises(ArgumentError, match="rejection_threshold="):
        PhraseSTTService(DOORS, rejection_threshold=threshold)


def test_unknown_words_are_refused_before_a_call():
    book = PhraseBook(["call piopiy and zblorp"])
    with pytest.raises(PhraseError, match="'piopiy', 'zblorp'"):
        PhraseSTTService(book)
    sounds = {"piopiy": "P IY OW P IY", "zblorp": "Z B L AO R P"}
    assert PhraseSTTService(book, pronunciations=sounds).book is book
