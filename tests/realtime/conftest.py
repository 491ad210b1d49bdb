"""What tests on the wall clock share: a warm process, and the virtual sound card."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from virtual_card import VirtualCard, need


@pytest.fixture(scope="session", autouse=True)
def warm() -> None:
    """Import what calls need and load the models, before the clock of any call runs."""
    if find_spec("pocketsphinx") is None:
        return
    from piopiy_lab import Caller, VoiceAgent, offline_stack, simulate

    async def create_session() -> None:
        agent = VoiceAgent(instructions="x", greeting="Hello.")
        stt, llm, tts = offline_stack()
        await agent.Action(stt=stt, llm=llm, tts=tts, vad=True)
        await agent.start()

    asyncio.run(simulate(create_session, Caller().hears_greeting().says("yes").waits(1)))


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
