"""The widgets: each shows one part of a call, or all of it, and passes clicks on to the Call.

How it works: the page says "hello" when it draws a view, until it is answered; from then on the
pump's thread lets the view pull from the call's log and send what is new (``feed``). Without a page
nothing is pulled, so a headless run costs nothing. What a click asks for goes to the Call
(``commands``), and the page shows the change when its event has come back.
"""

from __future__ import annotations

import threading
from typing import Any

import anywidget
import numpy as np
import traitlets

from piopiy_lab.call.call import Call
from piopiy_lab.display.mp3 import mp3_of
from piopiy_lab.errors import ArgumentTypeError, SavedCallError
from piopiy_lab.redaction import made_valid, redact
from piopiy_lab.widgets import assets
from piopiy_lab.widgets.commands import obey
from piopiy_lab.widgets.feed import CallFeed
from piopiy_lab.widgets.pump import pump

#: More than this many seconds of sound are not sent to a page: half an hour is 9 MB.
MAX_SOUND_SECS = 1800.0


class CallView(anywidget.AnyWidget):
    """One view of a call; see the subclasses. Works on a running, an ended and a loaded call.

    Made on the kernel's main thread. Its messages come on whichever thread the kernel chooses.
    """

    _esm = assets.script()
    _css = assets.style()
    #: Which view the page draws.
    view = traitlets.Unicode("panel").tag(sync=True)

    def __init__(self, call: Call, **options: object) -> None:
        """Show a call.

        Args:
            call: What ``start_call()``, ``simulate()`` or ``Call.load()`` gave.
            **options: anywidget's own, such as ``layout``.

        Raises:
            ArgumentTypeError: It is no Call.
        """
        if not isinstance(call, Call):
            raise ArgumentTypeError(
                f"{type(self).__name__}({call!r}): give a Call, from start_call(), simulate() or "
                "Call.load()"
            )
        super().__init__(**options)
        self._call = call
        self._feed = CallFeed(call)
        self._pulling = threading.Lock()  # one pull at a time, whoever asks
        self.on_msg(self._on_message)

    def pull(self) -> bool:
        """Send what is new; on the pump's thread, or where the page's message came.

        Returns:
            Whether there may be more.
        """
        with self._pulling:
            message = self._feed.pull()
            if message is None:
                return False
            self.send(message[0], message[1])
            return True

    def send(self, content: Any, buffers: Any = None) -> None:
        """Send a message to the page: without secrets, and of text that every encoding takes."""
        super().send(made_valid(redact(content)), buffers)

    def _on_message(self, _: Any, content: Any, buffers: list[Any]) -> None:
        kind = content.get("kind") if isinstance(content, dict) else None
        if kind == "hello":
            with self._pulling:
                self._feed.restart()
            if self.pull() and self._call.state != "ended":
                pump.add(self)
        elif kind == "here":
            if self._call.state != "ended":
                pump.add(self)
        elif kind == "away":
            pump.remove(self)
        elif kind == "context":
            index = content.get("index")
            answer = self._feed.context(index) if type(index) is int else None
            if answer is not None:
                self.send(answer)
        elif kind == "sound":
            self._send_sound()
        else:
            refusal = obey(self._call, content)
            if refusal is not None:
                self.send(refusal)

    def _send_sound(self) -> None:
        """Send the recording, once the call is over."""
        if self._call.state != "ended":
            return
        try:
            recording = self._call.recording
        except SavedCallError as error:
            self.send({"kind": "refused", "what": "sound", "why": str(error)})
            return
        sound = mp3_of(np.asarray(recording), recording.sample_rate, MAX_SOUND_SECS)
        if sound is None:
            why = "this soundfile can't write MP3; update it (0.13 or later)"
            self.send({"kind": "refused", "what": "sound", "why": why})
            return
        self.send({"kind": "sound", "type": "audio/mpeg"}, [sound])

    def close(self) -> None:
        """Take the view away."""
        pump.remove(self)
        super().close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._call.call_id}>"

    def _repr_mimebundle_(self, **options: Any) -> Any:
        bundle = super()._repr_mimebundle_(**options)
        data = bundle[0] if isinstance(bundle, tuple) else bundle
        if data is not None:
            data["text/plain"] = repr(self)
        return bundle


class Panel(CallView):
    """Everything of a call: its state, both voices, the transcript, services and settings."""

    view = traitlets.Unicode("panel").tag(sync=True)


class VADPlot(CallView):
    """Both voices, what the detector thinks, turns and tools, live; with the detector's sliders."""

    view = traitlets.Unicode("vad").tag(sync=True)


class Transcript(CallView):
    """What was said, live: interim text in grey, tools, what was cut, latency at each reply."""

    view = traitlets.Unicode("transcript").tag(sync=True)


class ServiceSwitch(CallView):
    """Each switcher's services with their latencies so far; a click switches."""

    view = traitlets.Unicode("services").tag(sync=True)


class LatencyStrip(CallView):
    """A stacked bar for each answer, with a line for the budget."""

    view = traitlets.Unicode("latency").tag(sync=True)


class ContextInspector(CallView):
    """What the LLM was given in each turn."""

    view = traitlets.Unicode("context").tag(sync=True)
