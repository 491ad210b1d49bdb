"""The one hook between calls and whatever shows them.

A call is shown by ``show(call)``; what that does is up to whoever installed a hook (the notebook
glue). Without one, nothing happens: no import, no output.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol

from piopiy_lab.checks.texts import described


class Progress(Protocol):
    """A line that says how far something is, until it is closed."""

    def update(self, part: float, text: str) -> None:
        """Show the part that is done, 0 to 1, and a text."""
        ...

    def close(self) -> None:
        """Take the line away."""
        ...


class BrowserChannel(Protocol):
    """A way to the page of the browser that shows a call: messages and bytes, both ways.

    The page may be in several tabs, or in none yet; all that are open get what is sent.
    """

    def listen(self, receive: Callable[[object, object], None]) -> None:
        """Have every message from the page handed to ``receive(message, buffers)``.

        It is called on the comm thread, whichever that is; the buffers are the kernel's own, so
        copy them. Both are whatever the page chose to send.
        """
        ...

    def send(self, message: Mapping[str, object], data: bytes | None = None) -> None:
        """Send a message that JSON can hold, and bytes; from any thread."""
        ...

    def close(self) -> None:
        """Take the page's part away; from any thread, once is enough."""
        ...


class CallPages(Protocol):
    """Who has the calls of a table."""

    def call_html(self, index: int) -> str:
        """Return a call as HTML without a style and script of its own; on the comm thread.

        Raises:
            PiopiyLabError: There is no such call.
        """
        ...


@dataclass(frozen=True)
class Hook:
    """What a front end gives to calls.

    Attributes:
        show: Shows an object where the user looks now; called on the thread that made it, and
            must return at once.
        progress: Opens a progress line in the cell that runs now; None where nobody looks.
        progress_after_secs: Real seconds after which a run shows one.
        browser_microphone: Shows the controls of a microphone in the cell that runs now, and
            returns the way to them.
        offer_calls: Has pages ask for calls that they show in a table, but haven't got: by the
            table's name and the call's index. Whoever has them is held weakly.
        cell_key: Names the cell that runs now, the same each time it runs; None outside of one.
    """

    show: Callable[[object], None]
    cell_key: Callable[[], str | None] = lambda: None
    progress: Callable[[], Progress | None] | None = None
    progress_after_secs: float = 4.0
    browser_microphone: Callable[[], BrowserChannel] | None = None
    offer_calls: Callable[[str, CallPages], None] | None = None


_hook: Hook | None = None  # written by set_hook(), on the thread that installs a front end


def set_hook(hook: Hook | None) -> Hook | None:
    """Install a front end, or with None take it away.

    Returns:
        The hook that was there before.
    """
    global _hook
    before, _hook = _hook, hook
    return before


def show(obj: object) -> None:
    """Show an object through the hook; do nothing without one.

    A hook that fails costs the picture, not the call: it becomes a ``RuntimeWarning``.
    """
    hook = _hook
    if hook is None:
        return
    try:
        hook.show(obj)
    except Exception as error:
        warnings.warn(
            f"{obj!r} can't be shown ({described(error)}); it goes on without",
            RuntimeWarning,
            stacklevel=2,
        )


def cell_key() -> str | None:
    """Return the name of the notebook cell that runs now; None where there is none."""
    hook = _hook
    if hook is None:
        return None
    try:
        return hook.cell_key()
    except Exception:  # a front end without such names: no cell is known, nothing is lost
        return None


def progress() -> Progress | None:
    """Open a progress line where the user looks now; None where nobody would see it."""
    hook = _hook
    if hook is None or hook.progress is None or _no_progress.get():
        return None
    return hook.progress()


_no_progress: ContextVar[bool] = ContextVar("piopiy_lab_no_progress", default=False)


@contextlib.contextmanager
def no_progress() -> Iterator[None]:
    """Show no progress line of what runs inside the block: who runs many has one for all."""
    token = _no_progress.set(True)
    try:
        yield
    finally:
        _no_progress.reset(token)


def progress_after_secs() -> float:
    """Return the real seconds after which a run shows how far it is."""
    return Hook.progress_after_secs if _hook is None else _hook.progress_after_secs


def browser_microphone() -> BrowserChannel | None:
    """Show a microphone's controls where the user looks now; None where there is no browser."""
    hook = _hook
    return None if hook is None or hook.browser_microphone is None else hook.browser_microphone()


def offer_calls(batch: str, pages: CallPages) -> None:
    """Have pages that show the table ``batch`` ask ``pages`` for its calls, if there is a way."""
    hook = _hook
    if hook is not None and hook.offer_calls is not None:
        hook.offer_calls(batch, pages)
