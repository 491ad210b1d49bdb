"""Two agents on the same sound: planted changes are seen, and nothing is seen where nothing is."""

from __future__ import annotations

import asyncio

import pytest
from quick_agents import SURE, UNSURE, quick

from piopiy_lab import Calls, Comparison, compare_agents
from piopiy_lab.errors import ArgumentError, SavedCallError


def compared(before, after, callers, **told):
    return asyncio.run(compare_agents(before, after, callers, **{"executor": 0, **told}))


@pytest.fixture(scope="module")
def slower():
    """The same agent, whose LLM takes 50 ms longer: ten calls."""
    return compared(
        quick(), quick(), {"sure": SURE}, repeat=10,
        after_options={"latency": {"llm": 0.05}}, min_difference=0.05,
    )  # fmt: skip


def test_fifty_milliseconds_of_p50_are_seen_with_ten_calls(slower):
    p50 = slower["p50"]
    assert p50.verdict == "worse"
    assert 0.03 <= p50.low <= p50.difference <= p50.high <= 0.08
    assert p50.p < 0.05
    assert slower["mean"].verdict == "worse"
    assert slower["pass"].verdict == "the same"
    assert slower.verdict == "worse"
    assert len(slower.differing) == 10


def test_it_speaks_of_one_caller_only(slower):
    assert "speaks of these only" in str(slower)
    assert slower["p95"].low is None
    assert "10 answers: 40 at least" in str(slower)


def test_both_calls_of_a_pair_are_side_by_side(slower):
    pair = slower.pair("sure", 3)
    assert (pair.original.call_id, pair.call.call_id) == ("sure-3", "sure-3")
    assert pair.original.turns[0].total < pair.call.turns[0].total
    assert pair.original.events.of(type(pair.call.events[0]))
    assert "comparison.pair('sure', 3)" in str(slower)
    assert "<audio" in pair._repr_html_()


def test_it_shows_itself_as_text_html_picture_and_tables(slower, tmp_path):
    assert repr(slower) == "<Comparison: worse; 10 of 10 calls differ>"
    assert str(slower).startswith("Two agents on the same sound: worse; 10 of 10 calls differ")
    html = slower._repr_html_()
    assert "pc-worse" in html
    assert "data:image/png" in html
    figure = slower.plot()
    drawn = [artist.get_gid() for artist in figure.axes[0].get_children()]
    assert drawn.count("pair") == 10
    assert drawn.count("interval") >= 3
    page = slower.save_html(tmp_path / "two.html", calls=2)
    assert page.read_text().count("<details>") == 2
    assert page.read_text().count("<audio") == 4
    with pytest.raises(SavedCallError, match="overwrite=True"):
        slower.save_html(page)
    frame = slower.to_pandas()
    assert frame.set_index("figure").loc["p50", "verdict"] == "worse"
    pairs = slower.to_pandas(pairs=True)
    assert (pairs["change"] > 0).all()
    assert len(pairs) == 10


def test_a_change_that_does_nothing_is_the_same_to_the_last_sample():
    same = compared(quick(), quick(instructions="Be kind."), {"u": UNSURE}, repeat=6)
    assert same.verdict == "the same"
    assert not same.differing
    assert {one.verdict for one in same} == {"the same"}
    assert "0 of 6 calls differ" in str(same)
    assert same["mean"].could_be_seen is None, "nothing scatters"


def test_a_rare_change_is_found_and_the_calls_that_differ_are_listed():
    """A shorter wait touches only those whom the turn model took for unfinished."""
    rare = compared(quick(wait=1.5), quick(wait=0.6), {"unsure": UNSURE}, repeat=28)
    held = [pair for pair in rare.pairs if pair.before.answers[0] > 1]
    assert 6 <= len(held) <= 22
    assert list(rare.differing) == held, "only they, to the last sample"
    assert rare["mean"].verdict == rare["late"].verdict == rare.verdict == "better"
    assert rare["mean"].high < 0
    assert f"{len(held)} of 28 calls differ" in str(rare)


def test_another_answer_is_another_call():
    other = compared(quick(), quick(reply="Thanks a lot."), {"s": SURE}, repeat=6)
    assert len(other.differing) == 6
    assert other["mean"].verdict == "the same", "it begins at the same time"
    assert other.verdict == "can't tell"


def test_what_breaks_is_listed_and_counted_exactly():
    async def broken(call_id):
        if call_id != "s-6":
            raise ValueError("no table")
        await quick()(call_id)

    worse = compared(quick(), broken, {"s": SURE}, repeat=7)
    assert [pair.run for pair in worse.broken] == [1, 2, 3, 4, 5, 7]
    assert worse.mcnemar == pytest.approx(2 * 0.5**6)
    assert worse["pass"].verdict == worse.verdict == "worse"
    assert worse["tokens"].pairs == 1, "a call that raised says nothing of tokens"
    assert "6 of 7 pairs have a call without answers" in str(worse)
    assert "6 broke and 0 mended" in str(worse)


def test_few_calls_are_warned_of_before_they_are_made():
    async def cell():
        return await compare_agents(quick(), quick(), {"s": SURE}, executor=0)

    with pytest.warns(UserWarning, match="compare_agents with 1 pair .*6 callers at least") as told:
        few = asyncio.run(cell())
    assert told[0].filename == __file__, "the line that asked"
    assert few.verdict == "the same"
    assert "1 call: 6 at least" in str(few)


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"repeats": 3}, "no option 'repeats'; there are repeat"),
        ({"after_options": {"latnecy": {}}}, "after_options: there is no option 'latnecy'"),
        ({"before_options": {"perturb": 3}}, "both agents must share"),
        ({"min_difference": 0}, "out of range"),
    ],
)
def test_what_cannot_be_compared_is_refused(told, said):
    with pytest.raises(ArgumentError, match=said):
        compared(quick(), quick(), {"s": SURE}, **told)


def test_each_agent_has_cassettes_of_its_own(tmp_path):
    def run():
        with pytest.warns(UserWarning, match="1 pair"):
            return compared(
                quick(), quick(reply="No."), {"s": SURE}, cassette=tmp_path, record_mode="once"
            )

    first, again = run(), run()
    assert {path.parent.parent.name for path in tmp_path.glob("*/*/cassette.jsonl")} == {
        "before",
        "after",
    }
    assert [row.course for row in first.after] == [row.course for row in again.after]
    assert len(first.differing) == 1


def test_saved_calls_are_compared_as_well(slower, tmp_path):
    sides = [
        Calls.load(calls.save(tmp_path / name))
        for name, calls in (("was", slower.before), ("now", slower.after))
    ]
    again = Comparison(*sides, min_difference=0.05)
    assert str(again) == str(slower)
    assert again.pair("sure", 2).call.duration > 0
