"""What the panel and the outputs look like, used as a person does: unfolded, filtered, played."""

from __future__ import annotations

import io
import re
import time

import numpy as np
from lab_harness import TIMEOUT_SECS, expect
from PIL import Image
from test_panel import complaints, wide

SESSION = """
import asyncio, threading
from piopiy_lab import Caller, VoiceAgent, calls_tool, events, offline_stack
from piopiy_lab import simulate, stacks, start_call
from piopiy_lab.turn_lab import vad_sweep

ready = threading.Event()

async def find(day: str) -> dict:
    "Find free tables."
    return {"day": day, "tables": [{"table": n, "at": "the window"} for n in range(20)]}

async def create_session():
    agent = VoiceAgent(instructions="Bookings.", greeting="Hello, how can I help?", tools=[find])
    table = calls_tool("find", day="friday").says("Table two is free.")
    stt, llm, tts = offline_stack(replies={"is there a table": table})
    await asyncio.to_thread(ready.wait)
    await agent.Action(stt=stt, llm=llm, tts=tts, vad=True)
    await agent.start()

caller = Caller().hears_greeting().says("is there a table").hears_reply()
"""
#: Notes what a page plays, and every text of a panel's state.
NOTED = """
window.played = []; window.states = [];
const play = HTMLMediaElement.prototype.play;
HTMLMediaElement.prototype.play = function () { window.played.push(this); return play.call(this); };
new MutationObserver(() => {
    document.querySelectorAll(".pl-state").forEach(state => window.states.push(state.textContent));
}).observe(document, { subtree: true, childList: true, characterData: true });
"""


def brightness(locator) -> float:
    """The median of what is seen: 0 is black, 255 white."""
    with Image.open(io.BytesIO(locator.screenshot())) as image:
        return float(np.median(np.asarray(image.convert("L"))))


def height(locator) -> float:
    return locator.bounding_box()["height"]


def test_a_running_calls_panel(open_notebook):
    notebook = open_notebook(
        SESSION,
        "call = start_call(create_session, caller.waits(300).hangs_up())",
        before=lambda page: page.add_init_script(NOTED),
    )
    wide(notebook)
    notebook.run(0)
    notebook.run(1)
    panel = notebook.output(1).locator(".piopiy-panel")
    rows = panel.locator(".pl-rows")

    # what a call waits for that has not begun
    panel.get_by_text("starting · waits for create_session").wait_for()
    notebook.execute("ready.set()")

    # a turn's sound, while the call runs
    agent = panel.locator(".pl-row.pl-assistant")
    agent.filter(has_text="Hello, how can I help?").wait_for()
    panel.locator(".pl-row.pl-user", has_text="is there a table").wait_for()
    agent.filter(has_text="Hello").get_by_role("button", name="play from").click()
    notebook.page.wait_for_function("() => window.played.some(sound => sound.currentTime > 0.3)")
    assert notebook.value("call.state") == "listening"

    # a tool's long result unfolds
    tool = panel.locator(".pl-row.pl-tool")
    tool.locator("summary").click()
    expect(tool.locator("pre")).to_contain_text('"table": 19')
    tool.locator("summary").click()

    # activity: what the agent does, as Call.activity
    agent.filter(has_text="Table two is free.").wait_for()
    panel.locator(".pl-state", has_text="idle").wait_for()
    assert {"hearing", "speaking", "idle"} <= set(notebook.page.evaluate("window.states"))
    assert notebook.value("call.activity") == "idle"

    # a bar is as high as its parts together
    stack = panel.locator(".pl-stack").first
    parts = stack.evaluate("el => [...el.children].reduce((sum, i) => sum + i.offsetHeight, 0)")
    assert abs(parts - stack.evaluate("el => el.clientHeight")) <= 3

    # the transcript takes the room there is, and what is typed stands right below it
    before = height(rows)
    panel.locator("summary", has_text="Detector and turns").click()
    panel.get_by_label("stop_secs").wait_for()
    assert height(rows) > before + 100
    panel.locator("summary", has_text="Events").click()
    panel.locator(".pl-events li").first.wait_for()
    typed = panel.locator(".pl-typing").bounding_box()
    list_end = rows.bounding_box()["y"] + height(rows)
    assert 0 < typed["y"] - list_end < 60
    assert height(rows) < 0.85 * 1250  # never so high that one end of it is out of sight

    # events, with a filter
    words = panel.get_by_label("filter of the events")
    words.fill("toolcall find")
    events = panel.locator(".pl-events li")
    expect(events).to_have_count(notebook.value(
        "len([e for e in call.events if 'toolcall' in type(e).__name__.lower()])"))  # fmt: skip
    assert all("ToolCall" in text for text in events.all_inner_texts())
    words.fill("usertexttyped")
    panel.get_by_label("a typed turn").fill("is there a table")
    panel.get_by_label("a typed turn").press("Enter")
    events.first.wait_for()  # it came while somebody looks

    # tokens, characters and their sum
    panel.locator("summary", has_text="What the LLM was given").click()
    told = panel.get_by_text(re.compile(r"In all: \d+ tokens"))
    notebook.wait_for("len(call.tool_calls) == 2 and call.activity == 'idle'")
    counts = notebook.value(
        "[int(sum(e.value for e in call.events.of(events.MetricsReported) if e.name == name))"
        " for name in ('prompt_tokens', 'completion_tokens', 'characters')]"
    )
    given, made, spoken = counts
    expect(told).to_contain_text(
        f"{given} tokens given + {made} made = {given + made}; {spoken} characters spoken"
    )
    notebook.execute("call.hang_up()")
    assert complaints(notebook) == []


