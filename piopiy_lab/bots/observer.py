"""The one observer of a bot's call, which also knows how far its pipeline has come.

Runs on the session's loop.
"""

from __future__ import annotations

from collections.abc import Sequence

from pipecat.pipeline.pipeline import PipelineSink, PipelineSource
from pipecat.processors.frame_processor import FrameProcessor

from piopiy_lab.bots import seams
from piopiy_lab.pipeline.run_observer import RunObserver, Unlogged
from piopiy_lab.session.session import Session


class BotObserver(RunObserver):
    """Observes, and tells what a pipeline that doesn't get ready waits for."""

    def __init__(self, session: Session, source: FrameProcessor, turns: Unlogged) -> None:
        """Observe for a call.

        Args:
            session: The call.
            source: What the caller's audio comes from: who stands before it was ready before
                anybody observed.
            turns: Told what no event tells.
        """
        self._ready: set[str] = set()  # names of those that were set up
        super().__init__(session, self._ready, turns)
        self._source = source

    def waiting(self, everyone: Sequence[FrameProcessor]) -> list[str]:
        """Return the names of the classes of those that the others wait for.

        Args:
            everyone: All processors of the pipeline, in the order in which frames pass.
        """
        at = everyone.index(self._source) + 1 if self._source in everyone else 0
        working = [one for one in everyone[at:] if _works(one)]
        if not_set_up := [one for one in working if one.name not in self._ready]:
            return [type(one).__name__ for one in not_set_up]
        begun = [one for one in working if seams.has_begun(one)]
        return [type(one).__name__ for one in begun[-1:]]


def _works(processor: FrameProcessor) -> bool:
    """Whether a processor does something itself, and doesn't only hold others."""
    return not processor.processors and not isinstance(processor, PipelineSource | PipelineSink)
