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

    def __init__(self) -> None:
        """Show the widget in the cell that runs now; on the kernel's main thread."""
        self._widget = BrowserMicrophoneWidget(_key=uuid.uuid4().hex)
        self._lock = threading.Lock()
        self._closed = False  # under _lock
        bundle = {
            **(self._widget._repr_mimebundle_() or ({},))[0],
            "text/plain": TEXT,
        }
        self._failed = False  # the page shows why; written by send()
        self._handle = display(bundle, raw=True, display_id=True)

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
        if not self._failed:
            if self._handle is not None:
                self._handle.update({"text/plain": ENDED_TEXT}, raw=True)
            self._widget.close()

    def __repr__(self) -> str:
        return "<WidgetChannel>"


def show() -> WidgetChannel:
    """Show the controls in the cell that runs now.

    Raises:
        UnsafeKernelError: The kernel would wedge.
    """
    kernel = sys.modules.get("ipykernel")
    check_kernel(getattr(kernel, "__version__", ""))
    return WidgetChannel()


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
