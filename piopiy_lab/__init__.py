"""Prototype Piopiy voice agents in a notebook: on a microphone, in CI, and then on the phone.

Importing this package is cheap: names are loaded when they are first used.
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

import loguru

from piopiy_lab._version import __version__

# pipecat prints a banner and debug lines into cells otherwise; log(level) turns them on again.
loguru.logger.disable("pipecat")

if TYPE_CHECKING:
    from piopiy_lab.agent import Agent
    from piopiy_lab.call.call import Call
    from piopiy_lab.hosting.live_call import start_call
    from piopiy_lab.interruptions import MinWordsInterruptionStrategy
    from piopiy_lab.logs import log
    from piopiy_lab.offline import calls_tool, offline_realtime, offline_stack
    from piopiy_lab.screenplay.caller import Audio, AudioFile, Caller
    from piopiy_lab.service_catalog.stacking import stack
    from piopiy_lab.service_catalog.table import stacks
    from piopiy_lab.simulation.simulate import simulate
    from piopiy_lab.speech_agent import SpeechAgent
    from piopiy_lab.tools import end_call, tool_options, transfer_call, transfer_call_to
    from piopiy_lab.transports.microphones import BrowserMicrophone, Microphone
    from piopiy_lab.vad_lab import vad_sweep
    from piopiy_lab.voice_agent import VoiceAgent

#: Every public name (and what %load_ext looks for), and the module that it comes from.
_HOME = {
    "Agent": "piopiy_lab.agent",
    "Audio": "piopiy_lab.screenplay.caller",
    "AudioFile": "piopiy_lab.screenplay.caller",
    "BrowserMicrophone": "piopiy_lab.transports.microphones",
    "Call": "piopiy_lab.call.call",
    "Caller": "piopiy_lab.screenplay.caller",
    "Microphone": "piopiy_lab.transports.microphones",
    "MinWordsInterruptionStrategy": "piopiy_lab.interruptions",
    "SpeechAgent": "piopiy_lab.speech_agent",
    "VoiceAgent": "piopiy_lab.voice_agent",
    "calls_tool": "piopiy_lab.offline",
    "end_call": "piopiy_lab.tools",
    "load_ipython_extension": "piopiy_lab.notebook.extension",
    "log": "piopiy_lab.logs",
    "offline_realtime": "piopiy_lab.offline",
    "offline_stack": "piopiy_lab.offline",
    "simulate": "piopiy_lab.simulation.simulate",
    "stack": "piopiy_lab.service_catalog.stacking",
    "stacks": "piopiy_lab.service_catalog.table",
    "start_call": "piopiy_lab.hosting.live_call",
    "tool_options": "piopiy_lab.tools",
    "transfer_call": "piopiy_lab.tools",
    "transfer_call_to": "piopiy_lab.tools",
    "unload_ipython_extension": "piopiy_lab.notebook.extension",
    "vad_sweep": "piopiy_lab.vad_lab",
}

__all__ = [
    "Agent",
    "Audio",
    "AudioFile",
    "BrowserMicrophone",
    "Call",
    "Caller",
    "Microphone",
    "MinWordsInterruptionStrategy",
    "SpeechAgent",
    "VoiceAgent",
    "__version__",
    "calls_tool",
    "end_call",
    "log",
    "offline_realtime",
    "offline_stack",
    "simulate",
    "stack",
    "stacks",
    "start_call",
    "tool_options",
    "transfer_call",
    "transfer_call_to",
    "vad_sweep",
]


def __getattr__(name: str) -> Any:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module 'piopiy_lab' has no attribute {name!r}")
    value = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


if "ipykernel" in sys.modules:  # a notebook's kernel: let calls show themselves in their cell
    from piopiy_lab.notebook.extension import install as _install_display_hook

    _install_display_hook()
