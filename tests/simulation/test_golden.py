"""Golden conversations and conversation diffs: what they tell, and what they are blind to."""

from __future__ import annotations

import asyncio
import random

import pytest
from booking_truth import BOOKING, desk_session
from hand_made_call import Builder, booking_call, empty_call

from piopiy_lab import Call, simulate
from piopiy_lab import events as ev
from piopiy_lab.errors import ArgumentError
from piopiy_lab.simulation.conversation_diff import conversation_diff
from piopiy_lab.simulation.golden import compare, conversation_text, read_lines

GOLDEN = """\
agent: Hello, how can I help?

caller: a table for two please
tool: book_table(day="friday", party_size=2) returned {"ok": true, "ref": "R7"}
agent: Your table is booked. [interrupted]

caller: no, for three [not answered]

end: caller_hung_up
"""

#: The booking call's words and tool calls, on every Python and with every numpy.
BOOKED = """\
agent: Hello, this is the booking desk. How can I help?

caller: a table for two tomorrow at seven
agent: A table for two tomorrow at seven. [interrupted]

caller: no make it friday
agent: On Friday. What name is it under?

caller: my name is anna
agent: A table for two on Friday at seven for Anna. Is that right?

caller: yes please
tool: book_table(day="friday", name="Anna", party_size=2, time="19:00") returned \
{"day": "friday", "name": "Anna", "party_size": 2, "reference": "358", "status": "booked", \
"time": "19:00"}
agent: Your table is booked. The reference is three five eight. Is there anything else?

end: caller_hung_up
"""


def test_the_booking_calls_words_are_the_same_on_every_python():
    call = asyncio.run(simulate(desk_session, BOOKING))
    assert conversation_text(call) == BOOKED


def table(
    size="two",
    *,
    answer_secs=0.06,
    pause_secs=0.7,
    ref="R7",
    cut_after: float | None = 1.2,
    error: str | None = None,
    answered=False,
    reason="caller_hung_up",
):
    """A short call; the arguments say what differs from the golden one."""
    b = Builder()
    b.now = 0.6
    b.agent("Hello, how can I help?")
    b.now += pause_secs
    asked = b.user(f"a table for {size} please")
    result = None if error else {"ref": ref, "ok": True}
    b.tool("book_table", 0.1, result, error, party_size=2, day="friday")
    parts = (0.2, 0.05, 0.11, 0.03, 0.44, answer_secs)
    b.agent("Your table is booked.", after=asked, parts=parts, cut_after=cut_after)
    asked = b.user("no, for three")
    text, words, _ = b.spoken
    if answered:
        b.agent("For three, then.", after=asked)
    else:
        b.add(ev.Transcribed(at=asked, text=text, words=words))
    return b.finish(reason)


def test_a_conversation_reads_like_a_screenplay():
    assert conversation_text(table()) == GOLDEN


def test_times_are_not_in_it():
    assert conversation_text(table(answer_secs=0.3, pause_secs=2.0)) == GOLDEN


def test_a_saved_call_has_the_same_conversation(tmp_path):
    for call in (booking_call(), table()):
        lines = "".join(f"{event.to_json()}\n" for event in call.events)
        (tmp_path / "events.jsonl").write_text(lines, encoding="utf-8")
        assert conversation_text(Call.load(tmp_path)) == conversation_text(call)


def test_keys_typed_text_and_failures_are_told():
    b = Builder()
    b.now = 1.0
    b.add(ev.DTMFReceived(at=1.0, digit="4"), ev.DTMFReceived(at=1.2, digit="2"))
    b.add(ev.UserTextTyped(at=6.0, text="one\n two"))
    b.now = 7.0
    b.tool("call_taxi", 0.1, None, "no taxi")
    text = conversation_text(b.finish("agent_ended"))
    assert "caller (keypad): 42 [not answered]\n" in text
    assert "caller (typed): one two [not answered]\n" in text
    assert "tool: call_taxi() failed: no taxi\n" in text
    assert text.endswith("end: agent_ended\n")


def test_the_errors_type_is_told_without_its_message():
    log = empty_call().events
    ended = ev.CallEnded(at=0.0, reason="error", error="ScreenplayError: within 3 s")
    call = empty_call()
    call.events._events[-1] = ended
    assert conversation_text(call) == "end: error, ScreenplayError\n"
    assert len(log) == 2


def test_secrets_stay_out_of_the_file():
    b = Builder()
    b.now = 1.0
    b.tool("fetch", 0.1, {"ok": True}, api_key="abc", url="https://x.test/?token=abcdef")
    text = conversation_text(b.finish())
    assert "abc" not in text
    assert "[removed]" in text


def test_what_is_written_can_be_read(tmp_path):
    path = tmp_path / "deep" / "call.txt"
    assert compare(booking_call(), path, update=True)
    assert not compare(booking_call(), path)
    assert path.read_text(encoding="utf-8") == conversation_text(booking_call())


