"""The widgets: each shows one part of a call, or all of it, and passes clicks on to the Call.

How it works: the page says "hello" when it draws a view, until it is answered; from then on the
pump's thread lets the view pull from the call's log and send what is new (``feed``). Without a page
nothing is pulled, so a headless run costs nothing. What a click asks for goes to the Call
(``commands``), and the page shows the change when its event has come back.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

import anywidget
import traitlets

from piopiy_lab.call.call import Call
from piopiy_lab.checks.arguments import is_number
from piopiy_lab.display.mp3 import mp3_of
from piopiy_lab.errors import ArgumentTypeError
from piopiy_lab.redaction import made_valid, redact
from piopiy_lab.widgets import assets
from piopiy_lab.widgets.commands import obey
from piopiy_lab.widgets.feed import CallFeed
from piopiy_lab.widgets.framed import Framed
from piopiy_lab.widgets.kept import kept_html, sound_message
from piopiy_lab.widgets.pump import pump

#: Seconds of sound that are played of one turn while a call runs.
MAX_CLIP_SECS = 120.0
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
        self._seen = self._closing = False  # by a page; when the last page is gone
        #: Makes the MIME bundle that takes its place when the call has ended; on any thread.
        self.kept: Callable[[], dict[str, object]] = self.kept_bundle
        self.on_msg(self._on_message)

    @property
    def call(self) -> Call:
        """The call it shows."""
        return self._call

    def pull(self) -> bool:
        """Send what is new; on the pump's thread, or where the page's message came.

        Returns:
            Whether there may be more.
        """
        with self._pulling:
            message = self._feed.pull()
            if message is None:
                return False
            content, buffers = message
            if content.get("reset"):
                content["model_id"] = self.model_id  # by which a page finds its place
            self.send(content, buffers)
            return True

    def send(self, content: Any, buffers: Any = None) -> None:
        """Send a message to the page: without secrets, and of text that every encoding takes."""
        super().send(made_valid(redact(content)), buffers)

    def _on_message(self, _: Any, content: Any, buffers: list[Any]) -> None:
        kind = content.get("kind") if isinstance(content, dict) else None
        if kind == "hello":
            self._seen = True
            with self._pulling:
                self._feed.restart()
            if self.pull() and self._call.state != "ended":
                pump.add(self)
        elif kind == "here":
            if self._call.state != "ended":
                pump.add(self)
        elif kind == "away":
            pump.remove(self)
            if self._closing and content.get("gone"):
                self.close()
        elif kind == "keep":
            if self._call.state == "ended":
                answer = {"kind": "kept", "model_id": self.model_id, "bundle": self.kept()}
                super().send(made_valid(answer))  # a page of its own, already without secrets
        elif kind == "context":
            index = content.get("index")
            answer = self._feed.context(index) if type(index) is int else None
            if answer is not None:
                self.send(answer)
        elif kind == "sound":
            self._send_sound()
        elif kind == "clip":
            self._send_clip(content)
        elif kind == "code":
            if self._call.state == "ended":
                self.send({"kind": "code", "text": self._call.to_code()})
        elif kind == "events":
            with self._pulling:
                self._feed.list_events()
            self.pull()
        else:
            refusal = obey(self._call, content)
            if refusal is not None:
                self.send(refusal)

    def _send_sound(self) -> None:
        """Send the recording, once the call is over."""
        if self._call.state != "ended":
            return
        self.send(*sound_message(self._call, MAX_SOUND_SECS))

    def _send_clip(self, content: Mapping[str, object]) -> None:
        """Send a piece of the sound so far: what was said in a turn, while the call goes on."""
        start, end = content.get("from"), content.get("to")
        if not is_number(start) or not is_number(end) or not 0 <= start < end:
            self.send({"kind": "refused", "what": "clip", "why": f"no such time: {start} to {end}"})
            return
        source = self._call.sample_source
        last = min(end, start + MAX_CLIP_SECS)
        samples = source.read(round(start * source.sample_rate), round(last * source.sample_rate))
        sound = mp3_of(samples, source.sample_rate, MAX_CLIP_SECS) if len(samples) else None
        if sound is None:
            self.send({"kind": "refused", "what": "clip", "why": "there is no sound to play"})
            return
        super().send({"kind": "clip", "type": "audio/mpeg"}, [sound])

    def tell_end(self) -> None:
        """Tell the pages that the call is over, though none may look at it just now."""
        if self._seen:
            self.pull()

    def close_unseen(self) -> None:
        """Close it when no page shows it any more: at once, or when the page says so."""
        self._closing = True
        if not self._seen:
            self.close()

    def close(self) -> None:
        """Take the view away."""
        pump.remove(self)
        super().close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._call.call_id}>"

    def kept_bundle(self) -> dict[str, object]:
        """Return this view of an ended call as a MIME bundle that needs no kernel."""
        return {"text/plain": repr(self), "text/html": kept_html(self._call, self.view)}

    def _display_(self) -> object:
        """Show itself in marimo, which asks for this; an ended call's view needs no kernel."""
        if self._call.state == "ended":
            return Framed(self.kept_bundle())
        import marimo

        return marimo.ui.anywidget(self)

    def _repr_mimebundle_(self, **options: Any) -> Any:
        if self._call.state == "ended":
            return self.kept_bundle()
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
