"""What ``stack()`` returns: services under their names, and why they were taken."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from piopiy_lab.events.values import ServiceKind
from piopiy_lab.redaction import redact_text
from piopiy_lab.service_catalog.entries import KINDS

#: Letters of a model or voice that a repr shows.
SHOWN = 32


@dataclass(frozen=True)
class Made:
    """One service of a stack.

    Attributes:
        kind: "stt", "llm" or "tts".
        name: Its short name, or its class's for a service of the user's.
        service: It; None when the session's runner puts another in its place.
        needs_vad: Whether it hears nothing to the end without voice activity detection.
        replaced: Whether the session's runner puts another in its place.
    """

    kind: ServiceKind
    name: str
    service: Any
    needs_vad: bool = False
    replaced: bool = False

    @property
    def detail(self) -> str:
        """Its model (the voice of a tts), as the service has it now; "" if it names none."""
        settings = getattr(self.service, "settings", None)
        names = ("voice", "model") if self.kind == "tts" else ("model",)
        found = next((v for v in (getattr(settings, n, None) for n in names) if _is_told(v)), "")
        path = Path(str(found))
        text = redact_text(path.name if path.is_absolute() else str(found))
        return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"

    def __str__(self) -> str:
        if self.replaced:
            return f"{self.name} (replaced in this call)"
        return f"{self.name}/{self.detail}" if self.detail else self.name


class Stack:
    """The services of one call.

    Unpacks as ``stt, llm, tts``, with None for what a realtime llm does itself, and as keyword
    arguments of ``Action`` with ``**stack``, which leaves those out.

    Attributes:
        parts: What there is, by kind: a :class:`Made` each.
        reasons: Why "auto" chose what it did, by kind; empty when everything was named.
    """

    def __init__(
        self, parts: Mapping[ServiceKind, Made], reasons: Mapping[ServiceKind, str]
    ) -> None:
        self.parts: dict[str, Made] = {kind: parts[kind] for kind in KINDS if kind in parts}
        self.reasons: dict[str, str] = {kind: reasons[kind] for kind in KINDS if kind in reasons}

    @property
    def stt(self) -> Any:
        """Speech recognition; None where the llm hears itself."""
        return self._service("stt")

    @property
    def llm(self) -> Any:
        """The language model's service."""
        return self._service("llm")

    @property
    def tts(self) -> Any:
        """Speech synthesis; None where the llm speaks itself."""
        return self._service("tts")

    @property
    def needs_vad(self) -> bool:
        """Whether ``Action`` needs ``vad=True`` with this stack."""
        return any(part.needs_vad for part in self.parts.values())

    def _service(self, kind: ServiceKind) -> object:
        part = self.parts.get(kind)
        return None if part is None else part.service

    def __iter__(self) -> Iterator[object]:
        return (self._service(kind) for kind in KINDS)

    def __len__(self) -> int:
        return len(KINDS)

    def keys(self) -> list[str]:
        """Return the kinds that there are: what makes ``**stack`` work."""
        return list(self.parts)

    def __getitem__(self, kind: str) -> Any:
        return self.parts[kind].service

    def __repr__(self) -> str:
        named = " ".join(f"{kind}={part}" for kind, part in self.parts.items())
        vad = ", needs vad=True" if self.needs_vad else ""
        lines = [f"<Stack {named}{vad}>"]
        lines += [
            f"  {kind}: {self.parts[kind].name}, because {reason}"
            for kind, reason in self.reasons.items()
        ]
        return "\n".join(lines)


def _is_told(value: object) -> bool:
    """Return whether a setting is given: pipecat marks those that aren't with an object."""
    return isinstance(value, str | int) and not isinstance(value, bool) and bool(value)
