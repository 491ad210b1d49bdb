"""Turn models of other people's beside Smart Turn: in the lab, in a call, from one to the other."""

from __future__ import annotations

import asyncio
import inspect
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from kinds_of_calls import PAUSING, desk
from pipecat.audio.turn.smart_turn.base_smart_turn import BaseSmartTurn, SmartTurnParams
from pipecat.audio.turn.smart_turn.http_smart_turn import HttpSmartTurnAnalyzer
from pipecat.audio.turn.smart_turn.local_smart_turn_v3 import LocalSmartTurnAnalyzerV3
from pipecat.audio.vad.silero import SileroVADAnalyzer
from pipecat.processors.audio.vad_processor import VADProcessor

from piopiy_lab import Call, simulate, smart_turn, turn_sweep, what_if
from piopiy_lab import events as ev
from piopiy_lab.errors import ArgumentError, ArgumentTypeError, CallError
from piopiy_lab.listening.seams import SharedSileroVADAnalyzer
from piopiy_lab.transports.telecmi import TelecmiParams

SETTING = {"stop_secs": 0.2, "threshold": (0.0, 0.3, 0.5), "wait_secs": 1.5}


def by_length(samples, rate):
    """Three seconds are a turn: as onnxruntime says it, in an array of one float32."""
    return np.array([min(1.0, len(samples) / rate / 3)], np.float32)


def never(samples, rate):
    samples[:] = 0  # whatever it does to them is its own affair
    return 0


def fails(samples, rate):
    raise OSError("no such server")


class OwnAnalyzer(BaseSmartTurn):
    """A turn analyzer as pipecat's guide says to write one."""

    def _predict_endpoint(self, audio_array):
        return {"prediction": 0, "probability": 0.25}


class Contrary(OwnAnalyzer):
    """One that decides by something else than its probability."""

    def _predict_endpoint(self, audio_array):
        return {"prediction": 1, "probability": 0.25}


class Later(OwnAnalyzer):
    """One whose answer is to be awaited."""

    async def _predict_endpoint(self, audio_array):
        return {"prediction": 1, "probability": 0.75}


class AsksAServer(HttpSmartTurnAnalyzer):
    """One that is derived from pipecat's, as Fal's is."""


def asks(kind):
    return kind(url="http://127.0.0.1:9", aiohttp_session=None)


async def answers_later(samples, rate):
    return 0.5


class Streaming(OwnAnalyzer):
    """One that judges while it hears."""

    async def analyze_end_of_turn(self):
        raise AssertionError("it is refused before")


class OwnDetector(SharedSileroVADAnalyzer):
    """Somebody's own detector."""


def run(**action):
    return asyncio.run(simulate(desk(**action), PAUSING, replace={"stt": "screenplay"}))


def with_model(analyzer):
    return run(telecmi_params=TelecmiParams(turn_analyzer=analyzer))


@pytest.fixture(scope="module")
def call():
    return run()


@pytest.fixture(scope="module")
def sweep(call):
    models = {"length": by_length, "never": never, "the same file": LocalSmartTurnAnalyzerV3()}
    return turn_sweep(call, **SETTING, turn_models=models)


def of(sweep, model):
    return {one.rule.threshold: one for one in sweep if one.rule.turn_model == model}


def test_each_model_is_tried_with_each_setting_that_asks_one(sweep):
    assert sorted(of(sweep, "Smart Turn")) == [0.0, 0.3, 0.5]
    for name in ("length", "never", "the same file"):
        assert sorted(of(sweep, name)) == [0.3, 0.5]
    table = sweep.to_pandas()
    assert list(table["turn_model"]) == [one.rule.turn_model for one in sweep]
    assert table["threshold"].dtype == "float64"


def test_pipecats_own_analyzer_of_the_same_file_comes_to_the_same(sweep):
    ours, theirs = of(sweep, "Smart Turn"), of(sweep, "the same file")
    for threshold, one in theirs.items():
        assert one.cuts == ours[threshold].cuts
        assert one.delays == ours[threshold].delays
        assert one.slow == ours[threshold].slow


def test_what_a_model_does_follows_from_what_it_says(sweep):
    assert not any(one.cuts for one in of(sweep, "never").values())
    assert all(one.slow == one.ends == 2 for one in of(sweep, "never").values())
    hasty, patient = of(sweep, "length")[0.3], of(sweep, "length")[0.5]
    assert {cut.turn: cut.probability for cut in hasty.cuts}[1] == pytest.approx(0.46, abs=0.05)
    assert not patient.cuts
    assert not patient.slow


def test_the_table_names_the_models_where_there_are_several(call, sweep):
    assert "turn model" in str(sweep).splitlines()[1]
    assert "<th style='padding:.3em .6em'>turn model</th>" in sweep._repr_html_()
    assert "turn model" not in str(turn_sweep(call, **SETTING)).splitlines()[1]


