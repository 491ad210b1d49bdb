"""The documentation's examples and what stands in for their providers: one list for every matrix.

Each example runs unchanged on a scripted caller and through the loopback platform
(``piopiy_alias/test_piopiy_alias.py``), and on the microphone
(``realtime/transports/test_examples_on_microphone.py``).
"""

from __future__ import annotations

import contextlib
import importlib.util
import sys
from pathlib import Path

from piopiy_lab import calls_tool, offline_stack, piopiy_alias
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
