"""A caller's voices: services asked before the call, folders of clips, and what is kept."""

from __future__ import annotations

import asyncio
import functools
import json
import pickle
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tone_voice import WORD_SECS, ToneTTS

from piopiy_lab import Caller, Voice, events, simulate, speech, start_call
from piopiy_lab.errors import (
    ArgumentError,
    ArgumentTypeError,
    AudioFileError,
    MissingKeyError,
    VoiceError,
)
from piopiy_lab.voicing import cache, preparing
from piopiy_lab.voicing.preparing import prepared
from piopiy_lab.voicing.shaping import PEAK, estimated_words, shaped
from piopiy_lab.voicing.sources import source_of

RATE = 16000


def tone(secs, rate=RATE, peak=9000):
    return (peak * np.sin(2 * np.pi * 200 * np.arange(round(secs * rate)) / rate)).astype(np.int16)


def a_voice(how="tone", version="1"):
    return Voice(functools.partial(ToneTTS, how), version=version)


def folder_of(path, clips, rate=RATE):
    path.mkdir(parents=True, exist_ok=True)
    for name, samples in clips.items():
        soundfile.write(path / name, samples, rate)
    return path


def test_a_service_speaks_before_the_call_and_the_call_is_the_same_each_time(booking):
    caller = Caller(a_voice()).hears_greeting().says("a table for two").hears_reply()
    made = ToneTTS.made
    calls = [
        asyncio.run(simulate(booking(), caller, replace={"stt": "screenplay"})) for _ in range(2)
    ]
    assert ToneTTS.made == made + 1  # the second call is from memory
    preparing.forget()
    calls.append(asyncio.run(simulate(booking(), caller, replace={"stt": "screenplay"})))
    assert ToneTTS.made == made + 1  # and the third from the disk
    for call in calls:
        call.raise_for_error()
        (spoke,) = call.events.of(events.CallerSpoke)
        assert spoke.text == "a table for two"
        assert spoke.end - spoke.at == pytest.approx(4 * WORD_SECS, abs=0.1)  # its silence is cut
        np.testing.assert_array_equal(call.recording, calls[0].recording)
    assert "a table for two" in str(calls[0].transcript)
    (notice,) = calls[0].events.of(events.NoticeGiven)
    assert "estimated from the words' lengths" in notice.message


def test_words_have_the_voices_times_or_an_estimate_that_says_so():
    (known,) = prepared(Caller(a_voice("words")).says("two big tables")).spoken.values()
    assert not known.estimated
    starts = [start for _, start, _ in known.words]
    lead = known.words[0][1]
    assert starts == pytest.approx([lead, lead + WORD_SECS, lead + 2 * WORD_SECS], abs=0.005)
    (guessed,) = prepared(Caller(a_voice("tone", "2")).says("two big tables")).spoken.values()
    assert guessed.estimated
    assert [text for text, _, _ in guessed.words] == ["two", "big", "tables"]
    assert estimated_words("", 1.0) == ()


def test_a_sound_is_trimmed_and_brought_to_one_level():
    quiet = np.concatenate(
        [np.zeros(8000, np.int16), tone(0.5, peak=700), np.zeros(4000, np.int16)]
    )
    spoken = shaped(quiet, RATE, "hello", (), level=True)
    assert len(spoken.samples) / RATE == pytest.approx(0.5, abs=0.08)
    assert np.abs(spoken.samples).max() == pytest.approx(PEAK * 32767, rel=0.01)


def test_a_seed_makes_another_caller_of_each_voice_and_always_the_same():
    plain = Caller("caller").says("a table for two")
    lengths = {
        seed: [
            len(prepared(Caller(a_voice(), vary=seed).says("a table")).spoken["a table"].samples)
            for _ in range(2)
        ]
        for seed in (None, 1, 2)
    }
    assert all(first == again for first, again in lengths.values())
    assert len({first for first, _ in lengths.values()}) == 3
    assert prepared(plain) is plain
    with pytest.raises(ArgumentTypeError, match="vary='fast'"):
        Caller(vary="fast")


