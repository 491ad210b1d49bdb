"""What calls need of the insides of Python and onnxruntime: what a loop does, and when it is left.

Which step of a loop a frame belongs to, and whose call that step is: asyncio's part is checked when
this is imported. Whether a model is being read: onnxruntime's part is checked when a loop is
watched, for it is loaded late, if at all.

Functions of ``atexit`` come too late for ending a call properly: before them Python ends the
executors, and from then on nothing that a pipeline hands to a thread is run. Without the hook they
have to do, so nothing of it is relied on. Any thread.
"""

from __future__ import annotations

import asyncio
import atexit
import concurrent.futures.thread  # noqa: F401 - registers its own end, which is to come after ours
import contextvars
import os
import sys
import threading
from collections.abc import Callable
from types import FrameType, ModuleType
from typing import ParamSpec

from piopiy_lab.services.fitting import Reliance, attributes, expect, method

P = ParamSpec("P")

_STEPS = "knowing whose call a step of the loop is"

RELIED_ON = (
    method(asyncio.Handle, "_run", needed_by=_STEPS),
    *attributes(asyncio.Handle, "_context", needed_by=_STEPS),
)
expect(RELIED_ON)

#: The function that runs each step of an asyncio loop, in Python's own asyncio/events.py.
_STEP = asyncio.Handle._run.__code__

#: onnxruntime's module of sessions, and its function in which a model is read: a tenth of a second,
#: but not beside others.
_ONNXRUNTIME = "onnxruntime.capi.onnxruntime_inference_collection"
_LOADS_A_MODEL = "_create_inference_session"


def relied_on_of_onnxruntime(module: ModuleType) -> tuple[Reliance, ...]:
    """Return what telling a slow model from a stuck loop relies on."""
    what = "telling a model that is read from a stuck loop"
    return attributes(module.InferenceSession, _LOADS_A_MODEL, needed_by=what)


#: What is checked only when its module is there.
LATE = {_ONNXRUNTIME: relied_on_of_onnxruntime}


def is_step(frame: FrameType) -> bool:
    """Whether a frame is the outermost of a loop's step. Missing: a public way to a loop's step."""
    return frame.f_code is _STEP


def context_of(step: FrameType) -> contextvars.Context | None:
    """Return the context that a step runs in. Missing: a public way to a handle's context."""
    return getattr(step.f_locals.get("self"), "_context", None)


def loads_a_model(frame: FrameType) -> bool:
    """Whether a frame is onnxruntime's while it reads a model. Missing: a public sign of that."""
    return frame.f_code.co_name == _LOADS_A_MODEL


def expect_model_loading() -> None:
    """Check that ``loads_a_model`` knows the onnxruntime that is loaded, if one is.

    Raises:
        IncompatibleVersionError: It reads its models in another function.
    """
    if (module := sys.modules.get(_ONNXRUNTIME)) is not None:
        expect(relied_on_of_onnxruntime(module))


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
