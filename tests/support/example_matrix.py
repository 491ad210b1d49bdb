"""The documentation's examples and what stands in for their providers: one list for every matrix.

Each example runs unchanged on a scripted caller and through the loopback platform
(``piopiy_alias``, ``realtime/telephony/test_examples_on_the_phone.py``), and on the microphone
(``realtime/transports/test_examples_on_microphone.py``).
"""

from __future__ import annotations

import contextlib
import importlib.util
import re
import sys
from pathlib import Path

from piopiy_lab import Caller, calls_tool, events, offline_stack, piopiy_alias
from piopiy_lab.offline import offline_realtime
from piopiy_lab.offline.tts import EspeakTTSService
from piopiy_lab.sound import speech

EXAMPLES = Path(__file__).parents[1] / "examples_piopiy"
NAMES = [
    "basic",
    "tools",
    "metadata_and_vad",
    "telecmi_params",
    "interruptions",
    "switching",
    "speech_agent",
    "mcp",
]
METADATA = {"name": "Asha"}
PARTS = ("stt", "llm", "tts")


@contextlib.contextmanager
def piopiy_names(monkeypatch):
    """Let ``import piopiy`` work, and keys be found; nothing of it is left afterwards."""
    for name in ("DEEPGRAM", "OPENAI", "CARTESIA"):
        monkeypatch.setenv(f"{name}_API_KEY", "sk-none")
    monkeypatch.setenv("WEATHER_MCP_SERVER", str(Path(__file__).with_name("mcp_server.py")))
    assert piopiy_alias.enable()
    yield
    piopiy_alias.disable()
    assert not [name for name in sys.modules if name.split(".")[0] == "piopiy"]


def example(name):
    """Import an example anew, under a name of its own."""
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def offline(name):
    """What ``replace=`` takes for an example: makers of services in place of the cloud's."""
    if name == "speech_agent":
        return {"llm": lambda: offline_realtime(speaks=False), "tts": lambda: offline_stack()[2]}
    words = {}
    if name == "mcp":
        words["replies"] = {"what is the weather": calls_tool("weather", city="Chennai")}
    return {part: lambda n=n: offline_stack(**words)[n] for n, part in enumerate(PARTS)}


def two_of_each(module):
    """Put offline services where the switching example makes its own: two of each, two voices.

    Returns:
        What ``replace=`` takes for the rest.
    """
    services = offline("switching")
    voices = {"a": speech.AGENT_VOICE, "b": speech.SECOND_AGENT_VOICE}
    module.DeepgramSTTService = lambda **_: services["stt"]()
    module.CartesiaTTSService = lambda voice_id, **_: EspeakTTSService(voice=voices[voice_id])
    return {"llm": services["llm"]}


CALLER = (
    Caller()
    .hears_greeting()
    .says("a table for two tomorrow at seven")
    .hears(re.compile("two", re.I))
    .hangs_up()
)


WEATHER = Caller().hears_greeting().says("what is the weather").hears("sunny").hangs_up()


SPEECH = (
    Caller().hears_greeting().says("a table for two tomorrow at seven").hears("for two").hangs_up()
)


def caller_of(name):
    return {"mcp": WEATHER, "speech_agent": SPEECH}.get(name, CALLER)


def check(name, module, call):
    assert call.end_reason == "caller_hung_up", call.error
    assert call.transcript[0].role == "assistant"
    assert call.turns
    started = call.events.of(events.PipelineStarted)[0]
    if name == "metadata_and_vad":
        assert module.seen[-1][1] == METADATA
        assert "agent_id" in module.seen[-1][3]
        assert call.transcript[0].text == "Hello Asha!"
        assert started.vad_params["stop_secs"] == 0.3
    if name == "telecmi_params":
        assert (started.audio_in_sample_rate, started.audio_out_sample_rate) == (8000, 16000)
        assert started.vad_params["stop_secs"] == 0.25
    if name == "speech_agent":  # its late transcript starts no second turn that cuts the answer
        assert len(call.events.of(events.UserTurnStarted)) == 1
        assert not call.events.of(events.AgentInterrupted)
    if name == "mcp":
        assert [tool.name for tool in call.tool_calls] == ["weather"]
