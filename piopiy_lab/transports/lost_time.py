"""How much sound a device really lost, from the times of its callbacks.

PortAudio only flags that something was lost: once for a gap of any length, or at every block for a
while when the device does not get going again. The seconds come from the clock: a device takes (or
gives) samples as time goes by, so the lag, the time gone less the samples so far, stays the same
but for callbacks that come late, and never early. Where it jumps, sound was lost.

Pure: it knows no device, thread or clock; every method is told what time it is.
"""

from __future__ import annotations

#: Seconds over which the earliest callback counts: the others may be late, on a busy computer.
WINDOW_SECS = 0.5
#: Seconds by which the lag may change from window to window without a loss.
SLACK_SECS = 0.01


class _Lag:
    """The time gone less the samples so far, window by window."""

    def __init__(self) -> None:
        self._secs = 0.0  # of samples so far
        self._began = 0.0  # when the window began
        self._least: float | None = None  # in this window
        self._before: float | None = None  # in the last one

    def block(self, now: float, secs: float) -> float | None:
        """Count a block; returns how much the lag has changed when a window ends."""
        lag = now - self._secs
        self._secs += secs
        if self._least is None:
            self._began, self._least = now, lag
            return None
        if now - self._began < WINDOW_SECS:
            self._least = min(self._least, lag)
            return None
        before, self._before = self._before, self._least
        change = None if before is None else self._least - before
        self._began, self._least = now, lag
        return change


class CaptureLoss:
    """What a microphone's device heard and did not hand over."""

    def __init__(self) -> None:
        """Start with nothing lost."""
        self.secs = 0.0  # so far
        self._lag = _Lag()
        self._windows = 0  # until when a jump is a loss, in windows

    def block(self, now: float, secs: float, flagged: bool) -> None:
        """Count a callback's block.

        Args:
            now: Seconds.
            secs: How long it is.
            flagged: Whether PortAudio says that something before it was lost.
        """
        if flagged:
            self._windows = 2  # the lag of this window's beginning hides it
        change = self._lag.block(now, secs)
        if change is not None and self._windows:
            self._windows -= 1
            if change > SLACK_SECS:
                self.secs += change


class PlayLoss:
    """Where a speaker's device broke the agent's voice: silence in it, or parts left out.

    A device that runs dry in silence loses nothing that anybody could hear.
    """

    def __init__(self) -> None:
        """Start with nothing lost."""
        self.secs = 0.0  # so far
        self._lag = _Lag()
        self._windows = 0  # until when a jump is a loss, in windows
        self._flags = self._voiced = 0  # in those: flagged blocks, and those in the agent's voice
        self._dry_at: float | None = None  # when the last block has been heard, if it was voiced

    def block(self, now: float, secs: float, wait: float, flagged: bool, voiced: bool) -> None:
        """Count a callback's block.

        Args:
            now: Seconds.
            secs: How long it is.
            wait: Seconds until its first sample is heard.
            flagged: Whether PortAudio says that the device ran dry before it.
            voiced: Whether it has samples of the agent's.
        """
        broken = voiced and self._dry_at is not None
        if flagged:
            self._windows = 2
            self._flags += 1
            self._voiced += broken
            if broken and self._dry_at is not None:
                self.secs += max(0.0, now - self._dry_at)
        self._dry_at = now + wait + secs if voiced else None
        change = self._lag.block(now, secs)
        if change is None or not self._windows:
            return
        self._windows -= 1
        if change < -SLACK_SECS and self._flags:
            # The device took more than time has gone: what it had was thrown away, not heard.
            self.secs -= change * self._voiced / self._flags
        if not self._windows:
            self._flags = self._voiced = 0
