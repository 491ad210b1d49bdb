"""Many calls as a table, in a real JupyterLab and as a file: rows open by click and by key."""

from __future__ import annotations

import ast
import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest
from lab_harness import expect

SESSION = """
from piopiy_lab import Caller, VoiceAgent, offline_stack, simulate_many

async def create_session(call_id):
    if call_id == "shy-2":
        raise ValueError("no such table")
    agent = VoiceAgent(instructions="You take bookings.", greeting="Hello, how can I help?")
    stt, llm, tts = offline_stack()
    await agent.Action(stt=stt, llm=llm, tts=tts, vad=True)
    await agent.start()

greeted = Caller().hears_greeting()
polite = greeted.says("a table for two tomorrow at seven").hears_reply().hangs_up()
callers = {"hopeful": greeted.hears("pizza", within=1), "shy": greeted, "polite": polite}
calls = await simulate_many(create_session, callers, repeat=2, executor=0)
"""
ROW = ".pc-row"
#: Red or not, whether the browser says it as rgb(...) or as color(srgb ...).
COLOUR = """element => {
    const [r, g] = getComputedStyle(element).color.match(/[.\\d]+/g).map(Number);
    return r > 1.5 * g ? 'red' : 'not red';
}"""


def made():
    """The calls of the cell, made here: on a thread, for Playwright's loop runs on the test's."""
    scope: dict = {}
    code = compile(SESSION, "session.py", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, eval(code, scope)).result()
    return scope["calls"]


def test_a_click_on_a_row_shows_its_call_and_the_kernel_gives_what_is_not_in_the_page(
    open_notebook, screenshots
):
    notebook = open_notebook(SESSION, "calls")
    notebook.run(0)
    notebook.run(1)
    table = notebook.output(1)
    expect(table.locator(ROW)).to_have_count(6)
    expect(table.locator("audio:visible")).to_have_count(0)
    expect(table.locator(".pc-sounds").first).to_be_hidden()
    row = table.locator(ROW, has_text="hopeful, 1")
    row.click()
    below = table.locator(f"{ROW} + .pc-call")
    expect(below.locator("audio")).to_be_visible()
    expect(below.locator("img")).to_be_visible()
    expect(below).to_contain_text("how can I help")
    assert below.locator(".pp-failure").evaluate(COLOUR) == "red"
    word = below.get_by_role("button", name="Hello,")
    word.click()
    notebook.page.wait_for_function("!document.querySelector('.pc-call audio').paused")
    for theme in ("light", "dark"):
        notebook.theme(theme)
        notebook.screenshot(screenshots / f"calls-table-{theme}.png", of=table)
    row.click()
    expect(below).to_have_count(0)

    outputs = notebook.outputs(1)
    assert [sorted(out["data"]) for out in outputs] == [["text/html", "text/plain"]]
    notebook.page.evaluate("window.scrollTo(0, 0)")
    fetched = table.locator(ROW, has_text="polite, 2")
    fetched.click()
    expect(below.locator("audio")).to_be_visible()
    expect(below).to_contain_text("a table for two")
    below.get_by_role("button", name="table").first.click()
    notebook.page.wait_for_function("!document.querySelector('.pc-call audio').paused")
    assert [told for told in notebook.console if "terminals plugin" not in told] == []
    assert notebook.outputs(1) == outputs, "nothing of it is in the notebook"


def test_the_keyboard_does_it_all_and_jupyter_s_keys_stay_out(open_notebook):
    notebook = open_notebook(SESSION, "calls")
    notebook.run(0)
    notebook.run(1)
    table, keys = notebook.output(1), notebook.page.keyboard
    first = table.locator(f"{ROW} button").first
    first.focus()
    keys.press("Enter")
    expect(first).to_have_attribute("aria-expanded", "true")
    expect(table.locator(".pc-call audio")).to_be_visible()
    keys.press("Enter")
    expect(table.locator(".pc-call")).to_have_count(0)
    keys.press("ArrowUp")
    fold = table.locator(".pc-head button").first
    expect(fold).to_be_focused()
    keys.press("Space")
    expect(fold).to_have_attribute("aria-expanded", "false")
    expect(first).to_be_hidden()
    keys.press("ArrowDown")
    expect(table.locator(".pc-head button").nth(1)).to_be_focused()
    keys.press("d")
    keys.press("d")
    assert notebook.value("1 + 1") == 2
    assert len(notebook.outputs(1)) == 1, "the cell is still there"


