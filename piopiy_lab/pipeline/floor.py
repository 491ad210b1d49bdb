"""Gives a turn strategy that holds the agent's sound what it needs of the call.

Runs on the session's loop.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Protocol, runtime_checkable

from pipecat.processors.aggregators.llm_response_universal import LLMUserAggregator
from pipecat.services.stt_service import STTService
from pipecat.turns.user_turn_strategies import UserTurnStrategies

from piopiy_lab import events
from piopiy_lab.listening.hold_rules import HoldRules
from piopiy_lab.listening.hold_start import Floor, HoldStart
from piopiy_lab.pipeline.chain import Chain
from piopiy_lab.pipeline.parts import Parts, language_of
from piopiy_lab.session.session import Session
from piopiy_lab.transports.held_sound import HeldSound


class _Question:
    """When the agent's last question was heard."""

    def __init__(self) -> None:
        self.asked_at = -math.inf

    def note(self, word: events.WordSpoken) -> None:
        if "?" in word.text or "？" in word.text or "؟" in word.text:
            self.asked_at = word.at


class _Misnamed:
    """Says it when a screenplay's ``interrupts()`` was a listener's words, and no interruption."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._spoke: events.CallerSpoke | None = None

    def note(self, event: events.CallerSpoke | events.BackchannelHeard) -> None:
        match event:
            case events.CallerSpoke():
                self._spoke = event if event.manner == "interruption" else None
            case events.BackchannelHeard(text=text, start=start, aside=False):
                spoke = self._spoke
                if text and spoke is not None and spoke.at - 0.1 <= start <= spoke.end:
                    self._session.notice(
                        f"the caller interrupts({text!r}), and these are words of a listener: this "
                        f"agent goes on. Write .backchannels({text!r}), or interrupt with others"
                    )
            case events.BackchannelHeard():
                pass


def hold_floor(
    turns: UserTurnStrategies | None, chain: Chain, parts: Parts, session: Session
) -> Callable[[], None] | None:
    """Let a call's turn strategy hold the agent's sound, if it is one that does.

    Args:
        turns: The call's strategies.
        chain: Its pipeline.
        parts: What it is made of.
        session: The call.

    Returns:
        A function that lets go of the call; None where there is nothing to let go of.
    """
    if parts.turns.hold is None:
        return None
    starts = (turns.start or ()) if turns is not None else ()
    start = next((one for one in starts if isinstance(one, HoldStart)), None)
    if start is None:
        if parts.turns.hold_asked and parts.turns.allow_interruptions:
            session.notice(
                "hold_backchannels: a service of this call decides itself when the caller has the "
                "turn, so the agent's sound is not held; a voice cuts it as that service says"
            )
        return None
    voice, analyzer = getattr(chain.output, "voice", None), chain.analyzer
    if not isinstance(voice, HeldSound) or analyzer is None:
        what = "transport can't hold what it plays" if analyzer else "detector shows no windows"
        session.notice(f"hold_backchannels: this call's {what}, so a voice over the agent cuts it")
        return None
    _check_language(parts, parts.turns.hold, session)
    for recogniser in parts.members.get("stt", ()):
        if isinstance(recogniser, HearsOut):
            recogniser.hear_listeners()
    question, misnamed = _Question(), _Misnamed(session)
    start.take(
        Floor(
            log=session.log,
            sound=voice,
            asked_at=lambda: question.asked_at,
            trusts_interims=lambda: _trusts_interims(parts),
            hear_out=lambda: _hear_out(parts),
            tell=chain.input.push_frame,
            notice=session.notice,
        )
    )

    def hear(window: events.VADSampled) -> None:
        start.heard(window.confidence, analyzer.num_frames_required() / analyzer.sample_rate)

    def note(event: events.Event) -> None:
        match event:
            case events.WordSpoken():
                question.note(event)
            case events.CallerSpoke() | events.BackchannelHeard():
                misnamed.note(event)
            case _:
                pass

    async def muted(user: LLMUserAggregator) -> None:
        start.muted()

    chain.heard.append(hear)
    chain.user.add_event_handler("on_user_mute_started", muted)
    return session.log.subscribe(note)


def _check_language(parts: Parts, rules: HoldRules, session: Session) -> None:
    """Say it when the words of a listener are those of another language than is heard."""
    language = language_of(parts)
    code = str(getattr(language, "value", language) or "").replace("_", "-")
    heard, ours = code.partition("-")[0].lower(), rules.lexicon.languages
    if heard and ours and heard not in ours and heard != "multi":
        session.notice(
            f"hold_backchannels: the recogniser hears {code!r}, and a listener's words are those "
            f"of {', '.join(sorted(ours))}: others interrupt. Give Action(lexicon=...) its words"
        )


def _hear_out(parts: Parts) -> None:
    """Have the recogniser at work look at what was just heard, if it is one that can."""
    recogniser = parts.active.get("stt")
    if isinstance(recogniser, STTService) and isinstance(recogniser, HearsOut):
        recogniser.create_task(recogniser.hear_out(), "hear_out")


@runtime_checkable
class HearsOut(Protocol):
    """A recogniser that can look at what it heard before the detector was sure."""

    def hear_listeners(self) -> None:
        """Hear in the next call what listeners say over the agent's words."""
        ...

    async def hear_out(self) -> None:
        """Take what was just heard for an utterance."""
        ...


def _trusts_interims(parts: Parts) -> bool:
    """Whether what the recogniser at work has of a sentence so far are words that were said."""
    return not getattr(parts.active.get("stt"), "guesses", False)
