"""A panel over its page and its kernel: reloaded, restarted, saved and opened again."""

from __future__ import annotations

import pytest
from test_panel import SESSION as DESK
from test_panel import complaints, wide

WIDGET = "application/vnd.jupyter.widget-view+json"
KERNEL = "jupyterapp.shell.currentWidget.sessionContext.session.kernel"
#: The call goes on until somebody ends it, however slow the machine is.
SESSION = DESK.replace("waits(20)", "waits(300)")
GREETING = "Hello, how can I help?"
CALL = "call = start_call(create_session, caller)"


def save(notebook) -> None:
    notebook.page.evaluate("() => jupyterapp.commands.execute('docmanager:save')")


def saved(lab, notebook):
    """The outputs of the notebook's file, cell by cell."""
    cells = lab.api(f"contents/{notebook.name}")["content"]["cells"]
    return [cell["outputs"] for cell in cells if cell["cell_type"] == "code"]


def test_a_reload_in_mid_call_and_then_the_end(open_notebook, lab):
    notebook = open_notebook(SESSION, CALL, "call.panel()")
    wide(notebook)
    for n in range(3):
        notebook.run(n)
    output = notebook.output(1)
    output.scroll_into_view_if_needed()
    output.locator(".pl-row.pl-assistant", has_text=GREETING).wait_for()
    save(notebook)
    notebook.reload()
    output.scroll_into_view_if_needed()
    output.locator(".pl-row.pl-assistant", has_text=GREETING).wait_for()
    notebook.output(2).locator(".piopiy-panel").wait_for(state="attached")
    output.get_by_role("button", name="hang up").click()
    output.locator(".piopiy-call audio").wait_for()  # as without a reload
    output.locator(".pp-assistant", has_text=GREETING).wait_for()
    notebook.output(2).locator(".piopiy-kept audio").wait_for()  # though nobody looked at it
    save(notebook)
    (), (first,), (second,) = saved(lab, notebook)
    assert 'class="piopiy-call"' in "".join(first["data"]["text/html"])
    assert 'class="piopiy-kept"' in "".join(second["data"]["text/html"])
    assert WIDGET not in first["data"].keys() | second["data"].keys()
    assert complaints(notebook) == []


@pytest.mark.parametrize("by", ["user", "stranger"])
def test_a_kernel_that_restarts_in_mid_call(open_notebook, lab, by):
    notebook = open_notebook(SESSION, CALL)
    notebook.run(0)
    notebook.run(1)
    output = notebook.output(1)
    output.locator(".pl-row.pl-assistant", has_text=GREETING).wait_for()
    if by == "user":
        notebook.page.evaluate(f"() => {{ {KERNEL}.restart(); }}")
    else:  # the page isn't told; the kernel hangs up while it ends
        (kernel,) = [s["kernel"]["id"] for s in lab.api("sessions") if notebook.name in s["path"]]
        lab.restart_kernel(kernel)
        output.get_by_text("ended · hung up").wait_for()
    told = {"stranger": "The call and its kernel have ended"}.get(by, "The kernel was restarted")
    output.get_by_text(told).wait_for()
    assert output.get_by_role("button").count() == 0
    assert GREETING in output.inner_text()
    save(notebook)
    ((), (shown,)) = saved(lab, notebook)
    assert GREETING in "".join(shown["data"]["text/plain"])
    assert WIDGET not in shown["data"]
    notebook.wait_for("True")  # the new kernel is there


QUICKER = """
from piopiy_lab.widgets.view import CallView
CallView._esm = CallView._esm.replace("SILENT_SECS = 30", "SILENT_SECS = 2").replace("20000", "500")
"""


def test_a_panel_that_the_kernel_tells_nothing_more(open_notebook):
    notebook = open_notebook(SESSION, QUICKER, CALL)
    for n in range(3):
        notebook.run(n)
    panel = notebook.output(2).locator(".piopiy-panel")
    panel.locator(".pl-row").first.wait_for()
    notebook.execute("really = CallView.send; CallView.send = lambda *args: None")
    panel.get_by_role("alert").get_by_text("The kernel has not answered for 2 s").wait_for()
    notebook.execute("CallView.send = really")  # it was only held up
    panel.get_by_role("alert").wait_for(state="hidden")
    notebook.execute("call.hang_up()")


def test_a_saved_notebook_shows_its_panels_without_a_kernel(open_notebook, lab):
    notebook = open_notebook(
        DESK,
        "from piopiy_lab import simulate\ncall = await simulate(create_session, caller)",
        "call.panel()",
        "from piopiy_lab.widgets import VADPlot\nVADPlot(call)",
    )
    wide(notebook)
    for n in range(4):
        notebook.run(n)
    notebook.output(2).locator(".pl-w").first.wait_for()
    save(notebook)
    for session in lab.api("sessions"):
        lab.end_kernel(session["kernel"]["id"])
    again = open_notebook(name=notebook.name)
    panel = again.output(2).locator(".piopiy-panel")
    word = panel.locator(".pl-w", has_text="seven").first
    word.click()
    audio = panel.locator("audio").element_handle()
    again.page.wait_for_function("el => el.currentTime > 3", arg=audio)
    panel.locator("summary", has_text="What the LLM was given").click()
    panel.locator(".pl-contexts summary").first.click()
    panel.locator(".pl-message").first.wait_for()
    again.output(3).locator(".pl-canvas").wait_for()
    assert "model not found" not in again.page.inner_text("body")
    for (shown,) in saved(lab, notebook)[2:]:
        assert WIDGET not in shown["data"]
