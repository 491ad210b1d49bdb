"""Showing calls: one hook for front ends, and a call as text and HTML.

Knows neither IPython nor how figures are drawn; nothing is computed before it is shown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from piopiy_lab.display.hook import BrowserChannel as BrowserChannel
from piopiy_lab.display.hook import CallPages as CallPages
from piopiy_lab.display.hook import Hook as Hook
from piopiy_lab.display.hook import Progress as Progress
from piopiy_lab.display.hook import browser_microphone as browser_microphone
from piopiy_lab.display.hook import cell_key as cell_key
from piopiy_lab.display.hook import no_progress as no_progress
from piopiy_lab.display.hook import offer_calls as offer_calls
from piopiy_lab.display.hook import progress as progress
from piopiy_lab.display.hook import progress_after_secs as progress_after_secs
from piopiy_lab.display.hook import set_hook as set_hook
from piopiy_lab.display.hook import show as show

if TYPE_CHECKING:
    from piopiy_lab.display.shown import ShownCall

__all__ = [
    "BrowserChannel",
    "CallPages",
    "Hook",
    "Progress",
    "browser_microphone",
    "call_mimebundle",
    "cell_key",
    "offer_calls",
    "no_progress",
    "progress",
    "progress_after_secs",
    "set_hook",
    "show",
]


def call_mimebundle(call: ShownCall) -> dict[str, object]:
    """Return how a call is shown: ``text/plain`` and, outside of terminals, ``text/html``.

    The HTML of an ended call has the timeline, the conversation as words to click, and a player
    with the sound in it, so that a saved notebook still talks; a running call's is one line.
    The same call gives the same bundle, byte for byte.

    Takes about a second for half a minute of call. Safe from any thread.
    """
    from piopiy_lab.display.bundle import bundle_of

    return bundle_of(call)
