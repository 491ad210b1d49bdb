"""Which module of ours or of pipecat's answers to which name of ``piopiy``. Data only."""

from __future__ import annotations

ROOT = "piopiy"
_SCHEMAS = "pipecat.adapters.llm.schemas"
_NAMES = "piopiy_lab.piopiy_alias.names"
_NVIDIA, _LIVE = "pipecat.services.nvidia", "pipecat.services.google.gemini_live"
_REALTIME, _SONIC = "pipecat.services.openai.realtime", "pipecat.services.aws.nova_sonic.llm"
_TRANSPORTS, _MUTE = "pipecat.transports", "pipecat.turns.user_mute"

#: Modules that are another one, whole (but for the names in PATCHED).
MOVED = {
    "piopiy.agent": "piopiy_lab.agent",
    "piopiy.speech_agent": "piopiy_lab.speech_agent",
    "piopiy.pipeline.service_switcher": "piopiy_lab.pipeline.service_switcher",
    "piopiy.transports.services.telecmi": "piopiy_lab.transports.telecmi",
    "piopiy.transports.telecmi": "piopiy_lab.transports.telecmi",
    "piopiy.transports.telecmi.transport": "piopiy_lab.transports.telecmi",
    "piopiy.adapters.schemas.function_schema": f"{_SCHEMAS}.function_schema",
    "piopiy.adapters.schemas.tools_schema": f"{_SCHEMAS}.tools_schema",
    "piopiy.adapters.schemas.direct_function": f"{_SCHEMAS}.direct_function",
    # what pipecat has moved since
    "piopiy.services.nim.llm": f"{_NVIDIA}.llm",
    "piopiy.services.riva.stt": f"{_NVIDIA}.stt",
    "piopiy.services.riva.tts": f"{_NVIDIA}.tts",
    "piopiy.services.aws_nova_sonic": _SONIC,
    "piopiy.services.aws_nova_sonic.aws": _SONIC,
    "piopiy.services.openai_realtime": f"{_REALTIME}.llm",
    "piopiy.services.openai_realtime.azure": "pipecat.services.azure.realtime.llm",
    "piopiy.services.openai_realtime.events": f"{_REALTIME}.events",
    "piopiy.services.openai_realtime_beta": f"{_REALTIME}.llm",
    "piopiy.services.openai_realtime_beta.openai": f"{_REALTIME}.llm",
    "piopiy.services.openai_realtime_beta.events": f"{_REALTIME}.events",
    "piopiy.services.gemini_multimodal_live": f"{_LIVE}.llm",
    "piopiy.services.gemini_multimodal_live.gemini": f"{_LIVE}.llm",
    "piopiy.services.gemini_multimodal_live.file_api": f"{_LIVE}.file_api",
    "piopiy.services.google.gemini_live.llm_vertex": f"{_LIVE}.vertex.llm",
    "piopiy.services.google.llm_vertex": "pipecat.services.google.vertex.llm",
    "piopiy.transports.network.fastapi_websocket": f"{_TRANSPORTS}.websocket.fastapi",
    "piopiy.transports.network.websocket_client": f"{_TRANSPORTS}.websocket.client",
    "piopiy.transports.network.websocket_server": f"{_TRANSPORTS}.websocket.server",
    "piopiy.transports.network.small_webrtc": f"{_TRANSPORTS}.smallwebrtc.transport",
    "piopiy.transports.network.webrtc_connection": f"{_TRANSPORTS}.smallwebrtc.connection",
    "piopiy.transports.services.daily": f"{_TRANSPORTS}.daily.transport",
    "piopiy.transports.services.livekit": f"{_TRANSPORTS}.livekit.transport",
    "piopiy.turns.mute": _MUTE,
    "piopiy.turns.mute.always_user_mute_strategy": f"{_MUTE}.always_user_mute_strategy",
    "piopiy.turns.mute.base_user_mute_strategy": f"{_MUTE}.base_user_mute_strategy",
    "piopiy.turns.mute.first_speech_user_mute_strategy": f"{_MUTE}.first_speech_user_mute_strategy",
    "piopiy.turns.mute.function_call_user_mute_strategy": (
        f"{_MUTE}.function_call_user_mute_strategy"
    ),
}
_BETA = {"OpenAIRealtimeBetaLLMService": (f"{_REALTIME}.llm", "OpenAIRealtimeLLMService")}
_GEMINI = {"GeminiMultimodalLiveLLMService": (f"{_LIVE}.llm", "GeminiLiveLLMService")}
#: Modules with names of ours (name -> where it is), over those of the module that they are.
PATCHED = {
    "piopiy": {
        "Agent": ("piopiy_lab.agent", "Agent"),
        "VoiceAgent": (_NAMES, "VoiceAgent"),
        "SpeechAgent": ("piopiy_lab.speech_agent", "SpeechAgent"),
    },
    "piopiy.voice_agent": {
        "VoiceAgent": (_NAMES, "VoiceAgent"),
        "SpeechAgent": ("piopiy_lab.speech_agent", "SpeechAgent"),
    },
    "piopiy.audio.interruptions.base_interruption_strategy": {
        "BaseInterruptionStrategy": ("piopiy_lab.interruptions", "BaseInterruptionStrategy"),
    },
    "piopiy.audio.interruptions.min_words_interruption_strategy": {
        "MinWordsInterruptionStrategy": (
            "piopiy_lab.interruptions",
            "MinWordsInterruptionStrategy",
        ),
    },
    "piopiy.services.mcp_service": {"MCPClient": (_NAMES, "MCPClient")},
    "piopiy.services.ollama.llm": {
        "OllamaLLMService": ("pipecat.services.ollama.llm", "OLLamaLLMService"),
    },
    "piopiy.services.nim.llm": {"NimLLMService": (f"{_NVIDIA}.llm", "NvidiaLLMService")},
    "piopiy.services.riva.stt": {"RivaSTTService": (f"{_NVIDIA}.stt", "NvidiaSTTService")},
    "piopiy.services.riva.tts": {"RivaTTSService": (f"{_NVIDIA}.tts", "NvidiaTTSService")},
    "piopiy.services.ai_services": {
        name: (f"pipecat.services.{module}", name)
        for module, name in (
            ("ai_service", "AIService"),
            ("llm_service", "LLMService"),
            ("stt_service", "STTService"),
            ("stt_service", "SegmentedSTTService"),
            ("tts_service", "TTSService"),
        )
    },
    "piopiy.services.openai_realtime_beta": _BETA,
    "piopiy.services.openai_realtime_beta.openai": _BETA,
    "piopiy.services.gemini_multimodal_live": _GEMINI,
    "piopiy.services.gemini_multimodal_live.gemini": _GEMINI,
}

