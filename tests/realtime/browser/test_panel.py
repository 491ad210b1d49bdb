"""The live panel in a real JupyterLab, during a real-time call with a scripted caller."""

from __future__ import annotations

SESSION = """
from piopiy_lab import Caller, VoiceAgent, offline_stack, start_call

async def create_session():
    agent = VoiceAgent(
        instructions="You take restaurant bookings.", greeting="Hello, how can I help?"
    )
    stt, llm, tts = offline_stack()
    await agent.Action(stt=stt, llm=llm, tts=tts, vad=True)
    await agent.start()

caller = (
    Caller().hears_greeting().says("a table for two tomorrow at seven").hears("what name")
    .waits(4).says("the name is smith").hears_reply().waits(20).hangs_up()
)
"""


def wide(notebook) -> None:
    """Give the notebook the whole page, as somebody does who looks at a panel."""
    notebook.page.set_viewport_size({"width": 1360, "height": 1250})
    notebook.page.evaluate("() => jupyterapp.commands.execute('application:toggle-left-area')")


def test_the_panel_shows_and_changes_a_running_call(open_notebook, screenshots):
    notebook = open_notebook(SESSION, "call = start_call(create_session, caller)")
    wide(notebook)
    notebook.run(0)
    notebook.run(1)
    panel = notebook.output(1).locator(".piopiy-panel")
    panel.locator(".pl-row.pl-assistant", has_text="What name is it under?").wait_for()
    panel.locator(".pl-ms").first.wait_for()
    panel.locator("summary", has_text="Detector and turns").click()
    notebook.screenshot(screenshots / "panel-light.png", of=panel)

    slider = panel.get_by_label("stop_secs")
    slider.evaluate("el => { el.value = 0.35; el.dispatchEvent(new Event('input')); }")
    panel.locator(".pl-code", has_text='"stop_secs": 0.35').wait_for()  # its event came back
    assert notebook.value(
        "[e.new for e in call.events if type(e).__name__ == 'SettingsChanged']"
    ) == [{"stop_secs": 0.35}]

    panel.get_by_label("a typed turn").fill("make it friday")
    panel.get_by_label("a typed turn").press("Enter")
    panel.locator(".pl-row.pl-user", has_text="make it friday").wait_for()
    panel.locator(".pl-row.pl-assistant", has_text="Friday").wait_for()

    panel.locator("summary", has_text="Instructions").click()
    box = panel.get_by_label("the agent's instructions")
    assert box.input_value() == "You take restaurant bookings."
    box.fill("You take bookings for Friday only.")
    panel.get_by_role("button", name="use from the next turn").click()
    notebook.wait_for("call.agent.instructions == 'You take bookings for Friday only.'")

    panel.locator("summary", has_text="What the LLM was given").click()
    panel.locator(".pl-contexts summary").first.click()
    panel.locator(".pl-message", has_text="You take restaurant bookings.").first.wait_for()

    notebook.theme("dark")
    notebook.page.mouse.move(5, 5)
    notebook.page.wait_for_timeout(1500)  # the theme fades in
    notebook.screenshot(screenshots / "panel-dark.png", of=panel)
    notebook.theme("light")

    panel.get_by_role("button", name="hang up").click()
    notebook.wait_for("call.state == 'ended'")
    assert notebook.value("call.end_reason") == "hung_up"
    # a saved notebook shows and plays the call without its kernel
    notebook.output(1).locator(".piopiy-call audio").wait_for()
    assert panel.count() == 0
    assert complaints(notebook) == []


def complaints(notebook) -> list[str]:
    """What the page wrote on its console that this test's server is not to blame for."""
    return [text for text in notebook.console if "terminals plugin" not in text]


def test_the_panel_of_an_ended_call_plays_its_recording(open_notebook, screenshots):
    notebook = open_notebook(
        SESSION.replace("start_call", "simulate"),
        "call = await simulate(create_session, caller)",
        "call.panel()",
    )
    wide(notebook)
    notebook.run(0)
    notebook.run(1)
    notebook.run(2)
    panel = notebook.output(2).locator(".piopiy-panel")
    # one that others follow: what is being said is looked at while it plays
    word = panel.locator(".pl-assistant .pl-w", has_text="tomorrow").first
    word.click()
    audio = panel.locator("audio")
    notebook.page.wait_for_function("el => el.currentTime > 3", arg=audio.element_handle())
    start = float(word.get_attribute("data-s"))
    assert abs(audio.evaluate("el => el.currentTime") - start) < 3
    panel.locator(".pl-now").first.wait_for()
    assert not panel.get_by_role("button", name="hang up").is_visible()
    notebook.screenshot(screenshots / "panel-ended.png", of=panel)
    notebook.page.set_viewport_size({"width": 790, "height": 1800})
    notebook.page.wait_for_timeout(300)
    notebook.screenshot(screenshots / "panel-narrow.png", of=panel)
    assert panel.evaluate("el => el.scrollWidth <= el.clientWidth + 1")
    assert complaints(notebook) == []
