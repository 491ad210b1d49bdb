"""The panel by keyboard alone: each control is used, and no key of it reaches the notebook.

JupyterLab has a shortcut for nearly every key while a cell is selected: "x" cuts the cell, "m"
makes Markdown of it, "a" and "b" put one above and below, arrows select another.
"""

from __future__ import annotations

import re

from lab_harness import expect
from test_browser_microphone import SESSION as MICROPHONE_SESSION
from test_browser_microphone import START
from test_panel import complaints, wide
from test_panel_parts import PARTS, SESSION

#: What the notebook is: the type and the beginning of each cell, the selected one, and its mode.
NOTEBOOK = """() => {
    const notebook = jupyterapp.shell.currentWidget.content;
    return [notebook.widgets.map(cell => [cell.model.type,
        cell.model.sharedModel.getSource().slice(0, 30)]), notebook.activeCellIndex, notebook.mode];
}"""
#: Keys that are shortcuts of a notebook in command mode, and mean nothing to a button.
LETTERS = "xmabcvzyrjkhlos13"


def press_the_shortcuts(notebook, control) -> None:
    """Press each on a control; the notebook stays as it is."""
    control.focus()
    before = notebook.page.evaluate(NOTEBOOK)
    for key in [*LETTERS, "Shift+M", "ArrowUp", "ArrowDown", "Home", "End"]:
        notebook.page.keyboard.press(key)
    assert notebook.page.evaluate(NOTEBOOK) == before


def select_output(notebook, n: int, at) -> None:
    """Click on a control of cell ``n``, as somebody does: the cell is selected with it."""
    at.click()
    cells, selected, mode = notebook.page.evaluate(NOTEBOOK)
    assert (selected, mode) == (n, "command"), "so that shortcuts are alive"
    assert len(cells) > n


def test_every_control_of_the_panel_by_keyboard(open_notebook):
    notebook = open_notebook(SESSION, "call = start_call(create_session, caller)")
    wide(notebook)
    notebook.run(0)
    notebook.run(1)
    press = notebook.page.keyboard.press
    panel = notebook.output(1).locator(".piopiy-panel")
    panel.locator(".pl-row.pl-assistant", has_text="first voice").wait_for()

    mute = panel.get_by_role("button", name="mute", exact=True)
    select_output(notebook, 1, mute)
    unmute = panel.get_by_role("button", name="unmute")
    unmute.wait_for()
    press_the_shortcuts(notebook, unmute)
    expect(unmute).to_be_in_viewport()  # arrows and End did not scroll it away
    press("Space")
    mute.wait_for()
    muted = "[e.muted for e in call.events.of(events.UserMuted)]"
    assert notebook.value(muted) == [True, False]

    low = panel.locator('[role="radio"][data-name="low"]')
    press_the_shortcuts(notebook, low)
    low.focus()
    press("ArrowRight")
    assert notebook.page.evaluate("document.activeElement.dataset.name") == "high"
    press("Enter")
    panel.locator('[data-name="high"][aria-checked="true"]').wait_for()

    summary = panel.locator("summary", has_text="Detector and turns")
    press_the_shortcuts(notebook, summary)
    summary.focus()
    press("Enter")
    slider = panel.get_by_label("stop_secs")
    slider.wait_for()
    slider.focus()
    press("ArrowRight")
    press("ArrowUp")
    notebook.wait_for("[e.new for e in call.events.of(events.SettingsChanged)][-1:] == "
                      "[{'stop_secs': 0.22}]")  # fmt: skip
    press_the_shortcuts_of_a_slider(notebook, slider)

    box = panel.get_by_label("a typed turn")
    box.focus()
    notebook.page.keyboard.type("is there a table")
    press("Enter")
    panel.locator(".pl-row.pl-tool", has_text="free_tables").wait_for()
    assert notebook.page.evaluate(NOTEBOOK)[2] == "command"

    keypad = panel.locator("summary", has_text="keypad")
    keypad.focus()
    press("Enter")
    press("Tab")
    press_the_shortcuts(notebook, panel.get_by_role("button", name="1", exact=True))
    press("Enter")
    panel.locator(".pl-row.pl-user", has_text="[keypad]").wait_for()

    box.focus()
    notebook.page.keyboard.type("tell me a story")
    press("Enter")
    panel.locator(".pl-row.pl-assistant", has_text="sentence number 1").wait_for()
    interrupt = panel.get_by_role("button", name="interrupt")
    press_the_shortcuts(notebook, interrupt)
    press("Enter")
    notebook.wait_for("call.events.of(events.AgentInterrupted)")

    plot = panel.locator(".pl-canvas")
    press_the_shortcuts(notebook, plot)
    press_what_the_notebook_keeps(notebook, interrupt)
    panel.get_by_role("button", name="hang up").focus()
    press("Shift+Enter")  # the button's, and not the cell's: it would begin another call
    notebook.wait_for("call.state == 'ended'")
    assert notebook.value("call.end_reason") == "hung_up"
    notebook.output(1).locator(".piopiy-call audio").wait_for()
    assert complaints(notebook) == []


