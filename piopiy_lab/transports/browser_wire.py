"""What the page of a browser microphone says, checked; and the time it says it at.

Pure: no I/O, no thread, no clock. The page is not trusted: any program in the browser can send
what it likes, so sizes, types and ranges are checked before anything is done with a message.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from piopiy_lab.checks.arguments import is_number
from piopiy_lab.sound import pcm

#: The most bytes of audio that one message may have: 100 ms at 48 kHz. The page sends 40 ms.
MAX_AUDIO_BYTES = 9600
#: The most characters of a text (a device's name) that are kept.
MAX_TEXT = 120
#: Seconds of audio by which the page's clock may run faster than the call's, for each second: a
#: sound card's crystal is within 100 ppm.
DRIFT = 2e-4
#: Seconds that everything may come late before the page's clock is taken to have jumped (a laptop
#: that slept), and not the kernel to have been busy.
LATE_SECS = 3.0
#: Seconds after which a missing message is lost, and the most that are waited for (a minute).
LOST_SECS = 2.0
MAX_MISSING = 1500


class BadMessageError(ValueError):
    """The page sent something that no page of ours sends; the message says what is wrong."""


@dataclass(frozen=True)
class Message:
    """A message of a page.

    Attributes:
        nonce: The page's own name, new with every load.
    """

    nonce: str


@dataclass(frozen=True)
class Hello(Message):
    """The page is there; ``secure`` says whether its browser has microphones for it."""

    secure: bool


@dataclass(frozen=True)
class Started(Message):
    """The microphone is open."""

    device: str
    sample_rate: int  # Hz, of the page's audio context
    latency: float  # seconds, of its output


@dataclass(frozen=True)
class Audio(Message):
    """A piece of the user's audio."""

    seq: int
    at: float  # seconds of the page's clock, of the first sample
    samples: pcm.Int16  # (n,)


@dataclass(frozen=True)
class Played(Message):
    """A sample of the agent's is heard."""

    number: int  # among all that were sent
    at: float  # seconds of the page's clock


@dataclass(frozen=True)
class Cleared(Message):
    """The agent fell silent, as asked."""

    id: int
    at: float  # seconds of the page's clock


@dataclass(frozen=True)
class Failed(Message):
    """The microphone, or another device, could not be opened."""

    name: str  # of the browser's exception
    message: str


@dataclass(frozen=True)
class Lost(Message):
    """The device is gone; the page tries the default one."""

    device: str


@dataclass(frozen=True)
class DeviceChanged(Message):
    """Another device is open."""

    device: str


@dataclass(frozen=True)
class Mute(Message):
    """The mute button."""

    muted: bool


@dataclass(frozen=True)
class HangUp(Message):
    """The hang-up button."""


def parse(content: object, buffers: object) -> Message:
    """Check a message and copy it.

    Args:
        content: What JSON gave.
        buffers: The bytes that came with it, in a list.

    Raises:
        BadMessageError: It is none of a page's messages.
    """
    if not isinstance(content, Mapping):
        raise BadMessageError(f"a message of type {type(content).__name__}")
    kind = content.get("type")
    reader = _READERS.get(kind) if isinstance(kind, str) else None
    if reader is None:
        raise BadMessageError(f"a message of kind {str(kind)[:40]!r}")
    data = _bytes(buffers)
    if (data is not None) != (reader is _audio):
        raise BadMessageError(f"{kind!r} {'with' if data is not None else 'without'} bytes")
    nonce = content.get("nonce")
    if not (isinstance(nonce, str) and 8 <= len(nonce) <= 64):
        raise BadMessageError(f"{kind!r} without the nonce of a page")
    return reader(nonce, content, data)


def _bytes(buffers: object) -> bytes | None:
    if buffers is None or (isinstance(buffers, Sequence) and len(buffers) == 0):
        return None
    if not isinstance(buffers, Sequence) or len(buffers) != 1:
        raise BadMessageError("more than one buffer")
    try:
        view = memoryview(buffers[0])
    except TypeError as error:
        raise BadMessageError(f"a buffer of type {type(buffers[0]).__name__}") from error
    if not 0 < view.nbytes <= MAX_AUDIO_BYTES or view.nbytes % 2:
        raise BadMessageError(f"{view.nbytes} bytes of audio, not 2 to {MAX_AUDIO_BYTES} and even")
    return view.tobytes()


def _number(content: Mapping[str, object], name: str, most: float = 1e8) -> float:
    value = content.get(name)
    if not is_number(value):
        raise BadMessageError(f"{name} is no number")
    if not 0 <= value <= most:  # not a number, infinity and huge integers fail it too
        raise BadMessageError(f"{name} is not 0 to {most:g}")
    return float(value)


