"""What ``piopiy-lab doctor`` tries out: each check runs one part for real and never raises.

Free of side effects: nothing is written. One thing is opened, and the output says so: each default
sound device, for a second (``audio_checks``). And where the environment has an agent of Piopiy's
gateway, it registers there, as one that takes no calls (``gateway_check``).
"""

from __future__ import annotations

import os
from collections.abc import Callable

from piopiy_lab.cli.audio_checks import audio_checks
from piopiy_lab.cli.check import Check
from piopiy_lab.cli.gateway_check import gateway_checks
from piopiy_lab.errors import MissingExtraError
from piopiy_lab.redaction import redact_text

#: The variables that well-known services read their keys from.
KEYS = (
    "PIOPIY_AGENT_ID",
    "PIOPIY_AGENT_TOKEN",
    "PIOPIY_TOKEN",
    "ANTHROPIC_API_KEY",
    "ASSEMBLYAI_API_KEY",
    "AWS_ACCESS_KEY_ID",
    "AZURE_SPEECH_API_KEY",
    "CARTESIA_API_KEY",
    "DEEPGRAM_API_KEY",
    "ELEVENLABS_API_KEY",
    "GOOGLE_API_KEY",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "GROQ_API_KEY",
    "MISTRAL_API_KEY",
    "OPENAI_API_KEY",
    "SARVAM_API_KEY",
)


def run_checks() -> list[Check]:
    """Run every check, in order: two seconds of imports, and three with sound devices."""
    return [
        _try("pipecat", _pipecat, base=True),
        _try("voice detection", _detector, base=True),
        _try("turn detection", _turns, base=True),
        _try("offline speech", _speech),
        _try("offline recognition", _recogniser),
        *_try_all("audio devices", audio_checks),
        *_try_all("gateway", gateway_checks),
    ]


def keys_present() -> list[str]:
    """Return the names of the well-known keys that are set. Never their values."""
    return [name for name in KEYS if os.environ.get(name)]


def _try(name: str, run: Callable[[], str], *, base: bool = False) -> Check:
    (check,) = _try_all(name, lambda: [Check(name, "ok", run(), base)], base=base)
    return check


def _try_all(name: str, run: Callable[[], list[Check]], *, base: bool = False) -> list[Check]:
    """Run what finds several things out; what it raises is a finding, under the name given."""
    try:
        return run()
    except MissingExtraError as error:
        return [Check(name, "missing", f"needs the '{error.extra}' extra", base)]
    except Exception as error:
        told = redact_text(f"{type(error).__name__}: {error}")
        return [Check(name, "failed", told, base)]


def _pipecat() -> str:
    import piopiy_lab.voice_agent  # noqa: F401 - what every call imports

    return "imports"


def _detector() -> str:
    from piopiy_lab.listening.vad import make_vad

    make_vad(True)
    return "Silero loads"


def _turns() -> str:
    from piopiy_lab.listening.turn_taking import make_strategies

    make_strategies(vad=True, allow_interruptions=True)
    return "Smart Turn loads"


def _speech() -> str:
    from piopiy_lab.sound import speech

    said = speech.synthesize("hello")
    return f"espeak-ng said hello in {said.duration:.2f} s"


def _recogniser() -> str:
    from piopiy_lab.offline import PhraseSTTService, booking_desk

    PhraseSTTService(booking_desk().rules().phrases)
    return "PocketSphinx loads (a list of phrases; with noise behind the voice take whisper)"
