"""What an answer is begun on before the turn is over: words that have stood for a while.

A recogniser's words come after the sound, so the last of them may still be missing when the turn
model says that the caller is done. Words that have been the same for 0.1 s of that silence are
mostly all there; asked at once, every turn would be asked twice. A recogniser that is later than
that shows it in the first request that is wasted on it, and is waited for from then on.

Pure; times are seconds of one clock.
"""

from __future__ import annotations

import math

from pipecat.turns.user_stop import NormalizedMatch

#: Seconds of a likely end for which the words must have been the same.
STOOD_SECS = 0.1

#: Seconds by which a recogniser may be later than it was (words that come then must stand that long
#: anyway), and above which what comes belongs to more that was said.
MARGIN_SECS, MOST_LATE_SECS = STOOD_SECS, 0.4

_SAME = NormalizedMatch()


class Ahead:
    """Follows the words of a turn, and what was begun on them."""

    def __init__(self) -> None:
        """Begin with nothing said."""
        self._late = 0.0  # seconds of a likely end after which a last word came, at the most
        self._likely_since = 0.0  # when the last answer was begun
        self.begin_turn()

    def begin_turn(self) -> None:
        """A new turn: nothing was said, nothing was begun."""
        self._finals: list[str] = []
        self._interim = ""
        self._changed_at = 0.0  # when the words became what they are
        self._spent: list[str] = []  # words that an answer was begun on, and thrown away
        self.begun: str | None = None  # the words of the answer that is on its way

    @property
    def words(self) -> str:
        """What was said so far."""
        return " ".join(text for text in (*self._finals, self._interim) if text)

    def hear(self, text: str, now: float, *, final: bool) -> None:
        """Take a recogniser's words: a guess takes the place of the last one."""
        before, text = self.words, text.strip()
        if final:
            self._finals.append(text)
        self._interim = "" if final else text
        if not _SAME.matches(before, self.words):
            self._changed_at = now
            if self.begun is not None:
                late = now - self._likely_since + MARGIN_SECS
                self._late = max(self._late, min(late, MOST_LATE_SECS))

    @property
    def outdated(self) -> bool:
        """Whether an answer is on its way to other words than these."""
        return self.begun is not None and not _SAME.matches(self.begun, self.words)

    def due_at(self, likely_since: float) -> float:
        """Return when an answer may be begun, if it isn't later; ``inf`` for never.

        Args:
            likely_since: Since when the caller is likely to be done.
        """
        said = self.words
        if not said or self.begun is not None or any(_SAME.matches(said, t) for t in self._spent):
            return math.inf
        return max(self._changed_at + STOOD_SECS, likely_since + max(STOOD_SECS, self._late))

    def begin(self, likely_since: float) -> str:
        """An answer to the words so far is begun; return them."""
        self._likely_since = likely_since
        self.begun = self.words
        return self.begun

    def throw_away(self) -> str | None:
        """The answer on its way is none; return its words, None if there was none."""
        begun, self.begun = self.begun, None
        if begun is not None:
            self._spent.append(begun)
        return begun

    def confirm(self) -> str | None:
        """The turn is over: return the words of the answer, if it is one to all that was said."""
        if self.begun is None or self.outdated:
            return None
        begun, self.begun = self.begun, None
        return begun