def test_notes_empty_lines_and_windows_line_ends_are_no_difference(tmp_path):
    path = tmp_path / "call.txt"
    text = f"# Anna's table\n{GOLDEN}".replace("\n\n", "\n").replace("\n", "\r\n")
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert not compare(table(), path)
    assert not compare(table(), path, update=True)  # nothing to write: the note stays
    assert b"# Anna's table" in path.read_bytes()


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"size": "ten"}, "+ caller: a table for «ten» please"),
        ({"cut_after": None}, "+ agent: Your table is booked."),
        ({"ref": "R8"}, '+ tool: book_table(day="friday", party_size=2) returned {"ok": true,'),
        ({"error": "full"}, '+ tool: book_table(day="friday", party_size=2) «failed»'),
        ({"answered": True}, "+ agent: For three, then."),
        ({"answered": True}, "- caller: no, for three «[not answered]»"),
        ({"reason": "hung_up"}, "+ end: hung_up"),
    ],
)
def test_a_change_of_the_conversation_is_a_difference(tmp_path, change, line):
    path = tmp_path / "call.txt"
    path.write_text(GOLDEN, encoding="utf-8")
    with pytest.raises(AssertionError) as caught:
        compare(table(**change), path)
    assert any(shown.startswith(line) for shown in str(caught.value).splitlines())
    assert "--voice-update" in str(caught.value)
    assert path.read_text(encoding="utf-8") == GOLDEN  # nothing was written
    assert compare(table(**change), path, update=True)
    assert not compare(table(**change), path)


def test_a_missing_file_fails_with_the_conversation_and_the_remedy(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(AssertionError, match="no golden conversation") as caught:
        compare(table(), tmp_path / "golden" / "call.txt")
    assert "golden/call.txt: " in str(caught.value).replace("\\", "/")
    assert "--voice-update" in str(caught.value)
    assert "caller: a table for two please" in str(caught.value)
    assert not (tmp_path / "golden").exists()


def test_latencies_are_compared_when_a_tolerance_is_given(tmp_path):
    path = tmp_path / "call.txt"
    compare(table(), path, update=True, latency_tolerance=0.05)
    assert "caller: a table for two please [answered after 0.890 s]" in path.read_text()
    assert not compare(table(answer_secs=0.11), path, latency_tolerance=0.05)
    assert not compare(table(answer_secs=0.9), path)  # not asked for
    with pytest.raises(AssertionError, match=r"«1.730» s\]"):
        compare(table(answer_secs=0.9), path, latency_tolerance=0.05)


def test_a_tolerance_needs_a_file_with_latencies(tmp_path):
    path = tmp_path / "call.txt"
    path.write_text(GOLDEN)
    with pytest.raises(AssertionError, match=r"answered after 0.890 s"):
        compare(table(), path, latency_tolerance=0.05)
    assert compare(table(), path, update=True, latency_tolerance=0.05)
    assert not compare(table(), path, latency_tolerance=0.05)


@pytest.mark.parametrize("tolerance", [-0.1, float("nan"), float("inf")])
def test_a_tolerance_is_a_number_of_seconds(tmp_path, tolerance):
    with pytest.raises(ArgumentError, match="latency_tolerance"):
        compare(table(), tmp_path / "call.txt", latency_tolerance=tolerance)


def test_a_damaged_file_is_a_difference_that_shows_the_damage(tmp_path):
    path = tmp_path / "call.txt"
    path.write_bytes(GOLDEN.encode() + b"<<<<<<< HEAD\n\xff\n")
    with pytest.raises(AssertionError, match="- <<<<<<< HEAD"):
        compare(table(), path)


# --- the diff ----------------------------------------------------------------------------------


def test_conversations_that_are_alike_have_no_diff():
    lines = read_lines(GOLDEN)
    assert conversation_diff(lines, lines) == []
    assert conversation_diff([], []) == []


def test_words_that_differ_are_marked_and_lines_alike_left_out():
    before = [("caller", f"number {i}") for i in range(20)]
    after = list(before)
    after[10] = ("caller", "number eleven")
    assert conversation_diff(before, after, context=1) == [
        "  ... 9 lines alike",
        "  caller: number 9",
        "- caller: number «10»",
        "+ caller: number «eleven»",
        "  caller: number 11",
        "  ... 8 lines alike",
    ]


def test_a_line_is_paired_with_the_one_that_it_became():
    before = [("agent", "A table for two at seven."), ("caller", "yes")]
    after = [("caller", "for two"), ("agent", "A table for two at eight."), ("caller", "no thanks")]
    assert conversation_diff(before, after) == [
        "+ caller: for two",
        "- agent: A table for two at «seven».",
        "+ agent: A table for two at «eight».",
        "- caller: yes",
        "+ caller: no thanks",
    ]


def test_a_diff_holds_every_line_of_both():
    rng = random.Random(3)
    for _ in range(200):
        sides = [
            [(rng.choice(["caller", "tool"]), " ".join(rng.choices("abc", k=3))) for _ in range(n)]
            for n in (rng.randrange(8), rng.randrange(8))
        ]
        shown = conversation_diff(sides[0], sides[1], context=99)
        if sides[0] == sides[1]:
            assert shown == []
            continue
        for sign, side in zip("-+", sides, strict=True):
            plain = [s[2:].replace("«", "").replace("»", "") for s in shown if s[0] in f"{sign} "]
            assert plain == [f"{who}: {what}" for who, what in side]


def test_long_conversations_with_nothing_in_common_are_compared_at_once():
    before = [("caller", f"a {i}") for i in range(2000)]
    after = [("caller", f"b {i}") for i in range(2000)]
    assert len(conversation_diff(before, after)) == 4000
