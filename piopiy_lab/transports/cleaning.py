"""What the microphone heard, made ready for the pipeline on a thread of its own.

The audio thread puts blocks in and returns; the **cleaning thread** mixes them to mono, brings them
to the pipeline's rate and takes the echo out, in their order, and hands them on. Echo cancellation
is a call into a native library, which a busy computer may hold up for seconds: meanwhile neither
the session's loop nor the audio thread waits. What was captured in that time comes late; what is
more than :data:`KEEP_SECS` behind is dropped, the oldest first, and counted.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Protocol

from piopiy_lab.sound import pcm
from piopiy_lab.sound.pcm import Int16

#: Seconds of captured audio that wait for the cleaning thread at most. Late words still make a
#: turn; a longer stall than this is a gap.
KEEP_SECS = 5.0
#: Seconds by which far-end audio may be ahead of the microphone's in the echo canceller.
FAR_AHEAD_SECS = 0.02
#: Far-end blocks that are kept: more than KEEP_SECS of the shortest blocks there are.
FAR_BLOCKS = 1000


class Canceller(Protocol):
    """What takes an echo out: :class:`~piopiy_lab.transports.echo.EchoCanceller`."""

    def far(self, samples: Int16) -> None:
        """Take what is about to be played, int16, (n,)."""
        ...

    def near(self, samples: Int16) -> Int16:
        """Take what was captured, int16, (n,); return what is ready of it without the echo."""
        ...


class CleaningThread:
    """One device's captured audio on its way to the session's loop."""

    def __init__(
        self,
        from_rate: int,
        to_rate: int,
        echo: Canceller | None,
        hand_over: Callable[[float, Int16], None],
        failed: Callable[[Exception], None],
    ) -> None:
        """Start the thread.

        Args:
            from_rate: Hz of the device.
            to_rate: Hz of the pipeline, and of the near side of ``echo``.
            echo: Takes the echo out; used on this thread only. None leaves it in.
            hand_over: Called on this thread with the call's seconds of the first sample, and the
                samples: int16, (n,), at ``to_rate``.
            failed: Called on this thread, once, with what ``echo`` raised; nothing comes after.
        """
        self._resampler = pcm.StreamResampler(from_rate, to_rate)  # this thread
        self._echo = echo
        self._hand_over = hand_over
        self._failed = failed
        self._awake = threading.Condition()  # held for microseconds; guards what follows
        self._blocks: deque[tuple[float, Int16]] = deque()  # put() to the thread
        self._waiting = 0  # frames in _blocks
        self._dropped_secs = 0.0  # since take_dropped()
        self._skipped = False  # something was dropped before the first of _blocks
        self._stopped = False
        self._far: deque[tuple[float, Int16]] = deque(maxlen=FAR_BLOCKS)  # put_far() to here
        self._held_secs = 0.0  # what resampler and canceller hold back; this thread
        self._thread = threading.Thread(target=self._run, name="piopiy-lab-cleaning", daemon=True)
        self._thread.start()

    def put(self, at: float, samples: Int16) -> None:
        """Add a captured block; the audio thread, never blocks for long.

        Args:
            at: The call's seconds of its first sample.
            samples: int16, (n, channels), not to be changed afterwards.
        """
        with self._awake:
            self._blocks.append((at, samples))
            self._waiting += len(samples)
            while self._waiting > KEEP_SECS * self._resampler.from_rate:
                _, oldest = self._blocks.popleft()
                self._waiting -= len(oldest)
                self._dropped_secs += len(oldest) / self._resampler.from_rate
                self._skipped = True
            self._awake.notify()

    def put_far(self, at: float, samples: Int16) -> None:
        """Add a block that is about to be played; the audio thread.

        Args:
            at: The call's seconds of now.
            samples: int16, (n,), at the canceller's far rate, not to be changed afterwards.
        """
        if self._echo is not None:
            self._far.append((at, samples))

    def take_dropped(self) -> float:
        """Return the seconds that were dropped, and forget them; any thread."""
        with self._awake:
            secs, self._dropped_secs = self._dropped_secs, 0.0
        return secs

    def stop(self, timeout: float) -> bool:
        """End the thread; not on the session's loop.

        Args:
            timeout: Seconds to wait. A thread that a native call holds up ends when that returns,
                and hands nothing over.

        Returns:
            Whether it has ended.
        """
        with self._awake:
            self._stopped = True
            self._awake.notify()
        assert threading.current_thread() is not self._thread, "it would wait for itself"
        self._thread.join(timeout)
        return not self._thread.is_alive()

    # --- the cleaning thread --------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while True:
                with self._awake:
                    while not self._blocks and not self._stopped:
                        self._awake.wait()
                    if self._stopped:
                        return
                    at, samples = self._blocks.popleft()
                    self._waiting -= len(samples)
                    skipped, self._skipped = self._skipped, False
                if skipped:
                    self._take_far(at, drop=True)
                begins, ready = self._clean(at, samples)
                if len(ready) and not self._stopped:
                    self._hand_over(begins, ready)
        except Exception as error:
            if not self._stopped:
                self._failed(error)

    def _clean(self, at: float, samples: Int16) -> tuple[float, Int16]:
        assert threading.current_thread() is self._thread, "only on the cleaning thread"
        secs = len(samples) / self._resampler.from_rate
        begins = at - self._held_secs  # what is held back is older than this block
        ready = self._resampler.process(pcm.mono(samples))
        if self._echo is not None:
            self._take_far(at + secs)
            ready = self._echo.near(ready)
        self._held_secs += secs - len(ready) / self._resampler.to_rate
        return begins, ready

    def _take_far(self, until: float, drop: bool = False) -> None:
        """Give the canceller what was played up to a time, or drop it with what was captured."""
        while self._far and self._far[0][0] <= until + FAR_AHEAD_SECS:
            _, block = self._far.popleft()
            if self._echo is not None and not drop:
                self._echo.far(block)
