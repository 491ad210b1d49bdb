"""When a speaker that was opened plays what it is given: it takes blocks as time goes by.

PulseAudio, just opened, may run dry again and again: for up to 0.35 s it asks for a block each half
millisecond, flags it, and throws away what it was given (8 s of it were seen). An agent's first
words went that way.

Pure: it knows no device, thread or clock; it is told what time it is.
"""

from __future__ import annotations

from collections import deque

#: Blocks that are looked at together: a device may take two or three at once, and then wait.
LOOK_BLOCKS = 3
#: The part of their seconds that they must have taken.
LEAST_PART = 0.5
#: Seconds after its first block from which on a device is taken as it is, whatever it flags.
MOST_SECS = 1.0


class Settling:
    """Whether a device has settled; once it has, it stays so."""

    def __init__(self) -> None:
        """Begin with one that was just opened."""
        self.done = False
        self._began: float | None = None
        self._times: deque[float] = deque(maxlen=LOOK_BLOCKS + 1)

    def block(self, now: float, secs: float, flagged: bool) -> None:
        """Count a callback's block.

        Args:
            now: Seconds.
            secs: How long it is.
            flagged: Whether PortAudio says that the device ran dry before it.
        """
        if self._began is None:
            self._began = now
        self._times.append(now)
        full = len(self._times) > LOOK_BLOCKS
        paced = full and now - self._times[0] >= LEAST_PART * LOOK_BLOCKS * secs
        if (paced and not flagged) or now - self._began >= MOST_SECS:
            self.done = True
