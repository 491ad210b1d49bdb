"""``BrowserMicrophone``: what a call in a notebook is on when its browser has the microphone.

Only the settings; ``transports.browser`` carries the audio, and the notebook shows the controls.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from piopiy_lab import display
from piopiy_lab.display import BrowserChannel
from piopiy_lab.errors import ArgumentError, ArgumentTypeError, NoBrowserError


@dataclass(frozen=True, kw_only=True)
class BrowserMicrophone:
    """The microphone and the loudspeakers of the computer whose browser shows the notebook.

    The kernel may be anywhere: audio takes the notebook's own connection, no other port. The cell
    that starts the call shows a button that starts the microphone, its level, and buttons to mute
    it and to choose a device. May be used for any number of calls, one at a time or several.

    Attributes:
        echo_cancellation: Take the agent's voice out of what the microphone hears; the browser's
            own canceller does it. Off only with headphones.
        noise_suppression: The browser's. Off by default: it makes interruptions hard to hear.
        auto_gain_control: The browser's.
        muted: Start with the microphone muted.
        timeout: Seconds in which a browser has to answer.
        start_timeout: Seconds that a person has for pressing the button and allowing the
            microphone; the agent greets only then.
    """

    echo_cancellation: bool = True
    noise_suppression: bool = False
    auto_gain_control: bool = True
    muted: bool = False
    timeout: float = 30.0
    start_timeout: float = 300.0

    def __post_init__(self) -> None:
        for name in ("echo_cancellation", "noise_suppression", "auto_gain_control", "muted"):
            if not isinstance(value := getattr(self, name), bool):
                raise ArgumentTypeError(f"BrowserMicrophone({name}={value!r}): give True or False")
        for name in ("timeout", "start_timeout"):
            _check_secs(name, getattr(self, name))

    @property
    def constraints(self) -> dict[str, bool]:
        """What ``getUserMedia`` is asked for, by its own names."""
        return {
            "echoCancellation": self.echo_cancellation,
            "noiseSuppression": self.noise_suppression,
            "autoGainControl": self.auto_gain_control,
        }

    def show(self) -> BrowserChannel:
        """Show the controls in the cell that runs now. For ``start_call``.

        Raises:
            NoBrowserError: This is no notebook.
            UnsafeKernelError: The notebook's kernel would wedge.
        """
        channel = display.browser_microphone()
        if channel is None:
            raise NoBrowserError(
                "BrowserMicrophone() needs a notebook in a browser, and this process is no "
                "notebook's kernel: run it in JupyterLab, or use Microphone()"
            )
        return channel


def _check_secs(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ArgumentTypeError(f"BrowserMicrophone({name}={value!r}): give seconds")
    if not (math.isfinite(value) and value > 0):
        raise ArgumentError(f"BrowserMicrophone({name}={value!r}): give more than 0 seconds")
