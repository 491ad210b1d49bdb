"""The slider of an ended call's panel, in a real page that has no kernel."""

from __future__ import annotations

import asyncio

import pytest

from piopiy_lab import Caller, VoiceAgent, offline_stack, simulate
from piopiy_lab.call.robustness import Robustness
from piopiy_lab.widgets.kept import kept_html

#: What three stop windows do: the call's own cuts two pauses, another three, a long one none.
STOPS = [
    {"stop_secs": 0.1, "pauses": 41, "cuts": [[1.2, 0.5], [2.0, 0.4], [3.1, 0.0]], "delay": 0.11},
    {"stop_secs": 0.2, "pauses": 41, "cuts": [[1.2, 0.5], [2.0, 0.4]], "delay": 0.21},
    {"stop_secs": 1.2, "pauses": 41, "cuts": [], "delay": None},
]


async def desk(call_id):
    agent = VoiceAgent(instructions="Bookings.", greeting="Hello, how can I help you today?")
    stt, llm, tts = offline_stack()
    await agent.Action(stt=stt, llm=llm, tts=tts, vad=True)
    await agent.start()


@pytest.fixture(scope="module")
def call():
    caller = Caller().hears_greeting().says("a table for two").hears_reply().hangs_up()
    return asyncio.run(simulate(desk, caller, replace={"stt": "screenplay"}))


@pytest.fixture
def open_panel(call, chrome, tmp_path):
    """A function that opens the call's panel, with what is known of it, and gives the page."""
    pages = []

    def open_panel(stops):
        told = {"n": 1, "seed": 1, "rule": {}, "pauses": [], "stops": stops}
        call.meta["robustness"] = told
        assert Robustness.from_json(told) is not None
        file = tmp_path / "panel.html"
        file.write_text(f"<!doctype html><meta charset=utf-8>{kept_html(call, 'panel')}", "utf-8")
        page = chrome.context.new_page()
        pages.append(page)
        page.wrong = []
        page.on("pageerror", lambda error: page.wrong.append(str(error)))
        page.goto(file.as_uri())
        page.locator(".piopiy-panel[data-state=ended]").wait_for()
        return page

    yield open_panel
    for page in pages:
        page.close()


def drawn(page):
    """Return the plot's pixels, once they are drawn."""
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => "
                  "requestAnimationFrame(done)))")  # fmt: skip
    return page.evaluate("document.querySelector('.pl-canvas').toDataURL()")


def test_moving_it_says_and_shows_which_pauses_would_have_been_cut(open_panel):
    page = open_panel(STOPS)
    slider, told = page.get_by_label("what if the detector waited"), page.locator(".pl-stops")
    assert "0.2 s, as it was set" in told.inner_text()
    assert "of 41 pauses these 2 would have been cut; turns end 0.21 s after" in told.inner_text()
    two = drawn(page)
    slider.focus()
    page.keyboard.press("ArrowLeft")
    assert "of 41 pauses these 3 would have been cut" in told.inner_text()
    assert told.get_by_role("button").all_inner_texts() == [
        "0:01.2 · 0.50 s", "0:02.0 · 0.40 s", "0:03.1 · a breath",
    ]  # fmt: skip
    assert "0.1 seconds: of 41 pauses these 3" in slider.get_attribute("aria-valuetext")
    three = drawn(page)
    page.keyboard.press("End")
    assert "1.2 s of 41 pauses none would have been cut" in " ".join(told.inner_text().split())
    none = drawn(page)
    assert len({two, three, none}) == 3
    page.keyboard.press("Home")
    assert drawn(page) == three
    assert not page.wrong


def test_a_pause_that_is_named_can_be_heard(open_panel):
    page = open_panel(STOPS)
    page.get_by_role("button", name="0:02.0 · 0.40 s").click()
    page.wait_for_function("document.querySelector('audio').currentTime >= 0.5")
    assert not page.wrong


def test_where_nobody_has_found_it_out_it_says_what_would(open_panel):
    page = open_panel([])
    told = page.locator(".pl-stops")
    assert "call.robustness() finds it out" in told.inner_text()
    assert page.get_by_role("slider", name="what if the detector waited").count() == 0
    assert not page.wrong
