"""``Call.from_recording`` on recordings whose truth is known."""

from __future__ import annotations

import asyncio
import json

import numpy as np
import pytest
import soundfile
from booking_truth import desk_session

from piopiy_lab import Call, Caller, events, simulate
from piopiy_lab.errors import ArgumentTypeError, ForeignCallError
from piopiy_lab.offline import booking_desk
from piopiy_lab.offline.phrases import PhraseBook
from piopiy_lab.widgets.feed import CallFeed

SAID = [
    "a table for two tomorrow at seven",
    "no make it friday",
    "my name is anna",
    "yes please",
]
#: Seconds by which a beginning or an end may be off; 10 ms were measured, 20 with noise.
CLOSE = 0.03


def write(path, samples, rate=24000):
    soundfile.write(path, samples, rate, subtype="PCM_16")
    return path


def spans_of(call):
    """Where the caller and the agent were heard, as the call has it."""
    caller = [(e.at, e.end) for e in call.events.of(events.CallerSpoke)]
    starts = [e.at for e in call.events.of(events.AgentSpeechStarted)]
    ends = [e.at for e in call.events.of(events.AgentSpeechStopped)]
    return caller, list(zip(starts, ends, strict=True))


def sound_ends(truth, starts):
    """Where the agent's sound of each reply ends: its speech "stops" for the log a little later."""
    agent, rate = truth.recording.agent, truth.sample_rate
    ends = []
    for start, after in zip(starts, [*starts[1:], truth.duration], strict=True):
        heard = np.flatnonzero(np.abs(agent[round(start * rate) : round(after * rate)]) > 16)
        ends.append(start + (heard[-1] + 1) / rate)
    return ends


@pytest.mark.parametrize(("rate", "noise"), [(8000, 20), (16000, 0), (44100, 20)])
def test_both_sides_are_found_within_30_ms(truth, tmp_path, rate, noise):
    from piopiy_lab.sound.pcm import resample

    samples = resample(np.asarray(truth.recording), truth.sample_rate, rate).astype(np.float64)
    samples += np.random.default_rng(1).normal(0, noise, samples.shape)
    path = write(tmp_path / "a.wav", np.clip(samples, -32768, 32767).astype(np.int16), rate)
    caller, agent = spans_of(Call.from_recording(path))
    spoke, spoke_agent = spans_of(truth)
    starts = [start for start, _ in spoke_agent]
    expected = [*spoke, *zip(starts, sound_ends(truth, starts), strict=True)]
    assert len(caller) == len(spoke)
    assert len(agent) == len(starts)
    assert np.abs(np.array([*caller, *agent]) - np.array(expected)).max() <= CLOSE


@pytest.mark.parametrize(("part", "secs", "noise"), [(0.02, 0.1, 0), (0.1, 0.25, 20)])
def test_an_echo_is_nobodys_turn(truth, tmp_path, notices, part, secs, noise):
    """Both ways, at -34 and -20 dB: without care the detector hears the agent as the caller."""
    sound = np.asarray(truth.recording).astype(np.float64)
    late = round(secs * 24000)
    both = sound + np.random.default_rng(1).normal(0, noise, sound.shape)
    both[late:] += part * sound[:-late, ::-1]
    path = write(tmp_path / "echo.wav", np.clip(both, -32768, 32767).astype(np.int16))
    call = Call.from_recording(path)
    spoke = [(e.at, e.end) for e in truth.events.of(events.CallerSpoke)]
    assert np.abs(np.array(spans_of(call)[0]) - np.array(spoke)).max() <= CLOSE
    assert [turn.total for turn in call.turns] == pytest.approx(
        [turn.total for turn in truth.turns], abs=CLOSE
    )
    assert "the agent's echo is on the caller's channel" in notices(call)


def test_a_lossy_file_of_another_rate_will_do(truth, tmp_path):
    sound = truth.recording
    soundfile.write(tmp_path / "a.ogg", np.asarray(sound), 24000, format="OGG", subtype="OPUS")
    call = Call.from_recording(tmp_path / "a.ogg")
    spoke = [(e.at, e.end) for e in truth.events.of(events.CallerSpoke)]
    assert np.abs(np.array(spans_of(call)[0]) - np.array(spoke)).max() <= CLOSE


def test_a_phrase_book_hears_the_caller(booking, notices):
    desk = booking_desk()
    book = PhraseBook(desk.phrases, desk.slots)
    call = Call.from_recording(booking / "call.wav", recogniser=book)
    assert [e.text for e in call.transcript] == SAID
    assert all(entry.words for entry in call.transcript)
    assert "no words for 5 of 5 of the agent's turns" in notices(call)
    assert [turn.user for turn in call.turns] == SAID


