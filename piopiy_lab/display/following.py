"""Following the words that were heard through the replies that were written.

Pure. Replies overlap in a log: the answer to a typed turn is written before the one that it cuts
off has fallen silent, and both may begin with the same words. So a heard word is looked for where
the reply being spoken goes on, and what an interruption stopped is not looked at again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from piopiy_lab import events as ev
from piopiy_lab.events.values import InterruptionCause


class _Reply:
    """One text that was given to be spoken, and how far it was heard."""

    def __init__(self, begun: int, text: str = "") -> None:
        self.begun = begun  # its place in the log
        self.text = text
        self._heard = 0  # how many of its letters
        self._letters = ""  # of the text, once it is followed
        self._places: list[int] = []  # of each letter in the text

    def goes_on_with(self, word: str) -> bool:
        """Take a word's letters if they come next."""
        self._read()
        if not self._letters.startswith(word, self._heard):
            return False
        self._heard += len(word)
        return True

    def has_later(self, word: str) -> bool:
        """Take a word that comes later: what lies between was spoken otherwise than written."""
        self._read()
        found = self._letters.find(word, self._heard)
        while found >= 0 and not self._begins_word(found):
            found = self._letters.find(word, found + 1)
        if found < 0:
            return False
        self._heard = found + len(word)
        return True

    def rest(self) -> str:
        """Return what follows the last heard word, without the punctuation at that word."""
        self._read()
        if self._heard >= len(self._letters):
            return ""
        text = self.text[self._places[self._heard - 1] + 1 :] if self._heard else self.text
        following = 0
        while not (text[following].isspace() or text[following].isalnum()):
            following += 1
        return " ".join(text[following:].split())

    def _read(self) -> None:
        if not self._places:
            found = [(i, letter) for i, c in enumerate(self.text) for letter in letters_of(c)]
            self._places = [i for i, _ in found]
            self._letters = "".join(letter for _, letter in found)

    def _begins_word(self, letter: int) -> bool:
        place = self._places[letter]
        return place == 0 or not self.text[place - 1].isalnum()


def letters_of(text: str) -> str:
    """Return a text's letters and digits, in lower case."""
    return "".join(c for c in text.casefold() if c.isalnum())


def rest_after(events: Iterable[ev.Event], end: float) -> str:
    """Return the rest of the reply whose words were the last to be heard before ``end``.

    Args:
        events: A call's log, in its order.
        end: Seconds of the call's clock when the reply was cut off.
    """
    log = [event for event in events if isinstance(event, _READ)]
    heard = [i for i, e in enumerate(log) if isinstance(e, ev.WordSpoken) and e.at < end]
    if not heard:
        return ""
    spoken = _follow(log[: heard[-1] + 1], _written(log))
    return "" if spoken is None else spoken.rest()


_READ = (
    ev.LLMResponseStarted,
    ev.LLMTextGenerated,
    ev.SpeechRequested,
    ev.WordSpoken,
    ev.AgentInterrupted,
    ev.UserTextTyped,
    ev.UserTurnStarted,
    ev.DTMFReceived,
)
_CAUSES: dict[InterruptionCause, type[ev.Event]] = {
    "typed": ev.UserTextTyped,
    "user": ev.UserTurnStarted,
    "keypad": ev.DTMFReceived,
}


def _written(log: Sequence[ev.Event]) -> dict[int, _Reply]:
    """Return the replies by their places in the log, each with all of its text."""
    replies: dict[int, _Reply] = {}
    answer: _Reply | None = None  # the LLM's, which a text from elsewhere doesn't end
    for i, event in enumerate(log):
        match event:
            case ev.SpeechRequested():
                replies[i] = _Reply(i, event.text)
            case ev.LLMResponseStarted():
                answer = replies[i] = _Reply(i)
            case ev.LLMTextGenerated():
                if answer is None:
                    answer = replies[i] = _Reply(i)
                answer.text += event.text
            case _:
                pass
    return replies


def _follow(log: Sequence[ev.Event], written: Mapping[int, _Reply]) -> _Reply | None:
    """Follow the words to the log's end; return the reply that the last of them is in."""
    speech = _Speech()
    for i, event in enumerate(log):
        if i in written:
            speech.waiting.append(written[i])
        match event:
            case ev.WordSpoken():
                for word in event.text.split():
                    speech.hear(letters_of(word))
            case ev.AgentInterrupted():
                speech.stop(_cause(log, i, event))
            case _:
                pass
    return speech.last


def _cause(log: Sequence[ev.Event], interrupted: int, event: ev.AgentInterrupted) -> int:
    """Return the place in the log of what interrupted: an answer to it comes after that."""
    kind = _CAUSES.get(event.cause, ev.AgentInterrupted)
    places = range(interrupted, -1, -1)
    return next((i for i in places if isinstance(log[i], kind)), interrupted)


class _Speech:
    """The replies as they are spoken, one after the other."""

    def __init__(self) -> None:
        self.last: _Reply | None = None  # the one that the last word was heard of
        self.waiting: list[_Reply] = []  # written, and not yet heard
        self._current: _Reply | None = None  # the last one, unless it was stopped
        self._stopped: list[_Reply] = []  # the latest first

    def hear(self, word: str) -> None:
        """Take the letters of a word; one that is in no reply is passed over."""
        if not word:
            return
        current = [self._current] if self._current is not None else []
        for replies, has in (
            (current, _Reply.goes_on_with),
            (self.waiting, _Reply.goes_on_with),
            (current, _Reply.has_later),
            (self.waiting, _Reply.has_later),
            (self._stopped, _Reply.goes_on_with),
        ):
            found = next((reply for reply in replies if has(reply, word)), None)
            if found is not None:
                self._spoken(found)
                return

    def _spoken(self, reply: _Reply) -> None:
        if reply in self.waiting:  # those before it are not spoken any more
            self.waiting = self.waiting[self.waiting.index(reply) + 1 :]
        self.last = self._current = reply

    def stop(self, since: int) -> None:
        """Stop what was written before a place in the log."""
        begun = [self._current, *self.waiting] if self._current is not None else self.waiting
        self._stopped[:0] = reversed([reply for reply in begun if reply.begun < since])
        self.waiting = [reply for reply in self.waiting if reply.begun >= since]
        if self._current in self._stopped:
            self._current = None
