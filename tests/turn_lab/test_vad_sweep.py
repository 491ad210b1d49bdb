"""The VAD lab: the real analyzer on real speech, judged by when somebody really spoke."""

from __future__ import annotations

import asyncio
import os

import numpy as np
import pytest
from pipecat.audio.vad.vad_analyzer import VADParams, VADState

from piopiy_lab import Call, Caller, VoiceAgent, offline_stack, simulate, vad_sweep
from piopiy_lab import events as ev
from piopiy_lab.display import Hook, set_hook
from piopiy_lab.errors import ArgumentError, ArgumentTypeError, AudioFileError
from piopiy_lab.listening.seams import SharedSileroVADAnalyzer
from piopiy_lab.turn_lab.judged import RATE, Detector
from piopiy_lab.turn_lab.score import score
from piopiy_lab.turn_lab.spans import caller_samples

SETTINGS = {"confidence": 0.7, "start_secs": 0.2, "stop_secs": 0.2, "min_volume": 0.6}
LOOSE = {"confidence": 0.5, "start_secs": 0.06, "stop_secs": 0.8, "min_volume": 0.0}
STRICT = {"confidence": 0.95, "start_secs": 0.3, "stop_secs": 0.1, "min_volume": 0.65}


@pytest.fixture(scope="module")
def call() -> Call:
    async def create_session():
        agent = VoiceAgent(instructions="x", greeting="Hello.")
        stt, llm, tts = offline_stack()
        await agent.Action(stt=stt, llm=llm, tts=tts, vad=True)
        await agent.start()

    caller = Caller().hears_greeting().says("a table for two tomorrow at seven").hears_reply()
    caller = caller.says("my name is anna").hears_reply().says("yes please").hears_reply()
    return asyncio.run(simulate(create_session, caller.hangs_up()))


