"""Placeholder keys: a session written for cloud services can be built in CI without any key.

Providers' clients refuse to be made without a key, even when ``replace=`` puts another service in
their place before they are ever used. While such a simulation runs, provider variables that are
not set hold a placeholder, so that ``os.environ["OPENAI_API_KEY"]`` and the clients' own look-up
find something. A key that is set is never touched.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

#: What the variables hold; a provider that is called with it answers that it is no key.
PLACEHOLDER = "placeholder-key-of-a-simulation"

#: The variables that pipecat's services and their clients read.
PROVIDER_KEYS = (
    "ANTHROPIC_API_KEY",
    "ASSEMBLYAI_API_KEY",
    "AZURE_API_KEY",
    "AZURE_SPEECH_API_KEY",
    "CARTESIA_API_KEY",
    "CEREBRAS_API_KEY",
    "DEEPGRAM_API_KEY",
    "DEEPSEEK_API_KEY",
    "ELEVENLABS_API_KEY",
    "FIREWORKS_API_KEY",
    "FISH_API_KEY",
    "GEMINI_API_KEY",
    "GLADIA_API_KEY",
    "GOOGLE_API_KEY",
    "GROQ_API_KEY",
    "HUME_API_KEY",
    "LMNT_API_KEY",
    "MISTRAL_API_KEY",
    "NVIDIA_API_KEY",
    "OPENAI_API_KEY",
    "OPENROUTER_API_KEY",
    "PERPLEXITY_API_KEY",
    "PLAYHT_API_KEY",
    "RIME_API_KEY",
    "SAMBANOVA_API_KEY",
    "SARVAM_API_KEY",
    "SONIOX_API_KEY",
    "SPEECHMATICS_API_KEY",
    "TOGETHER_API_KEY",
    "XAI_API_KEY",
)

_lock = threading.Lock()
_users = 0  # simulations that need placeholders now; under _lock
_placed: list[str] = []  # the variables that hold one; under _lock


@contextmanager
def placeholder_keys() -> Iterator[None]:
    """Let provider variables that are not set hold a placeholder inside of the block.

    Safe to nest and to use from several threads: the last one out takes them away.
    """
    global _users
    with _lock:
        _users += 1
        if _users == 1:
            _placed[:] = [name for name in PROVIDER_KEYS if not os.environ.get(name)]
            os.environ.update(dict.fromkeys(_placed, PLACEHOLDER))
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if _users == 0:
                for name in _placed:
                    if os.environ.get(name) == PLACEHOLDER:
                        del os.environ[name]
                _placed.clear()
