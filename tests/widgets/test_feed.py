"""What a page is told of a call: on simulated calls, and event by event."""

from __future__ import annotations

import asyncio
import dataclasses
import json

import numpy as np
import pytest

from piopiy_lab import Call, Caller, VoiceAgent, offline_stack, simulate
from piopiy_lab import events as ev
from piopiy_lab.call.turns import build_turns
from piopiy_lab.events.log import EventLog
from piopiy_lab.sound.recorder import Recorder
from piopiy_lab.widgets.envelope import BIN_SECS, Envelope
from piopiy_lab.widgets.feed import CallFeed
from piopiy_lab.widgets.rows import Rows, build_rows, turn_record
from piopiy_lab.widgets.spans import Spans


class Page:
    """What the page's store does with messages, in Python."""

    def __init__(self) -> None:
        self.bins = bytearray()
        self.samples = np.zeros((0, 3), np.float32)
        self.spans: dict[int, list] = {}
        self.marks: list[list] = []
        self.rows: list[dict] = []
        self.turns: list = []
        self.desk: dict = {}
        self.contexts: dict[int, dict] = {}

    def take(self, message) -> None:
        content, (bins, samples) = message
        json.dumps(content, allow_nan=False)  # it must be JSON
        if content.get("reset"):
            self.__init__()
        start = 2 * content["bins"]
        self.bins[start : start + len(bins)] = bins
        self.samples = np.concatenate(
            [self.samples, np.frombuffer(samples, np.float32).reshape(-1, 3)]
        )
        for span in content.get("spans", ()):
            self.spans[span[0]] = span
        self.marks += content.get("marks", ())
        for place, row in content.get("rows", ()):
            self.rows[place : place + 1] = [row]
        if "row_count" in content:
            del self.rows[content["row_count"] :]
        if "turns" in content:
            self.turns[content["turns_from"] :] = content["turns"]
        self.desk |= content.get("desk", {})
        for place, context in content.get("contexts", ()):
            self.contexts[place] = context

    def state(self):
        return (
            bytes(self.bins), self.samples.tolist(), self.spans, self.marks, self.rows,
            self.turns, self.desk, self.contexts,
        )  # fmt: skip


async def booking():
    agent = VoiceAgent(instructions="You book tables.", greeting="Hello, how can I help?")
    stt, llm, tts = offline_stack()
    await agent.Action(stt=stt, llm=llm, tts=tts, vad=True)
    await agent.start()


@pytest.fixture(scope="module")
def call() -> Call:
    import asyncio

    caller = (
        Caller()
        .hears_greeting()
        .says("a table for two tomorrow at seven")
        .interrupts("make it friday", after=1.0)
        .hears_reply()
        .hangs_up()
    )
    return asyncio.run(simulate(booking, caller)).raise_for_error()


def test_a_page_that_watched_and_one_that_came_late_have_the_same(call: Call):
    """The log is played into a feed bit by bit, as it happened; a second page gets it at once."""
    log, recorder = EventLog(lambda: 0.0), Recorder(call.sample_rate)
    sound = np.asarray(call.recording)
    replay = Call(log, recorder, None, {"call_id": "sim-1"})
    watching = CallFeed(replay)
    page, written = Page(), 0
    for n, event in enumerate(call.events):
        log.append(event)
        frame = min(len(sound), int(event.at * call.sample_rate))
        if frame - written > 2400:
            recorder.write_caller(
                written / call.sample_rate, sound[written:frame, 0], call.sample_rate
            )
            recorder.write_agent(
                written / call.sample_rate, sound[written:frame, 1], call.sample_rate
            )
            written = frame
        if n % 7 == 0 and (message := watching.pull()):
            page.take(message)
    recorder.close(call.duration)
    while message := watching.pull():
        page.take(message)
    late = Page()
    late.take(CallFeed(replay).pull())
    assert page.state()[1:] == late.state()[1:]
    size = len(late.bins)
    assert bytes(page.bins[:size]) == bytes(late.bins)


