"""``Call.from_recording``: a call of its sound, with or without a transcript."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from piopiy_lab.elsewhere.building import build
from piopiy_lab.elsewhere.draft import Draft
from piopiy_lab.elsewhere.sounds import Given, read_sides
from piopiy_lab.elsewhere.transcripts import read_transcript

if TYPE_CHECKING:
    from piopiy_lab.call.call import Call

C = TypeVar("C", bound="Call")


def from_recording(
    make: type[C],
    recording: Given,
    *,
    transcript: Any = None,
    recogniser: Any = None,
    caller_channel: str | int = "left",
    agent_starts: float | None = None,
) -> C:
    """Make a call of a recording; see ``Call.from_recording``."""
    sides = read_sides(recording, caller_channel, agent_starts)
    said = [] if transcript is None else read_transcript(transcript)
    name = Path(recording if isinstance(recording, str | PathLike) else recording[0])
    draft = Draft(
        "recording", said, meta={"call_id": name.stem, "not_known": ["tools", "end_reason"]}
    )
    draft.notices.append(
        "a recording doesn't tell of tools, nor why the call ended: taken to be the caller's doing"
    )
    return build(make, draft, sides, recogniser)
