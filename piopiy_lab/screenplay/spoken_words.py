"""What a scripted caller really said, word by word: for the "screenplay" recogniser."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class SpokenWord:
    """A word of the caller's.

    Attributes:
        text: As written in the screenplay.
        start: The call's seconds at which it begins to be heard.
        end: And at which it has been heard.
    """

    text: str
    start: float
    end: float


@dataclass
class Script:
    """The caller's words so far, in order; written by the transport, on the session's loop.

    Attributes:
        words: Every word that was begun, with the times at which it is heard.
        sound_ended: Called when a sound has been heard to its end.
        sound_began: Called when a sound begins, with its words (None where they are not known)
            and the call's seconds at which it begins to be heard.
    """

    words: list[SpokenWord] = field(default_factory=list)
    sound_ended: list[Callable[[], None]] = field(default_factory=list)
    sound_began: list[Callable[[str | None, float], None]] = field(default_factory=list)

    def begin_sound(self, text: str | None, at: float) -> None:
        """Tell who listens that a sound begins."""
        for tell in self.sound_began:
            tell(text, at)

    def end_sound(self, at: float) -> None:
        """Forget what was not heard by ``at``, and tell who listens."""
        self.words = [word for word in self.words if word.start < at]
        for tell in self.sound_ended:
            tell()
