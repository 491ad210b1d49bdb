"""The panel's parts in a real JupyterLab: services, keys, keyboard, reload, each view alone.

One call in real time is reused for what can be seen while it runs and after it has ended.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from test_panel import complaints, wide

LOSING = """
from piopiy_lab.widgets.view import CallView
lost, really = set(), CallView.send

def send(self, content, buffers=None):
    if content.get("reset") and self not in lost:
        lost.add(self)
    else:
        really(self, content, buffers)

CallView.send = send
"""

SESSION = """
from piopiy_lab import Call, Caller, VoiceAgent, calls_tool, events, offline_stack, start_call
from piopiy_lab.offline import EspeakTTSService
from piopiy_lab.pipeline.service_switcher import ServiceSwitcher, ServiceSwitcherStrategyManual

STORY = " ".join(f"This is sentence number {n} of a long story." for n in range(1, 12))

async def create_session():
    agent = VoiceAgent(
        instructions="You take restaurant bookings.", greeting="Hello, this is my first voice."
    )

    async def free_tables(params):
        await params.result_callback({"day": "friday", "tables": [2, 4]})

    agent.add_tool(
        {"name": "free_tables", "description": "Tables.", "parameters": {"day": "string"}},
        free_tables,
    )
    stt, llm, _ = offline_stack(replies={
        "is there a table": calls_tool("free_tables", day="friday"),
        "which voice is this": "This is my second voice, which is much higher.",
        "tell me a story": STORY,
    })
    voices = ServiceSwitcher(
        services=[EspeakTTSService(voice="en-us+m3", name="low"),
                  EspeakTTSService(voice="en-us+f3", name="high")],
        strategy_type=ServiceSwitcherStrategyManual,
    )
    await agent.Action(stt=stt, llm=llm, tts_switcher=voices, vad=True)
    await agent.start()

caller = Caller().hears_greeting().waits(120).hangs_up()

import numpy as np

def pitch(entry):
    rate = call.recording.sample_rate
    sound = call.recording.agent[int(entry.start * rate) : int(entry.end * rate)].astype(float)
    found = []
    for start in range(0, len(sound) - 1920, 1920):
        piece = sound[start : start + 1920]
        if np.abs(piece).max() > 2000:
            like = np.correlate(piece, piece, "full")[1919:]
            low, high = rate // 400, rate // 60
            found.append(rate / (low + np.argmax(like[low:high])))
    return float(np.median(found))
"""
PARTS = """
from IPython.display import display
from piopiy_lab.widgets import (
    ContextInspector, LatencyStrip, ServiceSwitch, Transcript, VADPlot
)
for kind in (VADPlot, Transcript, ServiceSwitch, LatencyStrip, ContextInspector):
    display(kind(shown))
"""

#: Counts the drawn pixels of a canvas.
INKED = """el => {
    const data = el.getContext("2d").getImageData(0, 0, el.width, el.height).data;
    let count = 0;
    for (let i = 3; i < data.length; i += 4) count += data[i] > 0;
    return count;
}"""

#: What Tab should reach in a panel, and what has the focus; the same string for the same element.
NAMED = """
() => {
    window.named = el => [el.tagName, el.textContent.slice(0, 20),
        el.getAttribute("aria-label"), el.id].join("|");
}"""


def check_each_view_alone(notebook, n: int) -> None:
    """Look at the five views in the output of cell ``n``."""
    views = notebook.output(n).locator(".piopiy-panel")
    for part in (
        '[data-view="transcript"] .pl-row.pl-tool',
        '[data-view="services"] [role="radio"][data-name="high"]',
        '[data-view="latency"] .pl-turn',
        '[data-view="context"] .pl-contexts summary',
        '[data-view="vad"] .pl-canvas',
    ):
        notebook.output(n).locator(part).first.wait_for()
    assert views.count() == 5
    canvas = notebook.output(n).locator(".pl-canvas").element_handle()
    notebook.page.wait_for_function(f"el => ({INKED})(el) > 3000", arg=canvas)
    assert notebook.output(n).get_by_label("stop_secs").input_value() == "0.2"


def check_tab_reaches_everything(notebook, panel) -> None:
    """Tab from the panel's first control to its last; nothing that can be used is left out."""
    page = notebook.page
    page.evaluate(NAMED)
    wanted = panel.evaluate(
        """root => [...root.querySelectorAll('button, input, textarea, summary, [tabindex="0"]')]
        .filter(el => el.checkVisibility() && !el.disabled).map(window.named)"""
    )
    panel.locator("button, summary").first.focus()
    reached = []
    for _ in range(len(wanted) + 2):
        reached.append(
            panel.evaluate(
                """root => root.contains(document.activeElement)
                ? window.named(document.activeElement) : null"""
            )
        )
        page.keyboard.press("Tab")
    assert len(wanted) > 15
    assert [name for name in wanted if name not in reached] == []


