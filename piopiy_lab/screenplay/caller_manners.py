"""What a scripted caller does beside their turns: methods of :class:`Caller`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Self

from piopiy_lab.errors import ArgumentError, ArgumentTypeError
from piopiy_lab.screenplay.manners import (
    HEARD,
    Backchannels,
    Coughs,
    FalseStarts,
    SaysAside,
    StaysSilent,
    TalksOver,
)
from piopiy_lab.screenplay.sayings import speakable
from piopiy_lab.screenplay.steps import TIMEOUT_SECS, Audio, AudioFile, Step, check_step_secs

if TYPE_CHECKING:
    from collections.abc import Callable

#: What a step may be given to say.
Sayable = str | Audio | Path | tuple[object, int]


class CallerManners:
    """The steps that are no turns; each returns a new caller.

    ``after`` counts from the first audio of the agent's current reply, or of the next one if it
    says nothing now. The log tells what each sound was: ``CallerSpoke.manner``.
    """

    if TYPE_CHECKING:
        _then: Callable[[Step], Self]

    def backchannels(
        self, text: Sayable = "mm hmm", *, after: float = 1.0, timeout: float = TIMEOUT_SECS
    ) -> Self:
        """Show that one listens, while the agent speaks: no turn, and nothing to answer.

        Several may follow each other in one reply, each with its own ``after``.

        Args:
            text: What to say.
            after: Seconds from the first audio of the agent's current (or next) reply.
            timeout: Seconds to wait for the agent to speak.
        """
        return self._then(Backchannels(_said("backchannels", text), *_when(after, timeout)))

    def coughs(
        self, *, after: float | None = None, seed: int = 0, timeout: float = TIMEOUT_SECS
    ) -> Self:
        """Cough: a sound of a voice without words.

        Args:
            after: Seconds from the first audio of the agent's current (or next) reply; None for
                now, whoever speaks.
            seed: Which cough.
            timeout: Seconds to wait for the agent to speak.
        """
        if isinstance(seed, bool) or not isinstance(seed, int):
            raise ArgumentTypeError(f"coughs(seed={seed!r}): give a whole number")
        wait = check_step_secs("timeout", timeout)
        return self._then(Coughs(_maybe(after), seed, wait))

    def says_aside(
        self, text: Sayable, *, after: float | None = None, timeout: float = TIMEOUT_SECS
    ) -> Self:
        """Say something to somebody else in the room: 12 dB lower, muffled, not for the agent.

        Args:
            text: What to say.
            after: Seconds from the first audio of the agent's current (or next) reply; None for
                now, whoever speaks.
            timeout: Seconds to wait for the agent to speak.
        """
        wait = check_step_secs("timeout", timeout)
        return self._then(SaysAside(_said("says_aside", text), _maybe(after), wait))

    def talks_over(
        self, text: Sayable, *, after: float = 1.0, timeout: float = TIMEOUT_SECS
    ) -> Self:
        """Speak over the agent to the end of one's own words, as if nobody were speaking.

        Unlike ``interrupts``, ``after`` counts from where the whole reply began, not from its last
        sentence.

        Args:
            text: What to say.
            after: Seconds from the first audio of the agent's current (or next) reply.
            timeout: Seconds to wait for the agent to speak.
        """
        return self._then(TalksOver(_said("talks_over", text), *_when(after, timeout)))

    def false_starts(
        self, text: Sayable, *, heard: float = HEARD, timeout: float = TIMEOUT_SECS
    ) -> Self:
        """Wait until the agent is silent, begin a sentence and break it off.

        ``Caller().false_starts("could you maybe").waits(0.4).says("a table for two please")``

        Args:
            text: The sentence as it would have been.
            heard: The part of its sound that is heard, above 0 and below 1.
            timeout: Seconds to wait for the agent to fall silent.
        """
        if not isinstance(heard, int | float) or not 0 < heard < 1:
            raise ArgumentError(f"heard={heard!r}: give a part, above 0 and below 1")
        wait = check_step_secs("timeout", timeout)
        return self._then(FalseStarts(_said("false_starts", text), float(heard), wait))

    def stays_silent(self, secs: float, *, timeout: float = TIMEOUT_SECS) -> Self:
        """Let the agent finish, and then say nothing for a while: ``CallerStayedSilent``.

        Args:
            secs: Seconds of silence, whether the agent speaks again or not.
            timeout: Seconds to wait for the agent to fall silent.
        """
        wait = check_step_secs("timeout", timeout)
        return self._then(StaysSilent(check_step_secs("secs", secs), wait))


def _said(verb: str, text: object) -> str | Audio:
    said = speakable(text)
    if isinstance(said, AudioFile):
        raise ArgumentTypeError(f"{verb}() takes a text or an Audio, not an AudioFile")
    return said


def _when(after: float, timeout: float) -> tuple[float, float]:
    return check_step_secs("after", after), check_step_secs("timeout", timeout)


def _maybe(after: float | None) -> float | None:
    return None if after is None else check_step_secs("after", after)
