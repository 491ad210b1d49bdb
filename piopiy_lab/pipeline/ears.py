"""Gives a turn strategy that looks early what it needs of the call: the detector's windows.

Runs on the session's loop.
"""

from __future__ import annotations

from collections.abc import Callable

from pipecat.turns.user_turn_strategies import UserTurnStrategies

from piopiy_lab import events
from piopiy_lab.listening.ahead_stop import AheadStop
from piopiy_lab.listening.early_stop import EarlyStop, Ears
from piopiy_lab.pipeline.chain import Chain, LastListener
from piopiy_lab.pipeline.parts import Parts
from piopiy_lab.session.session import Session

#: Seconds of silence that pipecat's detectors wait for, and of a window of Silero's: of a detector
#: that shows neither.
_STOP_SECS, _WINDOW_SECS = 0.2, 0.032


class _Answering:
    """Whether an answer is being made that is owed: one to a turn that is over."""

    def __init__(self, *, interrupted: bool, speaking: bool) -> None:
        self._interrupted = interrupted  # by a turn of the caller's
        self._speaking = speaking  # until it was heard, and so is what is said besides
        self._thinks = self._speaks = False

    def now(self) -> bool:
        return self._thinks or self._speaks

    def note(self, event: events.Event) -> None:
        match event:
            case (
                events.ContextSent(speculative=False)
                | events.SpeculationSettled(outcome="confirmed")
            ):
                self._thinks = True
            case events.LLMResponseStopped():
                self._thinks = False
            case events.SpeechRequested() | events.AgentSpeechStarted() if self._speaking:
                self._speaks = True
            case events.AgentSpeechStopped():
                self._speaks = False
            case events.AgentInterrupted():
                self._thinks = self._speaks = False
            case events.UserTurnStarted() if self._interrupted:
                self._thinks = self._speaks = False
            case _:
                pass


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

    answering = _Answering(
        interrupted=parts.turns.allow_interruptions, speaking=parts.turns.ahead == "sound"
    )
    stop.listen(
        Ears(
            now=session.now,
            notice=session.notice,
            log=session.log.append,
            trusts_interims=lambda: not getattr(parts.active.get("stt"), "guesses", False),
            window_secs=window_secs,
            stop_secs=stop_secs,
            answering=answering.now,
        )
    )
    if analyzer is not None:

        def hear(window: events.VADSampled) -> None:
            limits = analyzer.params
            loud = window.volume is None or window.volume >= limits.min_volume
            stop.heard(window.confidence >= limits.confidence and loud)

        chain.heard.append(hear)
    if not isinstance(stop, AheadStop):
        return None
    if isinstance(chain.user, LastListener):
        chain.user.before_push = stop.passes
    return session.log.subscribe(answering.note)
