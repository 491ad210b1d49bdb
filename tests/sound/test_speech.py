from __future__ import annotations

import hashlib
import importlib.util
import os
import random
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from piopiy_lab.errors import ArgumentError, ArgumentTypeError, MissingExtraError, PiopiyLabError
from piopiy_lab.sound import espeak, speech
from piopiy_lab.sound.speech import (
    AGENT_VOICE,
    CALLER_VOICE,
    READY_VOICES,
    SECOND_AGENT_VOICE,
    Voice,
    find_voice,
    synthesize,
    voices,
)

pytestmark = pytest.mark.skipif(
    not importlib.util.find_spec("espeakng_loader")
    and os.environ.get("PIOPIY_LAB_REQUIRE") != "all",
    reason="espeakng-loader is not installed",
)

DESK = [
    "A table for two please.",
    "No, make it Friday at seven.",
    "My name is Priya.",
    "Yes",
    "stop",
    "hello",
    "no",
    "A table for four on Saturday at eight.",
    "Goodbye.",
    "Thank you.",
    "Book a table for six.",
    "two people",
    "Friday",
    "at seven thirty",
    "My name is John, and the number is four two seven.",
    "help",
    "What can I say?",
    "Cancel that.",
    "I would like to book a table, please.",
    "For five people on Monday, at nine.",
    "Yes, please.",
    "No, thanks.",
    "That is all, thank you.",
    "Make it four people.",
    "Tomorrow at nine.",
]
ODD = "naïve café 中文 привет 7:30 <b>&</b> 👍 $5.50, perro"


def digest(text: str, voice: Voice | str, sample_rate: int | None = None) -> str:
    speech._cache.clear()
    clip = synthesize(text, voice, sample_rate=sample_rate)
    return hashlib.sha256(clip.samples.tobytes() + repr(clip.words).encode()).hexdigest()


def all_digests(seed: int) -> str:
    """Every clip of a few texts and voices, made in an order of the seed's."""
    jobs = [
        (text, voice, 16000)
        for text in (DESK[1], ODD)
        for voice in ("agent", "second_agent", "caller", "es", "en-us+robosoft4")
    ]
    made = jobs[:]
    random.Random(seed).shuffle(made)
    digests = {job: digest(*job) for job in made}
    return hashlib.sha256("".join(digests[job] for job in jobs).encode()).hexdigest()


def test_the_same_bytes_whatever_was_spoken_before():
    r = random.Random(1)
    seen: dict[tuple[str, str], set[str]] = {}
    for _ in range(50):
        # These left something behind in the library: trills, the intonation global, other letters.
        between = r.choice(["es", "ru", "en-us+robosoft4", "en-us+croak", "de", "cmn+f4"])
        digest(r.choice([ODD, "perro", "x"]), between)
        for name, text in (("agent", DESK[0]), ("caller", DESK[1]), ("es", "perro rojo")):
            seen.setdefault((name, text), set()).add(digest(text, name, 16000))
    assert {key: len(digests) for key, digests in seen.items()} == dict.fromkeys(seen, 1)


def test_the_same_bytes_in_every_process():
    code = "import test_speech as t; print(t.all_digests({}), end='')"
    children = []
    for i in range(5):
        env = {**os.environ, "PYTHONHASHSEED": str(1000 + 37 * i)}
        command = [sys.executable, "-c", code.format(i)]
        children.append(
            subprocess.Popen(command, env=env, cwd=Path(__file__).parent, stdout=subprocess.PIPE)
        )
    assert {child.communicate()[0].decode() for child in children} == {all_digests(99)}


def test_threads_at_once_get_the_same_clips():
    jobs = [(text, name) for text in DESK[:6] for name in ("agent", "caller")]
    expected = {job: digest(*job) for job in jobs}
    wrong = []

    def work(seed: int) -> None:
        for job in random.Random(seed).sample(jobs, len(jobs)):
            if digest(*job) != expected[job]:
                wrong.append(job)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_words_are_the_texts_tokens_in_order_and_inside_the_clip():
    for text in (*DESK, ODD, "Well - yes, of the world & co. 1,234,567 at 3.14 - e.g. U.S.A."):
        clip = synthesize(text)
        assert [word.text for word in clip.words] == text.split()
        times = [time for word in clip.words for time in (word.start, word.end)]
        assert times == sorted(times)
        assert times[0] >= 0
        assert times[-1] <= clip.duration


def test_words_begin_where_they_are_heard():
    clip = synthesize("No, stop.", replace(AGENT_VOICE, max_pause=None))
    level = np.abs(clip.samples.astype(int))
    pause = slice(int(clip.words[0].end * clip.sample_rate), int(clip.words[1].start * 22050))
    assert level[pause].max() < 100
    assert clip.words[1].start - clip.words[0].end == pytest.approx(0.166, abs=0.02)


