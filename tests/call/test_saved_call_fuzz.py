"""Whatever stands in a saved call: it is refused in words, or every view holds. Fixed seed."""

from __future__ import annotations

import copy
import json
import os
import tempfile
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis.strategies import SearchStrategy

from piopiy_lab import events as ev
from piopiy_lab.call.call import Call
from piopiy_lab.display import call_mimebundle, page
from piopiy_lab.errors import SavedCallError
from piopiy_lab.events.log import EventLog
from piopiy_lab.redaction import visible
from piopiy_lab.sound.recorder import Recorder
from piopiy_lab.widgets.feed import CallFeed

RATE = 8000
FIXED = settings(
    max_examples=80,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
#: One event of each kind, in an order that a call could have.
SWITCHER = {"services": {"a": "A", "b": "B"}, "active": "a", "strategy": "manual"}
HEALTHY: list[ev.Event] = [
    ev.CallStarted(at=0.0, origin="caller", sample_rate=RATE),
    ev.CallStateChanged(at=0.1, old="starting", new="listening"),
    ev.PipelineStarted(
        at=0.1, services={"stt": "A"}, vad="V", vad_params={"stop_secs": 0.2}, greeting="Hi",
        audio_in_sample_rate=RATE, audio_out_sample_rate=RATE, switchers={"stt": SWITCHER},
    ),
    ev.VADSampled(at=0.2, confidence=0.5, volume=None),
    ev.UserSpeechStarted(at=0.3, cause="vad", start_secs=0.2),
    ev.UserTurnStarted(at=0.3),
    ev.InterimTranscribed(at=0.4, text="a ta"),
    ev.UserSpeechStopped(at=0.8, cause="vad", stop_secs=0.2),
    ev.Transcribed(at=0.9, text="a table", words=[["a", 0.2, 0.3], ["table", 0.3, 0.6]]),
    ev.TurnPredicted(at=0.9, complete=True, probability=0.9),
    ev.UserTurnStopped(at=0.9),
    ev.UserTurnAdded(at=0.9, text="a table"),
    ev.ContextSent(at=0.9, messages=[{"role": "user", "content": "a table"}], tools=["book"]),
    ev.ToolCalled(at=1.0, name="book", arguments={"size": 2}, number=1),
    ev.ToolReturned(at=1.1, name="book", number=1, result={"ok": True}),
    ev.LLMResponseStarted(at=1.1),
    ev.LLMTextGenerated(at=1.1, text="It is booked."),
    ev.LLMResponseStopped(at=1.1),
    ev.SpeechRequested(at=1.1, text="It is booked."),
    ev.SynthesisStarted(at=1.1),
    ev.AudioSynthesized(at=1.1),
    ev.MetricsReported(at=1.1, service="A", name="ttfb", value=0.1, unit="s"),
    ev.MetricsReported(at=1.1, service="A", name="prompt_tokens", value=7, unit="tokens"),
    ev.AgentSpeechStarted(at=1.2),
    ev.WordSpoken(at=1.2, text="It"),
    ev.WordSpoken(at=1.3, text="is"),
    ev.AgentInterrupted(at=1.4, cause="user", speaking=True),
    ev.AgentSpeechStopped(at=1.4, cause="interrupted"),
    ev.SettingsChanged(at=1.4, old={"stop_secs": 0.2}, new={"stop_secs": 0.3}),
    ev.ServiceSwitched(at=1.5, kind="stt", old="a", new="b"),
    ev.DTMFReceived(at=1.5, digit="1"),
    ev.ErrorOccurred(at=1.6, message="no", source="A", remedy="yes"),
    ev.AudioDropped(at=1.6, where="input", cause="lost", secs=0.1, remedy="x"),
    ev.TransferRequested(at=1.7, to="+41", cause="tool"),
    ev.LevelMeasured(at=1.8, user_dbfs=-20.0, agent_dbfs=-96.0),
    ev.CallerSpoke(at=0.2, text="a table", end=0.6),
    ev.CallEnded(at=2.0, reason="caller_hung_up"),
]  # fmt: skip

ODD = st.sampled_from([
    None, True, 0, -1, 1.5, 1e308, -1e308, 10**400, float("nan"), float("inf"), "", "x", "\ud83d",
    "\x1b[2J\n", "1", [], [[]], [["a", 0.1, 0.2]], [["a"]], {}, {"a": {"b": 1}}, [1, "2", None],
    "a" * 3000, {"": ""}, 1e6, 999_999.9, {"services": {}, "active": "x", "strategy": "y"},
])  # fmt: skip
JSON = st.recursive(
    ODD | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)


@st.composite
def broken_logs(draw: st.DrawFn) -> list[dict[str, object]]:
    """A healthy log with fields replaced, lines moved, left out and said twice."""
    lines = [json.loads(event.to_json()) for event in HEALTHY]
    for _ in range(draw(st.integers(1, 3))):
        line = draw(st.sampled_from(lines))
        field = draw(st.sampled_from(sorted(line)))
        value: SearchStrategy[object] = JSON
        if field == "at" or (isinstance(line[field], float) and draw(st.booleans())):
            value = st.floats(-10, 10) | st.sampled_from([0.0, -1.0, 999_999.0, 1e6, 1e-9])
        line[field] = draw(value)
    for _ in range(draw(st.integers(0, 3))):
        i, j = draw(st.integers(0, len(lines) - 1)), draw(st.integers(0, len(lines) - 1))
        match draw(st.sampled_from(["swap", "drop", "twice"])):
            case "swap":
                lines[i], lines[j] = lines[j], lines[i]
            case "drop":
                del lines[i]
            case _:
                lines.insert(j, copy.deepcopy(lines[i]))
    return lines


@pytest.fixture(scope="module")
def wav() -> bytes:
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "call.wav"
        recorder = Recorder(RATE, wav_path=path)
        recorder.write_agent(0.0, np.full(RATE * 2, 900, np.int16), RATE)
        recorder.close(2.0)
        return path.read_bytes()


def write(folder: Path, lines: list[dict[str, object]], wav: bytes, meta: object) -> None:
    (folder / "events.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    (folder / "meta.json").write_text(json.dumps(meta))
    (folder / "call.wav").write_bytes(wav)


def look_at(call: Call, place: Path, pictures: bool = True) -> None:
    """Have every view of a call made: as text, live, on disk; as HTML and a picture if asked."""
    for text in (str(call), repr(call), str(call.turns), str(call.context), str(call.switchers)):
        assert "\x1b" not in text
    str(call).encode()
    page.conversation(call, playable=True).encode()
    if pictures:  # a second each
        assert str(call_mimebundle(call)["text/html"]).encode()
    feed = CallFeed(call)
    while (message := feed.pull()) is not None:
        json.dumps(message[0], allow_nan=False)
    again = Call.load(call.save(place / "again", overwrite=True))
    assert len(again.events) == len(call.events)


def refused_or_whole(folder: Path, pictures: bool) -> None:
    told = ""
    try:
        call = Call.load(folder)
    except SavedCallError as error:
        told = str(error)
    else:
        look_at(call, folder, pictures)
    assert visible(told) == told
    assert len(told) < 1500


ANY_META = JSON | st.dictionaries(
    st.sampled_from(["call_id", "agent_id", "from_number", "metadata", "services"]), JSON
)


@seed(20)
@FIXED
@given(lines=broken_logs(), meta=ANY_META, dice=st.integers(0, 7))
def test_any_log(lines: list[dict[str, object]], meta: object, dice: int, wav: bytes):
    with tempfile.TemporaryDirectory() as place:
        write(Path(place), lines, wav, meta)
        refused_or_whole(Path(place), pictures=dice == 0)


@seed(21)
@FIXED
@given(
    data=st.binary(max_size=80),
    at=st.integers(0, 3000),
    name=st.sampled_from(["events.jsonl", "call.wav", "meta.json"]),
    dice=st.integers(0, 7),
)
def test_any_bytes(data: bytes, at: int, name: str, dice: int, wav: bytes):
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write(folder, [json.loads(event.to_json()) for event in HEALTHY], wav, {"call_id": "x"})
        whole = (folder / name).read_bytes()
        at %= len(whole)
        (folder / name).write_bytes(whole[:at] + data + whole[at + len(data) :])
        refused_or_whole(folder, pictures=dice == 0)


def test_the_healthy_log_has_every_view(tmp_path: Path, wav: bytes):
    write(tmp_path, [json.loads(event.to_json()) for event in HEALTHY], wav, {"call_id": "x"})
    call = Call.load(tmp_path)
    assert list(call.events) == HEALTHY
    look_at(call, tmp_path)
    assert isinstance(call.events, EventLog)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('{"type": "X", "at": 1, "a": ' + "[" * 100_000 + "]" * 100_000 + "}", "nested"),
        ('{"type": "X", "at": 1, "a": ' + "[" * 150 + "]" * 150 + "}", "'a' of this X.*nested"),
        ('{"type": "X", "at": 1' + "0" * 400 + "}", "'at' of this X is 1000.*a number from"),
        ('{"type": "X", "at": NaN}', "'at' of this X is 'NaN'"),
        ('{"type": "X", "at": 1e999}', "'at' of this X is inf"),
        ('{"type": "WordSpoken", "at": 1, "text": 5}', "'text' of this WordSpoken is 5; a text"),
        ('{"type": "Transcribed", "at": 1, "text": "a", "words": [["a"]]}', "'words' of"),
        ('{"type": "CallStarted", "at": 0, "origin": "room", "sample_rate": 0}', "'sample_rate'"),
        ('{"type": ["X"], "at": 1}', "has no type"),
        ("[]", "no object"),
    ],
)
def test_a_bad_line_is_named_with_its_field(tmp_path: Path, line: str, words: str):
    (tmp_path / "events.jsonl").write_text(f"{HEALTHY[1].to_json()}\n{line}\n{line}\n")
    with pytest.raises(SavedCallError, match=rf"line 2 of .*events\.jsonl.*{words}"):
        Call.load(tmp_path)


def test_only_regular_files_are_opened(tmp_path: Path, wav: bytes):
    for name in ("events.jsonl", "call.wav", "meta.json"):
        folder = tmp_path / name.partition(".")[0]
        folder.mkdir()
        write(folder, [json.loads(HEALTHY[0].to_json())], wav, {"call_id": "x"})
        for odd in ("pipe", "device", "loop"):
            (folder / name).unlink()
            if odd == "pipe":
                os.mkfifo(folder / name)
            else:
                (folder / name).symlink_to("/dev/zero" if odd == "device" else folder / name)
            if name == "meta.json" or (name, odd) == ("call.wav", "loop"):
                assert Call.load(folder).call_id in ("x", folder.name)
            else:
                with pytest.raises(SavedCallError, match=r"regular file|Too many levels|has no"):
                    Call.load(folder)
