"""Who waits for what: the tasks of a loop, read from their coroutines, for error messages."""

from __future__ import annotations

import asyncio
import os
import sysconfig
from collections.abc import Sequence
from types import FrameType

_STDLIB = sysconfig.get_paths()["stdlib"]
_SITE = sysconfig.get_paths()["purelib"]
_MAX_DEPTH = 100


def _await_chain(awaitable: object) -> list[tuple[FrameType, int]]:
    """Return the frames from a task's coroutine down to its innermost await, outermost first."""
    frames: list[tuple[FrameType, int]] = []
    for _ in range(_MAX_DEPTH):
        for prefix, inner in (("cr", "await"), ("gi", "yieldfrom"), ("ag", "await")):
            frame = getattr(awaitable, f"{prefix}_frame", None)
            if frame is not None:
                frames.append((frame, frame.f_lineno))
                awaitable = getattr(awaitable, f"{prefix}_{inner}", None)
                break
        else:
            break
    return frames


def _is_stdlib(frame: FrameType) -> bool:
    name = frame.f_code.co_filename
    return name.startswith(_STDLIB) and not name.startswith(_SITE)


def _short_path(path: str) -> str:
    parts = path.replace("\\", "/").split("/")
    if "site-packages" in parts:
        return "/".join(parts[parts.index("site-packages") + 1 :])
    return os.path.join(*parts[-2:]) if len(parts) > 1 else path


def describe_wait(task: asyncio.Task[object]) -> str:
    """Return ``name: file:line in function, waits in what`` for a pending task."""
    frames = _await_chain(task.get_coro())
    if not frames:
        return f"{task.get_name()}: not started"
    own = [pair for pair in frames if not _is_stdlib(pair[0])] or frames[:1]
    frame, line = own[-1]
    where = f"{_short_path(frame.f_code.co_filename)}:{line} in {frame.f_code.co_qualname}"
    last = frames[-1][0]
    what = f", waits in {last.f_code.co_qualname}" if last is not frame else ""
    return f"{task.get_name()}: {where}{what}"


def is_asleep(task: asyncio.Task[object]) -> bool:
    """Tell whether a task waits in `asyncio.sleep`."""
    frames = _await_chain(task.get_coro())
    return bool(frames) and frames[-1][0].f_code is asyncio.sleep.__code__


def _is_idle_pipecat(task: asyncio.Task[object]) -> bool:
    """Tell whether the task is a queue reader inside pipecat, which always waits."""
    frames = _await_chain(task.get_coro())
    if not frames:
        return False
    own = [frame for frame, _ in frames if not _is_stdlib(frame)]
    inside = bool(own) and "pipecat/" in own[-1].f_code.co_filename.replace("\\", "/")
    return inside and frames[-1][0].f_code.co_name == "get"


def waiting_tasks(
    tasks: Sequence[asyncio.Task[object]],
    first: asyncio.Task[object] | None = None,
    limit: int = 10,
) -> str:
    """Return one line for each task that waits: the interesting ones, and a count of the rest.

    Must be called on the thread of the tasks' loop.

    Args:
        tasks: The pending tasks.
        first: The task to list first: the one that was run.
        limit: The most lines.
    """
    ordered = sorted(tasks, key=lambda task: task is not first)
    busy = [task for task in ordered if task is first or not _is_idle_pipecat(task)]
    lines = [f"  {describe_wait(task)}" for task in busy[:limit]]
    if len(busy) > limit:
        lines.append(f"  and {len(busy) - limit} more")
    if len(ordered) > len(busy):
        lines.append(f"  and {len(ordered) - len(busy)} idle queue readers of pipecat")
    return "\n".join(lines) or "  no task is left"
