"""Calls in a real marimo notebook in Chromium: shown, acted on, ended, and gone with their cell."""

from __future__ import annotations

from pathlib import Path

from lab_harness import expect
from wait_until import wait_until

LESSON = Path(__file__).parents[3] / "notebooks" / "marimo" / "how_long_to_wait.py"
SETUP = """
import marimo as mo
from piopiy_lab import (
    BrowserMicrophone, Caller, Keyboard, VoiceAgent, display, offline_stack, simulate, start_call
)
from piopiy_lab.widgets import ServiceSwitch, Transcript
"""
SESSION = """
async def create_session():
    agent = VoiceAgent(
        instructions="You take restaurant bookings.", greeting="Hello, how can I help?"
    )
    stt, llm, tts = offline_stack()
    await agent.Action(stt=stt, llm=llm, tts=tts, vad=True)
    await agent.start()
"""
#: A second opinion on a call, for a cell of its own: it is run again to look again.
LOOK = "print([(c.state, c.end_reason) for c in calls])"


def wide(notebook):
    notebook.page.set_viewport_size({"width": 1300, "height": 2200})
    return notebook


def test_a_typed_call_in_its_panel_which_ends_and_stays(open_marimo, screenshots):
    notebook = wide(
        open_marimo(
            SETUP,
            SESSION,
            "call = start_call(create_session, Keyboard(voice=False))",
            "mo.hstack([Transcript(call), ServiceSwitch(call)])",
        )
    )
    notebook.run()
    panel = notebook.output(2).locator(".piopiy-panel")
    panel.locator(".pl-row.pl-assistant", has_text="Hello, how can I help?").wait_for()
    panel.get_by_label("a typed turn").fill("a table for two")
    panel.get_by_label("a typed turn").press("Enter")
    panel.locator(".pl-row.pl-assistant", has_text="For which day?").wait_for()
    alone = notebook.output(3).locator(".piopiy-panel")
    alone.first.locator(".pl-row.pl-user", has_text="a table for two").wait_for()
    assert all(one.bounding_box()["width"] > 300 for one in alone.all())
    assert "dark" not in panel.get_attribute("class")

    panel.locator("summary", has_text="Detector and turns").click()
    slider = panel.get_by_label("stop_secs")
    slider.focus()
    slider.press("ArrowRight")
    panel.locator(".pl-code", has_text="stop_secs").wait_for()  # its event came back
    panel.locator("summary", has_text="Detector and turns").click()
    notebook.screenshot(screenshots / "marimo-panel.png", of=notebook.cell(2))

    panel.get_by_role("button", name="hang up").click()
    panel.locator("audio").wait_for()
    assert panel.locator(".pl-row", has_text="For which day?").is_visible()
    assert not panel.get_by_role("button", name="hang up").is_visible()
    assert notebook.console == []


def test_a_call_ends_when_its_cell_runs_again(open_marimo):
    notebook = wide(
        open_marimo(
            SETUP + "calls = []",
            SESSION,
            "calls.append(start_call(create_session, Keyboard(voice=False)))",
            LOOK,
        )
    )
    notebook.run()
    row = notebook.output(2).locator(".pl-row.pl-assistant", has_text="Hello")
    row.wait_for()
    old = row.element_handle()
    notebook.run_cell(2)
    old.wait_for_element_state("hidden")  # this one: the next call's greeting may be there already
    row.wait_for()
    notebook.run_cell(3)
    told = "[('ended', 'hung_up'), ('listening', None)]"
    notebook.cell(3).get_by_text(told).wait_for()


def test_a_simulated_call_plays_in_its_frame(open_marimo, screenshots):
    notebook = wide(
        open_marimo(
            SETUP,
            SESSION,
            "done = await simulate(create_session, Caller().hears_greeting()"
            '.says("a table for two tomorrow at seven").hears("what name").hangs_up())\ndone',
            "done.panel()",
        )
    )
    notebook.run()
    frame = notebook.output(2).frame_locator("iframe")
    frame.locator(".pp-picture img").wait_for()
    frame.locator(".pp-w", has_text="seven").first.click()
    frame.locator(".pp-now").first.wait_for()
    kept = notebook.output(3).frame_locator("iframe")
    kept.locator(".pl-w", has_text="seven").first.click()
    kept.locator(".pl-now").first.wait_for()
    for cell in (2, 3):  # as high as what is in it: marimo gives room for 400 px
        box = notebook.output(cell).locator("iframe")
        inner = box.evaluate("el => el.contentDocument.body.offsetHeight")
        assert abs(box.bounding_box()["height"] - inner) < 2
    notebook.screenshot(screenshots / "marimo-simulated.png", of=notebook.cell(2))
    assert notebook.console == []


