"""Who speaks in ``piopiy-lab demo``: the best voice that is installed, told in one line.

The agent keeps espeak-ng's: Piper tells no word times, and the demo shows which words nobody heard
when the caller broke in.
"""

from __future__ import annotations

from dataclasses import replace

from piopiy_lab.screenplay.caller import Caller
from piopiy_lab.service_catalog.entries import catalog
from piopiy_lab.service_catalog.installed import missing_packages
from piopiy_lab.voicing.piper import found_voices

#: What the demo's people speak.
LANGUAGE = "en_"


def choose(caller: Caller) -> tuple[Caller, str]:
    """Return the caller with the best voice that is here, and the line that says so. Loads none."""
    there = sorted(name for name in found_voices() if name.startswith(LANGUAGE))
    if not there or missing_packages(catalog().find("tts", "piper")):
        more = 'pip install "piopiy-lab[piper]" has a neural one'
        return caller, f"Voices: espeak-ng's for both ({more})."
    told = f"Voices: Piper's {there[0]} for the caller, espeak-ng's for the desk."
    return replace(caller, voice=f"piper/{there[0]}"), told
