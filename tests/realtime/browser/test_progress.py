"""The progress of a long simulation in a real JupyterLab: seen while it runs, and gone then."""

from __future__ import annotations

SESSION = """
import dataclasses
from piopiy_lab import Caller, VoiceAgent, display, offline_stack, simulate

async def create_session():
    agent = VoiceAgent(instructions="You take bookings.", greeting="Hello, how can I help?")
    stt, llm, tts = offline_stack()
    await agent.Action(stt=stt, llm=llm, tts=tts, vad=True)
    await agent.start()

hook = dataclasses.replace(display.set_hook(None), progress_after_secs=0.1)
display.set_hook(hook)
caller = Caller().hears_greeting()
for day in ("monday", "friday") * 2:
    caller = caller.says(f"make it {day}").hears_reply().waits(10)
"""


def test_progress_is_seen_and_then_gone(open_notebook):
    notebook = open_notebook(
        SESSION,
        "call = await simulate(create_session, caller.hangs_up())",
        "print('one')\ncall = await simulate(create_session, caller.hangs_up())\nprint('two')",
    )
    notebook.run(0)
    notebook.page.evaluate(
        """() => { window.seen = [];
            new MutationObserver(() => window.seen.push(document.querySelectorAll(
                '.jp-OutputArea-output progress').length)).observe(
                document.body, { childList: true, subtree: true }); }"""
    )
    notebook.run(1)
    assert max(notebook.page.evaluate("() => window.seen")) == 1
    assert notebook.outputs(1) == []
    assert notebook.output(1).locator("progress").count() == 0
    notebook.run(2)
    assert notebook.text(2) == "one\ntwo\n"
