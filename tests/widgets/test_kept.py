"""A view of an ended call without a kernel: what stands in the page."""

from __future__ import annotations

import asyncio
import base64
import json
import re

import pytest

from piopiy_lab import Caller, VoiceAgent, calls_tool, offline_stack, simulate
from piopiy_lab.widgets import Panel, kept
from piopiy_lab.widgets.kept import kept_html

KEY = "sk-" + "Q7" * 20


async def desk(call_id):
    async def free_tables(day: str) -> dict:
        """Find free tables."""
        return {"day": day, "note": f"</script><!-- api_key={KEY}"}

    agent = VoiceAgent(instructions="Bookings.", greeting="Hello.", tools=[free_tables])
    stt, llm, tts = offline_stack(replies={"is there a table": calls_tool("free_tables", day="x")})
    await agent.Action(stt=stt, llm=llm, tts=tts, vad=True)
    await agent.start()


@pytest.fixture(scope="module")
def call():
    caller = Caller().hears_greeting().says("is there a table").hears_reply()
    return asyncio.run(simulate(desk, caller))


def data_in(html):
    return json.loads(re.search(r'<script type="application/json">(.*?)</script>', html)[1])


def test_it_holds_all_that_a_kernel_would_answer(call):
    told = data_in(kept_html(call, "panel"))
    assert told["view"] == "panel"
    assert told["call"]["state"] == "ended"
    assert [row["kind"] for row in told["call"]["rows"] for row in [row[1]]] == [
        "assistant", "user", "tool", "assistant",
    ]  # fmt: skip
    assert told["sound"]["message"] == {"kind": "sound", "type": "audio/mpeg"}
    assert len(told["contexts"]) == len(call.context) > 0
    assert "CallEnded" in {kind for _, kind, _ in told["call"]["events"]}


def test_a_part_alone_carries_only_what_it_shows(call):
    latency, context = (data_in(kept_html(call, view)) for view in ("latency", "context"))
    assert "sound" not in latency
    assert latency["contexts"] == []
    assert "events" not in latency["call"]
    assert len(context["contexts"]) == len(call.context)
    assert "sound" in data_in(kept_html(call, "transcript"))


def test_nothing_in_it_ends_the_script_or_is_secret(call):
    html = kept_html(call, "panel")
    assert html.count("</script>") == 2
    assert "<!--" not in html
    assert KEY not in html
    assert html == kept_html(call, "panel")


@pytest.mark.parametrize("looks", ["AKIAABCDEFGHIJKLMNOP", "AIza" + "Q7xZ" * 9])
def test_sound_that_looks_like_a_key_is_still_sound(call, monkeypatch, looks):
    sound = base64.b64decode(looks)
    monkeypatch.setattr(kept, "sound_message", lambda *_: ({"kind": "sound"}, [sound]))
    assert data_in(kept_html(call, "panel"))["sound"]["buffers"] == [looks]


def test_a_view_of_an_ended_call_is_no_widget(call):
    bundle = Panel(call)._repr_mimebundle_()
    assert sorted(bundle) == ["text/html", "text/plain"]


def test_the_conversation_stands_there_without_the_script(call):
    html = re.sub(r"<(script|style).*?</\1>", "", kept_html(call, "panel"), flags=re.S)
    assert "is there a table" in html
    assert "<script" not in html
