"""The virtual sound card as a fixture."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from virtual_card import VirtualCard, need


@pytest.fixture(scope="session")
def card() -> Iterator[VirtualCard]:
    """The virtual sound card, which PortAudio sees as its default device."""
    for program in ("pulseaudio", "pactl", "paplay", "parec"):
        if shutil.which(program) is None:
            need(f"no {program}: apt install pulseaudio pulseaudio-utils libasound2-plugins")
    from piopiy_lab.errors import AudioDeviceError
    from piopiy_lab.transports import devices

    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o700)
        card = VirtualCard(Path(folder))
        names = ("PULSE_SERVER", "PULSE_RUNTIME_PATH")
        before = {name: os.environ.get(name) for name in names}
        os.environ.update({name: card.env[name] for name in names})
        try:
            try:
                devices.look_again()
                devices.find("input", "pulse")
            except AudioDeviceError as error:
                need(f"PortAudio does not see PulseAudio ({error})")
            yield card
        finally:
            for name, value in before.items():
                os.environ.pop(name, None) if value is None else os.environ.update({name: value})
            card.stop()
