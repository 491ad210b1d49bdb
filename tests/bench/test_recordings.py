"""Recordings with labels, and eot-bench's data: what is read of them, and what is refused."""

from __future__ import annotations

import asyncio
import json

import numpy as np
import pytest
import soundfile

from piopiy_lab import speech
from piopiy_lab.bench.eot_data import eot_silences
from piopiy_lab.bench.human import load_recordings
from piopiy_lab.bench.noise_clips import noise_clip
from piopiy_lab.bench.running import run_bench
from piopiy_lab.errors import ArgumentError, AudioFileError

HEAD = "file,kind,text,during,after,split,holds\n"


def write(folder, name, samples):
    (folder / name).parent.mkdir(exist_ok=True)
    soundfile.write(folder / name, samples, 16000, subtype="PCM_16")


@pytest.fixture
def folder(tmp_path):
    said = speech.synthesize("excuse me I have a question", "en-gb", sample_rate=16000)
    write(tmp_path, "anna/excuse.wav", said.samples)
    first = speech.synthesize("a table for", "en-gb", sample_rate=16000).samples
    rest = speech.synthesize("two people please", "en-gb", sample_rate=16000).samples
    write(tmp_path, "turn.wav", np.concatenate([first, np.zeros(9600, np.int16), rest]))
    write(tmp_path, "door.wav", noise_clip("door:1", 16000))
    start, secs = len(first) / 16000, 0.6
    hold = f"{start:.3f}-{start + secs:.3f}"
    (tmp_path / "labels.csv").write_text(
        HEAD
        + "anna/excuse.wav,interruption,excuse me I have a question,,1.5,,\n"
        + f"turn.wav,pause,a table for two people please,,,tune,{hold}\n"
        + "door.wav,noise,,silence,1.0,,\n"
    )
    return tmp_path


def test_recordings_are_heard_at_their_place_and_counted(folder):
    report = asyncio.run(run_bench(human=folder, executor=0))
    assert not report.failed
    cut, pause, door = report.measured
    assert cut.stimulus.id == "anna-excuse"
    assert cut.reaction.outcome == "cut"
    assert cut.turned
    holds = [one for one in pause.silences if one.label == "hold"]
    assert [one.secs for one in holds] == [pytest.approx(0.6, abs=0.01)]
    assert pause.stimulus.split == "tune"
    assert (door.stimulus.during, door.reaction) == ("silence", None)
    assert not door.turned


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("none.wav,end,yes,,,,", "line 2: there is no recording 'none.wav'"),
        ("door.wav,end,,,,,", "line 2: 'door.wav' has no text"),
        ("door.wav,hum,yes,,,,", "line 2: 'door.wav' has kind='hum'"),
        ("door.wav,Noise,,,,,", "line 2: 'door.wav' has kind='Noise'"),
        ("\n\ndoor.wav,hum,yes,,,,", "line 4: 'door.wav' has kind='hum'"),
        ("door.wav,noise,,,,,,boo", "line 2: it has more cells than the heading, 'boo'"),
        ("door.wav,interruption,wait, a second,,,,", "line 2: it has more cells"),
        ("door.wav,backchannel,yes,silence,,,", "line 2: .*'backchannels' during 'silence'"),
        ("door.wav,end,yes,speech,,,", "line 2: .*'says' during 'speech'"),
        ("door.wav,end,...,,,,", "line 2: '...' has no words"),
        ("door.wav,noise,,,soon,,", "line 2: after='soon'"),
        ("door.wav,pause,yes,,,,0.1-9", "line 2: 'door.wav' has a hold of 0.1-9 s, and is"),
        ("door.wav,pause,yes,,,,0.1", "holds='0.1'"),
        ("door.wav,pause,yes,,,,0.2-0.3 0.1-0.15", "hold of 0.1-0.15 s, .* in order"),
        ("door.wav,pause,yes,,,,nan-0.3", "a hold of nan-0.3 s"),
        ("door.wav,pause,yes,,,,", "'door.wav' is a pause without holds"),
        ("door.wav,noise,,,nan,,", "line 2: stimulus 'door' has after=nan"),
        ("door.wav,noise,,,,,\ndoor.wav,noise,,,,,", "has 'door' twice"),
    ],
)
def test_a_label_that_can_not_be_used_is_named(folder, row, why):
    (folder / "labels.csv").write_text(HEAD + row + "\n")
    with pytest.raises(ArgumentError, match=why):
        load_recordings(folder)


