"""Cassettes: what the services of a call answered, kept in a folder and played back.

``Cassette`` is one of them in one call. ``tape`` is the folder: a line for each thing that was
asked, a line for each thing that came of it, and the sound beside them. ``recording`` listens to
what a service does to its pipecat base class; ``playing`` does the same to it again, with the same
delays, and the service itself is never run: no socket, no key. ``realtime_recording`` and
``realtime_playing`` are the two for a model that hears the caller itself; what they go by are
``moments`` of the call. ``listings`` are the tools of MCP servers, ``sounds`` the sound's files.

Importing it is cheap: pipecat's services are loaded when there is a cassette.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING

from piopiy_lab.cassette.modes import RecordMode as RecordMode
from piopiy_lab.errors import ArgumentError

if TYPE_CHECKING:
    from piopiy_lab.cassette.cassette import Cassette as Cassette
    from piopiy_lab.cassette.misses import Miss as Miss

_HOME = {"Cassette": "cassette", "Miss": "misses"}


def open_cassette(
    cassette: str | Path | Cassette | None, record_mode: RecordMode | None = None
) -> Cassette | None:
    """Return the cassette that ``cassette=`` and ``record_mode=`` mean; None for none.

    Raises:
        ArgumentError: There is no such mode, or nothing that it could be for.
        ArgumentTypeError: ``cassette`` is no path.
        CassetteError: There is no cassette to play, or it can't be read.
    """
    if cassette is None:
        if record_mode is not None:
            raise ArgumentError(
                f"record_mode={record_mode!r} says what is done with a cassette, and none is "
                "given: cassette='cassettes/a_call'"
            )
        return None
    from piopiy_lab.cassette.cassette import Cassette

    if not isinstance(cassette, Cassette):
        return Cassette(cassette, record_mode)
    if record_mode is not None:
        raise ArgumentError("record_mode= is the Cassette's own: Cassette(folder, record_mode)")
    return cassette


if not TYPE_CHECKING:  # a checker would take any name for one of ours
    __all__ = ["Cassette", "Miss", "RecordMode", "open_cassette"]

    def __getattr__(name: str) -> object:
        if name not in _HOME:
            raise AttributeError(f"module 'piopiy_lab.cassette' has no attribute {name!r}")
        return getattr(importlib.import_module(f"piopiy_lab.cassette.{_HOME[name]}"), name)
