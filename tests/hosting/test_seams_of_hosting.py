"""Whose step a loop is in, and which onnxruntime a watch over it knows."""

from __future__ import annotations

import asyncio
import contextvars
import sys

import onnxruntime
import pytest

from piopiy_lab.errors import IncompatibleVersionError
from piopiy_lab.hosting import seams
from piopiy_lab.hosting.watchdog import Watchdog


async def test_a_step_is_found_with_its_context():
    mine = contextvars.ContextVar("mine", default="nobody's")
    mine.set("a call's")
    found: list[contextvars.Context | None] = []

    def look() -> None:
        frame = sys._getframe()
        while frame is not None and not seams.is_step(frame):
            frame = frame.f_back
        found.append(frame and seams.context_of(frame))

    asyncio.get_running_loop().call_soon(look)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    (context,) = found
    assert context is not None
    assert context[mine] == "a call's"


def test_no_loop_is_watched_beside_an_onnxruntime_that_reads_models_elsewhere(monkeypatch):
    watchdog = Watchdog(lambda function: function(), 0)
    monkeypatch.delattr(onnxruntime.InferenceSession, "_create_inference_session")
    with pytest.raises(IncompatibleVersionError, match=r"_create_inference_session, .*; use onnx"):
        watchdog.add(object(), print)
