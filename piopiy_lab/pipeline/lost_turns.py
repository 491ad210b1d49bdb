"""Sees to it that a turn that comes to nothing is told: by an event that says where it was lost.

The thinking is in pure parts (``listening.unheard``, ``listening.wordless``, ``unanswered``):
events in, events out. Here they are fed from the log, and asked again when the time comes at which
one of them wants to decide something. Runs on the session's loop.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from piopiy_lab import events
from piopiy_lab.events.at_work import AtWork
from piopiy_lab.listening.unheard import UnheardSpeech
from piopiy_lab.listening.wordless import WordlessSpeech
from piopiy_lab.pipeline.unanswered import EmptyAnswers, SilentVoice
from piopiy_lab.session.session import Session


class Follower(Protocol):
    """Follows one stage of a turn."""

    def note(self, event: events.Event) -> None:
        """Take an event of the call's log."""
        ...

    def due_at(self) -> float:
        """Return the call's seconds at which something is decided next; ``inf`` for never."""
        ...

    def tell(self, now: float, given_up: bool) -> Iterator[events.TurnLost]:
        """Give what was lost as of ``now``; ``given_up``: the caller waits no longer."""
        ...


class LostTurns:
    """Watches the turns of one pipeline's call."""

    def __init__(self, session: Session) -> None:
        """Get ready to watch a call; :meth:`watch` begins."""
        self._session = session
        self._at_work = AtWork()
        self._answers = EmptyAnswers(self._at_work)
        self._voice = SilentVoice(self._at_work)
        self._followers: Sequence[Follower] = (
            UnheardSpeech(self._samples, lambda: session.recorder.hearing.late),
            WordlessSpeech(self._at_work),
            self._answers,
            self._voice,
        )
        self._due_at = math.inf  # seconds of the call's clock; by _arm()
        self._timer: asyncio.TimerHandle | None = None
        self._unsubscribe: Callable[[], None] | None = None

    # --- what no event tells, from the observer ----------------------------------------------

    @property
    def awaits_sound(self) -> bool:
        """Whether there is a text of which nothing has been heard."""
        return self._voice.awaits_sound

    def sounded(self) -> None:
        """Sound that can be heard left the voice, or none is to be heard."""
        self._voice.sounded()

    def answered(self) -> None:
        """The LLM was right to say nothing: the caller isn't done yet, say."""
        self._answers.answered()

    # --- watching ----------------------------------------------------------------------------

    def watch(self) -> None:
        """Begin to watch, before the pipeline starts."""
        self._unsubscribe = self._session.log.subscribe(self._note)

    def stop(self) -> None:
        """Watch no more."""
        if self._unsubscribe is not None:
            self._unsubscribe()
        self._cancel()

    def _note(self, event: events.Event) -> None:
        """Take an event; runs at every append to the log."""
        if isinstance(event, events.VADSampled | events.LevelMeasured) or _ends(event):
            return
        if not self._session.on_loop():  # a device's thread: nothing of a turn
            return
        self._at_work.note(event)
        for follower in self._followers:
            follower.note(event)
        if isinstance(event, events.CallerStepFailed):
            self._tell(self._session.now(), given_up=True)
        else:
            self._arm()

    def _due(self) -> None:
        # Never earlier than what was decided for, whatever a clock's rounding makes of it.
        self._tell(max(self._session.now(), self._due_at))

    def _tell(self, now: float, given_up: bool = False) -> None:
        self._cancel()
        for follower in self._followers:
            for lost in follower.tell(now, given_up):
                self._session.log.append(lost)
        self._arm()

    def _arm(self) -> None:
        """Set the clock for what is decided next."""
        due_at = min(follower.due_at() for follower in self._followers)
        if due_at == self._due_at:
            return
        self._cancel()
        if not math.isinf(due_at):
            self._due_at = due_at
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(max(0.0, due_at - self._session.now()), self._due)

    def _cancel(self) -> None:
        self._due_at = math.inf
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _samples(self, start: float, end: float) -> list[events.VADSampled]:
        sampled = self._session.log.of(events.VADSampled)
        return [sample for sample in sampled if start <= sample.at <= end]


def _ends(event: events.Event) -> bool:
    """Whether an event is past telling anything: the call is over, or a loss has been told."""
    return isinstance(event, events.TurnLost | events.CallEnded)
