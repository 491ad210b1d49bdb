"""The only glue to marimo: calls that show themselves below its cells.

Two things are otherwise than in Jupyter (``extension``). A cell's output is one piece, often the
user's own layout, so nothing in it is replaced when a call ends: the panel stays and shows the
ended call. And what a cell made goes away when it, or a cell that it reads from, runs again: so
does its call.

In ``marimo run`` every visitor has a notebook of his own on a thread of the same process, so
nothing is kept here for "the" notebook. Runs on the thread of the cell, marimo's kernel's.
marimo is imported only where it runs already.
"""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING, Any

from piopiy_lab.display import BrowserChannel, Hook, call_mimebundle
from piopiy_lab.notebook.seams import when_cell_is_gone

if TYPE_CHECKING:
    from piopiy_lab.call.call import Call
    from piopiy_lab.widgets.browser_microphone import BrowserMicrophoneWidget

#: A progress bar's length: its parts are whole numbers.
STEPS = 1000


def in_marimo() -> bool:
    """Return whether a marimo notebook runs on this thread (and not its file as a script)."""
    marimo = sys.modules.get("marimo")
    return marimo is not None and bool(marimo.running_in_notebook())


def hook() -> Hook:
    """Return what marimo gives to calls."""
    return Hook(show=_show, progress=_progress, browser_microphone=_browser_microphone)


def displayed(call: Call) -> object:
    """Return what marimo shows of a call that is a cell's value; see ``Call._display_``."""
    from piopiy_lab.widgets.framed import Framed

    if call.state == "ended" or not in_marimo():
        return Framed(call_mimebundle(call))
    return _shown.get(call) or _laid_out(call)


#: What shows a call in the cell that started it, while it is there: the call may be its value, too.
_shown: dict[Call, object] = {}
#: Controls that a call which is about to be shown needs, by thread.
_controls: dict[int, list[BrowserMicrophoneWidget]] = {}


def _show(obj: Any) -> None:
    if not in_marimo():
        return
    import marimo

    if hasattr(obj, "rows"):  # an agent's sessions
        when_cell_is_gone(obj.stop)
        marimo.output.append(obj)
    elif not hasattr(obj, "join"):
        marimo.output.append(obj)
    else:
        when_cell_is_gone(lambda: _gone(obj))
        _end_with_visitor(obj)
        _shown[obj] = _laid_out(obj)
        marimo.output.append(_shown[obj])


def _end_with_visitor(call: Call) -> None:
    """Have a call end with its notebook's thread, which in ``marimo run`` is a visitor's."""
    import marimo

    kernel = threading.current_thread()
    if kernel is threading.main_thread() or isinstance(kernel, marimo.Thread):
        return

    def wait() -> None:
        kernel.join()
        _gone(call)

    threading.Thread(target=wait, name="piopiy-marimo-visitor", daemon=True).start()


def _gone(call: Call) -> None:
    call.hang_up()
    _shown.pop(call, None)


def _laid_out(call: Call) -> object:
    """Return the call's panel, below the controls of its microphone."""
    import marimo

    from piopiy_lab.widgets import Panel

    view = Panel(call)
    when_cell_is_gone(view.close)
    return marimo.vstack([*_controls.pop(threading.get_ident(), []), view])


def _browser_microphone() -> BrowserChannel:
    from piopiy_lab.widgets.browser_microphone import WidgetChannel, controls

    widget = controls()
    _controls.setdefault(threading.get_ident(), []).append(widget)
    return WidgetChannel(widget)


class ProgressBar:
    """marimo's progress bar in the cell that runs now; it leaves nothing behind."""

    def __init__(self) -> None:
        """Show nothing yet."""
        self._shown: Any = None  # the context of the bar; made by the first update()
        self._bar: Any = None
        self._done = 0

    def update(self, part: float, text: str) -> None:
        """Show the part that is done, 0 to 1, and a text."""
        if self._shown is None:
            import marimo

            self._shown = marimo.status.progress_bar(
                total=STEPS, show_rate=False, show_eta=False, remove_on_exit=True
            )
            self._bar = self._shown.__enter__()
        done = round(STEPS * part)
        self._bar.update(done - self._done, subtitle=text)
        self._done = done

    def close(self) -> None:
        """Take it away."""
        if self._shown is not None:
            self._shown.__exit__(None, None, None)
        self._shown = None


def _progress() -> ProgressBar | None:
    return ProgressBar() if in_marimo() else None
