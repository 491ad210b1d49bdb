"""Which keys and names an eval file may have, as pipecat 1.14 reads them.

pipecat's loader takes whatever it does not know for nothing: a misspelt event is waited for in
vain, a misspelt ``text_contains`` passes. A test compares these with pipecat's own. Pure.
"""

from __future__ import annotations

from pipecat.evals.script import CHECK_FROM, MARKER_KINDS
from pipecat.evals.simulation import SIMULATION_MEASURES

#: The events that an expectation or a ``send_after`` can name.
EVENTS = (
    "user_started_speaking",
    "user_stopped_speaking",
    "vad_user_started_speaking",
    "vad_user_stopped_speaking",
    "user_transcription",
    "user_backchannel",
    "bot_started_speaking",
    "bot_stopped_speaking",
    "bot_interrupted",
    "bot_backchannel",
    "llm_started",
    "llm_response",
    "llm_marker",
    "tts_response",
    "response",
    "function_call",
    "function_call_stopped",
    "image",
)
FUNCTION_CALLS = ("function_call", "function_call_stopped")

#: Of every scenario, of a scripted one, of a simulated one.
SHARED = ("name", "user", "judge", "trigger_disconnect")
SCRIPTED = ("turns", "context", "stop_on_failure")
SIMULATED = (
    *("persona", "goal", "success", "simulator", "metrics", "runs"),
    *("max_turns", "max_duration_s", "max_silence_s"),
)

TURN = ("user", "audio", "dtmf", "image", "send_after", "expect")
SEND_AFTER = ("event", "delay_ms")
CALL = ("name", "args")
EXPECTATION = (
    *("event", "within_ms", "text_contains", "text_excludes", "eval", "calls", "name", "args"),
    *("marker", "marker_first", "markers", "text_after", "check_from", "absent"),
)
#: What an expectation says in one of few words.
CHOICES = {"marker": MARKER_KINDS, "check_from": CHECK_FROM}

USER = ("modality", "speech")
SPEECH = ("service", "factory", "voice", "model", "language", "speed", "sample_rate", "api_key")
JUDGE = ("modality", "eval", "transcription")
EVAL = (
    *("service", "factory", "model", "endpoint", "extra"),
    *("explainer", "explain_below", "allow_continue"),
)
LLM = ("service", "factory", "model", "endpoint", "extra")
TRANSCRIPTION = (
    *("service", "factory", "model", "language", "padding_secs", "device", "compute_type"),
)
METRIC = ("name", "criterion", "min_score", "measure", "min_value", "max_value", "calls")
MEASURES = SIMULATION_MEASURES
MODALITIES = ("audio", "text")