def test_it_goes_on_after_a_reload_and_says_when_the_calls_are_gone(open_notebook):
    notebook = open_notebook(SESSION, "calls", "calls = _ = Out = None; get_ipython().reset()")
    notebook.run(0)
    notebook.run(1)
    notebook.page.evaluate("jupyterapp.commands.execute('docmanager:save')")
    notebook.reload()
    table = notebook.output(1)
    table.locator(ROW, has_text="polite, 2").click()
    expect(table.locator(".pc-call audio")).to_be_visible()
    notebook.run(2)
    notebook.execute("import gc; gc.collect()")
    table.locator(ROW, has_text="polite, 1").click()
    gone = table.locator(f"{ROW}:has-text('polite, 1') + .pc-call")
    expect(gone).to_contain_text("run the cell again")


def test_another_notebook_s_kernel_in_the_page_says_nothing_of_these_calls(open_notebook):
    other = "from piopiy_lab.widgets.call_fetcher import CallFetcher\nother = [CallFetcher()]\n"
    notebook = open_notebook(SESSION, f"{other}calls", f"{other}display(calls)")
    for cell in range(3):
        notebook.run(cell)
    table = notebook.output(1)
    table.locator(ROW, has_text="polite, 2").click()
    expect(table.locator(".pc-call audio")).to_be_visible()
    expect(table.locator(".pc-call")).not_to_contain_text("run the cell again")


def test_a_heading_sorts_and_the_third_click_brings_the_folds_back(open_notebook):
    notebook = open_notebook(SESSION, "calls")
    notebook.run(0)
    notebook.run(1)
    table = notebook.output(1)

    def order():
        return [text.strip() for text in table.locator(f"{ROW} button").all_inner_texts()]

    grouped = order()
    table.locator(ROW, has_text="hopeful, 1").click()
    head = table.locator("thead th", has_text="p95 ms")
    head.locator("button").click()
    assert head.get_attribute("aria-sort") == "descending"
    assert {name.split(",")[0] for name in order()[:2]} == {"polite"}
    expect(table.locator(f"{ROW}:has-text('hopeful, 1') + .pc-call audio")).to_be_visible()
    head.locator("button").click()
    assert head.get_attribute("aria-sort") == "ascending"
    expect(table.locator(".pc-head").first).to_be_hidden()
    head.locator("button").click()
    assert order() == grouped
    expect(table.locator(".pc-head").first).to_be_visible()


def test_marimo_shows_it_and_says_how_to_get_the_other_calls(open_marimo, screenshots):
    notebook = open_marimo(f"{SESSION}calls")
    notebook.page.set_viewport_size({"width": 1200, "height": 1800})
    notebook.run()
    frame = notebook.output(0).frame_locator("iframe")
    frame.locator(ROW, has_text="hopeful, 1").click()
    expect(frame.locator(".pc-call audio")).to_be_visible()
    frame.locator(ROW, has_text="polite, 2").click()
    polite = frame.locator(f"{ROW}:has-text('polite, 2') + .pc-call")
    expect(polite).to_contain_text("calls['polite', 2]")
    expect(polite).to_contain_text("marimo")
    notebook.screenshot(screenshots / "calls-marimo.png", of=notebook.cell(0))
    assert notebook.console == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_report_plays_the_worst_from_a_file_alone(chrome, tmp_path, screenshots, scheme):
    path = made().save_html(tmp_path / "report.html", worst=3)
    page = chrome.context.new_page()
    asked, complained = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: complained.append(message.text))
    page.on("pageerror", lambda error: complained.append(str(error)))
    page.emulate_media(color_scheme=scheme)
    page.goto(path.as_uri())
    page.locator(ROW, has_text="hopeful, 2").click()
    expect(page.locator(".pc-call audio")).to_be_visible()
    page.locator(".pc-call").get_by_role("button", name="Hello,").click()
    page.wait_for_function("!document.querySelector('.pc-call audio').paused")
    page.locator(ROW, has_text="polite, 2").click()
    expect(page.locator(".pc-call").last).to_contain_text("has the sound of the worst calls only")
    wide, window = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert wide <= window
    page.screenshot(path=screenshots / f"calls-report-{scheme}.png", full_page=True)
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []
    assert complained == []
    page.close()
