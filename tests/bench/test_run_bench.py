"""The bench end to end, on a handful of stimuli in virtual time."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from piopiy_lab import offline_stack
from piopiy_lab.bench.board import end_of_turn_board, tau_voice_board
from piopiy_lab.bench.report import BenchReport
from piopiy_lab.bench.running import run_bench
from piopiy_lab.bench.stimuli import load_stimuli
from piopiy_lab.errors import ArgumentError, ArgumentTypeError, SavedCallError

WANTED = (
    *("backchannel-01", "backchannel-03", "interruption-05", "interruption-07"),
    *("noise-01", "noise-05", "aside-02", "pause-05", "end-01"),
)
COUGHS = ("noise-01", "noise-03", "noise-08", "noise-09")
FEW = [one for one in load_stimuli() if one.id in WANTED]


def bench(*args, **options):
    return asyncio.run(run_bench(*args, **{"executor": 0, "stimuli": FEW, **options}))


@pytest.fixture(scope="module")
def report():
    return bench(against="pipecat")


def test_a_plain_agent_is_measured_by_the_public_definitions_and_by_ours(report):
    assert not report.failed, report.failed
    tau = report.tau
    assert (tau.s_bc.n, tau.r_y.n, tau.s_vt.n, tau.s_nd.n) == (2, 2, 2, 1)
    assert tau.r_y.count == 2, "it stops for whoever breaks in"
    assert 0.2 <= report["L_Y"].value <= 0.8
    assert (report.ours.yielded.count, report.ours.noises.count) == (2, 2)
    assert 0.1 <= report.ours.fell.median <= 0.45, "held, or cut"
    assert report.ends.cut.n == 1
    assert 0.1 < report["turns.latency"].value < 0.4


def test_an_interruption_s_cut_is_where_the_log_has_it(report):
    (one,) = (one for one in report.measured if one.stimulus.id == "interruption-05")
    assert one.reaction.outcome == "cut"
    assert one.reaction.fell <= one.reaction.decided, "paused first, it is silent before the cut"
    assert one.reaction.decided <= one.interrupted + 0.05
    assert one.turned


def test_what_was_missed_says_what_the_agent_did(report):
    kinds = {one.stimulus.kind for one in report.missed}
    assert "interruption" not in kinds
    assert "end-01" not in str(report.missed)
    for one in report.missed:
        assert one.stimulus.id in str(report.missed)


def test_the_table_has_both_agents_the_board_and_its_date(report):
    text = str(report)
    assert "a plain agent" in text
    assert "pipecat 1." in text
    assert tau_voice_board().as_of in text
    assert "S_BC" in text
    assert "kept" in text


def test_the_page_and_the_picture_stand_alone(report, tmp_path):
    page = report.save_html(tmp_path / "bench.html").read_text("utf-8")
    assert "What a plain agent missed" in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "qwen3.5-omni-plus-realtime" in page
    assert "Deepgram Flux" in page
    with pytest.raises(SavedCallError, match="is there already"):
        report.save_html(tmp_path / "bench.html")
    assert {axes.get_label() for axes in report.plot().axes} == {"around", "curve"}


def test_as_json_everything_is_there(report, tmp_path):
    told = json.loads(report.save_json(tmp_path / "bench.json").read_text("utf-8"))
    assert told["format"] == "piopiy-lab bench 1"
    assert told["figures"]["tau.r_y"]["n"] == 2
    assert [one["id"] for one in told["stimuli"]] == [one.id for one in FEW]
    assert told["against"]["name"].startswith("pipecat")
    assert told["settings"]["latency"] == {"llm": [0.35], "tts": [0.2]}
    assert told["board"]["as_of"] == tau_voice_board().as_of
    assert len(told["board"]["systems"]) == len(tau_voice_board().systems)
    assert told["windows"]["yields"] == 2.0
    assert len(report.to_pandas()) == len(FEW)


def test_a_part_of_the_list_has_a_report_of_its_own(report):
    part = report.of(kinds=["backchannel", "end"])
    assert (part.tau.s_bc.n, part.tau.r_y.n, part.ends.n_ends) == (2, 0, 1)
    assert part.against.tau.s_bc.n == 2
    kept = report.of(split="accept")
    assert [one.stimulus.id for one in kept.measured] == ["aside-02"]
    assert report.of(split="tune")["S_BC"] == report["S_BC"]


def test_pauses_are_told_beside_the_public_board_s(report):
    rows = report.end_of_turn
    assert [row.holds for row in rows[:2]] == [1, 1]
    assert rows[1].latency_5 == pytest.approx(0.9), "a wait as long as the pause cuts none"
    assert rows[-1].who.endswith("VAD")
    assert "35.2 %" in str(rows)


def test_every_share_and_every_mean_of_enough_events_has_its_interval(report):
    for one in report.figures:
        if one.unit == "share":
            assert (one.low is not None) == (one.n > 0), one
            assert one.value is None or 0 <= one.low <= one.value <= one.high <= 1
    rows = report.end_of_turn
    assert all(row.cuts_600_ends for row in rows if row.holds and row.cuts_600 is not None)
    again = BenchReport(report.measured * 6)
    for key in ("I_A", "L_R", "turns.latency"):
        one = again[key]
        assert one.low - 1e-9 <= one.value <= one.high + 1e-9, one


@pytest.mark.timeout(600)  # a process that begins loads the models
def test_the_same_to_the_byte_twice_and_whatever_the_number_of_workers():
    few = [one for one in FEW if one.kind in ("interruption", "pause")]
    told = bench(stimuli=few).to_json()
    assert bench(stimuli=few).to_json() == told
    assert bench(stimuli=few, executor=1).to_json() == told
    assert bench(stimuli=few, executor=2).to_json() == told


async def session_that_fails(call_id):
    raise RuntimeError("no desk today")


def test_an_agent_that_does_not_run_is_told_and_in_no_figure():
    report = bench(session_that_fails, stimuli=FEW[:1])
    assert [one.id for one, _ in report.failed] == [FEW[0].id]
    assert report["S_BC"].n == 0
    text = str(report)
    assert "1 of 1 calls" in text
    assert "no desk today" in text
    assert "the call without a stimulus came to nothing" in text


def test_what_can_not_be_measured_is_refused(report):
    with pytest.raises(ArgumentError, match="there are no stimuli"):
        bench(stimuli=[])
    with pytest.raises(ArgumentError, match="against='livekit'"):
        bench(against="livekit")
    with pytest.raises(ArgumentTypeError, match="must be an async function, got 5"):
        bench(against=5)
    with pytest.raises(ArgumentError, match="figures are tau.s_bc"):
        report["speed"]
    with pytest.raises(ArgumentError, match="split='test'"):
        report.of(split="test")
    with pytest.raises(ArgumentError, match="kinds has 'hum'"):
        report.of(kinds=["hum"])
    with pytest.raises(ArgumentTypeError, match="recogniser=5: give"):
        bench(stimuli=FEW[:1], recogniser=5)
    with pytest.raises(ArgumentError, match="'ear'"):
        bench(stimuli=FEW[:1], replace={"ear": "own"})
    with pytest.raises(ArgumentError, match="thread"):
        bench(stimuli=FEW[:1], executor=ThreadPoolExecutor(1))


def test_the_boards_are_dated_and_whole():
    board = tau_voice_board()
    assert board.best("s_bc") == ("pine-voice preview", 0.97)
    assert board.best("l_r") == ("xai-realtime", 1.15)
    assert all(len(of) == 8 for of in board.systems.values())
    assert end_of_turn_board().systems["Smart Turn v3.2"]["cuts_300"] == 0.352


def phrases():
    return offline_stack()[0]


def test_the_offline_recogniser_takes_no_cough_for_a_word_of_its_phrases():
    """Of "help", which a short one is most like, seven of twenty noises were an interruption."""
    coughs = [one for one in load_stimuli(kinds=["noise"]) if one.id in COUGHS]
    report = bench(stimuli=coughs, recogniser=phrases)
    assert (report.ours.noises.count, report.ours.noises.n) == (len(COUGHS), len(COUGHS))