def test_a_folder_without_labels_and_a_silent_recording_are_refused(folder):
    write(folder, "silent.wav", np.zeros(1600, np.int16))
    (folder / "labels.csv").write_text(HEAD + "silent.wav,end,yes,,,,\n")
    with pytest.raises(AudioFileError, match="line 2: .*silent"):
        load_recordings(folder)
    (folder / "labels.csv").write_text("file,kind,age\ndoor.wav,noise,7\n")
    with pytest.raises(ArgumentError, match="no column 'age'"):
        load_recordings(folder)
    (folder / "labels.csv").unlink()
    with pytest.raises(ArgumentError, match=r"has no labels\.csv"):
        load_recordings(folder)
    with pytest.raises(ArgumentError, match="give one of them"):
        asyncio.run(run_bench(human=folder, stimuli=[]))


def eot(folder, *rows):
    (folder / "english.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return asyncio.run(eot_silences(folder, looks=(0.1, 0.2)))


def test_eot_bench_s_turns_are_scored_by_the_turn_model(folder):
    sound = soundfile.info(folder / "turn.wav")
    begin = len(speech.synthesize("a table for", "en-gb", sample_rate=16000).samples) / 16000
    spans = [{"start": begin, "end": begin + 0.6}, [sound.duration, sound.duration + 1.0]]
    hold, end = eot(folder, {"id": "a", "audio": "turn.wav", "silence_spans": spans})
    assert (hold.label, end.label) == ("hold", "end")
    assert hold.secs == pytest.approx(0.6)
    assert [at for at, _ in hold.scores] == [0.1, 0.2]
    assert all(0 <= score <= 1 for _, score in (*hold.scores, *end.scores))
    assert len({score for _, score in (*hold.scores, *end.scores)}) == 4
    samples, rate = soundfile.read(folder / "turn.wav", dtype="int16")
    samples[round((begin + 0.6) * rate) :] = 0
    write(folder, "turn.wav", samples)
    again, other = eot(folder, {"id": "a", "audio": "turn.wav", "silence_spans": spans})
    assert again.scores == hold.scores, "what comes after a look is not heard by it"
    assert other.scores != end.scores


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ([1], "line 1: .* is no object"),
        ({"audio": "turn.wav"}, "line 1 has no silence_spans"),
        ({"audio": 3, "silence_spans": [[0, 1]]}, "line 1: audio is 3"),
        ({"audio": "turn.wav", "silence_spans": [[0]]}, "a silence is"),
        ({"audio": "turn.wav", "silence_spans": [[0, True]]}, "a silence is"),
        ({"audio": "turn.wav", "silence_spans": [[0.5, 0.2]]}, "a silence is 0.5 to 0.2 s"),
        ({"audio": "turn.wav", "silence_spans": [[1, 2], [0.5, 0.9]]}, "this one from 2 s on"),
        ({"audio": "turn.wav", "silence_spans": [[0, float("nan")]]}, "a silence is 0 to nan"),
    ],
)
def test_a_turn_that_is_none_is_named(folder, row, why):
    with pytest.raises(ArgumentError, match=why):
        eot(folder, row)


def test_eot_bench_s_data_that_can_not_be_read_is_named(folder):
    with pytest.raises(ArgumentError, match=r"has no \*\.jsonl"):
        asyncio.run(eot_silences(folder / "anna"))
    with pytest.raises(AudioFileError, match=r"none\.wav.* can't be read"):
        eot(folder, {"audio": "none.wav", "silence_spans": [[0, 1]]})
    (folder / "english.jsonl").write_bytes(b"\xff\xfe{}")
    with pytest.raises(ArgumentError, match=r"english\.jsonl' can't be read"):
        asyncio.run(eot_silences(folder))
    (folder / "english.jsonl").write_text("{")
    with pytest.raises(ArgumentError, match="line 1: no JSON"):
        asyncio.run(eot_silences(folder))