def test_an_espeak_voice_varies_by_its_own_settings():
    from piopiy_lab.screenplay.voice import espeak_voice

    assert espeak_voice(None, None) is speech.CALLER_VOICE
    one, two = espeak_voice(None, 1), espeak_voice(None, 2)
    assert one == espeak_voice(None, 1)
    assert one != two
    own = speech.Voice("en-us+f3", rate=140)
    assert espeak_voice(own, None) is own


@pytest.mark.parametrize("listed", ["names", "json", "csv"])
def test_a_folder_of_clips_is_a_voice(tmp_path, listed, booking):
    clips = {"a_table_for_two.wav": tone(0.8)}
    if listed != "names":
        clips = {"1.wav": tone(0.8)}
    folder = folder_of(tmp_path / "anna", clips)
    if listed == "json":
        (folder / "clips.json").write_text(json.dumps({"A table for two!": "1.wav"}))
    if listed == "csv":
        (folder / "clips.csv").write_text("text,file\na table for two,1.wav\n")
    for voice in (folder, str(folder)):
        caller = Caller(voice).hears_greeting().says("a table for two").hears_reply()
        call = asyncio.run(simulate(booking(), caller, replace={"stt": "screenplay"}))
        call.raise_for_error()
        assert call.events.of(events.CallerSpoke)[0].text == "a table for two"


def test_bad_input_is_an_error_of_ours_before_the_call(tmp_path, booking, monkeypatch):
    folder = folder_of(tmp_path / "anna", {"yes please.wav": tone(0.5), "no.wav": tone(0.3)})
    (tmp_path / "empty").mkdir()
    silent = folder_of(tmp_path / "silent", {"hello.wav": np.zeros(8000, np.int16)})
    slow = folder_of(tmp_path / "slow", {"hello.wav": tone(0.5)}, rate=100)
    broken = folder_of(tmp_path / "broken", {})
    (broken / "hello.wav").write_bytes(b"no sound")
    listed = folder_of(tmp_path / "listed", {})
    (listed / "clips.json").write_text("[1]")
    twice = folder_of(tmp_path / "twice", {"hello.wav": tone(0.2), "Hello.flac": tone(0.2)})
    for name in ("CARTESIA_API_KEY", "CARTESIA_VOICE_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    for voice, error, told in [
        (folder, VoiceError, "no clip for 'hello'.*'no'"),
        (tmp_path / "gone", VoiceError, "no such folder"),
        (tmp_path / "empty", VoiceError, "has no clips"),
        (silent, VoiceError, "silent"),
        (slow, AudioFileError, "has 100 Hz"),
        (broken, AudioFileError, "no sound file"),
        (listed, VoiceError, "clips.json.*can't be read"),
        (twice, VoiceError, "two clips for '[hH]ello'"),
        (a_voice("silent"), VoiceError, "gave no sound for 'hello'"),
        (a_voice("nothing"), VoiceError, "failed on 'hello'.*no audio"),
        (a_voice("fails"), VoiceError, "failed on 'hello': no such voice here"),
        (Voice(lambda: "a text"), ArgumentTypeError, "made str"),
        (Voice(lambda: 1 / 0), VoiceError, "can't be made: ZeroDivisionError"),
        ("carteria/some", ArgumentError, "did you mean 'cartesia'"),
        ("nobody", ArgumentError, "no voice or service is called 'nobody'"),
        ("cartesia/x", MissingKeyError, "CARTESIA_API_KEY"),
    ]:
        caller = Caller(voice).hears_greeting().says("hello")
        monkeypatch.setattr("piopiy_lab.voicing.services.TEXT_SECS", 1.5)
        with pytest.raises(error, match=told):
            asyncio.run(simulate(booking(), caller))
        with pytest.raises(error, match=told):
            start_call(booking(), caller)
    with pytest.raises(ArgumentTypeError, match="give a function"):
        Voice("piper")
    with pytest.raises(ArgumentTypeError, match="voice=3"):
        Caller(voice=3)
    with pytest.raises(ArgumentError, match="is empty"):
        Caller(voice=" ")


