"""A pipeline worker with one observer, called in line.

pipecat gives each observer a queue and a task, and hands it every push; with one observer of ours
that is most of the cost of observing. Ours only appends to a list, so it is called where the frame
is pushed; users' own observers keep pipecat's queues.
"""

from __future__ import annotations

import asyncio
from typing import Any
from weakref import WeakValueDictionary

from pipecat.frames.frames import Frame
from pipecat.observers.base_observer import (
    BaseObserver,
    FrameProcessed,
    FramePushed,
    ProcessorSetUp,
)
from pipecat.pipeline.worker import PipelineWorker
from pipecat.pipeline.worker_observer import WorkerObserver
from pipecat.utils.asyncio.task_manager import BaseTaskManager

from piopiy_lab.pipeline import seams, user_code
from piopiy_lab.tools.calling import is_being_cancelled


class CallWorker(PipelineWorker):
    """pipecat's worker, observed in line by ``observer``."""

    def __init__(self, *args: Any, observer: BaseObserver, **kwargs: Any) -> None:
        """Make the worker.

        Args:
            *args: As for ``PipelineWorker``.
            observer: Told of each frame's first push, at once, on the session's loop.
            **kwargs: As for ``PipelineWorker``; its ``observers`` are told as pipecat does.
        """
        super().__init__(*args, **kwargs)
        seams.replace_observer(self, lambda others: _InlineObserver(observer, others))


class _InlineObserver(WorkerObserver):
    def __init__(self, inline: BaseObserver, others: list[BaseObserver]) -> None:
        super().__init__(observers=others)
        self._inline = inline
        self._others = bool(others)  # else pipecat has nobody to tell, and is not called
        # the frames in flight, by id: an entry goes away with its frame
        self._in_flight: WeakValueDictionary[int, Frame] = WeakValueDictionary()

    async def on_push_frame(self, data: FramePushed) -> None:
        frame = data.frame
        data.first_push = frame.id not in self._in_flight
        if data.first_push:
            self._in_flight[frame.id] = frame
        if self._others:
            await super().on_push_frame(data)
        if data.first_push:
            await self._inline.on_push_frame(data)

    async def on_process_frame(self, data: FrameProcessed) -> None:
        if self._others:
            await super().on_process_frame(data)

    def add_observer(self, observer: BaseObserver) -> None:
        self._others = True
        super().add_observer(observer)

    async def setup(self, task_manager: BaseTaskManager) -> None:
        try:
            await super().setup(task_manager)
        except Exception as error:
            user_code.report("an observer's setup()", error)

    async def _proxy_task_handler(self, queue: asyncio.Queue[Any], observer: BaseObserver) -> None:
        """Tell a user's observer of what comes, also after it has raised."""
        while True:
            try:
                await super()._proxy_task_handler(queue, observer)
                return
            except (Exception, asyncio.CancelledError) as error:
                if is_being_cancelled():
                    raise
                user_code.report(f"the observer {type(observer).__name__}", error)

    async def on_processor_setup(self, data: ProcessorSetUp) -> None:
        await self._inline.on_processor_setup(data)
        await super().on_processor_setup(data)