def test_what_is_kept_in_the_dark_and_in_a_narrow_page(open_notebook):
    notebook = open_notebook(
        SESSION + "ready.set()",
        "call = await simulate(create_session, caller)\ncall",
        "stacks()",
        "vad_sweep(call, start_secs=0.2, min_volume=0.6, stop_secs=(0.2, 0.8)).plot()",
        "call.plot()",
    )
    wide(notebook)
    for n in range(5):
        notebook.run(n)
    pictures = [notebook.output(n).locator(".pp-scroll") for n in (1, 3, 4)]
    for picture in pictures:
        assert brightness(picture) > 200
    notebook.theme("dark")
    deadline = time.monotonic() + TIMEOUT_SECS
    notebook.page.set_viewport_size({"width": 700, "height": 900})
    for picture in pictures:
        while brightness(picture) >= 60:  # the theme fades in
            assert time.monotonic() < deadline
            notebook.page.wait_for_timeout(100)
        assert height(picture) > 150
        width = picture.evaluate("el => el.clientWidth")  # wider ones scroll, and only they
        assert 400 < width < 660
    page = notebook.output(1).locator(".piopiy-call")
    assert page.evaluate("el => el.scrollWidth <= el.clientWidth + 1")

    # a tool comes before the answer that it caused, and all of its result unfolds
    kinds = page.locator(".pp-talk li").evaluate_all("all => all.map(li => li.className)")
    assert kinds == ["pp-assistant", "pp-user", "pp-tool", "pp-assistant"]
    page.locator(".pp-tool summary").click()
    expect(page.locator(".pp-tool pre")).to_contain_text('"table": 19')

    # stacks(): one screen, left-aligned; the long groups unfold, and scroll
    table = notebook.output(2)
    assert height(table) < 900
    cells = "all => all.map(cell => getComputedStyle(cell).textAlign)"
    assert set(table.locator("td, th").evaluate_all(cells)) == {"left"}
    deepgram = table.locator("td", has_text="deepgram-flux").first
    assert not deepgram.is_visible()
    table.locator("summary").nth(1).click()
    deepgram.scroll_into_view_if_needed()
    expect(deepgram).to_be_visible()
    assert height(table) < 900
    assert complaints(notebook) == []
