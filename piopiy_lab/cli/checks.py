"""What ``piopiy-lab doctor`` tries out: each check runs one part for real and never raises.

Free of side effects: nothing is opened, written or sent. PortAudio is asked what devices there
are, which opens none.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from piopiy_lab.errors import MissingExtraError

#: The variables that well-known services read their keys from.
KEYS = (
    "PIOPIY_AGENT_ID",
    "PIOPIY_AGENT_TOKEN",
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


@dataclass(frozen=True)
class Check:
    """What came of a check.

    Attributes:
        name: What was tried.
        status: "ok", "missing" (an optional part is not there) or "failed".
        detail: What was found, or what went wrong.
        base: Whether calls need it.
        remedy: What to do, if anything.
    """

    name: str
    status: str
    detail: str
    base: bool = False
    remedy: str | None = None


def run_checks() -> list[Check]:
    """Run every check, in order. Takes about two seconds, most of it imports."""
    return [
        _try("pipecat", _pipecat, base=True),
        _try("voice detection", _detector, base=True),
        _try("turn detection", _turns, base=True),
        _try("offline speech", _speech),
        _try("offline recognition", _recogniser),
        _audio(),
    ]


def keys_present() -> list[str]:
    """Return the names of the well-known keys that are set. Never their values."""
    return [name for name in KEYS if os.environ.get(name)]


def _try(name: str, run: Callable[[], str], *, base: bool = False) -> Check:
    try:
        return Check(name, "ok", run(), base)
    except MissingExtraError as error:
        return Check(name, "missing", f"needs the '{error.extra}' extra", base)
    except Exception as error:
        return Check(name, "failed", f"{type(error).__name__}: {error}", base)


def _pipecat() -> str:
    import piopiy_lab.voice_agent  # noqa: F401 - what every call imports

    return "imports"


def _detector() -> str:
    from piopiy_lab.vad import make_vad

    make_vad(True)
    return "Silero loads"


def _turns() -> str:
    from piopiy_lab.turn_taking import make_strategies

    make_strategies(vad=True, allow_interruptions=True)
    return "Smart Turn loads"


def _speech() -> str:
    from piopiy_lab import speech

    said = speech.synthesize("hello")
    return f"espeak-ng said hello in {said.duration:.2f} s"


def _recogniser() -> str:
    from piopiy_lab.offline import PhraseSTTService, booking_desk

    PhraseSTTService(booking_desk().rules().phrases)
    return "PocketSphinx loads"


def _audio() -> Check:
    name = "audio devices"
    try:
        with _silent_stderr():  # ALSA and JACK complain there about what isn't plugged in
            sounddevice: Any = importlib.import_module("sounddevice")
        devices: list[Any] = list(sounddevice.query_devices())
        version = sounddevice.get_portaudio_version()[1].split(",")[0]
    except (ImportError, OSError) as error:
        return Check(name, "missing", f"no PortAudio ({error})", remedy=_portaudio())
    except Exception as error:  # PortAudioError, when it can't start
        return Check(name, "failed", f"{type(error).__name__}: {error}")
    ins = [d["name"] for d in devices if d["max_input_channels"] > 0]
    outs = [d["name"] for d in devices if d["max_output_channels"] > 0]
    found = f"{version}; {len(ins)} in, {len(outs)} out"
    if not ins or not outs:
        what = "no microphone" if outs else ("no speaker" if ins else "no audio device")
        return Check(
            name,
            "missing",
            f"{found}: {what}",
            remedy="simulated calls need none; to talk, plug one in or use another computer",
        )
    default_in, default_out = sounddevice.default.device
    return Check(name, "ok", f"{found}; {_named(devices, default_in, default_out)}")


def _named(devices: list[Any], *defaults: int) -> str:
    """Return the default microphone and speaker, with their rates."""
    named = [
        f"{what} {devices[index]['name']!r} at {devices[index]['default_samplerate']:g} Hz"
        for what, index in zip(("microphone", "speaker"), defaults, strict=True)
        if 0 <= index < len(devices)
    ]
    return ", ".join(named) or "no default device"


def _portaudio() -> str:
    if sys.platform.startswith("linux"):
        return (
            "Debian, Ubuntu: apt install libportaudio2; Fedora: dnf install portaudio; "
            "conda: conda install portaudio"
        )
    return "pip install --force-reinstall sounddevice"


@contextlib.contextmanager
def _silent_stderr() -> Iterator[None]:
    """Turn off the process's standard error, of C libraries too, for a moment."""
    try:
        kept = os.dup(2)
    except OSError:  # there is none
        yield
        return
    nothing = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nothing, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nothing)
