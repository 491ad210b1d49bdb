"""The pictures of docs/panel.md: PIOPIY_LAB_SCREENSHOTS=docs renews them.

A call with all that they are said to show: a tool, two voices, a listener's "okay" over the agent's
words, and an interruption.
"""

from __future__ import annotations

from base64 import b64decode

from test_panel import wide
from test_panel_parts import SESSION

CALLER = """
caller = (
    Caller().hears_greeting().says("is there a table").hears_reply().says("tell me a story")
    .backchannels("okay", after=1.6).interrupts("which voice is this", after=4.6)
    .hears_reply().waits(60).hangs_up()
)
"""


def test_the_panel_of_a_call_with_everything(open_notebook, screenshots):
    notebook = open_notebook(SESSION + CALLER, "call = start_call(create_session, caller)")
    wide(notebook)
    notebook.run(0)
    notebook.run(1)
    panel = notebook.output(1).locator(".piopiy-panel")
    panel.locator(".pl-row.pl-assistant", has_text="sentence number 1").wait_for()
    panel.locator('[data-name="high"]').click()
    panel.locator(".pl-row", has_text="okay").wait_for()
    panel.locator(".pl-row.pl-assistant s", has_text="sentence number 11").wait_for()
    panel.locator(".pl-row.pl-assistant", has_text="much higher.").wait_for()
    panel.locator(".pl-row.pl-tool", has_text="free_tables").wait_for()
    notebook.wait_for("call.events.of(events.AgentSpeechStopped)[-1].at < call.events.now() - 1")
    causes = "[e.cause for e in call.events.of(events.AgentSpeechResumed)]"
    assert "backchannel" in notebook.value(causes)
    notebook.page.mouse.move(5, 5)
    notebook.screenshot(screenshots / "panel-light.png", of=panel)
    notebook.theme("dark")
    notebook.page.wait_for_timeout(1200)  # the theme fades in
    notebook.screenshot(screenshots / "panel-dark.png", of=panel)
    notebook.theme("light")
    at_end = "el => el.scrollHeight - el.scrollTop - el.clientHeight < 30"
    rows = panel.locator(".pl-rows")
    window = notebook.page.context.new_cdp_session(notebook.page)
    for name, width, height, zoom in (("150", 907, 833, 1.5), ("700px", 700, 1250, 1)):
        size = {"width": width, "height": height, "deviceScaleFactor": zoom, "mobile": False}
        window.send("Emulation.setDeviceMetricsOverride", size)
        panel.evaluate("el => el.scrollIntoView()")
        notebook.page.wait_for_timeout(1200)
        assert notebook.page.evaluate("[innerWidth, devicePixelRatio]") == [width, zoom]
        rows.evaluate("el => { el.scrollTop = el.scrollHeight; }")
        notebook.page.wait_for_function(f"el => ({at_end})(el)", arg=rows.element_handle())
        panel.get_by_role("button", name="↓ newest").wait_for(state="hidden")
        taken = window.send("Page.captureScreenshot")["data"]  # Playwright's own resizes the page
        (screenshots / f"panel-{name}.png").write_bytes(b64decode(taken))
