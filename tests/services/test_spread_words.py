"""Word times for a voice that gives none: what was heard of a reply that was cut off."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
from pipecat.clocks.base_clock import BaseClock
from pipecat.frames.frames import StartFrame, TTSAudioRawFrame
from pipecat.processors.frame_processor import FrameDirection
from pipecat.services.settings import TTSSettings
from pipecat.services.tts_service import TTSService

from piopiy_lab import Caller, VoiceAgent, events, offline_stack, simulate
from piopiy_lab.offline import booking_desk
from piopiy_lab.services import spread_words
from piopiy_lab.services.seams import takes_words
from piopiy_lab.services.spread_words import word_starts
from piopiy_lab.sound.speech import synthesize

RATE = 16000


def loud(secs):
    return np.full(round(secs * RATE), 8000, np.int16)


def quiet(secs):
    return np.zeros(round(secs * RATE), np.int16)


def test_words_begin_by_their_letters_in_what_is_loud():
    sound = np.concatenate([quiet(0.5), loud(1.0), quiet(0.3)])
    starts = word_starts("aaaa bbbb", sound, RATE)
    assert [word for word, _ in starts] == ["aaaa", "bbbb"]
    assert [at for _, at in starts] == pytest.approx([0.5, 1.0], abs=0.01)


def test_a_comma_takes_time():
    without = word_starts("yes please", loud(1.0), RATE)
    with_comma = word_starts("yes, please", loud(1.0), RATE)
    assert with_comma[1][1] > without[1][1] + 0.05


@pytest.mark.parametrize("sound", [quiet(0.4), loud(0.001)])
def test_silence_and_a_click_are_spread_over_too(sound):
    starts = word_starts("one two", sound, RATE)
    assert 0 <= starts[0][1] <= starts[1][1] <= len(sound) / RATE


def test_nothing_has_no_words():
    assert word_starts("", loud(1.0), RATE) == []
    assert word_starts("one", quiet(0), RATE) == []


class Wordless(TTSService):
    """A voice without word times, whose sound's are known: espeak's."""

    Settings = TTSSettings

    def __init__(self):
        super().__init__(
            push_start_frame=True,
            push_stop_frames=True,
            settings=TTSSettings(model=None, voice="x", language=None),
        )

    async def run_tts(self, text, context_id):
        speech = synthesize(text, sample_rate=self.sample_rate)
        audio = speech.samples.tobytes()
        yield TTSAudioRawFrame(audio, self.sample_rate, 1, context_id=context_id)


class Named(Wordless):
    """The same, where Piper is."""


Named.__module__, Named.__qualname__ = "pipecat.services.piper.tts", "PiperTTSService"


def call_with(voice, after, **options):
    desk = booking_desk()

    async def create_session():
        agent = VoiceAgent(instructions=desk.instructions, greeting=desk.greeting)
        stt, llm, _ = offline_stack()
        await agent.Action(stt=stt, llm=llm, tts=voice(), vad=True)
        await agent.start()

    caller = (
        Caller()
        .hears_greeting()
        .says("a table for two tomorrow at seven")
        .interrupts("no make it friday", after=after)
        .hears("friday")
    )
    return asyncio.run(simulate(create_session, caller, **options)).raise_for_error()


@pytest.mark.parametrize("after", [0.6, 1.0, 1.4])
def test_a_reply_ends_with_the_word_at_which_it_was_cut(after):
    call = call_with(Named, after)
    (cut,) = [entry for entry in call.transcript if entry.interrupted]
    heard = call.events.of(events.AgentSpeechHeld)[0].at - cut.start
    truth, since = [], 0.0
    for sentence in ("A table for two tomorrow at seven.", "What name is it under?"):
        speech = synthesize(sentence)
        truth += [(word.text, since + word.start) for word in speech.words]
        since += speech.duration
    begun = [word for word, at in truth if at < heard]
    said = cut.text.split()
    assert said == [word for word, _ in truth][: len(said)]
    assert abs(len(said) - len(begun)) <= 1, f"{said} of {begun}"


def test_what_is_said_to_the_end_is_whole():
    call = call_with(Named, 1.4)
    said = [entry.text for entry in call.transcript if entry.role == "assistant"]
    assert said[0] == "Hello, this is the booking desk. How can I help?"
    starts = [event.at for event in call.events.of(events.WordSpoken)]
    assert starts == sorted(starts)
    assert len(starts) >= 19


class At(BaseClock):
    """A clock that stands still."""

    def __init__(self, now):
        self._now = now

    def get_time(self):
        return self._now

    def start(self):
        pass


class Unconnected(Named):
    """The same in no pipeline, at a time that is given; keeps the word times."""

    now = 0

    def get_clock(self):
        return At(self.now)

    @property
    def sample_rate(self):
        return RATE

    async def process_frame(self, frame, direction):
        pass

    async def add_word_timestamps(self, word_times, context_id=None, *args, **kwargs):
        self.times = word_times


async def word_times(voice, *, at, starts=False):
    voice.now = at
    if starts:
        await voice.process_frame(StartFrame(), FrameDirection.DOWNSTREAM)
    async for _ in voice.run_tts("one two", "context"):
        pass
    return voice.times


def test_a_voice_in_a_second_pipeline_begins_anew_with_its_clock():
    voice = Unconnected()
    spread_words.spread_words([voice])

    async def twice():
        first = await word_times(voice, at=60_000_000_000, starts=True)
        behind_it = await word_times(voice, at=60_000_000_000)
        return first, behind_it, await word_times(voice, at=0, starts=True)

    first, behind_it, second = asyncio.run(twice())
    assert second == first
    assert behind_it[0][1] > first[1][1]


def test_another_service_is_left_as_it_is():
    call = call_with(Wordless, 0.6)
    spoken = [event.text for event in call.events.of(events.WordSpoken)]
    assert (
        "A table for two tomorrow at seven." not in spoken
    )  # it was cut, and pipecat knows no more
    assert all(text.endswith((".", "?")) for text in spoken)


@pytest.mark.parametrize("mode", ["none", "new_episodes"])
def test_a_cassette_from_before_is_played_as_it_was(mode, monkeypatch, tmp_path):
    with monkeypatch.context() as before:
        before.setattr(spread_words, "WITHOUT_TIMES", ())
        old = call_with(Named, 1.0, cassette=tmp_path / "tape")
    assert "add_word_timestamps" not in (tmp_path / "tape" / "cassette.jsonl").read_text()
    played = call_with(Named, 1.0, cassette=tmp_path / "tape", record_mode=mode)
    assert [event.text for event in played.events.of(events.WordSpoken)] == [
        event.text for event in old.events.of(events.WordSpoken)
    ]
    assert played.transcript == old.transcript


def test_a_cassette_of_now_is_played_word_by_word(tmp_path):
    recorded, played = (call_with(Named, 1.0, cassette=tmp_path / "tape") for _ in "12")
    assert all(" " not in event.text for event in played.events.of(events.WordSpoken))
    assert [event.to_json() for event in played.events] == [
        event.to_json() for event in recorded.events
    ]


def test_a_voice_that_played_a_cassette_from_before_speaks_word_by_word_again(
    monkeypatch, tmp_path
):
    with monkeypatch.context() as before:
        before.setattr(spread_words, "WITHOUT_TIMES", ())
        call_with(Named, 1.0, cassette=tmp_path / "tape")
    voices = []
    call_with(lambda: voices.append(Named()) or voices[0], 1.0, cassette=tmp_path / "tape")
    assert takes_words(voices[0])
