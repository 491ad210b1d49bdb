"""A view of an ended call as HTML that needs no kernel: the page's own code, and what it is told.

A widget in a saved notebook is a number of a kernel that is gone. So an ended call's view is put
out with all that the kernel would have answered: it opens anywhere, and plays.
Without its script (a notebook that is not trusted) the conversation stands there as text.
"""

from __future__ import annotations

import base64
import json
import math
from typing import Any

import numpy as np

from piopiy_lab.call.call import Call
from piopiy_lab.display import page
from piopiy_lab.display.mp3 import mp3_of
from piopiy_lab.errors import SavedCallError
from piopiy_lab.redaction import made_valid, redact
from piopiy_lab.widgets import assets
from piopiy_lab.widgets.feed import CallFeed, Message

#: More than this many seconds of sound are not put into a notebook: 10 minutes are about 4 MB.
MAX_SOUND_SECS = 600.0
#: The views that play, and those that show what the LLM was given; the others need not carry it.
PLAY, SHOW_CONTEXTS = {"panel", "vad", "transcript"}, {"panel", "context"}
#: Those whose transcript can be copied as a test.
HAVE_A_TRANSCRIPT = {"panel", "transcript"}


def kept_html(call: Call, view: str) -> str:
    """Return an ended call's view as HTML, the same each time, without secrets.

    Args:
        call: An ended or loaded call.
        view: Which view, as the page names it ("panel", "vad", ...).
    """
    feed = CallFeed(call)
    if view == "panel":
        feed.list_events()
    first = feed.pull()
    content, buffers = first if first is not None else ({}, [])
    contexts = []
    while view in SHOW_CONTEXTS and (context := feed.context(len(contexts))) is not None:
        contexts.append(context)
    kept: dict[str, Any] = redact({"view": view, "call": content, "contexts": contexts})
    kept["buffers"] = [_text(buffer) for buffer in buffers]  # samples, which may look like a key
    if view in HAVE_A_TRANSCRIPT:
        kept["code"] = redact(call.to_code())
    if view in PLAY:
        message, buffers = sound_message(call, MAX_SOUND_SECS)
        kept["sound"] = {"message": redact(message), "buffers": [_text(one) for one in buffers]}
    data = json.dumps(_finite(made_valid(kept)), separators=(",", ":"), allow_nan=False)
    data = data.replace("<", "\\u003c")  # nothing in it ends the script, or begins a comment
    told = page.conversation(call, playable=False)
    return (
        f"<style>{assets.style()}</style>\n"
        f'<div class="piopiy-kept">{told}<script type="application/json">{data}</script></div>\n'
        f"<script>{assets.page_script()}</script>"
    )


def sound_message(call: Call, max_secs: float) -> Message:
    """Return what a page is told that asks for an ended call's sound: it, or why there is none.

    Args:
        call: The call.
        max_secs: Seconds of the sound that are given at the most.
    """
    why = "this soundfile can't write MP3; update it (0.13 or later)"
    try:
        recording = call.recording
        sound = mp3_of(np.asarray(recording), recording.sample_rate, max_secs)
    except SavedCallError as error:
        sound, why = None, str(error)
    if sound is None:
        return {"kind": "refused", "what": "sound", "why": why}, []
    return {"kind": "sound", "type": "audio/mpeg"}, [sound]


def _finite(value: Any) -> Any:
    """Return a JSON value with what JSON has no number for (a model may give NaN) as text."""
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_finite(inner) for inner in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