@pytest.mark.parametrize("settings", [SETTINGS, LOOSE, STRICT])
def test_replayed_decisions_are_those_of_the_whole_analyzer(call: Call, settings):
    samples = caller_samples(call)
    analyzer = SharedSileroVADAnalyzer(sample_rate=RATE, params=VADParams(**settings))
    analyzer.set_sample_rate(RATE)
    size = analyzer.num_frames_required()
    expected, started = [], None
    for i, start in enumerate(range(0, len(samples) - size + 1, size), start=1):
        state = analyzer._run_analyzer(samples[start : start + size].tobytes())
        if started is None and state == VADState.SPEAKING:
            started = i
        elif started is not None and state == VADState.QUIET:
            expected.append((started, i))
            started = None
    if started is not None:
        expected.append((started, len(samples) // size))
    analyzer._executor.shutdown(wait=False)
    detector = Detector(samples)
    for other in (SETTINGS, LOOSE, STRICT):  # whoever came before, the answer is the same
        detector.detect(other)
    found = [(round(a * RATE / size), round(b * RATE / size)) for a, b in detector.detect(settings)]
    assert found == expected
    assert found


def test_a_sweep_finds_what_the_call_itself_found(call: Call):
    """What ran live in the call is what the lab says of the same settings."""
    sweep = vad_sweep(call, confidence=0.7, start_secs=0.2, stop_secs=0.2, min_volume=0.6)
    live = [e.at for e in call.events.of(ev.UserSpeechStarted)]
    (only,) = sweep
    assert [start for start, _ in only.found] == pytest.approx(live, abs=0.05)
    assert only.utterances == 3
    assert (only.missed, only.false_starts, only.cuts) == (0, 0, 0)
    assert 0.1 < only.stop_delay < 0.4


def test_the_recommendation_is_quick_and_without_errors(call: Call):
    sweep = vad_sweep(call)
    assert len(sweep) == 96
    assert sweep.best.errors == 0
    quickest = min(s.stop_delay for s in sweep if s.errors == 0)
    assert sweep.best.stop_delay <= quickest + 0.05
    assert sweep.recommended == SETTINGS  # as good as the quickest here, so no need to leave it
    assert sweep.recommended == sweep.best.settings
    line = sweep.code
    assert eval(line.removeprefix("vad=")) == sweep.recommended  # ready to paste
    assert "All 3 utterances heard" in sweep.reason
    assert str(sweep) == str(vad_sweep(call))  # the same every time
    assert "recommended" in sweep._repr_html_()


def test_bad_settings_show_their_errors(call: Call):
    deaf = vad_sweep(call, confidence=1.0, start_secs=2.0, stop_secs=0.2, min_volume=0.6)[0]
    assert deaf.missed == 3
    assert deaf.stop_delay is None
    slow = vad_sweep(call, confidence=0.7, start_secs=0.2, stop_secs=1.5, min_volume=0.6)[0]
    assert slow.stop_delay > 1.3
    shifted = caller_samples(call)
    labels = [(e.at, e.end) for e in call.events.of(ev.CallerSpoke)]
    late = [(a + 1.0, b + 1.0) for a, b in labels[:1]]
    wrong = vad_sweep((shifted, RATE), reference=late, min_volume=0.0)
    assert wrong.best.false_starts >= 2  # the two that are not labelled


def test_scores_by_hand():
    settings = {**SETTINGS, "start_secs": 0.2, "stop_secs": 0.3}
    reference = [(1.0, 2.0), (3.0, 4.0), (6.0, 7.0)]
    found = [(1.25, 1.7), (1.9, 2.35), (4.9, 5.4), (6.3, 7.3)]
    result = score(settings, found, reference)
    assert (result.missed, result.false_starts, result.cuts) == (1, 1, 1)
    assert result.start_delay == pytest.approx(0.275)
    assert result.stop_delay == pytest.approx(0.325)
    assert result.missed_secs == pytest.approx(0.05 + 0.3 + 1.0 + 0.1)


def test_a_detection_that_runs_on_after_the_caller_is_false():
    """Else a deaf ear for silence would look good: one long detection, nothing cut."""
    settings = {**SETTINGS, "start_secs": 0.2, "stop_secs": 0.3}
    short = score(settings, [(1.25, 2.7)], [(1.0, 2.0)])  # 0.4 s more than the caller
    long = score(settings, [(1.25, 2.9)], [(1.0, 2.0)])
    assert (short.false_starts, long.false_starts) == (0, 1)
    deaf_to_silence = score(settings, [(1.2, 9.3)], [(1.0, 2.0), (5.0, 6.0)])
    assert deaf_to_silence.false_starts == 3 + 3  # three seconds between, and three after


def test_silero_judges_where_there_is_no_script(call: Call):
    if os.environ.get("PIOPIY_LAB_REQUIRE") != "all":
        pytest.importorskip("silero_vad", reason='pip install "piopiy-lab[reference]"')
    sweep = vad_sweep(call.recording, confidence=0.7, start_secs=0.2, min_volume=0.6)
    script = [(e.at, e.end) for e in call.events.of(ev.CallerSpoke)]
    assert len(sweep.reference) == len(script)
    for (a, b), (c, d) in zip(sweep.reference, script, strict=True):
        assert a == pytest.approx(c, abs=0.3)
        assert b == pytest.approx(d, abs=0.3)
    assert "silero-vad" in str(sweep)


def test_the_heat_map_marks_the_recommended_cell(call: Call):
    sweep = vad_sweep(call, min_volume=0.6)
    figure = sweep.plot()
    axes = figure.axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("stop_secs", "confidence")
    (frame,) = [p for p in axes.patches if p.get_linewidth() == 2.5]
    column = sweep.axes["stop_secs"].index(sweep.recommended["stop_secs"])
    row = sweep.axes["confidence"].index(sweep.recommended["confidence"])
    assert (frame.get_x(), frame.get_y()) == (column - 0.5, row - 0.5)
    assert sweep.plot(x="start_secs").axes[0].get_xlabel() == "start_secs"
    with pytest.raises(ArgumentError, match="the settings are"):
        sweep.plot("loudness")


def test_a_file_a_folder_and_an_array_are_recordings(call: Call, tmp_path):
    import soundfile

    labels = [(e.at, e.end) for e in call.events.of(ev.CallerSpoke)]
    samples = caller_samples(call)
    soundfile.write(tmp_path / "me.wav", samples, RATE)
    folder = call.save(tmp_path / "call")
    one = {"confidence": 0.7, "start_secs": 0.2, "stop_secs": 0.2, "min_volume": 0.6}
    scores = [
        vad_sweep(recording, reference=labels, **one)[0].found
        for recording in (call, tmp_path / "me.wav", folder, (samples, RATE), Call.load(folder))
    ]
    for other in scores[1:]:
        assert np.allclose(scores[0], other, atol=0.033)


@pytest.mark.parametrize(
    ("change", "error", "why"),
    [
        ({"stop_secs": -1}, ArgumentError, "stop_secs=-1 is out of range"),
        ({"confidence": "high"}, ArgumentError, "confidence='high' is out of range"),
        ({"confidence": []}, ArgumentError, "at least one value"),
        ({"confidence": np.linspace(0, 1, 1001)}, ArgumentError, "combinations"),
        ({"reference": "ears"}, ArgumentError, "reference='ears'"),
        ({"reference": []}, ArgumentError, "label at least one"),
        ({"reference": [(2, 1)]}, ArgumentError, "is no stretch"),
        ({"reference": [(1, 3), (2, 4)]}, ArgumentError, "overlap"),
        ({"reference": [1, 2]}, ArgumentError, r"\(start, end\) pairs"),
    ],
)
def test_bad_arguments(call: Call, change, error, why):
    with pytest.raises(error, match=why):
        vad_sweep(call, **change)


def test_bad_recordings(tmp_path):
    with pytest.raises(ArgumentTypeError, match="give a Call"):
        vad_sweep(3)
    with pytest.raises(ArgumentTypeError, match="mono samples"):
        vad_sweep((np.zeros((10, 2), np.int16), 16000))
    with pytest.raises(ArgumentError, match=r"0\.00 s of sound"):
        vad_sweep((np.zeros(0, np.int16), 16000))
    with pytest.raises(AudioFileError, match="can't be read"):
        vad_sweep(tmp_path / "nothing.wav")
    with pytest.raises(ArgumentError, match="no scripted caller"):
        vad_sweep((np.zeros(16000, np.int16), 16000), reference="script")


def test_a_progress_bar_shows_how_far_it_is(call: Call):
    told: list[float] = []

    class Bar:
        def update(self, part: float, text: str) -> None:
            told.append(part)

        def close(self) -> None:
            told.append(2.0)

    before = set_hook(Hook(show=lambda obj: None, progress=Bar))
    try:
        vad_sweep(call, min_volume=0.6)
    finally:
        set_hook(before)
    assert told[0] == 0.0
    assert told[-1] == 2.0
    assert told == sorted(told)
    assert len(told) > 3
