"""Prototype Piopiy voice agents in a notebook: on a microphone, in CI, and then on the phone.

Importing this package is cheap: names are loaded when they are first used.
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING

import loguru

from piopiy_lab._version import __version__ as __version__

# pipecat prints a banner and debug lines into cells otherwise; log(level) turns them on again.
loguru.logger.disable("pipecat")

if TYPE_CHECKING:  # for checkers and editors, which read nothing but such lines
    from piopiy_lab.agent import Agent as Agent
    from piopiy_lab.bench.report import BenchReport as BenchReport
    from piopiy_lab.bench.running import run_bench as run_bench
    from piopiy_lab.call.call import Call as Call
    from piopiy_lab.call.divergence import Divergence as Divergence
    from piopiy_lab.call.replay import Replay as Replay
    from piopiy_lab.evals.running import run_eval as run_eval
    from piopiy_lab.experiments.calls import Calls as Calls
    from piopiy_lab.experiments.comparing import compare_agents as compare_agents
    from piopiy_lab.experiments.comparison import Comparison as Comparison
    from piopiy_lab.experiments.figures.needed import runs_needed as runs_needed
    from piopiy_lab.experiments.simulating import simulate_many as simulate_many
    from piopiy_lab.experiments.sweep import Sweep as Sweep
    from piopiy_lab.experiments.sweeping import sweep_agents as sweep_agents
    from piopiy_lab.hosting.live_call import start_call as start_call
    from piopiy_lab.interruptions import (
        MinWordsInterruptionStrategy as MinWordsInterruptionStrategy,
    )
    from piopiy_lab.line.line import Line as Line
    from piopiy_lab.line.perturb import Perturb as Perturb
    from piopiy_lab.listening.lexicon import Lexicon as Lexicon
    from piopiy_lab.listening.smart_turn import smart_turn as smart_turn
    from piopiy_lab.logs import log as log
    from piopiy_lab.offline import calls_tool as calls_tool
    from piopiy_lab.offline import offline_realtime as offline_realtime
    from piopiy_lab.offline import offline_stack as offline_stack
    from piopiy_lab.pipeline.service_switcher import ServiceSwitcher as ServiceSwitcher
    from piopiy_lab.pipeline.service_switcher import (
        ServiceSwitcherStrategyManual as ServiceSwitcherStrategyManual,
    )
    from piopiy_lab.screenplay.behind import Background as Background
    from piopiy_lab.screenplay.caller import Caller as Caller
    from piopiy_lab.screenplay.phrases import pause as pause
    from piopiy_lab.screenplay.steps import Audio as Audio
    from piopiy_lab.screenplay.steps import AudioFile as AudioFile
    from piopiy_lab.screenplay.voice import Voice as Voice
    from piopiy_lab.service_catalog.stacking import stack as stack
    from piopiy_lab.service_catalog.table import stacks as stacks
    from piopiy_lab.simulation.simulate import simulate as simulate
    from piopiy_lab.sound import speech as speech
    from piopiy_lab.speech_agent import SpeechAgent as SpeechAgent
    from piopiy_lab.tools import end_call as end_call
    from piopiy_lab.tools import tool_options as tool_options
    from piopiy_lab.tools import transfer_call as transfer_call
    from piopiy_lab.tools import transfer_call_to as transfer_call_to
    from piopiy_lab.transports.microphones import BrowserMicrophone as BrowserMicrophone
    from piopiy_lab.transports.microphones import Keyboard as Keyboard
    from piopiy_lab.transports.microphones import Microphone as Microphone
    from piopiy_lab.turn_lab import turn_sweep as turn_sweep
    from piopiy_lab.turn_lab import vad_sweep as vad_sweep
    from piopiy_lab.turn_lab import what_if as what_if
    from piopiy_lab.voice_agent import VoiceAgent as VoiceAgent
    from piopiy_lab.voicing.table import voices as voices

#: Every public name (and what %load_ext looks for), and the module that it comes from. A test holds
#: it and the block above together.
_HOME = {
    "Agent": "piopiy_lab.agent",
    "Audio": "piopiy_lab.screenplay.steps",
    "AudioFile": "piopiy_lab.screenplay.steps",
    "BenchReport": "piopiy_lab.bench.report",
    "Background": "piopiy_lab.screenplay.behind",
    "BrowserMicrophone": "piopiy_lab.transports.microphones",
    "Call": "piopiy_lab.call.call",
    "Calls": "piopiy_lab.experiments.calls",
    "Comparison": "piopiy_lab.experiments.comparison",
    "Divergence": "piopiy_lab.call.divergence",
    "Replay": "piopiy_lab.call.replay",
    "Caller": "piopiy_lab.screenplay.caller",
    "Keyboard": "piopiy_lab.transports.microphones",
    "Lexicon": "piopiy_lab.listening.lexicon",
    "Line": "piopiy_lab.line.line",
    "Microphone": "piopiy_lab.transports.microphones",
    "MinWordsInterruptionStrategy": "piopiy_lab.interruptions",
    "Perturb": "piopiy_lab.line.perturb",
    "ServiceSwitcher": "piopiy_lab.pipeline.service_switcher",
    "ServiceSwitcherStrategyManual": "piopiy_lab.pipeline.service_switcher",
    "SpeechAgent": "piopiy_lab.speech_agent",
    "Sweep": "piopiy_lab.experiments.sweep",
    "Voice": "piopiy_lab.screenplay.voice",
    "VoiceAgent": "piopiy_lab.voice_agent",
    "calls_tool": "piopiy_lab.offline",
    "compare_agents": "piopiy_lab.experiments.comparing",
    "end_call": "piopiy_lab.tools",
    "load_ipython_extension": "piopiy_lab.notebook.extension",
    "log": "piopiy_lab.logs",
    "offline_realtime": "piopiy_lab.offline",
    "offline_stack": "piopiy_lab.offline",
    "pause": "piopiy_lab.screenplay.phrases",
    "run_bench": "piopiy_lab.bench.running",
    "run_eval": "piopiy_lab.evals.running",
    "runs_needed": "piopiy_lab.experiments.figures.needed",
    "simulate": "piopiy_lab.simulation.simulate",
    "simulate_many": "piopiy_lab.experiments.simulating",
    "smart_turn": "piopiy_lab.listening.smart_turn",
    "speech": "piopiy_lab.sound",
    "stack": "piopiy_lab.service_catalog.stacking",
    "stacks": "piopiy_lab.service_catalog.table",
    "start_call": "piopiy_lab.hosting.live_call",
    "sweep_agents": "piopiy_lab.experiments.sweeping",
    "tool_options": "piopiy_lab.tools",
    "transfer_call": "piopiy_lab.tools",
    "transfer_call_to": "piopiy_lab.tools",
    "turn_sweep": "piopiy_lab.turn_lab",
    "unload_ipython_extension": "piopiy_lab.notebook.extension",
    "vad_sweep": "piopiy_lab.turn_lab",
    "voices": "piopiy_lab.voicing.table",
    "what_if": "piopiy_lab.turn_lab",
}

if not TYPE_CHECKING:  # a checker would take any name for one of ours
    __all__ = sorted(
        {*_HOME, "__version__"} - {"load_ipython_extension", "unload_ipython_extension"}
    )

    def __getattr__(name: str) -> object:
        home = _HOME.get(name)
        if home is None:
            raise AttributeError(f"module 'piopiy_lab' has no attribute {name!r}")
        if name == "speech":  # a module, at the place where notebooks import it
            importlib.import_module(f"{home}.speech")
        value = getattr(importlib.import_module(home), name)
        globals()[name] = value
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})


# a notebook's kernel: let calls show themselves in their cell
if "ipykernel" in sys.modules or "marimo" in sys.modules:
    from piopiy_lab.notebook.extension import install as _install_display_hook

    _install_display_hook()
