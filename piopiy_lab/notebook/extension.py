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
from piopiy_lab.display import BrowserChannel, CallPages, Hook, call_mimebundle, set_hook
from piopiy_lab.errors import CallError
from piopiy_lab.notebook import marimo_cells
from piopiy_lab.notebook.cell_outputs import CellOutputs
from piopiy_lab.notebook.marimo_cells import in_marimo

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anywidget import AnyWidget

    from piopiy_lab.call.call import Call
    from piopiy_lab.widgets.call_fetcher import CallFetcher
    from piopiy_lab.widgets.view import CallView

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
    if in_marimo():
        set_hook(marimo_cells.hook())
        return True
    if not in_notebook():
        return False
    global _installed, _outputs
    if not _installed:
        _shell().events.register("post_run_cell", _finish_ended)
        _outputs = CellOutputs(_shell().kernel)
        _shell().display_formatter.ipython_display_formatter.for_type_by_name(
            "piopiy_lab.widgets.view", "CallView", _display_widget
        )
        _installed = True
    set_hook(
        Hook(
            show=_show,
            cell_key=_cell_key,
            progress=_progress,
            browser_microphone=_browser_microphone,
            offer_calls=_offer_calls,
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


#: What Colab's user runs once in a session, or no widget that is not Google's is shown.
COLAB = (
    "If Colab shows nothing below: it wants to be asked once for widgets like these. Run\n"
    "    from google.colab import output; output.enable_custom_widget_manager()\n"
    "and then this cell again."
)
_colab_helped = False  # written by _help_colab(), the kernel's main thread: it is said once
_installed = False  # written by install(): the kernel's main thread
_outputs: CellOutputs | None = None  # as _installed
_fetcher: CallFetcher | None = None  # made by _offer_calls(), the kernel's main thread
_places: list[Place] = []  # of calls that have not ended; under _places_lock
_places_lock = threading.Lock()
#: Controls that were shown in a cell, for the call that this cell is about to show, by thread.
_channels: dict[int, list[BrowserChannel]] = {}  # under _places_lock


class Place:
    """Where a call is shown in a notebook: live until it has ended, then as it is to be kept."""

    def __init__(
        self,
        call: Call,
        widget: CallView,
        text: str,
        channels: Sequence[BrowserChannel] | None = None,
    ) -> None:
        """Show a widget; on the thread that runs the cell.

        Args:
            call: The call.
            widget: What shows it while it runs.
            text: What is seen where widgets can't be.
            channels: Controls that go with the widget when the call has ended, and the widget's
                comm with them; None where the widget is the user's own.
        """
        self.call, self._widget = call, widget
        self._channels = channels
        self.finished: bool = False  # written by finish(), under _lock
        self._lock = threading.Lock()
        from IPython.display import display

        bundle = {**_view_of(widget), "text/plain": text}
        self._handle = display(bundle, raw=True, display_id=True)
        with _places_lock:
            _places.append(self)
        threading.Thread(target=self.watch, name="piopiy-call-view", daemon=True).start()

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
            for channel in self._channels or ():
                channel.close()
            try:
                bundle = self._widget.kept()
            except Exception as error:  # say it where the picture would be; the call is not hurt
                told = f"{self.call!r} can't be shown: {described(error)}"
                bundle = {"text/plain": told}
            if self._handle is not None:
                self._handle.update(bundle, raw=True)
            self._widget.tell_end()  # a page that was loaded again does not know the place above
            if self._channels is not None:
                self._widget.close_unseen()
        with _places_lock:
            if self in _places:
                _places.remove(self)


def panel(call: Call) -> CallView:
    """Make the live panel of a call; on the kernel's main thread.

    Raises:
        CallError: This is no notebook.
    """
    if not in_notebook() and not in_marimo():
        raise CallError(
            "a panel needs a notebook's kernel (JupyterLab, marimo); call.plot() draws the call, "
            "and print(call) tells it"
        )
    from piopiy_lab.widgets import Panel

    return Panel(call)


def _help_colab() -> None:
    """Say once what Colab needs before it shows a widget that is not Google's."""
    global _colab_helped
    if "google.colab" in sys.modules and not _colab_helped:
        _colab_helped = True
        print(COLAB)  # noqa: T201 - where the widget will be missing


def _view_of(widget: AnyWidget) -> dict[str, object]:
    """Return the widget's own part of its MIME bundle."""
    bundle = widget._repr_mimebundle_()
    data = bundle[0] if isinstance(bundle, tuple) else bundle
    return {name: value for name, value in (data or {}).items() if name != "text/plain"}


class ProgressLine:
    """A progress bar with a text in the cell that runs now; on the kernel's main thread.

    It is there only where the cell has put out nothing else, and then it goes without a trace: a
    saved notebook is the same whether the machine was so slow that the bar came up or not.
    """

    def __init__(self, outputs: CellOutputs) -> None:
        """Show nothing yet."""
        self._outputs = outputs
        self._handle: Any = None  # made by the first update()
        self._wanted = True

    def update(self, part: float, text: str) -> None:
        """Show the part that is done, 0 to 1, and a text without markup."""
        bundle = {
            "text/plain": f"{part:4.0%} {text}",
            "text/html": f'<progress value="{part:.3f}" max="1"></progress> {text}',
        }
        if self._handle is None:
            if not self._wanted or self._outputs.count():
                self._wanted = False  # what the cell prints says how far it is
                return
            from IPython.display import display

            self._handle = display(bundle, raw=True, display_id=True)
        else:
            self._handle.update(bundle, raw=True)

    def close(self) -> None:
        """Take it away; where something came below it meanwhile, it leaves an empty output."""
        if self._handle is None:
            return
        if self._outputs.count() == 1:
            from IPython.display import clear_output

            clear_output()
        else:
            self._handle.update({"text/plain": "", "text/html": ""}, raw=True)
        self._handle, self._wanted = None, False


def _progress() -> ProgressLine | None:
    """Open a progress line where a person looks: a front end that names its cells.

    A headless run (nbval, say) names none, and nobody watches it.
    """
    return None if _outputs is None or _cell_key() is None else ProgressLine(_outputs)


def _show(obj: Any) -> None:
    if hasattr(obj, "rows"):  # an agent's sessions
        from piopiy_lab.notebook.live_table import show_live

        show_live(obj)
        return
    if not hasattr(obj, "join"):
        from IPython.display import display

        display(obj)
        return
    _help_colab()
    widget = panel(obj)
    widget.kept = lambda: call_mimebundle(obj)
    Place(obj, widget, PLACEHOLDER, _take_channels())


def _display_widget(widget: CallView) -> None:
    """Show a view of a call that is a cell's value; on the kernel's main thread."""
    if widget.call.state == "ended":
        from IPython.display import display

        display(widget.kept(), raw=True)
    else:
        _help_colab()
        Place(widget.call, widget, repr(widget))


def _browser_microphone() -> BrowserChannel:
    """Show a microphone's controls in the cell that runs now; the call shown next ends them."""
    from piopiy_lab.widgets.browser_microphone import show

    _help_colab()
    channel = show()
    with _places_lock:
        _channels.setdefault(threading.get_ident(), []).append(channel)
    return channel


def _offer_calls(batch: str, pages: CallPages) -> None:
    """Have the page ask for a table's calls; not in a headless run, where nobody clicks."""
    global _fetcher
    if _cell_key() is None:
        return
    from piopiy_lab.widgets.call_fetcher import CallFetcher

    _fetcher = _fetcher or CallFetcher()
    _fetcher.offer(batch, pages)


def _take_channels() -> list[BrowserChannel]:
    with _places_lock:
        return _channels.pop(threading.get_ident(), [])


def _finish_ended(*_: object) -> None:
    """Show calls that ended while the cell ran, as part of the cell. The kernel's main thread."""
    with _places_lock:
        ended = [place for place in _places if place.call.state == "ended"]
    for place in ended:
        place.finish()


def _cell_key() -> str | None:
    """Return the id of the cell that runs, as JupyterLab and VS Code give it."""
    shell = _shell()
    header = shell.kernel.get_parent("shell") if shell is not None else {}
    key = header.get("metadata", {}).get("cellId")
    return None if key is None else str(key)


def _shell() -> Any:
    ipython = sys.modules.get("IPython")
    return None if ipython is None else ipython.get_ipython()
