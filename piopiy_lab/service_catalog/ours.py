"""This package's own services as parts of a stack: the name "offline"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from piopiy_lab.errors import ArgumentError
from piopiy_lab.service_catalog.entries import KINDS
from piopiy_lab.service_catalog.wanted import Wanted


def make(
    kinds: Sequence[str], wanted: Mapping[str, Wanted], given: Mapping[str, Any]
) -> dict[str, Any]:
    """Make the offline services of some kinds.

    Args:
        kinds: Which.
        wanted: What was asked for; a tts takes a voice.
        given: Arguments for ``offline_stack``.

    Raises:
        ArgumentError: A model for what has none, or arguments that ``offline_stack`` refuses.
        MissingExtraError: The "offline" extra isn't installed.
    """
    for kind in kinds:
        one = wanted[kind]
        if one.options or (one.part and kind != "tts"):
            raise ArgumentError(
                f"{kind} 'offline' takes no model and no options; phrases, slots and replies go "
                "into stack(..., offline={...}), and a voice into tts='offline/<voice>'"
            )
    if not kinds:
        return {}
    from piopiy_lab.offline import EspeakTTSService, offline_stack

    voice = wanted["tts"].part if "tts" in wanted else ""
    if kinds == ["tts"]:
        return {"tts": EspeakTTSService(voice=voice or None)}
    try:
        made: dict[str, Any] = dict(zip(KINDS, offline_stack(**given), strict=True))
    except TypeError as error:
        if "unexpected keyword" not in str(error):
            raise
        raise ArgumentError(f"stack(offline={{...}}): {error}") from None
    if voice:
        made["tts"] = EspeakTTSService(voice=voice)
    return {kind: made[kind] for kind in kinds}