def check_arrows_scroll_the_plot(panel) -> None:
    """Arrow keys on the plot go back in time; End follows the call again."""
    plot = panel.locator(".pl-canvas")
    plot.focus()
    plot.press("+")
    plot.press("+")  # so that there is something to scroll to
    plot.press("ArrowLeft")
    panel.get_by_role("button", name="live", exact=True).wait_for()
    stands = panel.locator(".pl-plot .pl-bar .pl-quiet").first
    before = stands.inner_text()
    plot.press("ArrowLeft")
    panel.page.wait_for_function(
        "([el, before]) => el.textContent !== before", arg=[stands.element_handle(), before]
    )
    plot.press("End")
    panel.get_by_role("button", name="pause", exact=True).wait_for()


def switch_by_a_click(notebook, panel) -> None:
    """Click on the other voice; its mark moves when its event has come, and not before."""
    notebook.execute(
        "asked = []; Real = Call.switch_service\n"
        "Call.switch_service = lambda self, name: asked.append(name)"  # holds the switch up
    )
    high = panel.locator('[role="radio"][data-name="high"]')
    low = panel.locator('[role="radio"][data-name="low"]')
    high.click()
    notebook.wait_for("asked == ['high']")
    clock = panel.locator(".pl-timer")
    notebook.page.wait_for_function(
        "([el, before]) => el.textContent !== before",
        arg=[clock.element_handle(), clock.inner_text()],
    )  # pulls have come since
    assert "asked" in high.get_attribute("class")
    assert (low.get_attribute("aria-checked"), high.get_attribute("aria-checked")) == (
        "true", "false",
    )  # fmt: skip
    notebook.execute("Call.switch_service = Real; call.switch_service(*asked)")
    panel.locator('[data-name="high"][aria-checked="true"]').wait_for()
    assert low.get_attribute("aria-checked") == "false"
    assert notebook.value("[e.new for e in call.events.of(events.ServiceSwitched)]") == ["high"]
    panel.locator(".pl-row.pl-switch", has_text="low → high").wait_for()


