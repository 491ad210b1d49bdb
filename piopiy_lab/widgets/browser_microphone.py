"""The controls of the browser's microphone, and the way between their page and a call.

The page's code is in the ``.js`` files beside this one, inlined: nothing is loaded from elsewhere.
"""

from __future__ import annotations

import json
import sys
import threading
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import anywidget
import traitlets
from IPython.display import display

from piopiy_lab.errors import UnsafeKernelError

_HERE = Path(__file__).parent
#: What a saved notebook, or one without a browser, shows in place of the controls.
TEXT = "The browser's microphone: its controls are here while the call runs."
ENDED_TEXT = "The browser's microphone is closed: the call has ended."


def _page_code() -> str:
    worklet = (_HERE / "browser_microphone_worklet.js").read_text(encoding="utf-8")
    page = (_HERE / "browser_microphone.js").read_text(encoding="utf-8")
    return f"const WORKLET = {json.dumps(worklet)};\n{page}"


class BrowserMicrophoneWidget(anywidget.AnyWidget):
    """A start button, a level meter, mute, the choice of the device, and a hang-up button."""

    _esm = _page_code()
    _css = (_HERE / "browser_microphone.css").read_text(encoding="utf-8")
    #: Names this widget in the page's session storage, so that a reload goes on with the call.
    _key = traitlets.Unicode("").tag(sync=True)

    def __repr__(self) -> str:
        return "<BrowserMicrophone controls>"


class WidgetChannel:
    """A :class:`~piopiy_lab.display.BrowserChannel` through a widget's comm.

    ipywidgets' sending is thread-safe; every method here may be called from any thread.
    """

    def __init__(
        self, widget: BrowserMicrophoneWidget, replace: Callable[[str], None] | None = None
    ) -> None:
        """Talk through a widget.

        Args:
            widget: What is shown, or will be.
            replace: Puts a text in the widget's place when the call has ended; None where the
                widget stays, and says it itself.
        """
        self._widget, self._replace = widget, replace
        self._lock = threading.Lock()
        self._closed = False  # under _lock
        self._failed = False  # the page shows why; written by send()

    def listen(self, receive: Callable[[object, object], None]) -> None:
        """Hand messages from the page to ``receive(message, buffers)``, on the comm thread."""
        self._widget.on_msg(lambda _widget, content, buffers: receive(content, buffers))

    def send(self, message: Mapping[str, object], data: bytes | None = None) -> None:
        """Send a message to the page."""
        if message.get("phase") == "failed":
            self._failed = True
        with self._lock:
            if not self._closed:
                self._widget.send(message, None if data is None else [data])

    def close(self) -> None:
        """Close the page's microphone and leave a text; what failed stays to be read."""
        if not self._failed:
            self.send({"type": "state", "phase": "ended"})
        with self._lock:
            if self._closed:
                return
            self._closed = True
        if not self._failed and self._replace is not None:
            self._replace(ENDED_TEXT)
            self._widget.close()

    def __repr__(self) -> str:
        return "<WidgetChannel>"


def controls() -> BrowserMicrophoneWidget:
    """Make the controls; on the kernel's main thread."""
    return BrowserMicrophoneWidget(_key=uuid.uuid4().hex)


def show() -> WidgetChannel:
    """Show the controls in the cell that runs now; on the main thread of a Jupyter kernel.

    Raises:
        UnsafeKernelError: The kernel would wedge.
    """
    kernel = sys.modules.get("ipykernel")
    check_kernel(getattr(kernel, "__version__", ""))
    widget = controls()
    bundle = {**(widget._repr_mimebundle_() or ({},))[0], "text/plain": TEXT}
    handle: Any = display(bundle, raw=True, display_id=True)
    return WidgetChannel(
        widget,
        lambda text: handle and handle.update({"text/plain": text}, raw=True),
    )


def check_kernel(version: str) -> None:
    """Refuse the versions of ipykernel that a stream of messages can stop for good.

    ipykernel 7.0 to 7.3, at 50 to 100 messages a second (ipykernel's issue 1554).

    Raises:
        UnsafeKernelError: It is one of them.
    """
    numbers = [int(part) for part in version.split(".")[:2] if part.isdigit()]
    if len(numbers) == 2 and numbers[0] == 7 and numbers[1] < 4:
        raise UnsafeKernelError(
            f"ipykernel {version} can stop for good while audio streams through it (7.0 to 7.3 "
            'do): pip install "ipykernel>=7.4", then restart the kernel'
        )