def test_a_call_whose_sound_is_not_kept_tells_its_levels():
    """As on the phone, where recording is off unless it is asked for."""
    log = EventLog(lambda: 0.0)
    for keep in (False, True):
        recorder = Recorder(16000, keep=keep)
        recorder.write_caller(0.0, np.full(16000, 1000, np.int16), 16000)
        feed = CallFeed(Call(log, recorder, None, {"call_id": "c1"}))
        log.append(ev.LevelMeasured(at=0.5, user_dbfs=-30.3, agent_dbfs=-96.0))
        log.append(ev.LevelMeasured(at=0.6, user_dbfs=-28.5, agent_dbfs=-40.0))
        content, (outline, _) = feed.pull()
        assert content.get("levels") == (None if keep else [-28.5, -40.0])
        assert bool(outline) is keep


def test_the_rows_tell_what_happened(call: Call):
    page = Page()
    page.take(CallFeed(call).pull())
    assert [(row["kind"], row["text"]) for row in page.rows[:3]] == [
        ("assistant", "Hello, how can I help?"),
        ("user", "a table for two tomorrow at seven"),
        ("assistant", page.rows[2]["text"]),
    ]
    cut = page.rows[2]
    heard_and_not = f"{cut['text']} {cut['cut']}"  # the rest is struck through: nobody heard it
    assert heard_and_not == "A table for two tomorrow at seven. What name is it under?"
    assert cut["latency"] == pytest.approx(call.turns[0].total, abs=1e-3)
    assert [word for word, _, _ in cut["words"]] == cut["text"].split()
    assert page.desk["ended"]["reason"] == "caller_hung_up"
    assert page.desk["settings"]["stop_secs"] == 0.2
    assert any(kind == "interrupted" for _, kind, _ in page.marks)
    lanes = [span[1] for span in page.spans.values()]
    assert lanes.count("user") == 2
    assert all(span[3] is not None for span in page.spans.values())


def test_a_saved_call_gives_the_same(call: Call, tmp_path):
    loaded = Call.load(call.save(tmp_path / "call"))
    page, again = Page(), Page()
    page.take(CallFeed(call).pull())
    again.take(CallFeed(loaded).pull())
    assert again.state() == page.state()


def test_an_ended_call_is_told_once_and_again_after_a_reload(call: Call):
    feed = CallFeed(call)
    first = feed.pull()
    assert feed.pull() is None
    feed.restart()
    assert feed.pull() == first


def test_the_context_of_each_turn_can_be_asked_for(call: Call):
    feed = CallFeed(call)
    assert feed.context(0)["messages"] == call.context[0]
    assert feed.context(99) is None
    assert feed.context(-1) is None


def test_interim_text_is_a_row_until_its_final_comes():
    log = EventLog(lambda: 9.0)
    feed = CallFeed(Call(log, Recorder(24000), _Port(), {"call_id": "x"}))
    page = Page()
    log.append(ev.InterimTranscribed(at=1.0, text="a table"))
    page.take(feed.pull())
    assert [row["kind"] for row in page.rows] == ["interim"]
    log.append(ev.InterimTranscribed(at=1.2, text="a table for"))
    page.take(feed.pull())
    assert [row["text"] for row in page.rows] == ["a table for"]
    log.append(ev.Transcribed(at=1.5, text="a table for two"))
    log.append(ev.UserTurnAdded(at=1.6, text="a table for two"))
    page.take(feed.pull())
    assert [(row["kind"], row["text"]) for row in page.rows] == [("user", "a table for two")]
    log.append(ev.InterimTranscribed(at=2.0, text="erm"))
    page.take(feed.pull())
    log.append(ev.Transcribed(at=2.1, text=""))  # it was nothing
    page.take(feed.pull())
    assert [row["kind"] for row in page.rows] == ["user"]


def test_a_quiet_running_call_costs_a_page_little():
    log = EventLog(lambda: 5.0)
    recorder = Recorder(24000)
    feed = CallFeed(Call(log, recorder, _Port(), {"call_id": "x"}))
    feed.pull()
    sizes = []
    for i in range(50):  # five seconds of ten pulls a second
        recorder.write_caller(i * 0.1, np.zeros(1600, np.int16), 16000)
        for k in range(3):
            log.append(ev.VADSampled(at=i * 0.1 + k / 31, confidence=0.01, volume=0.1))
        content, buffers = feed.pull()
        sizes.append(len(json.dumps(content)) + sum(map(len, buffers)))
    assert sum(sizes) / 5 < 5000  # bytes a second


