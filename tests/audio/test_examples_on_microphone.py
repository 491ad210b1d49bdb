"""The documentation's examples, unchanged, on the microphone: what a first-time user does."""

from __future__ import annotations

import functools
import importlib.util
import sys
from pathlib import Path

import pytest
from live_calls import LINE, count, greeted, on, until

from piopiy_lab import Microphone, events, offline_stack, piopiy_alias
from piopiy_lab.session import current_session

EXAMPLES = Path(__file__).parent.parent / "examples_piopiy"


@pytest.fixture(autouse=True)
def alias(monkeypatch):
    for name in ("DEEPGRAM", "OPENAI", "CARTESIA"):
        monkeypatch.setenv(f"{name}_API_KEY", "sk-none")
    assert piopiy_alias.enable()
    yield
    piopiy_alias.disable()
    assert not [name for name in sys.modules if name.split(".")[0] == "piopiy"]


@pytest.mark.realtime
@pytest.mark.parametrize("name", ["basic", "tools", "telecmi_params"])
def test_an_example_talks_on_the_microphone(card, name):
    spec = importlib.util.spec_from_file_location(f"microphone_{name}", EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def during(call):
        greeted(call)
        card.say(LINE)
        until(call, lambda: count(call, events.AgentSpeechStopped) >= 2)

    @functools.wraps(module.create_session)  # it has its arguments by their names
    async def offline(*args, **kwargs):
        parts = zip(("stt", "llm", "tts"), offline_stack(), strict=True)
        current_session().replace = {
            part: lambda service=service: service for part, service in parts
        }
        await module.create_session(*args, **kwargs)

    call, speaker = on(card, Microphone(), during, offline)
    assert [entry.role for entry in call.transcript] == ["assistant", "user", "assistant"]
    if name == "telecmi_params":  # at 8 kHz the recogniser takes one word in eight for another
        assert call.transcript[1].text.startswith("a table for two")
    else:
        assert call.transcript[1].text == LINE
    assert "two" in call.transcript[2].text
    assert abs(speaker.astype(int)).max() > 1000
    if name == "telecmi_params":
        opened = call.events.of(events.AudioDeviceOpened)
        assert [event.sample_rate for event in opened] == [8000, 16000]