def test_the_recommended_model_is_ready_to_paste_and_does_so_in_a_call(sweep):
    assert sweep.best.rule.turn_model == "length"
    names = {
        "TelecmiParams": TelecmiParams, "smart_turn": smart_turn,
        "turn_models": {"length": by_length},
    }  # fmt: skip
    said = run(**eval(f"dict({sweep.code})", names))
    spoke, stops = said.events.of(ev.CallerSpoke), said.events.of(ev.UserTurnStopped)
    assert not [e for e in stops if any(one.at < e.at < one.end for one in spoke)]
    looked = said.events.of(ev.TurnPredicted)
    assert [e.complete for e in looked] == [e.probability > 0.5 for e in looked]
    assert not sweep.best.cuts


def test_what_if_asks_another_model(call):
    assert what_if(call, threshold=0.3, turn_model=by_length).cuts
    assert not what_if(call, threshold=0.3, turn_model=OwnAnalyzer()).cuts
    assert what_if(call, threshold=0.2, turn_model=OwnAnalyzer()).cuts[0].probability == 0.25


# --- a call's verdicts are its own model's ------------------------------------------------------


def test_a_call_says_which_turn_model_it_had(call):
    def named(analyzer):
        (started,) = with_model(analyzer).events.of(ev.PipelineStarted)
        return started.turn_model

    assert call.events.of(ev.PipelineStarted)[0].turn_model == "Smart Turn"
    assert named(LocalSmartTurnAnalyzerV3()) == "Smart Turn"
    assert named(smart_turn(threshold=0.7)) == "Smart Turn"
    assert named(smart_turn(model=by_length)) == "by_length"
    assert named(smart_turn(model=OwnAnalyzer())) == "OwnAnalyzer"
    assert named(OwnAnalyzer()) == "OwnAnalyzer"


def test_a_file_of_ones_own_is_not_smart_turn(tmp_path):
    file = tmp_path / "mine.onnx"
    (bundled,) = Path(inspect.getfile(LocalSmartTurnAnalyzerV3)).parent.glob("data/*v3*cpu.onnx")
    file.symlink_to(bundled)
    (started,) = with_model(LocalSmartTurnAnalyzerV3(smart_turn_model_path=str(file))).events.of(
        ev.PipelineStarted
    )
    assert started.turn_model == "LocalSmartTurnAnalyzerV3"


def test_verdicts_of_another_model_are_not_asked_of_smart_turn(tmp_path):
    said = with_model(smart_turn(model=by_length))
    with pytest.raises(CallError, match=r"ended by by_length.*robustness\(turn_model=\.\.\.\)"):
        said.robustness(n=2)
    found = said.robustness(n=2, turn_model=by_length)
    pauses = [one for one in found if one.secs is not None]
    low, high = pauses[0].probabilities
    (first, *_) = said.events.of(ev.TurnPredicted)
    assert low - 0.05 <= first.probability <= high + 0.05
    said.save(tmp_path / "call")
    loaded = Call.load(tmp_path / "call")
    with pytest.raises(CallError, match="ended by by_length"):
        loaded.robustness(n=3)


def test_what_is_known_of_one_model_is_not_told_of_another(tmp_path):
    said = with_model(smart_turn(model=by_length))
    found = said.robustness(n=2, turn_model=by_length)
    assert found.turn_model == "by_length"
    assert said.robustness(n=2, turn_model=by_length) is not None
    with pytest.raises(CallError, match=r"ended by by_length, so the verdicts of Smart Turn"):
        said.robustness(n=2)  # known, but of by_length
    with pytest.raises(CallError, match=r"ended by by_length, so the verdicts of never"):
        said.robustness(n=2, turn_model=never)
    said.save(tmp_path / "call")
    known = Call.load(tmp_path / "call").known_robustness
    assert known is not None
    assert known.turn_model == "by_length"


def test_smart_turns_verdicts_are_not_asked_of_another(call):
    with pytest.raises(CallError, match=r"ended by Smart Turn, so the verdicts of never"):
        call.robustness(n=1, turn_model=never)
    assert call.robustness(n=1, turn_model=LocalSmartTurnAnalyzerV3()).turn_model == "Smart Turn"


def test_a_rule_of_somebodys_own_is_not_run_again():
    said = run()
    (started,) = said.events.of(ev.PipelineStarted)
    object.__setattr__(started, "turn_model", "")  # as with a stop strategy that asks by itself
    for model in (None, by_length):
        with pytest.raises(CallError, match="ended by a rule of its own"):
            said.robustness(n=1, turn_model=model)


def test_a_call_of_before_that_was_told_had_smart_turn():
    said = run()
    (started,) = said.events.of(ev.PipelineStarted)
    object.__setattr__(started, "turn_model", None)
    assert said.robustness(n=1).turn_model == "Smart Turn"
    assert said.robustness(n=1, turn_model=by_length).turn_model == "by_length"  # not what is known


def test_a_detector_in_a_processor_is_the_detector():
    said = run(vad=VADProcessor(vad_analyzer=SileroVADAnalyzer()))
    assert said.events.of(ev.PipelineStarted)[0].vad == "SileroVADAnalyzer"
    assert len(said.robustness(n=1))


