"""A call that was saved as a page, in a browser that has nothing but the file."""

from __future__ import annotations

import numpy as np
import pytest
from hand_made_call import Builder, Sound, booking_call, long_call

from piopiy_lab import events as ev
from piopiy_lab.call.call import Call
from piopiy_lab.events.log import EventLog

HOSTILE = (
    "</script><script>document.title='taken'</script> <img src=//evil.example/x> \x1b[31m \u202e"
)


@pytest.fixture
def open_page(chrome, tmp_path):
    """Save a call and open the file; everything that the page asks for or complains of is kept."""
    opened = []

    def open_page(call, *, width=1000, scheme="light"):
        path = call.save_html(tmp_path / f"{len(opened)}.html")
        page = chrome.context.new_page()
        opened.append(page)
        page.asked, page.complained = [], []
        page.on("request", lambda request: page.asked.append(request.url))
        page.on("console", lambda message: page.complained.append(message.text))
        page.on("pageerror", lambda error: page.complained.append(str(error)))
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size({"width": width, "height": 900})
        page.goto(path.as_uri())
        page.wait_for_load_state()
        return page

    yield open_page
    for page in opened:
        page.close()


def outside(page):
    return [url for url in page.asked if not url.startswith(("file:", "data:"))]


def test_it_plays_a_click_on_a_word_seeks_and_nothing_is_fetched(open_page, screenshots):
    call = booking_call()
    page = open_page(call)
    page.wait_for_function("document.querySelector('audio').readyState >= 1")
    secs = page.evaluate("document.querySelector('audio').duration")
    assert secs == pytest.approx(call.duration, abs=0.2)
    word = page.get_by_role("button", name="Goodbye!")
    word.click()
    page.wait_for_function("!document.querySelector('audio').paused")
    at = float(word.get_attribute("data-s"))
    assert at > 5
    page.wait_for_function(f"document.querySelector('audio').currentTime >= {at}")
    assert page.evaluate("document.querySelector('audio').currentTime") < at + 5
    page.evaluate("document.querySelector('audio').pause()")
    tool = page.locator("details", has_text="book_table").last
    assert not tool.locator("pre").is_visible()
    tool.locator("summary").click()
    assert '"ref": "R7"' in tool.locator("pre").inner_text()
    assert outside(page) == []
    assert page.complained == []
    page.screenshot(path=screenshots / "saved-page-light.png", full_page=True)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_whole_and_readable_in_a_narrow_window_too(open_page, screenshots, scheme):
    page = open_page(long_call(1.5), width=700, scheme=scheme)
    sizes = "[document.documentElement.scrollWidth, innerWidth]"
    wide, window = page.evaluate(sizes)
    assert wide <= window
    hidden = "(el => el.scrollHeight - el.clientHeight)(document.querySelector('.pp-talk'))"
    assert page.evaluate(hidden) <= 1, "no line of the conversation is scrolled away"
    dark = page.evaluate(
        "(([r, g, b]) => r + g + b < 3 * 128)"
        "(getComputedStyle(document.querySelector('.pp-talk')).color.match(/\\d+/g).map(Number))"
    )
    assert dark == (scheme == "light"), "the text's colour"
    turned = page.evaluate("getComputedStyle(document.querySelector('.pp-picture img')).filter")
    assert ("invert" in turned) == (scheme == "dark"), "the picture follows"
    page.screenshot(path=screenshots / f"saved-page-700-{scheme}.png", full_page=True)


def test_what_people_models_and_tools_say_stays_text(open_page):
    b = Builder()
    b.now = 0.5
    b.agent(f"Hello {HOSTILE}")
    asked = b.user(f"say {HOSTILE}")
    b.tool(f"t{HOSTILE}", 0.2, {HOSTILE: HOSTILE}, **{HOSTILE: HOSTILE})
    b.agent(HOSTILE, after=asked)
    b.add(ev.ErrorOccurred(at=b.now, message=HOSTILE, source=HOSTILE, remedy=HOSTILE))
    page = open_page(b.finish())
    assert "taken" not in page.title()
    assert page.locator("script").count() == 1
    assert page.locator("img").count() == 1
    assert "</script><script>" in page.locator("body").inner_text()
    assert "\x1b" not in page.content()
    conversation = page.locator(".pp-talk").inner_text()
    assert "\u202e" not in conversation.partition("tool")[0], "nothing turns the reading round"
    assert outside(page) == []
    assert page.complained == []


def test_a_call_without_sound_and_one_that_failed_say_so(open_page):
    silent = open_page(booking_call(record=False))
    assert silent.locator("audio").count() == 0
    assert "No sound was kept" in silent.locator("body").inner_text()
    log = EventLog()
    log.append(ev.CallStarted(at=0.0, origin="caller", sample_rate=16000))
    log.append(ev.CallEnded(at=0.5, reason="error", error="KeyError: 'nope'"))
    failed = open_page(Call(log, Sound(np.zeros((0, 2), np.int16))))
    assert "KeyError: 'nope'" in failed.locator("body").inner_text()
    assert failed.locator("audio, img").count() == 0, "no empty picture, no player of nothing"
    assert silent.complained == failed.complained == []