def test_a_number_is_one_word_and_words_that_run_together_share_their_time():
    clip = synthesize("at 1,234 of the world")
    assert [word.text for word in clip.words] == ["at", "1,234", "of", "the", "world"]
    assert clip.words[1].end - clip.words[1].start > 1.0
    assert all(word.end > word.start for word in clip.words)


def test_a_lone_dash_takes_no_time_and_the_next_word_keeps_its_own():
    well, dash, yes = synthesize("Well - yes").words
    assert dash.start == dash.end
    assert yes.start > well.end
    assert yes.end - yes.start > 0.1


@pytest.mark.parametrize("text", ["", "   ", "...", "\n\n", "👍 😀", "\x00", "— ! ?"])
def test_nothing_to_say_is_no_samples(text):
    clip = synthesize(text, sample_rate=16000)
    assert clip.samples.shape == (0,)
    assert clip.samples.dtype == np.int16
    assert clip.duration == 0.0
    assert [word.text for word in clip.words] == text.split()


@pytest.mark.parametrize(
    ("text", "same_as"),
    [
        ("yes\x00please", "yes please"),
        ("yes 👍", "yes  "),
        ("yes \ud800 please", "yes   please"),
    ],
)
def test_what_cannot_be_spoken_is_left_out(text, same_as):
    assert synthesize(text).samples.tobytes() == synthesize(same_as).samples.tobytes()


def test_markup_is_text():
    plain, markup = synthesize("b").duration, synthesize('<break time="9s"/> &lt; b').duration
    assert plain + 1 < markup < 8


def test_hundreds_of_words():
    clip = synthesize("one two three four five " * 100 + "end.\n")
    assert len(clip.words) == 501
    assert clip.words[-1].start == pytest.approx(clip.duration, abs=0.5)
    assert all(word.end > word.start for word in clip.words)


@pytest.mark.parametrize("rate", [8000, 16000, 24000, 48000, 192000])
def test_every_rate_has_the_same_sound(rate):
    clip, native = synthesize(DESK[0], sample_rate=rate), synthesize(DESK[0])
    assert clip.sample_rate == rate
    assert native.sample_rate == speech.NATIVE_RATE
    assert clip.duration == pytest.approx(native.duration, abs=2 / 8000)
    assert [w.start for w in clip.words] == [w.start for w in native.words]


@pytest.mark.parametrize("voice", READY_VOICES)
def test_every_clip_has_the_voices_peak(voice):
    for text in DESK:
        for rate in (None, 16000):
            peak = np.abs(synthesize(text, voice, sample_rate=rate).samples.astype(int)).max()
            assert 16380 <= peak <= 16390
    loud = synthesize("Yes", replace(find_voice(voice), volume=1.0)).samples
    assert np.abs(loud.astype(int)).max() == 32767


def test_clips_have_no_silence_at_their_ends():
    for text in DESK:
        loud = np.flatnonzero(np.abs(synthesize(text, AGENT_VOICE).samples.astype(int)) > 100)
        clip = synthesize(text, AGENT_VOICE)
        assert loud[0] < 0.02 * 22050
        assert len(clip.samples) - loud[-1] < 0.03 * 22050


def test_pauses_are_shortened_and_the_words_after_them_come_earlier():
    text = "No, thanks. Really, no."
    long, short = (synthesize(text, Voice(max_pause=p)) for p in (None, 0.05))
    pauses = [b.start - a.end for a, b in zip(short.words, short.words[1:], strict=False)]
    assert max(pauses) < 0.08
    saved = long.duration - short.duration
    assert saved > 0.4
    assert long.words[-1].start - short.words[-1].start == pytest.approx(saved, abs=0.002)
    assert synthesize(text, Voice(max_pause=9.0)).samples.tobytes() == long.samples.tobytes()


def test_silero_hears_one_segment_in_each_of_the_callers_sentences():
    vad = pytest.importorskip("pipecat.audio.vad.silero").SileroVADAnalyzer(sample_rate=16000)
    from pipecat.audio.vad.vad_analyzer import VADParams, VADState

    noise = np.random.default_rng(0).normal(0, 20, 16000 * 8)
    starts = {}
    for text in DESK:
        clip = synthesize(text, CALLER_VOICE, sample_rate=16000).samples
        heard = np.concatenate([np.zeros(8000), clip, np.zeros(12800)])
        data = np.rint(heard + noise[: len(heard)]).astype(np.int16).tobytes()
        vad._model.reset_states()
        vad.set_sample_rate(16000)
        vad.set_params(VADParams())
        states = [vad._run_analyzer(data[i : i + 640]) for i in range(0, len(data), 640)]
        active = [state in (VADState.SPEAKING, VADState.STOPPING) for state in states]
        starts[text] = sum(b and not a for a, b in zip([False, *active], active, strict=False))
        assert not active[-1]
    assert starts == dict.fromkeys(DESK, 1)


