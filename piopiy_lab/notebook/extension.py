"""The only glue to IPython: installs the display hook in a notebook's kernel.

How a call gets into its cell: ``start_call`` calls ``display.show(call)``; the hook puts the live
panel there under a display id (a line of text where widgets can't be seen). When the call has
ended, the panel is replaced by the call's picture, conversation and player, so that a saved
notebook still shows and plays it - by whoever comes first of two: a daemon thread that waits for
the end (nobody runs a cell), or the end of a cell (a headless run, whose messages count only while
a cell runs). Nothing is drawn on the session's loop.

IPython is imported only where a kernel has loaded it already.
"""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING, Any

from piopiy_lab.checks.texts import described
from piopiy_lab.display import BrowserChannel, Hook, call_mimebundle, set_hook
from piopiy_lab.errors import CallError

if TYPE_CHECKING:
    from anywidget import AnyWidget

    from piopiy_lab.call.call import Call

#: The same for every call, so that a saved output is the same in every run.
PLACEHOLDER = "The call is running; when it has ended, it is shown here. call.hang_up() ends it."


def in_notebook() -> bool:
    """Return whether this process is a Jupyter kernel (and not IPython in a terminal)."""
    shell = _shell()
    return shell is not None and getattr(shell, "kernel", None) is not None


def install() -> bool:
    """Let calls show themselves, if this is a notebook; does nothing the second time.

    Call it on the kernel's main thread (importing the package does).

    Returns:
        Whether calls show themselves now.
    """
    if not in_notebook():
        return False
    global _installed
    if not _installed:
        _shell().events.register("post_run_cell", _finish_ended)
        _installed = True
    set_hook(
        Hook(
            show=_show,
            cell_key=_cell_key,
            progress=_progress,
            browser_microphone=_browser_microphone,
        )
    )
    return True


def load_ipython_extension(ipython: object) -> None:
    """Run for ``%load_ext piopiy_lab``: installs the hook, and lets ``import piopiy`` work."""
    from piopiy_lab import piopiy_alias

    install()
    piopiy_alias.enable()  # warns if another one is installed, which stands


def unload_ipython_extension(ipython: object) -> None:
    """Run for ``%unload_ext piopiy_lab``: calls no longer show themselves."""
    set_hook(None)


_installed = False  # written by install(): the kernel's main thread
_views: list[CallView] = []  # calls whose picture is still to come; under _views_lock
_views_lock = threading.Lock()
#: Controls that were shown in a cell, for the call that this cell is about to show, by thread.
_channels: dict[int, list[BrowserChannel]] = {}  # under _views_lock


class CallView:
    """One call's place in a notebook: the live panel until the call has ended."""

    def __init__(self, call: Call) -> None:
        """Show the panel; on the thread that runs the cell."""
        self.call = call
        self.finished: bool = False  # written by finish(), under _lock
        self._channels = _take_channels()  # the controls that were shown for it
        self._lock = threading.Lock()
        from IPython.display import display

        self._panel = panel(call)
        bundle = {**_view_of(self._panel), "text/plain": PLACEHOLDER}
        self._handle = display(bundle, raw=True, display_id=True)

    def watch(self) -> None:
        """Wait for the call's end, then show it: what the daemon thread runs."""
        self.call.join()
        self.finish()

    def finish(self) -> None:
        """Show the ended call, once; a second caller waits until that is done. Any thread."""
        with self._lock:
            if self.finished:
                return
            self.finished = True
            for channel in self._channels:
                channel.close()
            try:
                bundle = call_mimebundle(self.call)
            except Exception as error:  # say it where the picture would be; the call is not hurt
                told = f"{self.call!r} can't be shown: {described(error)}"
                bundle = {"text/plain": told}
            if self._handle is not None:
                self._handle.update(bundle, raw=True)
            self._panel.close()
        with _views_lock:
            if self in _views:
                _views.remove(self)


def panel(call: Call) -> AnyWidget:
    """Make the live panel of a call; on the kernel's main thread.

    Raises:
        CallError: This is no notebook.
    """
    if not in_notebook():
        raise CallError(
            "a panel needs a notebook's kernel (JupyterLab, say); call.plot() draws the call, and "
            "print(call) tells it"
        )
    from piopiy_lab.widgets import Panel

    return Panel(call)


def _view_of(widget: AnyWidget) -> dict[str, object]:
    """Return the widget's own part of its MIME bundle."""
    bundle = widget._repr_mimebundle_()
    data = bundle[0] if isinstance(bundle, tuple) else bundle
    return {name: value for name, value in (data or {}).items() if name != "text/plain"}


class ProgressLine:
    """A progress bar with a text in the cell that runs now; on the kernel's main thread."""

    def __init__(self) -> None:
        self._handle: Any = None  # made by the first update()

    def update(self, part: float, text: str) -> None:
        """Show the part that is done, 0 to 1, and a text without markup."""
        bundle = {
            "text/plain": f"{part:4.0%} {text}",
            "text/html": f'<progress value="{part:.3f}" max="1"></progress> {text}',
        }
        if self._handle is None:
            from IPython.display import display

            self._handle = display(bundle, raw=True, display_id=True)
        else:
            self._handle.update(bundle, raw=True)

    def close(self) -> None:
        """Leave an empty output: what a display shows can be replaced, but not taken back."""
        if self._handle is not None:
            self._handle.update({"text/plain": "", "text/html": ""}, raw=True)


def _progress() -> ProgressLine | None:
    """Open a progress line where a person looks: a front end that names its cells.

    A headless run (nbval, say) names none. Nobody watches it, and the empty output that the line
    leaves would be one more than the notebook was saved with.
    """
    return None if _cell_key() is None else ProgressLine()


def _show(obj: Any) -> None:
    if hasattr(obj, "rows"):  # an agent's sessions
        from piopiy_lab.notebook.live_table import show_live

        show_live(obj)
        return
    if not hasattr(obj, "join"):
        from IPython.display import display

        display(obj)
        return
    view = CallView(obj)
    with _views_lock:
        _views.append(view)
    threading.Thread(target=view.watch, name="piopiy-call-view", daemon=True).start()


def _browser_microphone() -> BrowserChannel:
    """Show a microphone's controls in the cell that runs now; the call shown next ends them."""
    from piopiy_lab.widgets.browser_microphone import show

    channel = show()
    with _views_lock:
        _channels.setdefault(threading.get_ident(), []).append(channel)
    return channel


def _take_channels() -> list[BrowserChannel]:
    with _views_lock:
        return _channels.pop(threading.get_ident(), [])


def _finish_ended(*_: object) -> None:
    """Show calls that ended while the cell ran, as part of the cell. The kernel's main thread."""
    with _views_lock:
        ended = [view for view in _views if view.call.state == "ended"]
    for view in ended:
        view.finish()


def _cell_key() -> str | None:
    """Return the id of the cell that runs, as JupyterLab and VS Code give it."""
    shell = _shell()
    header = shell.kernel.get_parent("shell") if shell is not None else {}
    key = header.get("metadata", {}).get("cellId")
    return None if key is None else str(key)


def _shell() -> Any:
    ipython = sys.modules.get("IPython")
    return None if ipython is None else ipython.get_ipython()
