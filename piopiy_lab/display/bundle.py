"""A call as the MIME bundle that notebooks ask for; the parts are put together here."""

from __future__ import annotations

import base64
import hashlib
import sys
from html import escape
from typing import Any

import numpy as np

from piopiy_lab.display import page
from piopiy_lab.display.mp3 import mp3_of
from piopiy_lab.display.shown import ShownCall
from piopiy_lab.display.wording import clock, facts_of, name_of

#: More than this many seconds of sound are not embedded: 10 minutes are about 4 MB of notebook.
MAX_SOUND_SECS = 600.0


def bundle_of(call: ShownCall) -> dict[str, object]:
    """Return ``text/plain`` and, where it can be seen, ``text/html``; see ``call_mimebundle``."""
    plain = str(call)
    if in_terminal():
        return {"text/plain": plain}
    return {"text/plain": plain, "text/html": html_of(call, plain)}


def html_of(
    call: ShownCall, plain: str, max_sound_secs: float = MAX_SOUND_SECS, *, alone: bool = True
) -> str:
    """Return the call as HTML that needs nothing from outside, deterministic.

    Args:
        call: The call.
        plain: It as text, of which the HTML's names are made.
        max_sound_secs: Seconds of its sound that the player gets.
        alone: Whether it brings its own style and script; False inside of a page that has them.
    """
    if call.state != "ended":
        return _running(call, alone)
    error = getattr(call, "error", None)
    failed = page.failure(error) if error is not None else ""
    if failed and not _has_begun(call):  # an empty picture and a player of nothing say nothing
        identity = hashlib.sha256(plain.encode()).hexdigest()[:12]
        return page.whole(identity, [page.heading(call), failed], alone=alone)
    sound, note = _sound(call, max_sound_secs)
    picture, frame = _picture(call)
    identity = hashlib.sha256(plain.encode() + sound + picture).hexdigest()[:12]
    alt = f"Timeline of {name_of(call)}: {', '.join(facts_of(call))}"
    parts = [
        failed,
        page.picture(_data("image/png", picture), frame, alt, _width_of(picture)),
        page.player(_data("audio/mpeg", sound)) if sound else "",
        page.note(note),
        page.conversation(call, playable=bool(sound)),
    ]
    return page.whole(identity, parts, alone=alone)


def picture_html(png: bytes, alt: str) -> str:
    """Return a picture alone as HTML: in a dark page it is dark, in a narrow one it scrolls.

    Args:
        png: The picture.
        alt: For those who can't see it.
    """
    shown = page.picture(_data("image/png", png), {}, alt, _width_of(png))
    return page.whole(hashlib.sha256(png).hexdigest()[:12], [shown])


def _has_begun(call: ShownCall) -> bool:
    """Whether anything was said or done in a call."""
    return bool(call.transcript or call.tool_calls or call.turns)


def _running(call: ShownCall, alone: bool) -> str:
    return page.whole(
        "running",
        [
            f"<div><b>{escape(name_of(call))}</b> {escape(call.state)}… {call.duration:.0f} s. "
            "<code>call.hang_up()</code> ends it.</div>"
        ],
        alone=alone,
    )


def _sound(call: ShownCall, max_secs: float) -> tuple[bytes, str]:
    """Return the sound as MP3, and what has to be said about it."""
    recording: Any = call.recording
    rate = int(getattr(recording, "sample_rate", 0) or 0)
    if not rate or not len(recording):
        return b"", "No sound was kept (record=False)." if call.duration else ""
    sound = mp3_of(np.asarray(recording), rate, max_secs)
    if sound is None:
        return b"", "No player: this soundfile can't write MP3; update it (0.13 or later)."
    if len(recording) > max_secs * rate:
        return sound, (
            f"The player holds the first {clock(max_secs)} only; call.save(...) keeps all of it."
        )
    return sound, ""


def _picture(call: ShownCall) -> tuple[bytes, dict[str, float]]:
    """Return the timeline as PNG, and where its clock is: fractions of its size, seconds."""
    figure = call.plot()
    for axes in figure.axes:
        if axes.get_label() == "backdrop":
            box, (start, end) = axes.get_position(), axes.get_xlim()
            frame = {"x0": box.x0, "x1": box.x1, "t0": start, "t1": end}
            frame |= {"y0": 1 - box.y1, "y1": 1 - box.y0}
            return figure._repr_png_(), frame
    return figure._repr_png_(), {}


def _width_of(png: bytes) -> int:
    """Return a PNG's width in pixels, which stands in its first chunk."""
    return int.from_bytes(png[16:20], "big")


def _data(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def in_terminal() -> bool:
    """Whether IPython runs in a terminal, where nobody can see HTML; IPython isn't imported."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell is not None and getattr(shell, "kernel", None) is None
