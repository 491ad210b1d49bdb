"""Gives a turn strategy that looks early what it needs of the call: the detector's windows.

Runs on the session's loop.
"""

from __future__ import annotations

from collections.abc import Callable

from pipecat.turns.user_turn_strategies import UserTurnStrategies

from piopiy_lab import events
from piopiy_lab.listening.early_stop import EarlyStop, Ears
from piopiy_lab.pipeline.chain import Chain
from piopiy_lab.pipeline.parts import Parts
from piopiy_lab.session.session import Session

#: Seconds of silence that pipecat's detectors wait for, and of a window of Silero's: of a detector
#: that shows neither.
_STOP_SECS, _WINDOW_SECS = 0.2, 0.032


def lend_ears(
    turns: UserTurnStrategies | None, chain: Chain, parts: Parts, session: Session
) -> Callable[[], None] | None:
    """Let a call's turn strategy hear the detector's windows, if it is one that looks early.

    Args:
        turns: The call's strategies.
        chain: Its pipeline.
        parts: What it is made of.
        session: The call.

    Returns:
        A function that lets go of the call; None where there is nothing to let go of.
    """
    stops = (turns.stop or ()) if turns is not None else ()
    stop = next((one for one in stops if isinstance(one, EarlyStop)), None)
    if stop is None:
        if parts.turns.ahead:
            session.notice(
                "speculate: a service of this call decides itself when the caller is done, so the "
                "LLM is asked when that service says"
            )
        return None
    analyzer = chain.analyzer

    def window_secs() -> float:
        if analyzer is None:
            return _WINDOW_SECS
        return analyzer.num_frames_required() / analyzer.sample_rate

    def stop_secs() -> float:
        return _STOP_SECS if analyzer is None else analyzer.params.stop_secs

    stop.listen(
        Ears(
            now=session.now,
            notice=session.notice,
            log=session.log.append,
            trusts_interims=lambda: not getattr(parts.active.get("stt"), "guesses", False),
            window_secs=window_secs,
            stop_secs=stop_secs,
        )
    )
    if analyzer is None:
        return None

    def note(event: events.Event) -> None:
        if isinstance(event, events.VADSampled):
            limits = analyzer.params
            loud = event.volume is None or event.volume >= limits.min_volume
            stop.heard(event.confidence >= limits.confidence and loud)

    return session.log.subscribe(note)