def test_open_spans_end_with_the_call():
    spans = Spans()
    for event in (
        ev.ToolCalled(at=1.0, name="book", arguments={"n": 2}, number=1),
        ev.ToolCalled(at=1.1, name="book", arguments={"n": 3}, number=2),
        ev.ToolReturned(at=1.5, name="book", number=1, result="done"),
        ev.UserMuted(at=2.0, muted=True),
        ev.CallEnded(at=3.0, reason="hung_up"),
    ):
        spans.add(event)
    assert [span[1:] for span in spans.spans] == [
        ["tool", 1.0, 1.5, "book(n=2) → 'done'"],
        ["tool", 1.1, 3.0, "book(n=3)"],
        ["muted", 2.0, 3.0, ""],
    ]


def test_holds_are_spans_and_a_backchannel_is_a_mark_where_it_was_said():
    spans = Spans()
    for event in (
        ev.AgentSpeechHeld(at=1.0, how="duck"),
        ev.AgentSpeechResumed(at=1.5, cause="backchannel", held_secs=0.5),
        ev.BackchannelHeard(at=1.7, text="mm hmm", start=0.9, end=1.3),
        ev.AgentSpeechHeld(at=2.0, how="pause"),
        ev.AgentInterrupted(at=2.4, cause="user", speaking=True),
        ev.BackchannelHeard(at=3.0, text="", start=2.6, end=2.8),
        ev.AgentSpeechHeld(at=3.0, how="pause"),
        ev.CallEnded(at=3.1, reason="hung_up"),
    ):
        spans.add(event)
    assert [span[1:] for span in spans.spans] == [
        ["held", 1.0, 1.5, "ducked"],
        ["held", 2.0, 2.4, ""],
        ["held", 3.0, 3.1, ""],
    ]
    assert [mark for mark in spans.marks if mark[1] == "backchannel"] == [
        [1.1, "backchannel", "backchannel: 'mm hmm'"],
        [2.7, "backchannel", "backchannel"],
    ]
    assert [mark[1] for mark in spans.marks] == ["backchannel", "interrupted", "backchannel"]


def test_the_outline_follows_the_loudest_sample_of_each_bin():
    recorder = Recorder(24000)
    outline = Envelope(recorder)
    sound = np.zeros(24000, np.int16)
    sound[480 * 10] = -32768
    sound[480 * 20] = 8192
    recorder.write_caller(0.0, sound, 24000)
    outline.update()
    bins = np.frombuffer(outline.since(0), np.uint8).reshape(-1, 2)
    assert len(bins) == round(1 / BIN_SECS)
    assert bins[10, 0] == 255
    assert bins[20, 0] == round(255 * 0.5)  # the square root of a quarter
    assert np.count_nonzero(bins) == 2
    late = np.full(480, 32767, np.int16)  # the agent's side comes later, and is measured again
    recorder.write_agent(0.9, late, 24000)
    outline.update()
    assert np.frombuffer(outline.since(0), np.uint8).reshape(-1, 2)[45, 1] == 255


class _Port:
    """A call that runs and can do nothing."""

    agent = None
    error = None
    services: dict = {}
    loop_thread_ident = None


def _later(event: ev.Event, secs: float, numbers: int) -> ev.Event:
    changes: dict = {"at": event.at + secs}
    if isinstance(event, ev.ToolCalled | ev.ToolReturned | ev.ToolCancelled):
        changes["number"] = event.number + numbers
    if isinstance(event, ev.Transcribed):
        changes["words"] = [[word, a + secs, b + secs] for word, a, b in event.words]
    return dataclasses.replace(event, **changes)