def test_a_caller_with_a_voice_that_was_never_asked_says_how():
    from piopiy_lab.screenplay.sounds import check_screenplay

    with pytest.raises(VoiceError, match="voicing.prepared"):
        check_screenplay(Caller(a_voice()).says("hello"))


def test_a_folder_does_not_take_the_name_of_an_espeak_voice(tmp_path, monkeypatch):
    from piopiy_lab.voicing.sources import ClipSource, source_of

    folder_of(tmp_path / "caller", {"hello.wav": tone(0.3)})
    folder_of(tmp_path / "anna", {"hello.wav": tone(0.3)})
    monkeypatch.chdir(tmp_path)
    assert source_of("caller") is None
    assert source_of("en-us+f3") is None
    assert isinstance(source_of("anna"), ClipSource)
    assert isinstance(source_of("./caller"), ClipSource)


def test_a_voice_of_a_provider_over_its_socket_brings_word_times():
    from pipecat.services.cartesia.tts import CartesiaTTSService

    from piopiy_lab.fake_providers import FakeCartesia

    async def speak():
        async with FakeCartesia() as server:
            voice = Voice(lambda: CartesiaTTSService(api_key=server.key, url=server.url))
            caller = Caller(voice).says("a table for two").says("at seven thirty")
            return (await asyncio.to_thread(prepared, caller)).spoken

    spoken = asyncio.run(speak())
    table, seven = spoken["a table for two"], spoken["at seven thirty"]
    assert not table.estimated
    assert [word for word, _, _ in seven.words] == ["at", "seven", "thirty"]
    assert 0.5 < len(table.samples) / table.sample_rate < 2.5


# --- the cache ------------------------------------------------------------------------------------


def test_the_cache_tells_voices_apart_by_text_version_and_what_a_function_holds():
    def named(name):
        return Voice(lambda: ToneTTS(name), version="1")

    keys = [
        source_of(voice).key("hello")
        for voice in (named("tone"), named("words"), a_voice(version="1"), a_voice(version="2"))
    ]
    assert len(set(keys)) == 4
    assert source_of(named("tone")).key("hello") == keys[0]
    assert source_of(named("tone")).key("bye") != keys[0]
    unversioned = Voice(functools.partial(ToneTTS, "tone"))
    prepared(Caller(unversioned).says("hello"))
    assert not cache.folder().exists()  # without a version nothing is kept on disk


class Holder:
    def __init__(self, name):
        self.name = name

    def make(self):
        return ToneTTS(self.name)

    __call__ = make


def test_partials_are_told_apart_and_what_cant_be_is_kept_in_memory_alone():
    def key(make_tts):
        return source_of(Voice(make_tts, version="1")).key("hello")

    partials = [functools.partial(ToneTTS, how) for how in ("tone", "words")]
    assert key(partials[0]) != key(partials[1])
    assert key(partials[0]) == key(functools.partial(ToneTTS, "tone"))
    for kind in (lambda name: Holder(name), lambda name: Holder(name).make):
        one, other = kind("tone"), kind("words")
        assert key(one) == key(one) != key(other)
        prepared(Caller(Voice(one, version="1")).says("hello"))
    assert not cache.folder().exists()


def test_another_key_of_the_same_voice_is_the_same_voice():
    def voice(api_key):
        return Voice(lambda: ToneTTS("tone" if api_key else "words"), version="1")

    assert source_of(voice("mine")).key("hello") == source_of(voice("yours")).key("hello")