def test_voices_of_another_detector_are_not_asked_of_silero():
    said = run(vad=OwnDetector())
    with pytest.raises(CallError, match="found by OwnDetector, and what is run again is Silero"):
        said.robustness(n=1)


# --- what can't be -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "half",
    [
        0.5,
        np.float16(0.5),
        np.array(0.5),
        np.array([[0.5]], np.float32),
        Fraction(1, 2),
        Decimal("0.5"),
    ],
)
def test_whatever_is_a_number_is_taken(call, half):
    (cut,) = what_if(call, threshold=0.4, turn_model=lambda samples, rate: half).cuts[:1]
    assert cut.probability == 0.5


def test_rounding_is_no_fault(call):
    assert what_if(call, turn_model=lambda *_: np.float32(1.0000001)).cuts[0].probability == 1.0


def test_where_none_is_asked_none_can_be_tried(call):
    with pytest.raises(ArgumentError, match="at 0 no turn model is asked"):
        turn_sweep(call, threshold=0, turn_models={"a": by_length})
    with pytest.raises(ArgumentError, match="at 0 no turn model is asked"):
        what_if(call, threshold=0, turn_model=by_length)


def test_a_model_is_given_as_much_sound_as_it_wants(call):
    heard = []

    class Short(OwnAnalyzer):
        def _predict_endpoint(self, audio_array):
            heard.append(len(audio_array))
            return {"prediction": 0, "probability": 0.25}

    def short():
        return Short(params=SmartTurnParams(max_duration_secs=1))

    what_if(call, turn_model=short())
    assert max(heard) == 16000
    heard.clear()
    with_model(smart_turn(model=short()))
    assert max(heard) == 16000


@pytest.mark.parametrize(
    ("given", "error", "says"),
    [
        ([by_length], ArgumentTypeError, "give a mapping of names to turn models"),
        ({"": by_length}, ArgumentError, "'' is no name for a turn model"),
        ({3: by_length}, ArgumentError, "3 is no name"),
        ({"two\nlines": by_length}, ArgumentError, "is no name for a turn model"),
        ({"smart turn ": by_length}, ArgumentError, "is no name for a turn model"),
        ({"smart turn": by_length}, ArgumentError, "'Smart Turn' is tried in any case"),
        ({"a": OwnAnalyzer}, ArgumentTypeError, "'a' is .*: give a pipecat turn analyzer"),
        ({"a": answers_later}, ArgumentError, "'a' is async: give a function that returns"),
        ({"a": lambda *given: answers_later(*given)}, ArgumentError, "'a' is async: give a"),
        ({"a": Later()}, ArgumentError, "'a' is async: give a function that returns"),
        ({"a": asks(HttpSmartTurnAnalyzer)}, ArgumentError, "'a' asks a server on the call's own"),
        ({"a": asks(AsksAServer)}, ArgumentError, "'a' asks a server on the call's own loop"),
        ({"a": Contrary()}, ArgumentError, r"prediction 1 at 0\.250\), so no threshold tells"),
        ({"Smart Turn": by_length}, ArgumentError, "'Smart Turn' is tried in any case"),
        ({"a": 0.5}, ArgumentTypeError, "the turn model 'a' is 0.5: give a pipecat turn analyzer"),
        ({"a": Streaming()}, ArgumentError, "the turn model 'a' follows the sound as it comes"),
        ({"a": fails}, ArgumentError, r"'a' failed on \d\.\d\d s of sound at 16000 Hz: OSError"),
        ({"a": lambda samples, rate: 1.5}, ArgumentError, "'a' said 1.5: let it return how sure"),
        ({"a": lambda samples, rate: "yes"}, ArgumentError, "'a' said 'yes'"),
        ({"a": lambda samples, rate: float("nan")}, ArgumentError, "'a' said nan"),
        ({"a": lambda samples, rate: True}, ArgumentError, "'a' said True"),
        ({"a": lambda samples: 0.5}, ArgumentError, "'a' failed on .* TypeError"),
    ],
)
def test_what_is_no_turn_model_is_refused(call, given, error, says):
    with pytest.raises(error, match=says):
        turn_sweep(call, **SETTING, turn_models=given)


def test_an_analyzer_at_a_rate_of_its_own_is_refused(call):
    with pytest.raises(ArgumentError, match="'a' hears 8000 Hz, and this sound is at 16000"):
        turn_sweep(call, **SETTING, turn_models={"a": OwnAnalyzer(sample_rate=8000)})


def test_a_model_that_fails_ends_a_call_and_says_why():
    said = with_model(smart_turn(model=fails))
    assert said.end_reason == "error"
    assert "the turn model 'fails' failed on" in str(said.error)
    assert "no such server" in str(said.error)
    with pytest.raises(ArgumentTypeError, match=r"smart_turn\(model=\.\.\.\): the turn model"):
        smart_turn(model="mine.onnx")
