"""Which kind of pipeline the given parts make, and what a realtime model must be able to do.

"cascaded": recognition, language model, synthesis. "hybrid": a realtime model hears the caller
itself, and a synthesis speaks its text. "speech": a realtime model hears and speaks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from piopiy_lab.errors import ArgumentError

Mode = Literal["cascaded", "hybrid", "speech"]


def is_realtime(llm: object) -> bool:
    """Whether an LLM service hears audio itself, by its own account."""
    describe = getattr(llm, "service_metadata_frame", None)
    return bool(describe and getattr(describe(), "is_realtime_service", False))


def speaks(llm: object) -> bool | None:
    """Whether a realtime model gives audio (True) or text (False); None if it doesn't tell."""
    told = getattr(llm, "speaks", None)  # ours
    if isinstance(told, bool):
        return told
    settings = getattr(llm, "settings", None)
    session = getattr(settings, "session_properties", None)  # OpenAI's and those that speak like it
    if session is not None and hasattr(session, "output_modalities"):
        return "audio" in (session.output_modalities or ["audio", "text"])
    modality = getattr(settings, "modalities", None)  # Gemini Live
    name = getattr(modality, "value", modality)
    return name.upper() == "AUDIO" if isinstance(name, str) else None


def find_mode(*, stt: object, llm: object, tts: object) -> Mode:
    """Return what the parts make.

    Args:
        stt: The recognition, None where it is left out.
        llm: The language model's service.
        tts: The synthesis, None where it is left out.

    Raises:
        ArgumentError: A part is missing that this llm can't do without, or the llm's output
            doesn't fit: it speaks beside a synthesis, or doesn't without one.
    """
    missing = [name for name, part in (("stt", stt), ("tts", tts)) if part is None]
    if not missing:
        return "cascaded"
    name = type(llm).__name__
    need = " and ".join(f"{part} (or {part}_switcher)" for part in missing)
    if not is_realtime(llm):
        raise ArgumentError(
            f"Action() is missing {need}: provide stt or stt_switcher, and tts or tts_switcher; "
            f"only a realtime llm does without, and {name} is none"
        )
    if missing == ["tts"]:
        raise ArgumentError(
            f"Action() is missing {need}: a realtime llm that speaks hears the caller itself, so "
            "leave stt out too; with an stt, give a tts"
        )
    audio = speaks(llm)
    if tts is None:
        if audio is False:
            raise ArgumentError(
                f"Action() is missing {need}: this {name} gives text, and nobody speaks it; add a "
                "tts, or let the llm give audio"
            )
        return "speech"
    if audio is True:
        raise ArgumentError(
            f"Action(llm=..., tts=...): this {name} speaks itself, and the caller would hear two "
            "voices: leave tts out, or let the llm give text (OpenAI: "
            'output_modalities=["text"]; Gemini: modalities=TEXT)'
        )
    return "hybrid"


_GREETING = "(The call begins. Greet the caller now, with these words: {})"
_LINE = "(Say these words now: {})"


def greeting_request(greeting: str) -> object:
    """Return the message that makes a realtime model open the call with a greeting."""
    return {"role": "user", "content": _GREETING.format(greeting)}


def line_request(text: str, note: str = "") -> object:
    """Return the message that makes a realtime model say a line, behind what it should know."""
    return {"role": "user", "content": f"{note} {_LINE.format(text)}".lstrip()}


def requested_line(message: Mapping[str, object]) -> str | None:
    """Return what a message of these two asks for, None if it is another one."""
    content = message.get("content")
    for form in (_GREETING, _LINE):
        start, end = form.split("{}")
        if isinstance(content, str) and start in content and content.endswith(end):
            return content[content.index(start) + len(start) : -len(end)]
    return None
