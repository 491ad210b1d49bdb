"""What a saved call's folder says of its caller, to be fed again by its own clock."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from piopiy_lab import events as ev
from piopiy_lab.checks.regular_files import open_regular
from piopiy_lab.errors import SavedCallError
from piopiy_lab.events.values import EndReason
from piopiy_lab.sound.heard import FLAC, WAV, Heard, heard_in

#: Bytes of meta.json that are read at the most.
LONGEST_META = 64 << 20


@dataclass(frozen=True)
class Recorded:
    """A caller as the pipeline heard them.

    Attributes:
        heard: The samples and their frames.
        spoke: Of a scripted caller: what was said, with its text, from and to the call's seconds.
        keys: Keys that were pressed, with the call's seconds.
        typed: Turns that were typed, with the call's seconds.
        reason: Why the call ended; None if it broke off.
    """

    heard: Heard
    spoke: tuple[ev.CallerSpoke, ...]
    keys: tuple[ev.DTMFReceived, ...]
    typed: tuple[ev.UserTextTyped, ...]
    reason: EndReason | None

    @property
    def hung_up(self) -> bool:
        """Whether the caller ended the call."""
        return self.reason in ("caller_hung_up", "hung_up", "cancelled")


def read_recorded(folder: Path) -> Recorded | None:
    """Read the caller of a saved call; None if the folder doesn't keep what was heard.

    Raises:
        SavedCallError: The folder's files can't be read.
    """
    try:
        with open_regular(folder / "meta.json") as file:
            meta = json.loads(file.read(LONGEST_META))
        told = meta.get("heard") if isinstance(meta, dict) else None
    except (OSError, ValueError, RecursionError):
        told = None
    if not any((folder / name).is_file() for name in (FLAC, WAV)):
        return None
    begins = 0.0
    spoke: list[ev.CallerSpoke] = []
    keys: list[ev.DTMFReceived] = []
    typed: list[ev.UserTextTyped] = []
    reason: EndReason | None = None
    for event in _events(folder / "events.jsonl"):
        match event:
            case ev.CallerSpoke():
                spoke.append(event)
            case ev.DTMFReceived():
                keys.append(event)
            case ev.UserTextTyped():
                typed.append(event)
            case ev.CallStateChanged(new="listening"):
                begins = event.at
            case ev.CallEnded():
                reason = event.reason
            case _:
                pass
    heard = heard_in(folder, told, begins)
    if heard is None:
        return None
    return Recorded(heard, tuple(spoke), tuple(keys), tuple(typed), reason)


def _events(path: Path) -> list[ev.Event]:
    found: list[ev.Event] = []
    try:
        with open_regular(path) as file:
            lines = file.read().splitlines()
    except OSError as error:
        raise SavedCallError(f"{path} can't be read ({error}); check its permissions") from error
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            found.append(ev.from_json(line.decode("utf-8")))
        except (SavedCallError, UnicodeDecodeError) as error:
            if number == len(lines):  # the process was killed in it
                break
            raise SavedCallError(f"line {number} of {path} is no event ({error})") from error
    return found