def long_story(call: Call, times: int) -> list[ev.Event]:
    """The call's events again and again, with a tool call and a barge-in each time."""
    once = [e for e in call.events if not isinstance(e, ev.CallStarted | ev.CallEnded)]
    told: list[ev.Event] = []
    for n in range(times):
        start = n * call.duration
        told += [_later(event, start, 10 * n) for event in once]
        number, at = 10 * n + 7, start + call.duration - 0.2
        told.append(ev.ToolCalled(at=at, name="book", arguments={"n": n}, number=number))
        told.append(ev.ToolReturned(at=at + 0.1, name="book", number=number, result=n))
    return told


def test_rows_built_bit_by_bit_are_the_rows_of_the_whole(call: Call):
    events = long_story(call, 8)
    rows, page, turns = Rows(settled_secs=4.0, most_open=40), [], []  # to settle often
    most = 0
    for i, event in enumerate(events):
        rows.add(event)
        for place, row in rows.update():
            page[place : place + 1] = [row]
        del page[rows.count :]
        news = rows.take_turns()
        if news is not None:
            turns[news[0] :] = news[1]
        most = max(most, rows.open_events)
        if i % 7 == 0 or i == len(events) - 1:
            told = list(build_turns(events[: i + 1]))
            assert page == build_rows(events[: i + 1], told)
            assert turns == [turn_record(turn) for turn in told]
    assert sum(row["kind"] == "tool" for row in page) == 8
    assert sum("cut" in row for row in page) == 8
    assert most < len(events) / 3  # what is settled is not read again


def test_a_tool_that_runs_long_is_not_settled_before_it_returns(call: Call):
    events = long_story(call, 5)
    slow = ev.ToolCalled(at=0.5, name="slow", arguments={}, number=999)
    events.insert(next(i for i, e in enumerate(events) if e.at > 0.5), slow)
    rows = Rows(settled_secs=4.0, most_open=40)
    for event in events:
        rows.add(event)
        rows.update()
    assert any(row.get("status") == "running" for row in rows._rows)
    rows.add(ev.ToolReturned(at=events[-1].at, name="slow", number=999, result="done"))
    changed = [row for _, row in rows.update() if row["kind"] == "tool" and "slow" in row["text"]]
    assert [row["status"] for row in changed] == ["returned"]


def test_the_times_of_words_are_sent_when_the_call_is_over(call: Call):
    log = EventLog(lambda: 99.0)
    feed, page = CallFeed(Call(log, Recorder(24000), _Port(), {"call_id": "x"})), Page()
    told = list(call.events)
    for event in told[:-1]:
        log.append(event)
    page.take(feed.pull())
    assert len(page.rows) >= 5
    assert not any("words" in row for row in page.rows)
    log.append(told[-1])
    assert isinstance(told[-1], ev.CallEnded)
    page.take(feed.pull())
    assert any("words" in row for row in page.rows)


def test_what_did_not_change_is_not_sent_again():
    log = EventLog(lambda: 9.0)
    feed = CallFeed(Call(log, Recorder(24000), _Port(), {"call_id": "x"}))
    log.append(ev.ContextSent(at=1.0, messages=[{"role": "user", "content": "hi"}], tools=[]))
    first, _ = feed.pull()
    assert first["contexts"] == [(0, {"at": 1.0, "messages": 1})]
    log.append(
        ev.MetricsReported(at=1.1, name="prompt_tokens", value=12, service="LLM", unit="tokens")
    )
    second, _ = feed.pull()
    assert second["contexts"] == [(0, {"at": 1.0, "messages": 1, "prompt_tokens": 12})]
    assert second["desk"] == {
        "usage": {"prompt_tokens": 12, "completion_tokens": 0, "characters": 0}
    }
    log.append(ev.SettingsChanged(at=2.0, old={"stop_secs": 0.2}, new={"stop_secs": 0.3}))
    third, _ = feed.pull()
    assert third["desk"] == {"settings": {"stop_secs": 0.3}}
    assert "contexts" not in third


def test_a_failed_call_comes_with_the_users_own_lines():
    async def failing():
        raise LookupError("no desk")

    call = asyncio.run(simulate(failing, Caller().waits(1)))
    content, _ = CallFeed(call).pull()
    assert content["failure"].endswith('raise LookupError("no desk")\nLookupError: no desk')
    assert "simulate" not in content["failure"]