def test_turns_latencies_and_interruptions_are_those_of_the_call(booking, truth, notices):
    said = [(entry.role, entry.text) for entry in truth.transcript]
    call = Call.from_recording(booking / "call.wav", transcript=said)
    assert [(e.role, e.text, e.interrupted) for e in call.transcript] == [
        (e.role, e.text, e.interrupted) for e in truth.transcript
    ]
    assert len(call.turns) == len(truth.turns)
    for turn, true in zip(call.turns, truth.turns, strict=True):
        assert turn.total == pytest.approx(true.total, abs=CLOSE)
        assert turn.start == pytest.approx(true.start, abs=CLOSE)
        assert turn.parts["output"] == turn.total
    told = notices(call)
    assert told.count("no parts of the latencies") == 1
    assert told.count("no word times of the agent's") == 1
    assert told.count("interruptions are judged by the sound") == 1


def test_a_transcript_with_times_and_words_is_taken(booking, truth, notices):
    call = Call.from_recording(booking / "call.wav", transcript=truth.transcript)
    assert "no word times" not in notices(call)
    for entry, true in zip(call.transcript, truth.transcript, strict=True):
        assert entry.text == true.text
        assert [w[0] for w in entry.words] == [w[0] for w in true.words]
        off = [a[1] - b[1] for a, b in zip(entry.words, true.words, strict=True)]
        assert max(map(abs, off)) <= CLOSE


def test_a_transcript_is_a_json_file_too(booking, truth, tmp_path):
    entries = [{"role": e.role, "content": e.text, "start": e.start} for e in truth.transcript]
    path = tmp_path / "said.json"
    path.write_text(json.dumps({"transcript": entries}))
    call = Call.from_recording(booking / "call.wav", transcript=path)
    assert call.transcript == [(e.role, e.text) for e in truth.transcript]


def test_two_files_and_the_other_channel_are_the_same_call(truth, tmp_path):
    sound = truth.recording
    one = Call.from_recording(write(tmp_path / "a.wav", np.asarray(sound)[:, ::-1]),
                              caller_channel="right")  # fmt: skip
    caller = write(tmp_path / "caller.flac", sound.caller)
    two = Call.from_recording([caller, write(tmp_path / "agent.flac", sound.agent)])
    assert spans_of(one) == spans_of(two)
    assert np.array_equal(two.recording, sound)


def test_files_of_two_rates_keep_the_callers_own_for_the_replay(truth, tmp_path):
    from piopiy_lab.sound.pcm import resample

    caller = write(tmp_path / "c.wav", resample(truth.recording.caller, 24000, 16000), 16000)
    agent = write(tmp_path / "a.wav", resample(truth.recording.agent, 24000, 8000), 8000)
    call = Call.from_recording((caller, agent))
    assert call.sample_rate == 16000
    assert np.array_equal(call.heard.samples, call.recording.caller)
    assert call.heard.frames.runs[0][1] == 320


def test_a_call_from_elsewhere_is_saved_loaded_shown_and_said_again(booking, truth, tmp_path):
    said = [(entry.role, entry.text) for entry in truth.transcript]
    call = Call.from_recording(booking / "call.wav", transcript=said)
    again = Call.load(call.save(tmp_path / "saved"))
    assert str(again) == str(call)
    assert again.turns == call.turns
    assert np.array_equal(again.recording, call.recording)
    assert np.array_equal(again.heard.samples, call.heard.samples)
    assert call.plot().get_axes()
    assert "my name is anna" in call.save_html(tmp_path / "a.html").read_text()


def test_the_panel_is_told_of_it(booking, truth):
    said = [(entry.role, entry.text) for entry in truth.transcript]
    call = Call.from_recording(booking / "call.wav", transcript=said)
    content, _ = CallFeed(call).pull()
    rows = [row for _, row in content["rows"]]
    assert [(row["kind"], row["text"]) for row in rows if row["kind"] != "notice"] == said
    assert any("no parts of the latencies" in row["text"] for row in rows)
    assert len(content["turns"]) == 4


def test_its_caller_calls_again(booking, truth):
    said = [(entry.role, entry.text) for entry in truth.transcript]
    call = Call.from_recording(booking / "call.wav", transcript=said)
    again = asyncio.run(simulate(desk_session, Caller.from_call(call)))
    assert [tool.name for tool in again.tool_calls] == ["book_table"]
    assert again.transcript == said
    assert [e.interrupted for e in again.transcript] == [e.interrupted for e in truth.transcript]


def test_a_function_hears_both_sides(booking, notices):
    heard = []

    def recogniser(samples, rate):
        heard.append((samples.dtype, rate, len(samples)))
        return "so", [("so", 0.2, 0.3)]

    call = Call.from_recording(booking / "call.wav", recogniser=recogniser)
    assert len(heard) == 9
    assert heard[0][:2] == (np.int16, 24000)
    assert {entry.text for entry in call.transcript} == {"so"}
    assert call.transcript[1].words[0][1] == pytest.approx(4.1, abs=CLOSE)
    assert "no words for" not in notices(call)


