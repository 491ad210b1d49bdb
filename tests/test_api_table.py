"""docs/api.md: its table names tests that exist and parameters that there are."""

from __future__ import annotations

import asyncio
import inspect
import re
from pathlib import Path

from pipecat.frames.frames import TranscriptionFrame
from pipecat.observers.base_observer import BaseObserver

from piopiy_lab import Caller, VoiceAgent, events, offline_stack, simulate

ROOT = Path(__file__).parents[1]
DOC = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")


def test_every_test_of_the_table_exists():
    named, path = 0, ""
    for found in re.finditer(r"`(tests/[\w/]+\.py)?::(\w+)`", DOC):
        path = found[1] or path
        text = (ROOT / path).read_text(encoding="utf-8")
        assert re.search(rf"^(async )?def {found[2]}\(", text, re.M), f"{path}::{found[2]}"
        named += 1
    assert named > 30


def test_every_parameter_is_in_the_table():
    for function in (VoiceAgent.__init__, VoiceAgent.Action):
        for name in list(inspect.signature(function).parameters)[1:]:
            assert f"`{name}`" in DOC, name


def run(**action):
    async def create_session():
        agent = VoiceAgent(instructions="x", greeting="Welcome.")
        stt, llm, tts = offline_stack()
        await agent.Action(stt=stt, llm=llm, tts=tts, vad=True, **action)
        await agent.start()

    caller = Caller().hears_greeting().says("a table for two tomorrow at seven").hears_reply()
    return asyncio.run(simulate(create_session, caller.hangs_up())).raise_for_error()


def names_of(call):
    return {event.name for event in call.events.of(events.MetricsReported)}


def test_metrics_can_be_turned_off():
    assert {"characters", "prompt_tokens", "completion_tokens"} <= names_of(run())
    usage = names_of(run(enable_usage_metrics=False))
    assert not usage & {"characters", "prompt_tokens"}
    assert names_of(run(enable_metrics=False, enable_usage_metrics=False)) == set()


def test_observers_see_the_frames():
    class Watching(BaseObserver):
        heard = ""

        async def on_push_frame(self, data):
            if isinstance(data.frame, TranscriptionFrame):
                self.heard = data.frame.text

    watching = Watching()
    run(observers=[watching])
    assert watching.heard == "a table for two tomorrow at seven"
