"""When a user's turn starts and ends: pipecat's strategies with our defaults.

With a detector, Smart Turn v3 judges each pause: a complete turn is answered at once, an
incomplete one after a wait that is cut from pipecat's 3 s to 1.5 s, because callers who have
finished find 3 s long. Without a detector transcripts decide.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

from pipecat.audio.turn.smart_turn.base_smart_turn import SmartTurnParams
from pipecat.audio.turn.smart_turn.local_smart_turn_v3 import LocalSmartTurnAnalyzerV3
from pipecat.turns.user_start import (
    TranscriptionUserTurnStartStrategy,
    VADUserTurnStartStrategy,
)
from pipecat.turns.user_stop import (
    SpeechTimeoutUserTurnStopStrategy,
    TurnAnalyzerUserTurnStopStrategy,
)
from pipecat.turns.user_turn_strategies import ExternalUserTurnStrategies, UserTurnStrategies

from piopiy_lab.errors import ArgumentError, ArgumentTypeError

#: Seconds of silence after which a turn that sounded incomplete ends all the same.
INCOMPLETE_WAIT_SECS = 1.5

_prototype: LocalSmartTurnAnalyzerV3 | None = None


def recommended_by(services: Iterable[Any]) -> UserTurnStrategies | None:
    """Return the turn strategies that a service recommends because it ends turns itself.

    Deepgram Flux, OpenAI Realtime and others do.
    """
    for service in services:
        describe = getattr(service, "service_metadata_frame", None)
        found = getattr(describe(), "user_turn_strategies", None) if describe else None
        if found is not None:
            return found
    return None


def make_strategies(
    *,
    vad: bool,
    allow_interruptions: bool,
    given: Any = None,
    recommended: UserTurnStrategies | None = None,
) -> Any:
    """Return the strategies of a call; None leaves them to the service that recommends some.

    Args:
        vad: Whether there is a detector.
        allow_interruptions: Whether a user turn stops the agent's speech.
        given: The user's own ``UserTurnStrategies``; they stand as they are.
        recommended: What a service recommends; taken unless the user gave some.

    Raises:
        ArgumentTypeError: ``given`` is something else.
    """
    if given is not None:
        if not isinstance(given, UserTurnStrategies):
            raise ArgumentTypeError(
                f"turn_strategies={given!r}: give pipecat.turns.user_turn_strategies."
                "UserTurnStrategies(start=[...], stop=[...])"
            )
        return given
    if recommended is not None:
        if allow_interruptions or not isinstance(recommended, ExternalUserTurnStrategies):
            return None
        return ExternalUserTurnStrategies(enable_interruptions=False)
    heard = TranscriptionUserTurnStartStrategy(enable_interruptions=allow_interruptions)
    if not vad:
        return UserTurnStrategies(start=[heard], stop=[SpeechTimeoutUserTurnStopStrategy()])
    return UserTurnStrategies(
        start=[VADUserTurnStartStrategy(enable_interruptions=allow_interruptions), heard],
        stop=[TurnAnalyzerUserTurnStopStrategy(turn_analyzer=_smart_turn())],
    )


def _smart_turn() -> LocalSmartTurnAnalyzerV3:
    """Return a Smart Turn analyzer on the process's one ONNX session (43 ms to load)."""
    global _prototype
    if _prototype is None:
        _prototype = LocalSmartTurnAnalyzerV3(
            params=SmartTurnParams(stop_secs=INCOMPLETE_WAIT_SECS)
        )
    analyzer = copy.copy(_prototype)  # the prototype is never used, so it holds no audio
    analyzer._audio_buffer = []
    analyzer._params = SmartTurnParams(stop_secs=INCOMPLETE_WAIT_SECS)
    return analyzer


def _analyzer(strategies: Any) -> Any:
    for strategy in (strategies.stop or ()) if strategies is not None else ():
        analyzer = getattr(strategy, "_turn_analyzer", None)
        if analyzer is not None and hasattr(analyzer, "_stop_ms"):
            return analyzer
    return None


def incomplete_wait(strategies: Any) -> float | None:
    """Return the wait for an incomplete turn in seconds, None where there is none."""
    analyzer = _analyzer(strategies)
    return None if analyzer is None else analyzer._stop_ms / 1000


def check_incomplete_wait(strategies: Any, secs: Any) -> None:
    """Check a new wait.

    Raises:
        ArgumentError: Out of range, or these strategies have no such wait.
    """
    if _analyzer(strategies) is None:
        raise ArgumentError(
            "tune(incomplete_wait_secs=...): this call's turn strategies have no such wait"
        )
    if isinstance(secs, bool) or not isinstance(secs, int | float) or not 0.1 <= secs <= 30:
        raise ArgumentError(
            f"tune(incomplete_wait_secs={secs!r}) is out of range: give seconds from 0.1 to 30"
        )


def set_incomplete_wait(strategies: Any, secs: float) -> None:
    """Set the wait for an incomplete turn, from the next pause on; on the session's loop."""
    _analyzer(strategies)._stop_ms = secs * 1000
