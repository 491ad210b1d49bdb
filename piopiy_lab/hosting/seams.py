"""What calls need of the insides of Python: a hook for when the interpreter is left.

Functions of ``atexit`` come too late for ending a call properly: before them Python ends the
executors, and from then on nothing that a pipeline hands to a thread is run. Without the hook they
have to do, so nothing here is relied on.
"""

from __future__ import annotations

import atexit
import concurrent.futures.thread  # noqa: F401 - registers its own end, which is to come after ours
import os
import threading
from collections.abc import Callable
from typing import ParamSpec

P = ParamSpec("P")


def when_leaving(function: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> None:
    """Call a function when the main thread has ended; what was registered last comes first.

    Missing: a public hook before the end of the executors. CPython 3.11 to 3.13 have this one for
    its own; without it the function comes with those of ``atexit``.
    """
    register = getattr(threading, "_register_atexit", atexit.register)
    register(function, *args, **kwargs)


def when_forked(function: Callable[[], object]) -> None:
    """Call a function in each child that this process forks: threads and calls stay behind."""
    if hasattr(os, "register_at_fork"):  # not on Windows, where nothing forks
        os.register_at_fork(after_in_child=function)
