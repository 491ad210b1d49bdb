"""What ``piopiy-lab doctor`` finds out about sound: devices, their rates, and what they give.

This is the one check that opens something: each default device for a second, and it says so.
Nothing that is heard is kept or sent; only how loud it was is printed.
"""

from __future__ import annotations

import time
from importlib.util import find_spec

import numpy as np

from piopiy_lab.cli.check import Check
from piopiy_lab.errors import AudioDeviceError
from piopiy_lab.events.values import Side
from piopiy_lab.sound import pcm
from piopiy_lab.sound.pcm import Int16
from piopiy_lab.transports import devices
from piopiy_lab.transports.devices import Device
from piopiy_lab.transports.microphones import HALF_DUPLEX

#: Seconds for which each default device is opened, once it runs.
OPEN_SECS = 1.0
#: dBFS below which a microphone counts as silent: muted, or not allowed to hear.
SILENT_DBFS = -90.0
NOTE = "the default devices were open for a second each; nothing was kept"


def audio_checks() -> list[Check]:
    """Return what is known of the devices; never raises."""
    try:
        there = devices.devices()
        version = devices.version()
    except AudioDeviceError as error:
        return [Check("audio devices", "missing", str(error), remedy=devices.how_to_install())]
    ins, outs = ([d for d in there if d.side == side] for side in ("input", "output"))
    checks = [Check("audio devices", "ok", f"{version}; {len(ins)} in, {len(outs)} out; {NOTE}")]
    checks += [_listed(device) for device in there]
    if not ins or not outs:
        what = "no microphone" if outs else ("no speaker" if ins else "no audio device")
        checks[0] = Check(
            "audio devices",
            "missing",
            f"{version}; {len(ins)} in, {len(outs)} out: {what}",
            remedy="simulated calls need none; to talk, plug one in, or use BrowserMicrophone() "
            "in a notebook that runs elsewhere",
        )
        return checks
    checks += [_opened("input"), _opened("output"), _echo()]
    return checks


def _listed(device: Device) -> Check:
    default = ", the default" if device.default else ""
    return Check(
        f"  {device.kind} {device.index}",
        "ok",
        f"{device.name!r} ({device.host}, {device.default_rate:g} Hz{default})",
    )


def _opened(side: Side) -> Check:
    from piopiy_lab.transports.sound_card import CaptureStream, PlayBuffer, PlayStream

    name = "microphone" if side == "input" else "speaker"
    heard: list[Int16] = []
    try:
        device = devices.find(side, None)
        if side == "input":
            stream = CaptureStream(device, 16000, lambda age, block: heard.append(block))
        else:
            stream = PlayStream(device, 24000, PlayBuffer(), lambda *_: None)
    except AudioDeviceError as error:
        return Check(
            name, "failed", str(error), remedy="close what else uses it, or choose another"
        )
    try:
        deadline = time.monotonic() + 4.0
        while not stream.started and time.monotonic() < deadline:
            time.sleep(0.02)
        heard.clear()
        time.sleep(OPEN_SECS)
        if not stream.started:
            return Check(name, "failed", f"{device.name!r} opens and gives nothing")
    finally:
        stream.close()
    runs = f"{device.name!r} at {stream.rate} Hz, {1000 * stream.latency_secs:.0f} ms"
    if side == "output":
        return Check(name, "ok", f"{runs}; played a second of silence")
    level = pcm.dbfs(pcm.rms(pcm.mono(np.concatenate(heard)))) if heard else pcm.SILENCE_DBFS
    if level < SILENT_DBFS:
        return Check(
            name,
            "ok",
            f"{runs}; heard nothing at all",
            remedy="is it muted, or does this program lack the system's permission to listen?",
        )
    return Check(name, "ok", f"{runs}; heard {level:.0f} dBFS")


def _echo() -> Check:
    if find_spec("livekit") is not None:
        return Check("echo", "ok", "open speakers work: Microphone() takes the echo out")
    return Check(
        "echo",
        "missing",
        "no echo cancellation: with open speakers the agent would interrupt itself",
        remedy='pip install "piopiy-lab[echo]"; or headphones, '
        "Microphone(echo_cancellation=False); or take turns, "
        f"Microphone(echo_cancellation={HALF_DUPLEX!r})",
    )
