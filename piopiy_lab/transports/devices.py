"""The sound devices of this computer, as PortAudio knows them.

PortAudio is loaded when it is first needed. Its calls that open, close or list must not run at the
same time in two threads; everything here and in ``sound_card`` holds :data:`lock` for them. They
may take a second, so never on the session's loop: use ``asyncio.to_thread``.
"""

from __future__ import annotations

import contextlib
import ctypes
import ctypes.util
import importlib
import os
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from piopiy_lab.errors import AudioDeviceError
from piopiy_lab.events.values import Side

#: Held for every call of PortAudio's but those of a running stream.
lock = threading.RLock()
#: How many streams of this process are open: PortAudio may only be restarted when there are none.
open_streams = 0

#: Rates that devices have, in Hz.
RATES = (8000, 16000, 22050, 24000, 32000, 44100, 48000, 96000)
#: What to do instead of a microphone of this computer's own.
ELSEWHERE = (
    "if the microphone is on another computer (a remote notebook), use BrowserMicrophone(); "
    "a call by typing, Keyboard(), and a scripted Caller() need none"
)

_sounddevice: Any = None
_alsa_handler: Any = None  # what ALSA calls instead of writing to fd 2; must outlive it


@dataclass(frozen=True)
class Device:
    """A microphone or a speaker.

    Attributes:
        index: PortAudio's number for it.
        name: Its name.
        side: "input" or "output".
        channels: The most that it has.
        default_rate: Hz.
        host: The sound system behind it: "ALSA", "Core Audio", ...
        default: Whether it is the default device of its side.
    """

    index: int
    name: str
    side: Side
    channels: int
    default_rate: float
    host: str
    default: bool

    @property
    def kind(self) -> str:
        """What people call it."""
        return "microphone" if self.side == "input" else "speaker"


def load() -> Any:
    """Return the ``sounddevice`` module, with PortAudio running.

    Raises:
        AudioDeviceError: There is no PortAudio; says what to install.
    """
    global _sounddevice
    with lock:
        if _sounddevice is None:
            _silence_alsa()
            try:
                with _silent_stderr():  # JACK complains there that it isn't running
                    _sounddevice = importlib.import_module("sounddevice")
            except (ImportError, OSError) as error:
                raise AudioDeviceError(
                    f"no PortAudio ({error}): {how_to_install()}; {ELSEWHERE}"
                ) from error
        return _sounddevice


def how_to_install() -> str:
    """Say how to get PortAudio on this system."""
    if sys.platform.startswith("linux"):
        return (
            "Debian, Ubuntu: apt install libportaudio2; Fedora: dnf install portaudio; "
            "conda: conda install portaudio"
        )
    return "pip install --force-reinstall sounddevice"


def version() -> str:
    """Return PortAudio's version.

    Raises:
        AudioDeviceError: There is no PortAudio.
    """
    return str(load().get_portaudio_version()[1]).split(",")[0]


def devices() -> list[Device]:
    """Return every microphone and every speaker; a device that is both comes twice.

    Raises:
        AudioDeviceError: There is no PortAudio, or it can't look.
    """
    sd = load()
    with lock:
        try:
            known, hosts = list(sd.query_devices()), sd.query_hostapis()
        except sd.PortAudioError as error:
            raise AudioDeviceError(f"PortAudio can't list the devices ({error})") from error
        defaults = dict(zip(("input", "output"), sd.default.device, strict=True))
    return [
        Device(
            index=d["index"],
            name=d["name"],
            side=side,
            channels=d[f"max_{side}_channels"],
            default_rate=d["default_samplerate"],
            host=hosts[d["hostapi"]]["name"],
            default=d["index"] == defaults[side],
        )
        for d in known
        for side in ("input", "output")
        if d[f"max_{side}_channels"] > 0
    ]


def find(side: Side, wanted: int | str | None) -> Device:
    """Return the device that is meant.

    Args:
        side: "input" or "output".
        wanted: Its index, a part of its name (any case; a full name wins), or None for the
            default one.

    Raises:
        AudioDeviceError: There is none, no such one, or there are several; names those there are.
    """
    there = [device for device in devices() if device.side == side]
    kind = "microphone" if side == "input" else "speaker"
    if not there:
        raise AudioDeviceError(f"this computer has no {kind}: plug one in; {ELSEWHERE}")
    if wanted is None:
        chosen = [device for device in there if device.default] or there[:1]
    elif isinstance(wanted, int):
        chosen = [device for device in there if device.index == wanted]
    else:
        name = wanted.strip().lower()
        chosen = [device for device in there if device.name.lower() == name] or [
            device for device in there if name in device.name.lower()
        ]
    if len({device.name for device in chosen}) == 1:
        return chosen[0]  # the same device through two sound systems: PortAudio's first
    names = ", ".join(f"{d.index} {d.name!r}" for d in there)
    if chosen:
        several = ", ".join(f"{d.index} {d.name!r}" for d in chosen)
        raise AudioDeviceError(f"{wanted!r} is the name of several {kind}s ({several}): give one's")
    raise AudioDeviceError(f"there is no {kind} {wanted!r}; there are: {names}")


def choose_rate(device: Device, wanted: int) -> tuple[int, int]:
    """Return the rate nearest to the wanted one, and how many channels, that a device can do.

    Returns:
        Hz, and 1 or 2 channels.

    Raises:
        AudioDeviceError: It can't do any; gives PortAudio's reason.
    """
    sd = load()
    check = sd.check_input_settings if device.side == "input" else sd.check_output_settings
    rates = sorted({*RATES, wanted, round(device.default_rate)}, key=lambda r: _distance(r, wanted))
    reason: Exception | None = None
    with lock:
        for channels in (1, 2)[: device.channels]:
            for rate in rates:
                try:
                    check(device.index, channels, "int16", None, rate)
                except (sd.PortAudioError, ValueError) as error:
                    reason = reason or error
                else:
                    return rate, channels
    raise AudioDeviceError(
        f"the {device.kind} {device.name!r} can't be used at any rate ({reason}): is it plugged "
        "in, and does another program hold it? Choose another one, or see 'piopiy-lab doctor'"
    )


def _distance(rate: int, wanted: int) -> float:
    return (wanted / rate if rate < wanted else rate / wanted) + (0.001 if rate < wanted else 0)


def look_again() -> None:
    """Let PortAudio look for devices again; it does so only when it starts.

    Does nothing while a stream of this process is open.
    """
    sd = load()
    with lock:
        if open_streams == 0:
            with _silent_stderr():
                sd._terminate()
                sd._initialize()


def count_stream(change: int) -> None:
    """Note that a stream was opened (1) or closed (-1)."""
    global open_streams
    with lock:
        open_streams += change


def _silence_alsa() -> None:
    """Let ALSA's messages go nowhere: they would land in notebook cells."""
    global _alsa_handler
    if _alsa_handler is not None or not sys.platform.startswith("linux"):
        return
    name = ctypes.util.find_library("asound")
    if name is None:
        return
    kind = ctypes.CFUNCTYPE(
        None, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p
    )
    _alsa_handler = kind(lambda *_: None)
    try:
        ctypes.CDLL(name).snd_lib_error_set_handler(_alsa_handler)
    except (OSError, AttributeError):
        return  # no ALSA that PortAudio could use either


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
