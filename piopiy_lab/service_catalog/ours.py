"""This package's own services as parts of a stack: "offline" and "offline-realtime"."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from piopiy_lab.errors import ArgumentError
from piopiy_lab.events.values import ServiceKind
from piopiy_lab.service_catalog.entries import KINDS, OFFLINE_REALTIME
from piopiy_lab.service_catalog.wanted import Wanted


def make(
    wanted: Mapping[ServiceKind, Wanted], given: Mapping[str, object], *, text_only: bool
) -> dict[ServiceKind, Any]:
    """Make the offline services that were asked for, by kind.

    Args:
        wanted: What was asked for, by kind; a tts takes a voice.
        given: Arguments for ``offline_stack`` (or ``offline_realtime``).
        text_only: Whether the realtime stand-in is to write instead of speaking.

    Raises:
        ArgumentError: A model for what has none, or arguments that ``offline_stack`` refuses.
        MissingExtraError: The "offline" extra isn't installed.
    """
    for kind, one in wanted.items():
        if one.options or (one.part and kind != "tts"):
            raise ArgumentError(
                f"{kind} {one.name!r} takes no model and no options; phrases, slots and replies go "
                "into stack(..., offline={...}), and a voice into tts='offline/<voice>'"
            )
    if not wanted:
        return {}
    from piopiy_lab.offline import EspeakTTSService, offline_realtime, offline_stack

    made: dict[ServiceKind, Any] = {}
    if "llm" in wanted and wanted["llm"].name == OFFLINE_REALTIME:
        made["llm"] = _called(offline_realtime, {**given, "speaks": not text_only})
    if set(wanted) - {"tts"} - set(made):
        made = {**dict(zip(KINDS, _called(offline_stack, given), strict=True)), **made}
    if "tts" in wanted and (wanted["tts"].part or "tts" not in made):
        made["tts"] = EspeakTTSService(voice=wanted["tts"].part or None)
    return {kind: made[kind] for kind in wanted}


def _called(build: Callable[..., object], given: Mapping[str, object]) -> Any:
    try:
        return build(**given)
    except TypeError as error:
        if "unexpected keyword" not in str(error):
            raise
        raise ArgumentError(f"stack(offline={{...}}): {error}") from None
