"""Sounds of a caller that are no words, made of numbers: a cough, a muffled voice, a cut. Pure.

A cough has three phases: the glottis opens with a burst, air streams noisily through the tract, and
the vocal folds close again with a voiced end (J. Korpáš, J. Sadloňová, M. Vrabec, "Analysis of the
cough sound: an overview", Pulmonary Pharmacology 9, 1996; burst some 50 ms, the whole 0.3-0.5 s).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from piopiy_lab.sound.pcm import Int16

#: Seconds of a cough's phases, and of the silence between two.
BURST_SECS, STREAM_SECS, VOICED_SECS, BETWEEN_SECS = 0.05, 0.17, 0.12, 0.14
#: Hz of what the tract lets through best while somebody coughs, their widths, and their parts.
TRACT_HZ, WIDTHS_HZ, PARTS = (500.0, 1400.0, 2600.0), (250.0, 400.0, 700.0), (1.0, 0.7, 0.4)
#: Peak of a cough, of 32767: that of the callers' voices.
PEAK = 16000
#: How much lower words to somebody else in the room come in, in dB, and what a hand over the
#: mouthpiece lets through, in Hz (both chosen: some -12 dB by half a metre's turning away).
ASIDE_DB, MUFFLED_HZ = -12.0, 1200.0
#: Seconds in which a voice that breaks off fades.
CUT_SECS = 0.02

Floats = npt.NDArray[np.float64]


def cough(sample_rate: int, seed: int = 0) -> Int16:
    """Return one or two coughs, the same for the same seed: int16, (n,).

    Args:
        sample_rate: Hz, from 8000 on.
        seed: Which of them: any whole number.
    """
    draw = np.random.Generator(np.random.PCG64(abs(seed)))
    count = 1 + int(draw.integers(2))
    size = draw.uniform(0.85, 1.15)  # of the tract: who coughs
    pieces: list[Floats] = []
    for number in range(count):
        if number:
            pieces.append(np.zeros(round(BETWEEN_SECS * sample_rate)))
        pieces.append(_one_cough(sample_rate, draw, size) * (0.75 if number else 1.0))
    sound = np.concatenate(pieces)
    return np.rint(sound * (PEAK / np.abs(sound).max())).astype(np.int16)


def _one_cough(rate: int, draw: np.random.Generator, size: float) -> Floats:
    lengths = [
        round(secs * draw.uniform(0.9, 1.2) * rate)
        for secs in (BURST_SECS, STREAM_SECS, VOICED_SECS)
    ]
    burst, stream, voiced = lengths
    air = draw.normal(size=sum(lengths))
    envelope = np.concatenate(
        [
            np.exp(-np.arange(burst) / (0.4 * burst)),
            np.linspace(0.35, 0.12, stream),
            np.linspace(0.12, 0.0, voiced),
        ]
    )
    envelope[: max(1, rate // 500)] *= np.linspace(0, 1, max(1, rate // 500))
    sound = air * envelope
    secs = np.arange(voiced) / rate
    pitch = 150.0 / size * (1 - 0.25 * secs / secs[-1])
    phase = 2 * np.pi * np.cumsum(pitch) / rate
    folds = sum(np.sin(n * phase) / n for n in range(1, 12))
    sound[-voiced:] += 0.5 * folds * np.sin(np.pi * np.arange(voiced) / voiced) ** 2
    return _through_tract(sound, rate, size)


def _through_tract(sound: Floats, rate: int, size: float) -> Floats:
    """Return what a vocal tract makes of a sound: its resonances, over a little of it as it is."""
    spectrum = np.fft.rfft(sound)
    hz = np.fft.rfftfreq(len(sound), 1 / rate)
    gain = np.full(len(hz), 0.15)
    for centre, width, part in zip(TRACT_HZ, WIDTHS_HZ, PARTS, strict=True):
        gain += part / (1 + ((hz - centre / size) / (width / 2)) ** 2)
    return np.fft.irfft(spectrum * gain, len(sound))


def aside(samples: Int16, sample_rate: int) -> Int16:
    """Return a voice as it is heard when its owner turns away, a hand over the phone: int16, (n,).

    ``ASIDE_DB`` lower, and above ``MUFFLED_HZ`` 12 dB less with each octave (Butterworth's second
    order, without its delay).

    Args:
        samples: int16, (n,).
        sample_rate: Hz.
    """
    if not len(samples):
        return samples
    spectrum = np.fft.rfft(samples.astype(np.float64))
    hz = np.fft.rfftfreq(len(samples), 1 / sample_rate)
    gain = 10 ** (ASIDE_DB / 20) / np.sqrt(1 + (hz / MUFFLED_HZ) ** 4)
    return np.rint(np.fft.irfft(spectrum * gain, len(samples))).astype(np.int16)


def broken_off(samples: Int16, sample_rate: int, heard: float) -> Int16:
    """Return the beginning of a sound, faded where it breaks off: int16, (n,).

    Args:
        samples: int16, (n,).
        sample_rate: Hz.
        heard: The part of it that is heard, above 0 and below 1.
    """
    kept = samples[: max(1, round(heard * len(samples)))].astype(np.float64)
    fade = min(len(kept), round(CUT_SECS * sample_rate))
    kept[len(kept) - fade :] *= np.linspace(1, 0, fade)
    return np.rint(kept).astype(np.int16)