def test_what_was_said_before_a_later_text_failed_is_kept():
    class Tires(ToneTTS):
        async def run_tts(self, text, context_id):
            if text == "bye":
                raise RuntimeError("no more today")
            async for frame in super().run_tts(text, context_id):
                yield frame

    caller = Caller(Voice(functools.partial(Tires, "tone"), version="1")).says("hello").says("bye")
    with pytest.raises(VoiceError, match="bye"):
        prepared(caller)
    assert len(list(cache.folder().glob("*/*.flac"))) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no modes")
def test_what_is_kept_can_be_read_by_others():
    prepared(Caller(a_voice()).says("hello"))
    (file,) = cache.folder().glob("*/*.flac")
    assert file.stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("how", ["csv", "json"])
def test_a_list_of_clips_as_excel_writes_it(tmp_path, how):
    rate, tone = 16000, np.sin(np.arange(8000) / 5) / 2
    soundfile.write(tmp_path / "1.wav", tone, rate)
    told = "text,file\nhello,1.wav\n" if how == "csv" else '{"hello": "1.wav"}'
    (tmp_path / f"clips.{how}").write_text(told, encoding="utf-8-sig")
    assert prepared(Caller(tmp_path).says("hello")).spoken["hello"].samples.any()


def test_a_list_of_clips_that_is_no_table_is_named(tmp_path):
    (tmp_path / "clips.csv").write_text('text,file\nhello,"' + "x" * 200_000)
    with pytest.raises(VoiceError, match=r"clips\.csv' can't be read"):
        prepared(Caller(tmp_path).says("hello"))


def test_what_is_cut_short_on_disk_is_made_again():
    caller = Caller(a_voice()).says("hello")
    first = prepared(caller).spoken["hello"]
    (file,) = cache.folder().glob("*/*.flac")
    assert not list(cache.folder().glob("*/new-*"))
    file.write_bytes(file.read_bytes()[:30])
    preparing.forget()
    again = prepared(caller).spoken["hello"]
    np.testing.assert_array_equal(again.samples, first.samples)
    preparing.forget()
    made = ToneTTS.made
    prepared(caller)
    assert ToneTTS.made == made


def test_a_cache_that_cant_be_written_says_which_variable_moves_it(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("PIOPIY_LAB_VOICES", str(tmp_path / "file"))
    with pytest.raises(VoiceError, match="PIOPIY_LAB_VOICES"):
        prepared(Caller(a_voice()).says("hello"))


_PROCESS = """
import hashlib, sys
import numpy as np
from piopiy_lab.screenplay.voice import Spoken
from piopiy_lab.voicing import cache
for n in range(20):
    mine = Spoken(np.random.default_rng().integers(-9000, 9000, 4000).astype(np.int16), 16000)
    kept = cache.write(f"{n:040d}", "hello", mine)
    print(hashlib.sha256(kept.samples.tobytes()).hexdigest())
"""


def test_processes_that_write_at_once_all_have_the_first_take():
    running = [
        subprocess.Popen([sys.executable, "-c", _PROCESS], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    told = [one.communicate(timeout=60)[0].split() for one in running]
    assert [one.returncode for one in running] == [0, 0, 0]
    assert len(told[0]) == 20
    assert told[0] == told[1] == told[2]


def test_threads_have_a_text_spoken_once():
    caller = Caller(a_voice(version="threads")).says("hello")
    made, results = ToneTTS.made, []
    threads = [threading.Thread(target=lambda: results.append(prepared(caller))) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(30)
    assert len(results) == 4
    assert ToneTTS.made == made + 1


def test_where_the_cache_is(monkeypatch):
    monkeypatch.delenv("PIOPIY_LAB_VOICES")
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    if sys.platform == "linux":
        assert cache.folder() == Path("/somewhere/piopiy-lab/voices")


def test_a_caller_with_a_voice_is_pickled_with_what_was_said():
    caller = prepared(Caller(Voice(ToneTTS, version="1"), vary=3).says("hello"))
    there = pickle.loads(pickle.dumps(caller))
    assert there == caller
    np.testing.assert_array_equal(there.spoken["hello"].samples, caller.spoken["hello"].samples)
