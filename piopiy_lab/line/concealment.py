"""Concealment of lost packets as a phone has it: ITU-T G.711, Appendix I (09/99). Pure.

When a packet is missing the last pitch period goes on, after 10 ms the last two, after 20 ms the
last three, so that it does not buzz; from 10 ms on it fades by a fifth of itself every 10 ms, and
after 60 ms there is silence. Where the sound comes back it is faded into what was made up. All of
it needs the sound to be 3.75 ms late. Lengths are the Appendix's, scaled to the rate.
"""

from __future__ import annotations

import numpy as np

from piopiy_lab.sound.pcm import Float32

#: Seconds: a frame; the shortest and longest pitch period (200 and 66 Hz); what is correlated.
FRAME_SECS = 0.01
SHORTEST_PITCH_SECS, LONGEST_PITCH_SECS = 0.005, 0.015
CORRELATED_SECS = 0.02
#: Seconds by which the sound is late: a quarter of the longest pitch period.
HELD_BACK_SECS = LONGEST_PITCH_SECS / 4
#: By how much the fade back into the sound is longer for each frame that was lost.
LONGER_FADE_SECS = 0.004
#: What a frame of made-up sound loses of its level, and how many frames there are until silence.
FADE_A_FRAME, MOST_FRAMES = 0.2, 6
#: The least power that counts as a pitch, of 8 kHz samples.
LEAST_POWER = 250.0


class Concealer:
    """Takes packets as they come, or don't, and gives a sound without gaps."""

    def __init__(self, sample_rate: int) -> None:
        """Begin with silence.

        Args:
            sample_rate: Hz, a multiple of 800 (8000, 16000, 24000 or 48000, say).
        """
        self._frame = round(FRAME_SECS * sample_rate)
        self._shortest = round(SHORTEST_PITCH_SECS * sample_rate)
        self._longest = round(LONGEST_PITCH_SECS * sample_rate)
        self._correlated = round(CORRELATED_SECS * sample_rate)
        self._held = self._longest // 4
        self._longer_fade = round(LONGER_FADE_SECS * sample_rate)
        self._step = max(1, sample_rate // 4000)  # the Appendix decimates by 2, at 8 kHz
        # what was given or made up, the last of it: never shorter than three pitch periods
        self._history: Float32 = np.zeros(3 * self._longest + self._held, np.float32)
        self._lost = 0  # frames in a row
        self._pitch, self._overlap = self._longest, self._held
        self._buffer: Float32 = self._history.copy()  # of which the last periods are repeated
        self._last: Float32 = np.zeros(0, np.float32)  # the buffer's end, as it really was
        self._length, self._offset = self._pitch, 0  # of what is repeated, and where in it we are

    def process(self, packet: Float32 | None, length: int) -> Float32:
        """Take a packet, float32 at int16's scale, or None for a lost one; return as many samples.

        Args:
            packet: Shape (length,).
            length: Samples: a whole number of 10 ms.
        """
        if packet is not None and not self._lost:
            return self._pushed(packet)
        out = np.empty(length, np.float32)
        for start in range(0, length, self._frame):
            end = start + self._frame
            frame = None if packet is None else packet[start:end]
            out[start:end] = self._pushed(
                self._made_up() if frame is None else self._come_back(frame)
            )
        return out

    def _pushed(self, samples: Float32) -> Float32:
        """Append to the history and return what is due: all but the last 3.75 ms."""
        joined = np.concatenate([self._history, samples])
        out = joined[len(self._history) - self._held : len(joined) - self._held]
        self._history = joined[len(samples) :]
        return out

    def _made_up(self) -> Float32:
        if self._lost == 0:
            frame = self._begin()
        elif self._lost in (1, 2):
            frame = self._one_period_more()
        elif self._lost < MOST_FRAMES:
            frame = self._repeated(self._frame)
        else:
            frame = np.zeros(self._frame, np.float32)
        if 0 < self._lost < MOST_FRAMES:
            gone = FADE_A_FRAME * (self._lost - 1 + np.arange(self._frame) / self._frame)
            frame = frame * (1 - gone).astype(np.float32)
        self._lost += 1
        return frame

    def _begin(self) -> Float32:
        self._buffer = self._history.copy()
        self._pitch = self._find_pitch()
        self._overlap = self._pitch // 4
        self._last = self._buffer[len(self._buffer) - self._overlap :].copy()
        self._offset, self._length = 0, self._pitch
        self._join_ends()
        self._history[len(self._history) - self._overlap :] = self._buffer[
            len(self._buffer) - self._overlap :
        ]
        return self._repeated(self._frame)

    def _one_period_more(self) -> Float32:
        offset = self._offset
        old = self._repeated(self._overlap)
        self._offset = offset % self._pitch
        self._length += self._pitch
        self._join_ends()
        frame = self._repeated(self._frame)
        frame[: self._overlap] = _faded(old, frame[: self._overlap])
        return frame

    def _join_ends(self) -> None:
        """Fade the buffer's end into what comes before the periods that are repeated."""
        end = len(self._buffer)
        start = end - self._length - self._overlap
        before = self._buffer[start : start + self._overlap]
        self._buffer[end - self._overlap :] = _faded(self._last, before)

    def _repeated(self, count: int) -> Float32:
        start = len(self._buffer) - self._length
        places = start + (self._offset + np.arange(count)) % self._length
        self._offset = (self._offset + count) % self._length
        return self._buffer[places]

    def _come_back(self, frame: Float32) -> Float32:
        if not self._lost:
            return frame
        count = min(self._overlap + (self._lost - 1) * self._longer_fade, self._frame)
        left = max(0.0, 1 - (self._lost - 1) * FADE_A_FRAME)
        made_up = self._repeated(count)
        rising = np.arange(1, count + 1, dtype=np.float32) / count
        frame = frame.copy()
        frame[:count] = made_up * (1 - rising) * np.float32(left) + frame[:count] * rising
        self._lost = 0
        return frame

    def _find_pitch(self) -> int:
        """Return the pitch period in samples: where the last 20 ms are most like what was before.

        By normalised cross-correlation, first of every second sample (at 8 kHz), then of each.
        """
        end = len(self._buffer)
        last = self._buffer[end - self._correlated :].astype(np.float64)
        lags = np.arange(self._longest, self._shortest - 1, -self._step)
        best = self._most_alike(last, lags, self._step)
        fine = np.arange(
            min(self._longest, best + self._step - 1),
            max(self._shortest, best - self._step + 1) - 1,
            -1,
        )
        return self._most_alike(last, fine, 1)

    def _most_alike(self, last: np.ndarray, lags: np.ndarray, step: int) -> int:
        starts = len(self._buffer) - self._correlated - lags
        places = starts[:, None] + np.arange(0, self._correlated, step)[None, :]
        earlier = self._buffer[places].astype(np.float64)
        alike = (earlier * last[::step]).sum(axis=1)
        power = np.maximum((earlier * earlier).sum(axis=1), LEAST_POWER)
        scores = alike / np.sqrt(power)
        return int(lags[len(scores) - 1 - int(np.argmax(scores[::-1]))])


def _faded(out: Float32, into: Float32) -> Float32:
    """Return one sound faded into another of the same length."""
    rising = np.arange(1, len(out) + 1, dtype=np.float32) / max(1, len(out))
    return (out * (1 - rising) + into * rising).astype(np.float32, copy=False)
