"""The end of a turn, where not every voice begins one. Runs on the session's loop.

pipecat's strategy judges each voice by the turn model as if it were a turn. One that was kept as a
backchannel needs no verdict (60 ms of a core), and its sound must not lead the next turn's; and a
turn that late words began, when the voice was over, has nothing to wait for.
"""

from __future__ import annotations

from collections.abc import Callable

from pipecat.audio.turn.base_turn_analyzer import BaseTurnAnalyzer
from pipecat.frames.frames import VADUserStoppedSpeakingFrame
from pipecat.turns.user_stop import TurnAnalyzerUserTurnStopStrategy

#: Seconds after a voice from which on it is over, and within which words that begin a turn are its.
OVER_SECS, SAME_VOICE_SECS = 0.09, 2.0


class TurnsOnlyStop(TurnAnalyzerUserTurnStopStrategy):
    """pipecat's strategy, which judges voices that have begun a turn, and no others."""

    def __init__(
        self, *, turn_analyzer: BaseTurnAnalyzer, silent_secs: Callable[[], float]
    ) -> None:
        """Make the strategy.

        Args:
            turn_analyzer: The turn model.
            silent_secs: Returns for how long no voice was heard.
        """
        super().__init__(turn_analyzer=turn_analyzer)
        self._silent_secs = silent_secs
        self._analyzer = turn_analyzer
        self._turn = False  # whether there is one

    async def handle_user_turn_started(self) -> None:
        """Wait for the turn's end; one whose voice is over already ends with its words."""
        await super().handle_user_turn_started()
        self._turn = True
        silent = self._silent_secs()
        if self._vad_user_speaking or not OVER_SECS <= silent <= SAME_VOICE_SECS:
            return
        self._vad_stopped = self._turn_complete = True
        self._timeout_task = self.task_manager.create_task(
            self._timeout_handler(max(0.0, self._stt_timeout - silent)), f"{self}::_timeout_handler"
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
        self._analyzer.clear()