def _whole(content: Mapping[str, object], name: str) -> int:
    value = _number(content, name, 1e12)
    if value != int(value):
        raise BadMessageError(f"{name} is {value!r}, no whole number")
    return int(value)


def _flag(content: Mapping[str, object], name: str) -> bool:
    value = content.get(name)
    if not isinstance(value, bool):
        raise BadMessageError(f"{name} is neither true nor false")
    return value


def _text(content: Mapping[str, object], name: str) -> str:
    value = content.get(name)
    if not isinstance(value, str):
        raise BadMessageError(f"{name} is no text")
    return "".join(c for c in value[:MAX_TEXT] if c.isprintable())


def _audio(nonce: str, c: Mapping[str, object], data: bytes | None) -> Message:
    samples = np.frombuffer(data or b"", "<i2").astype(np.int16, copy=False)
    return Audio(nonce, _whole(c, "seq"), _number(c, "at"), samples)


def _started(nonce: str, c: Mapping[str, object], _: bytes | None) -> Message:
    rate = _whole(c, "sample_rate")
    if not 3000 <= rate <= 768000:  # what an AudioContext may have
        raise BadMessageError(f"a sample rate of {rate} Hz")
    return Started(nonce, _text(c, "device"), rate, _number(c, "latency", 10.0))


_READERS: dict[str, Callable[[str, Mapping[str, object], bytes | None], Message]] = {
    "audio": _audio,
    "start": _started,
    "hello": lambda nonce, c, _: Hello(nonce, _flag(c, "secure")),
    "played": lambda nonce, c, _: Played(nonce, _whole(c, "number"), _number(c, "at")),
    "cleared": lambda nonce, c, _: Cleared(nonce, _whole(c, "id"), _number(c, "at")),
    "failed": lambda nonce, c, _: Failed(nonce, _text(c, "name"), _text(c, "message")),
    "lost": lambda nonce, c, _: Lost(nonce, _text(c, "device")),
    "device": lambda nonce, c, _: DeviceChanged(nonce, _text(c, "device")),
    "mute": lambda nonce, c, _: Mute(nonce, _flag(c, "muted")),
    "hang_up": lambda nonce, c, _: HangUp(nonce),
}


class Numbering:
    """Which messages are missing.

    Not every gap is a loss: after a busy cell a kernel hands over what waited with newer messages
    in between. A message counts as lost when it is missing for some time.
    """

    def __init__(self) -> None:
        """Expect the number 0."""
        self._next = 0
        self._missing: dict[int, float] = {}  # number -> when it was found to be missing
        self._lost = 0  # more than can be kept

    def arrived(self, number: int, now: float) -> bool:
        """Take note of a message; say whether it is newer than all before it."""
        if number < self._next:
            self._missing.pop(number, None)
            return False
        first = max(self._next, number - MAX_MISSING)
        self._lost += first - self._next
        self._missing.update(dict.fromkeys(range(first, number), now))
        self._next = number + 1
        return True

    def take_lost(self, now: float) -> int:
        """Return how many messages have been lost since the last time."""
        gone = [n for n, since in self._missing.items() if now - since > LOST_SECS]
        for number in gone:
            del self._missing[number]
        lost, self._lost = self._lost + len(gone), 0
        return lost


class PageClock:
    """What time of the call it is at a time of the page's, and how late a message is.

    The fastest message tells: nothing arrives before it was sent, so the least difference between
    both clocks is the best, allowing for a crystal that drifts.
    """

    def __init__(self) -> None:
        """Know nothing yet."""
        self._offset: float | None = None  # the call's seconds, less the page's
        self._last = 0.0  # seconds of the page's clock
        self._late_since: float | None = None  # the call's seconds

    def arrived(self, at: float, now: float) -> float:
        """Take note of a message; return how late it is.

        Args:
            at: When it was sent, in seconds of the page's clock.
            now: When it arrived, in seconds of the call's.

        Returns:
            Seconds that it took more than the fastest one.
        """
        if self._offset is None:
            self._offset, self._last = now - at, at
        self._offset += DRIFT * max(0.0, at - self._last)
        self._last = max(self._last, at)
        self._offset = min(self._offset, now - at)
        late = now - at - self._offset
        if late < LATE_SECS / 4:
            self._late_since = None
        elif self._late_since is None:
            self._late_since = now
        elif now - self._late_since > LATE_SECS:  # not a burst after a busy cell: a jump
            self._offset, self._late_since, late = now - at, None, 0.0
        return late

    def call_time(self, at: float) -> float | None:
        """Return the call's seconds at a time of the page's; None before any message."""
        return None if self._offset is None else at + self._offset