def test_the_ready_voices_differ():
    clips = [synthesize(DESK[0], voice) for voice in READY_VOICES]
    assert len({clip.samples.tobytes() for clip in clips}) == len(READY_VOICES) == 3
    assert SECOND_AGENT_VOICE != AGENT_VOICE != CALLER_VOICE


def test_repeated_clips_come_from_the_cache_and_are_read_only():
    clip = synthesize("Hello again.", sample_rate=16000)
    assert synthesize("Hello again.", CALLER_VOICE, sample_rate=16000) is clip
    assert not clip.samples.flags.writeable
    with pytest.raises(ValueError, match="read-only"):
        clip.samples[0] = 1


def test_the_cache_is_bounded_and_drops_what_was_used_longest_ago():
    cache = speech._Cache(1000)
    clips = [speech.Speech(np.zeros(100, np.int16), 8000, ()) for _ in range(7)]
    for i, clip in enumerate(clips[:5]):
        cache.put((str(i), AGENT_VOICE, 1), clip)
    assert cache.get(("0", AGENT_VOICE, 1)) is clips[0]
    cache.put(("5", AGENT_VOICE, 1), clips[5])
    assert cache.get(("0", AGENT_VOICE, 1)) is clips[0]
    assert cache.get(("1", AGENT_VOICE, 1)) is None
    cache.put(("big", AGENT_VOICE, 1), speech.Speech(np.zeros(200, np.int16), 8000, ()))
    assert cache.get(("big", AGENT_VOICE, 1)) is None


def test_voices_can_be_used_as_listed():
    names = voices()
    assert names[:3] == ("agent", "second_agent", "caller")
    assert {"en-us", "en-gb", "en-gb-x-rp", "de", "hi"} <= set(names)
    assert find_voice("en-gb+m3") == Voice("en-gb+m3")
    assert len(synthesize("Hello.", "en-gb").samples)


@pytest.mark.parametrize("name", ["nobody", "", "en-us+nobody", "en-us+klatt", "../x", "+f2"])
def test_an_unknown_voice_is_named_with_the_ones_there_are(name):
    with pytest.raises(ArgumentError) as caught:
        synthesize("Hello.", name)
    assert repr(name) in str(caught.value)
    assert "f2" in str(caught.value) or "en-us" in str(caught.value)


@pytest.mark.parametrize("rate", [0, -1, 192001, 16000.5, "16000"])
def test_a_bad_sample_rate(rate):
    with pytest.raises(ArgumentError, match="sample_rate"):
        synthesize("Hello.", sample_rate=rate)


@pytest.mark.parametrize(
    "wrong",
    [
        {"rate": 79},
        {"rate": 451},
        {"pitch": 100},
        {"range": -1},
        {"volume": 0},
        {"volume": 1.1},
        {"volume": float("nan")},
        {"max_pause": -0.1},
    ],
)
def test_a_bad_voice_number(wrong):
    with pytest.raises(ArgumentError, match=next(iter(wrong))):
        Voice(**wrong)


def test_wrong_types():
    with pytest.raises(ArgumentTypeError, match="bytes"):
        synthesize(b"Hello.")
    with pytest.raises(ArgumentTypeError, match="int"):
        synthesize("Hello.", 3)


def test_without_espeak_the_install_line_is_given(monkeypatch):
    monkeypatch.setattr(espeak, "_loaded", None)
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    with pytest.raises(MissingExtraError, match=r"piopiy-lab\[offline\]"):
        synthesize("This has not been said before.")


def test_voice_files_without_memory_files(monkeypatch, tmp_path):
    expected = digest(DESK[0], "agent")
    monkeypatch.setattr(espeak.engine(), "open_files", tmp_path / "none")
    assert digest(DESK[0], "agent") == expected
    with espeak.VoiceFile(b"name x\n", tmp_path / "none") as path:
        assert Path(path).read_bytes() == b"name x\n"
    assert not Path(path).exists()


def test_no_folder_for_voice_files(monkeypatch, tmp_path):
    monkeypatch.setattr(espeak.engine(), "open_files", tmp_path / "none")
    monkeypatch.setattr(espeak.tempfile, "mkstemp", no_room)
    with pytest.raises(PiopiyLabError, match="TMPDIR"):
        digest(DESK[0], "agent")


def no_room(**options):
    raise PermissionError(options["dir"])


def test_data_under_a_long_path(tmp_path):
    folder = tmp_path / ("long" * 30) / "folder"
    folder.mkdir(parents=True)
    import espeakng_loader

    (folder / "data").symlink_to(espeakng_loader.get_data_path())
    code = (
        f"import espeakng_loader as e; e.get_data_path = lambda: {str(folder / 'data')!r}\n"
        f"import test_speech as t; print(t.digest({DESK[0]!r}, 'agent'), end='')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parent, capture_output=True, check=True
    )
    assert done.stdout.decode() == digest(DESK[0], "agent")


def test_repr_is_short():
    assert repr(synthesize("Yes please.", sample_rate=16000)).endswith("s, 16000 Hz, 2 words>")