def test_progress_is_shown_and_leaves_nothing(open_marimo, tmp_path):
    door = tmp_path / "door"
    notebook = open_marimo(
        SETUP + "import asyncio, pathlib",
        f"door = pathlib.Path({str(door)!r})",
        "line = display.progress()\nline.update(0.5, 'half of the ' + 'way')\n"
        "while not door.exists():\n    await asyncio.sleep(0.05)\nline.close()",
    )
    notebook.run()
    shown = notebook.cell(2).get_by_text("half of the way")
    shown.wait_for()
    door.touch()
    shown.wait_for(state="detached")
    assert notebook.output(2).count() == 0 or notebook.output(2).inner_text() == ""


def test_what_failed_says_where_in_the_users_own_code(open_marimo, screenshots):
    notebook = wide(
        open_marimo(
            SETUP,
            "async def bad():\n    raise LookupError('no desk')",
            "call = start_call(bad, Keyboard(voice=False))",
            "await simulate(bad, Caller().waits(1))",
        )
    )
    notebook.run()
    told = (
        notebook.output(2).get_by_role("alert"),
        notebook.output(3).frame_locator("iframe").get_by_role("alert"),
    )
    for alert in told:
        alert.get_by_text("cell, line 2, in bad").wait_for()
        assert "LookupError: no desk" in alert.inner_text()
    assert not notebook.output(2).locator("canvas").is_visible()
    notebook.screenshot(screenshots / "marimo-failed.png", of=notebook.cell(2))


def test_the_browsers_microphone_and_its_panel(open_marimo):
    notebook = wide(open_marimo(SETUP, SESSION, "start_call(create_session, BrowserMicrophone())"))
    notebook.run()
    strip = notebook.output(2).locator(".plm-root")
    strip.get_by_role("button", name="Start").click()
    panel = notebook.output(2).locator(".piopiy-panel")
    panel.locator(".pl-row.pl-assistant", has_text="Hello, how can I help?").wait_for()
    strip.get_by_role("button", name="Hang up").click()
    strip.get_by_text("The call has ended").wait_for()
    panel.locator("audio").wait_for()


def test_moving_the_lessons_slider_calls_again(open_marimo, screenshots):
    notebook = wide(open_marimo(text=LESSON.read_text(encoding="utf-8")))
    notebook.run()
    page = notebook.page
    notebook.output(7).get_by_text("It answered into the pause").wait_for()
    picture = notebook.output(6).locator("img")
    before = picture.get_attribute("src")
    frame = notebook.output(9).frame_locator("iframe")
    frame.get_by_text("For which day?").wait_for()

    slider = page.get_by_role("slider").first
    slider.focus()
    slider.press("End")
    notebook.output(7).get_by_text("It heard the whole wish").wait_for()
    expect(picture).not_to_have_attribute("src", before)
    frame.locator(".pp-assistant", has_text="A table for two tomorrow at seven").wait_for()
    notebook.screenshot(screenshots / "marimo-lesson.png")

    page.get_by_role("button", name="Call by typing").click()
    panel = page.locator(".piopiy-panel")
    panel.scroll_into_view_if_needed()  # one that nobody sees is told nothing
    panel.locator(".pl-row.pl-assistant", has_text="Hello, how can I help?").wait_for()
    slider.press("Home")
    panel.wait_for(state="detached")  # the call has gone with its cell
    # marimo takes a frame's page away with its cell, and the browser may still be reading it
    assert [text for text in notebook.console if "Failed to load resource" not in text] == []


def test_in_marimo_run_a_visitor_who_leaves_takes_the_call_along(run_marimo, chrome, tmp_path):
    """Each has a call of their own, though both are cells of the same name in one process."""
    log = tmp_path / "log"
    log.touch()
    follow = f"""
import threading
call = start_call(create_session, Keyboard(voice=False))
def follow(call, log):
    reason = call.join().end_reason
    with open(log, "a") as file:
        file.write(reason + chr(10))
threading.Thread(target=follow, args=(call, {str(log)!r}), daemon=True).start()
"""
    server = run_marimo(SETUP, SESSION, follow)
    leaves, stays = (chrome.context.new_page() for _ in range(2))
    for page in (leaves, stays):
        page.goto(f"http://127.0.0.1:{server.port}/")
        page.locator(".pl-row.pl-assistant", has_text="Hello").wait_for(timeout=60_000)
    leaves.close()
    wait_until(lambda: "hung_up" in log.read_text(), 30, log.read_text)
    assert stays.get_by_role("button", name="hang up").is_visible()
    assert log.read_text().count("hung_up") == 1
    stays.close()