def press_the_shortcuts_of_a_slider(notebook, slider) -> None:
    """Letters do nothing on a slider either; its arrows move it, and not the selected cell."""
    slider.focus()
    before = notebook.page.evaluate(NOTEBOOK)
    for key in [*LETTERS, "ArrowLeft", "ArrowDown", "PageUp", "PageDown"]:
        notebook.page.keyboard.press(key)
    assert notebook.page.evaluate(NOTEBOOK) == before


def press_what_the_notebook_keeps(notebook, control) -> None:
    """Escape leads back to the cell, and keys with Ctrl are the notebook's (save, say)."""
    control.focus()
    notebook.page.evaluate("""() => {
        window.passed = [];
        document.addEventListener("keydown", e => window.passed.push(e.key));
    }""")
    for key in ("x", "Control+F8", "Escape"):
        notebook.page.keyboard.press(key)
    passed = notebook.page.evaluate("window.passed")
    assert [key for key in passed if key in ("x", "F8", "Escape")] == ["F8", "Escape"]


def test_an_ended_call_by_keyboard(open_notebook):
    notebook = open_notebook(
        SESSION.replace("start_call", "simulate").replace("waits(120)", "waits(1)"),
        "call = await simulate(create_session, caller)\ncall.panel()",
        "call",
    )
    notebook.run(0)
    for n, view, words in ((1, ".piopiy-panel", ".pl-w"), (2, ".piopiy-call", ".pp-w")):
        notebook.run(n)
        root = notebook.output(n).locator(view)
        word = root.locator(words).first
        select_output(notebook, n, word)
        audio = root.locator("audio").element_handle()
        notebook.page.wait_for_function("el => el.currentTime > 0", arg=audio)
        word.focus()
        before = notebook.page.evaluate(NOTEBOOK)
        for key in [*LETTERS, "ArrowDown", "ArrowRight", "ArrowLeft"]:
            notebook.page.keyboard.press(key)
        assert notebook.page.evaluate(NOTEBOOK) == before
        audio.evaluate("el => { el.pause(); el.currentTime = 0; }")
        root.locator(words).nth(2).focus()
        notebook.page.keyboard.press("Enter")
        notebook.page.wait_for_function("el => el.currentTime > 0", arg=audio)
        audio.evaluate("el => el.pause()")


def test_each_view_alone_keeps_its_keys(open_notebook):
    notebook = open_notebook(
        SESSION, "call = start_call(create_session, caller)", "shown = call" + PARTS
    )
    wide(notebook)
    for n in range(3):
        notebook.run(n)
    views = notebook.output(2).locator(".piopiy-panel")
    views.first.wait_for()
    spoken = notebook.output(2).locator('[data-view="transcript"] .pl-row')
    notebook.output(2).locator('[data-view="transcript"]').scroll_into_view_if_needed()
    spoken.first.wait_for()  # a view that nobody sees waits
    used = 0
    for n in range(views.count()):
        controls = views.nth(n).locator('button, input, summary, [tabindex="0"]')
        for one in [c for c in controls.all() if c.is_visible() and c.is_enabled()][:2]:
            press_the_shortcuts_of_a_slider(notebook, one)
            used += 1
    assert used >= 4
    notebook.execute("call.hang_up()")


def test_the_browser_microphone_keeps_its_keys(open_notebook):
    notebook = open_notebook(MICROPHONE_SESSION, START)
    notebook.run(0)
    notebook.run(1)
    strip = notebook.output(1).locator(".plm-root")
    button = strip.get_by_role("button", name="Start microphone")
    strip.get_by_text("Ready when you are").wait_for()  # until then it can't have the focus
    press_the_shortcuts(notebook, button)
    button.focus()
    notebook.page.keyboard.press("Enter")
    notebook.wait_for("call.state == 'listening'")
    mute = strip.get_by_role("button", name="Mute")
    for name in ("mute", "hang up"):  # the panel below has none of its own
        buttons = notebook.output(1).get_by_role("button", name=re.compile(f"^{name}$", re.I))
        assert buttons.count() == 1
    notebook.output(1).locator(".piopiy-panel .pl-canvas").wait_for()
    press_the_shortcuts(notebook, mute)
    mute.focus()
    notebook.page.keyboard.press("Space")
    strip.get_by_text("Muted").wait_for()
    notebook.execute("call.hang_up()")
