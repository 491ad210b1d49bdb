"""The end of a turn, where not every voice begins one. Runs on the session's loop.

pipecat's strategy judges each voice by the turn model as if it were a turn. One that was kept as a
backchannel needs no verdict (60 ms of a core), and its sound must not lead the next turn's; and a
turn that late words began, when the voice was over, has nothing to wait for.
"""

from __future__ import annotations

import asyncio

from pipecat.audio.turn.base_turn_analyzer import BaseTurnAnalyzer
from pipecat.frames.frames import VADUserStoppedSpeakingFrame
from pipecat.turns.user_stop import TurnAnalyzerUserTurnStopStrategy

#: Seconds after a voice in which words that begin a turn are that voice's.
SAME_VOICE_SECS = 2.0


class TurnsOnlyStop(TurnAnalyzerUserTurnStopStrategy):
    """pipecat's strategy, which judges voices that have begun a turn, and no others."""

    def __init__(self, *, turn_analyzer: BaseTurnAnalyzer) -> None:
        """Judge with ``turn_analyzer``."""
        super().__init__(turn_analyzer=turn_analyzer)
        self._analyzer = turn_analyzer
        self._turn = False  # whether there is one
        #: When the last voice's end was known, and when its words are there; the loop's seconds.
        self._unjudged: tuple[float, float] | None = None

    async def handle_user_turn_started(self) -> None:
        """Wait for the turn's end; one whose voice is over already ends with its words."""
        await super().handle_user_turn_started()
        self._turn = True
        unjudged, self._unjudged = self._unjudged, None
        now = asyncio.get_running_loop().time()
        if unjudged is None or self._vad_user_speaking or now - unjudged[0] > SAME_VOICE_SECS:
            return
        self._vad_stopped = self._turn_complete = True
        self._timeout_task = self.task_manager.create_task(
            self._timeout_handler(max(0.0, unjudged[1] - now)), f"{self}::_timeout_handler"
        )

    async def handle_user_turn_stopped(self) -> None:
        """The turn is over."""
        self._turn = False
        await super().handle_user_turn_stopped()

    async def _handle_vad_user_stopped_speaking(self, frame: VADUserStoppedSpeakingFrame) -> None:
        if self._turn:
            await super()._handle_vad_user_stopped_speaking(frame)
            return
        self._vad_user_speaking = False
        now = asyncio.get_running_loop().time()
        self._unjudged = (now, now - frame.stop_secs + self._stt_timeout)
        self._analyzer.clear()