def test_services_keys_and_each_view_alone(open_notebook, screenshots, tmp_path):
    requests: list[str] = []
    notebook = open_notebook(
        SESSION, "call = start_call(create_session, caller)", "shown = call" + PARTS,
        f"shown = Call.load(call.save({str(tmp_path / 'saved')!r}))" + PARTS, "call.panel()",
        before=lambda page: page.on("request", lambda request: requests.append(request.url)),
    )  # fmt: skip
    wide(notebook)
    notebook.run(0)
    notebook.run(1)
    panel = notebook.output(1).locator(".piopiy-panel")
    panel.locator(".pl-row.pl-assistant", has_text="first voice").wait_for()
    box = panel.get_by_label("a typed turn")
    box.fill("is there a table")
    box.press("Enter")
    panel.locator(".pl-row.pl-tool", has_text="free_tables").wait_for()

    # the mark moves with the event, and the voice with it
    switch_by_a_click(notebook, panel)
    box.fill("which voice is this")
    box.press("Enter")
    panel.locator(".pl-row.pl-assistant", has_text="second voice, which is much").wait_for()

    # keypad and mute reach the call
    panel.locator("summary", has_text="keypad").click()
    panel.get_by_role("button", name="7", exact=True).click()
    panel.locator("summary", has_text="keypad").click()
    panel.locator(".pl-row.pl-user", has_text="[keypad]").wait_for()
    panel.get_by_role("button", name="mute", exact=True).click()
    panel.get_by_role("button", name="unmute").wait_for()
    talk = panel.get_by_role("button", name="hold to talk")
    talk.focus()
    notebook.page.keyboard.down(" ")
    notebook.wait_for("[e.muted for e in call.events.of(events.UserMuted)] == [True, False]")
    notebook.page.keyboard.up(" ")
    notebook.wait_for("[e.muted for e in call.events.of(events.UserMuted)] == [True, False, True]")
    talk.click(delay=0)  # let go before the opening has come back: it must not stay open
    notebook.wait_for(
        "[e.muted for e in call.events.of(events.UserMuted)] == [True, False, True, False, True]"
    )
    panel.get_by_role("button", name="unmute").click()
    panel.get_by_role("button", name="mute", exact=True).wait_for()

    # the keys are answered when no more of them come: only then is nothing under way
    answered = panel.locator(".pl-row.pl-assistant", has_text="or: which voice is this.")
    answered.wait_for()

    # the transcript follows the end, unless it is scrolled
    rows = panel.locator(".pl-rows")
    at_end = "el => el.scrollHeight - el.scrollTop - el.clientHeight < 30"
    rows.evaluate("el => { el.style.cssText = 'flex: none; min-height: 0; height: 60px'; }")
    notebook.page.wait_for_function(f"el => el.scrollHeight > 90 && ({at_end})(el)",
                                    arg=rows.element_handle())  # fmt: skip
    rows.evaluate("el => { el.scrollTop = 0; }")
    panel.get_by_role("button", name="↓ newest").wait_for()
    box.fill("tell me a story")
    box.press("Enter")
    panel.locator(".pl-row.pl-assistant", has_text="sentence number 1").wait_for()
    assert rows.evaluate("el => el.scrollTop") == 0
    panel.get_by_role("button", name="↓ newest").click()
    assert rows.evaluate(at_end)

    # interrupt: what was not heard is struck through
    notebook.page.wait_for_timeout(1500)  # so that some of it is heard
    notebook.wait_for(  # and all of it is on its way: what follows the cut is known to its end
        "'number 11' in ''.join(e.text for e in call.events.of(events.LLMTextGenerated))"
    )
    panel.get_by_role("button", name="interrupt").click()
    panel.locator(".pl-row.pl-assistant s", has_text="sentence number 11").wait_for()
    rows.evaluate("el => { el.style.cssText = ''; }")
    notebook.page.mouse.move(5, 5)
    notebook.screenshot(screenshots / "panel-two-voices.png", of=panel)
    notebook.theme("dark")
    notebook.page.wait_for_timeout(1200)  # the theme fades in
    notebook.screenshot(screenshots / "panel-two-voices-dark.png", of=panel)
    notebook.theme("light")

    # keyboard
    check_tab_reaches_everything(notebook, panel)
    check_arrows_scroll_the_plot(panel)

    # each part alone, while it runs
    notebook.run(2)
    check_each_view_alone(notebook, 2)

    # a reload shows everything again, even if what the kernel answers first gets lost
    seen = panel.locator(".pl-row").all_inner_texts()
    notebook.execute(LOSING)
    notebook.page.evaluate("() => jupyterapp.commands.execute('docmanager:save')")
    notebook.reload()
    panel.locator(".pl-row.pl-assistant s", has_text="sentence number 11").wait_for()
    assert panel.locator(".pl-row").all_inner_texts()[: len(seen)] == seen
    assert notebook.value("len(lost)") >= 1
    panel.locator('[data-name="high"][aria-checked="true"]').wait_for()
    assert panel.get_by_role("button", name="hang up").is_visible()
    panel.get_by_role("button", name="hang up").click()
    notebook.wait_for("call.state == 'ended'")

    # each part alone, when it has ended, and when it was saved and loaded
    notebook.run(2)
    check_each_view_alone(notebook, 2)
    notebook.run(3)
    check_each_view_alone(notebook, 3)

    # Enter on a word plays it
    notebook.run(4)
    ended = notebook.output(4).locator(".piopiy-panel")
    word = ended.locator(".pl-w").first
    word.focus()
    notebook.page.keyboard.press("ArrowRight")
    notebook.page.keyboard.press("ArrowRight")
    notebook.page.keyboard.press("Enter")
    audio = ended.locator("audio").element_handle()
    start = float(ended.locator(".pl-w").nth(2).get_attribute("data-s"))
    notebook.page.wait_for_function("([el, start]) => el.currentTime > start", arg=[audio, start])
    ended.locator(".pl-w.pl-now").first.wait_for()

    # two voices were heard
    first, second = notebook.value(
        "[pitch(e) for e in call.transcript if e.role == 'assistant' and ' my ' in e.text]"
    )
    assert second > 1.3 * first

    # nothing came from elsewhere
    hosts = {urlsplit(url).hostname for url in requests if not url.startswith(("blob:", "data:"))}
    assert len(requests) > 10
    assert hosts == {"127.0.0.1"}
    assert complaints(notebook) == []