#: Packages of services that are the SDK's own, or that pipecat has dropped: whatever is imported
#: from there is a placeholder.
PLACEHOLDERS = (
    "piopiy.services.opensource",
    "piopiy.opensource",
    "piopiy.services.lmnt",
    "piopiy.services.playht",
    "piopiy.services.openpipe",
    "piopiy.services.sambanova.stt",
    "piopiy.services.ultravox.stt",
)

#: Modules that are gone, and what does their work now.
GONE = {
    "piopiy.processors.transcript_processor": "read call.transcript, or voice_agent."
    "context_aggregator when start() has returned",
    "piopiy.processors.filters.stt_mute_filter": "give Action(mute_strategies=[...]), from "
    "pipecat.turns.user_mute",
    "piopiy.processors.user_idle_processor": "give VoiceAgent(idle_timeout_secs=...)",
    "piopiy.processors.aggregators.openai_llm_context": "use LLMContext of "
    "piopiy.processors.aggregators.llm_context",
    "piopiy.audio.filters.krisp_filter": "pipecat has piopiy.audio.filters.krisp_viva_filter",
    "piopiy.audio.filters.noisereduce_filter": "pipecat has piopiy.audio.filters.rnnoise_filter",
    "piopiy.config": "the signalling address is piopiy_lab.agent.SIGNALING_URL",
}


def is_placeholder(name: str) -> bool:
    """Whether a module is one of placeholders."""
    return any(name == root or name.startswith(f"{root}.") for root in PLACEHOLDERS)


def base_of(name: str) -> str:
    """Return the module that one of ``piopiy`` is: where it has moved, or pipecat's of its path."""
    return MOVED.get(name) or "pipecat" + name[len(ROOT) :]


def _parents(names: list[str]) -> set[str]:
    return {
        ".".join(parts[:n])
        for parts in (name.split(".") for name in names)
        for n in range(1, len(parts))
    }


#: Packages above the modules of the tables: stand-ins, so that pipecat's own stay as they are.
ABOVE = _parents([*MOVED, *PATCHED, *PLACEHOLDERS])
