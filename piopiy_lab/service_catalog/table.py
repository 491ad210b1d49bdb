"""``stacks()``: every service that ``stack()`` can name, and what it takes to use it here."""

from __future__ import annotations

import html
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from piopiy_lab.display.folded import folded_html
from piopiy_lab.errors import ArgumentError
from piopiy_lab.events.values import ServiceKind
from piopiy_lab.service_catalog.entries import KINDS, OFFLINE, OFFLINE_REALTIME, Entry, catalog
from piopiy_lab.service_catalog.environment import Environment
from piopiy_lab.service_catalog.usable import Usability, usability

#: The groups of rows, in order, and their headings.
GROUPS = {
    "usable": "Usable now",
    "download": "Usable; the first use downloads",
    "key": "Installed; needs a key",
    "server": "Installed; needs its server running",
    "install": "Needs to be installed",
    "unsupported": "Not for this Python or system",
}


@dataclass(frozen=True)
class Row:
    """One service, and what stands between the user and it.

    Attributes:
        name: Its short name.
        kind: "stt", "llm" or "tts".
        title: Whose it is.
        group: A key of :data:`GROUPS`.
        todo: What to do before it can be used, in order; empty when nothing is.
        notes: What else to know of it.
        local: Whether it runs on this machine.
        keys_at: Where to get a key, "" where none is needed.
    """

    name: str
    kind: ServiceKind
    title: str
    group: str
    todo: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    local: bool = False
    keys_at: str = ""

    @property
    def usable(self) -> bool:
        """Whether ``stack()`` makes it now; a download may come first."""
        return self.group in ("usable", "download")


class StackTable:
    """The services that ``stack()`` can name, those that are usable now first.

    A sequence of :class:`Row`. The same machine in the same state gives the same text.
    """

    def __init__(self, rows: Iterable[Row]) -> None:
        order = list(GROUPS)
        self._rows = tuple(
            sorted(rows, key=lambda r: (order.index(r.group), r.name, KINDS.index(r.kind)))
        )

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def usable(self) -> StackTable:
        """Only what ``stack()`` makes now."""
        return StackTable(row for row in self._rows if row.usable)

    def row(self, kind: ServiceKind, name: str) -> Row:
        """Return one row.

        Raises:
            ArgumentError: There is none, with the names that are near.
        """
        for row in self._rows:
            if (row.kind, row.name) == (kind, name):
                return row
        catalog().find(kind, name)  # says what is near
        raise ArgumentError(f"this table has no {kind} {name!r}: stacks() has all of them")

    def _lines(self) -> Iterator[tuple[str, str, str, str, Row]]:
        """Yield rows to show: a service that is alike for several kinds is one of them."""
        alike: dict[tuple[str, str, tuple[str, ...], tuple[str, ...]], list[Row]] = {}
        for row in self._rows:
            alike.setdefault((row.group, row.name, row.todo, row.notes), []).append(row)
        for (group, name, todo, notes), rows in alike.items():
            kinds = " ".join(row.kind for row in rows)
            yield group, kinds, name, "; ".join((*todo, *notes)), rows[0]

    def __repr__(self) -> str:
        lines: list[str] = []
        heading = ""
        for group, kinds, name, text, row in self._lines():
            if group != heading:
                lines += ["", GROUPS[group]] if lines else [GROUPS[group]]
                heading = group
            keys = f" (keys: {row.keys_at})" if row.keys_at and not row.usable else ""
            lines.append(f"  {kinds:11} {name:25} {text}{keys}".rstrip())
        return "\n".join(lines) if lines else "<StackTable: no rows>"

    def _repr_html_(self) -> str:
        """Return one screen: what is usable now, and the other groups to unfold."""
        groups: dict[str, list[tuple[str, ...]]] = {}
        for group, kinds, name, text, row in self._lines():
            title = html.escape(row.title)
            if row.keys_at:
                url = html.escape(row.keys_at, quote=True)
                title = f'<a href="{url}" target="_blank" rel="noopener">{title}</a>'
            cells = (
                f"<code>{html.escape(name)}</code>",
                kinds,
                f"{title}, {'here' if row.local else 'cloud'}",
                html.escape(text),
            )
            groups.setdefault(GROUPS[group], []).append(cells)
        return folded_html(groups, _HEADS, _WIDTHS)


_HEADS = ("name", "kind", "whose, where", "to do")
_WIDTHS = (22, 10, 24, 44)  # of the columns, percent


def stacks(
    kind: ServiceKind | None = None, *, env_file: str | os.PathLike[str] | None = None
) -> StackTable:
    """Show which services are usable right now, and what it takes to use the others.

    Nothing is imported or sent: it looks at installed packages, variables (of the environment and
    the nearest ``.env``), files, and whether a local server accepts a connection.

    Args:
        kind: "stt", "llm" or "tts"; all by default.
        env_file: A ``.env`` file to read instead of the nearest one.

    Raises:
        ArgumentError: An unknown kind, or a ``.env`` that can't be read.
    """
    if kind is not None and kind not in KINDS:
        raise ArgumentError(f"stacks({kind!r}): the kinds are {', '.join(map(repr, KINDS))}")
    environment = Environment(env_file)
    rows = [
        _row(entry, usability(entry, environment))
        for entry in catalog().entries.values()
        if kind in (None, entry.kind)
    ]
    ours = [_ours(one, OFFLINE) for one in KINDS if kind in (None, one)]
    if kind in (None, "llm"):
        ours.append(_ours("llm", OFFLINE_REALTIME))
    return StackTable([*rows, *ours])


def _row(entry: Entry, found: Usability) -> Row:
    todo: list[str] = []
    if found.packages:
        todo.append(entry.install)
    if found.variables:
        todo.append(f"set {' and '.join(found.variables)}")
    if found.server:
        todo.append(f"start the server ({found.server})")
    notes: list[str] = []
    if found.download:
        notes.append(f"downloads {found.download}")
    elif entry.server:
        notes.append(f"weights: {entry.download}")
    if entry.vad:
        notes.append("needs vad=True")
    if entry.realtime:
        notes.append("realtime" if entry.speaks else "realtime, needs a tts")
    if entry.note:
        notes.append(entry.note)
    return Row(
        name=entry.name,
        kind=entry.kind,
        title=entry.provider.title,
        group=_group(found),
        todo=tuple(todo),
        notes=tuple(notes),
        local=entry.local,
        keys_at=entry.provider.keys_at if entry.env else "",
    )


def _group(found: Usability) -> str:
    if found.unsupported:
        return "unsupported"
    if found.packages:
        return "install"
    if found.variables:
        return "key"
    if found.server:
        return "server"
    return "download" if found.download else "usable"


def _ours(kind: ServiceKind, name: str) -> Row:
    from importlib.util import find_spec

    realtime = name == OFFLINE_REALTIME
    needs = ["pocketsphinx"] if kind == "stt" or realtime else []
    needs += ["espeakng_loader"] if kind == "tts" or realtime else []
    there = all(find_spec(module) is not None for module in needs)
    notes = {
        "stt": ("hears phrases", "needs vad=True"),
        "llm": ("realtime", "follows rules", "needs vad=True") if realtime else ("follows rules",),
        "tts": (),
    }
    return Row(
        name=name,
        kind=kind,
        title="piopiy_lab",
        group="usable" if there else "install",
        todo=() if there else ('pip install "piopiy-lab[offline]"',),
        notes=notes[kind],
        local=True,
    )