def test_more_texts_than_turns_are_placed_by_their_lengths_and_it_is_said(booking, notices):
    said = [("caller", text) for text in SAID]
    said.insert(1, ("caller", "for three"))
    call = Call.from_recording(booking / "call.wav", transcript=said)
    assert "has 5 of the caller's texts and the recording 4" in notices(call)
    heard = [entry.text for entry in call.transcript if entry.role == "user"]
    assert " ".join(heard).count("a table for two tomorrow at seven") == 1


# --- bad input ------------------------------------------------------------------------------


def refused(match, *args, **options):
    with pytest.raises(ForeignCallError, match=match):
        Call.from_recording(*args, **options)


def test_a_mono_mix_is_refused_unless_it_is_the_callers_alone(truth, tmp_path, notices):
    mix = truth.recording.caller // 2 + truth.recording.agent // 2
    refused("has one channel, so the caller's side", write(tmp_path / "m.wav", mix))
    both = np.stack([mix, mix], axis=1)
    refused("hold the same sound, a mix", write(tmp_path / "mm.wav", both))
    only = write(tmp_path / "only.wav", truth.recording.caller)
    call = Call.from_recording(only, caller_channel="only")
    assert len(spans_of(call)[0]) == 4
    assert "no sound of the agent's" in notices(call)


def test_a_silent_caller_is_a_notice(truth, tmp_path, notices):
    silent = np.array(truth.recording)
    silent[:, 0] = 0
    call = Call.from_recording(write(tmp_path / "s.wav", silent))
    assert "the caller's channel of s.wav is silent" in notices(call)
    assert not call.turns


@pytest.mark.parametrize(
    ("transcript", "match"),
    [
        ([("caller", "a", 8.0, 9.0), ("caller", "b", 4.0, 5.0)], "times run backwards"),
        ([("caller", "a", 8.0, 7.0)], "times run backwards"),
        ([{"role": "user", "text": "a b", "words": [["a", 3, 4], ["b", 2, 3]]}], "backwards"),
        ([("agent", "a", 0.0, 3.0), ("caller", "b", 100.0, 101.0)], "are the times in millisec"),
        ([("nobody", "a")], "is said by 'nobody'"),
        ([("caller", "")], "has the text ''"),
        ([("caller", "a", "4.1")], "start='4.1' of entry 1"),
        (["hello"], "entry 1 of the transcript is 'hello'"),
        ({"a": 1}, "give a list of entries"),
        ("no_such_file.json", "can't be read"),
    ],
)
def test_a_transcript_that_cannot_be_this_calls_is_refused(booking, transcript, match):
    refused(match, booking / "call.wav", transcript=transcript)


def test_files_that_are_no_recording_of_a_call_are_refused(booking, truth, tmp_path):
    refused("is not there", tmp_path / "none.wav")
    refused("can't be read", booking / "events.jsonl")
    refused("is a folder; load a saved call", booking)
    refused("has 3 channels", write(tmp_path / "3.wav", np.zeros((24000, 3), np.int16)))
    refused("caller_channel='middle'", booking / "call.wav", caller_channel="middle")
    refused(r"caller_channel=\[\]", booking / "call.wav", caller_channel=[])
    refused("caller_channel=True", booking / "call.wav", caller_channel=True)
    refused("the recording .*, or two, the caller's and", [booking / "call.wav"] * 3)
    refused("the recording 7: give a stereo file's name", 7)
    refused("the recording None: give a stereo", None)
    refused("has 0.00 s of sound", write(tmp_path / "0.wav", np.zeros((0, 2), np.int16)))
    refused("different channels", [booking / "call.wav", booking / "call.wav"])


def test_two_files_of_different_lengths_need_a_word(truth, tmp_path):
    caller = write(tmp_path / "c.wav", truth.recording.caller)
    late = write(tmp_path / "a.wav", truth.recording.agent[round(6 * 24000) :])
    refused(r"has 22.7 s and '.*a.wav' 16.7 s, so they don't begin", [caller, late])
    refused("agent_starts=99", [caller, late], agent_starts=99)
    refused("agent_starts='6'", [caller, late], agent_starts="6")
    call = Call.from_recording([caller, late], agent_starts=6.0)
    assert spans_of(call)[1][0][0] == pytest.approx(6.08, abs=CLOSE)


def test_a_recogniser_that_fails_is_named(booking):
    def recogniser(samples, rate):
        raise OSError("no model")

    refused("the recogniser failed on .* no model", booking / "call.wav", recogniser=recogniser)
    with pytest.raises(ArgumentTypeError, match="recogniser=7"):
        Call.from_recording(booking / "call.wav", recogniser=7)
