"""The panel of an ended call: the call from a turn on, and the call as a test, to be pasted."""

from __future__ import annotations

from pathlib import Path

SUPPORT = Path(__file__).parents[2] / "support"
SESSION = f"""
import sys
sys.path.insert(0, {str(SUPPORT)!r})
from kinds_of_calls import BOOKING, desk
from piopiy_lab import Call, Caller, simulate
create_session = desk()
call = await simulate(create_session, BOOKING)
"""


def copied(notebook):
    return notebook.page.evaluate("navigator.clipboard.readText()")


def test_a_turn_and_a_test_are_copied_by_mouse_and_by_keyboard(open_notebook, chrome, screenshots):
    chrome.context.grant_permissions(["clipboard-read", "clipboard-write"])
    notebook = open_notebook(SESSION, "call.panel()")
    notebook.run(0)
    notebook.run(1)
    page = notebook.page
    panel = notebook.output(1).locator(".piopiy-panel")
    rows = panel.locator(".pl-row.pl-user")
    rows.nth(3).wait_for()
    buttons = page.get_by_role("button", name="replay from here")
    assert buttons.count() == 4
    rows.nth(2).hover()
    buttons.nth(2).click()
    panel.get_by_role("button", name="copied", exact=True).wait_for()
    code = copied(notebook)
    assert code.startswith("again = await call.replay(create_session, from_turn=3, then=Caller()")
    buttons.nth(0).focus()
    page.keyboard.press("Enter")
    page.wait_for_function("navigator.clipboard.readText().then((t) => t.includes('from_turn=1'))")
    panel.screenshot(path=screenshots / "panel-again.png")
    test = panel.get_by_role("button", name="copy as a test")
    test.click()
    page.wait_for_function("navigator.clipboard.readText().then((t) => t.includes('Caller()'))")
    assert '.says("a table for two tomorrow at seven")' in copied(notebook)
    typed = code.replace('"..."', '"my name is oliver"').rpartition("\n")[0]
    notebook.execute(typed)
    said = "[entry.text for entry in again.call.transcript if entry.role == 'user']"
    wanted = ["a table for two tomorrow at seven", "no make it friday", "my name is oliver"]
    assert notebook.value(said) == wanted


def test_a_running_call_has_neither(open_notebook):
    live = "from piopiy_lab import start_call\ncall = start_call(desk(), Caller().waits(60))\ncall"
    notebook = open_notebook(SESSION, live, "call.hang_up()")
    notebook.run(0)
    notebook.run(1)
    page = notebook.page
    panel = notebook.output(1).locator(".piopiy-panel")
    panel.get_by_role("button", name="hang up").wait_for()
    assert not panel.get_by_role("button", name="copy as a test").is_visible()
    assert page.get_by_role("button", name="replay from here").count() == 0
    notebook.run(2)
    panel.get_by_role("button", name="copy as a test").wait_for()
