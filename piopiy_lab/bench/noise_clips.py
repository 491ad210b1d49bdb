"""Noises near a phone, made of numbers: throats, sneezes, doors, keys. Pure.

None of them is a recording. What makes each of them what it is: a throat is a cough of low effort
(noise through the tract, twice or three times), a sneeze an indrawn breath and a burst of broad
noise, a sniffle two short breaths through the nose; a door a low thud with a rattle, keys many
small bright clicks, a cup a ringing tone that dies away.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from piopiy_lab.errors import ArgumentError
from piopiy_lab.sound import body_sounds
from piopiy_lab.sound.pcm import Int16

Floats = npt.NDArray[np.float64]

#: Peak of a noise of the body, of 32767: that of the callers' voices; things in the room are lower.
PEAK, ROOM_PEAK = 16000, 9000


def noise_clip(name: str, sample_rate: int) -> Int16:
    """Return a noise by its name and seed, "door:2": int16, (n,), the same for the same name.

    Args:
        name: One of :data:`NOISES` or "cough", with a seed after a colon.
        sample_rate: Hz, from 8000 on.

    Raises:
        ArgumentError: There is no such noise.
    """
    kind, _, seed = name.partition(":")
    if not seed.isdecimal() or (kind != "cough" and kind not in NOISES):
        known = ", ".join(["cough", *NOISES])
        raise ArgumentError(f"there is no noise {name!r}: give one of {known}, as in 'door:2'")
    if kind == "cough":
        return body_sounds.cough(sample_rate, int(seed))
    make, peak = NOISES[kind]
    draw = np.random.Generator(np.random.PCG64(int(seed) * 1000 + list(NOISES).index(kind)))
    sound = make(sample_rate, draw)
    return np.rint(sound * (peak / np.abs(sound).max())).astype(np.int16)


def _band(count: int, rate: int, low: float, high: float, draw: np.random.Generator) -> Floats:
    """Return noise between two frequencies in Hz, (n,), of about unit level."""
    spectrum = np.fft.rfft(draw.normal(size=count))
    hertz = np.fft.rfftfreq(count, 1 / rate)
    shape = 1 / (1 + (low / np.maximum(hertz, 1.0)) ** 4) / (1 + (hertz / high) ** 4)
    sound = np.fft.irfft(spectrum * shape, count)
    return sound / np.sqrt(np.mean(sound**2))


def _decay(count: int, rate: int, secs: float) -> Floats:
    return np.exp(-np.arange(count) / (secs * rate))


def _swell(count: int) -> Floats:
    return np.sin(np.pi * (np.arange(count) + 0.5) / count) ** 2


def _quiet(rate: int, secs: float) -> Floats:
    return np.zeros(round(secs * rate))


def _throat(rate: int, draw: np.random.Generator) -> Floats:
    pieces: list[Floats] = []
    for _ in range(int(draw.integers(2, 4))):
        count = round(draw.uniform(0.12, 0.2) * rate)
        rough = 1 + 0.8 * np.sign(
            np.sin(2 * np.pi * draw.uniform(55, 80) * np.arange(count) / rate)
        )
        pieces += [_band(count, rate, 150, 1100, draw) * rough * _swell(count), _quiet(rate, 0.07)]
    return np.concatenate(pieces)


def _sneeze(rate: int, draw: np.random.Generator) -> Floats:
    breath, burst = round(0.3 * rate), round(0.28 * rate)
    return np.concatenate(
        [
            0.12 * _band(breath, rate, 500, 4000, draw) * _swell(breath),
            _quiet(rate, 0.06),
            _band(burst, rate, 600, 6000, draw) * _decay(burst, rate, draw.uniform(0.06, 0.1)),
        ]
    )


def _sniffle(rate: int, draw: np.random.Generator) -> Floats:
    pieces: list[Floats] = []
    for _ in range(2):
        count = round(draw.uniform(0.14, 0.24) * rate)
        pieces += [_band(count, rate, 1200, 5000, draw) * _swell(count), _quiet(rate, 0.12)]
    return np.concatenate(pieces)


def _breath(rate: int, draw: np.random.Generator) -> Floats:
    count = round(draw.uniform(0.5, 0.9) * rate)
    return _band(count, rate, 300, 2500, draw) * _swell(count)


def _door(rate: int, draw: np.random.Generator) -> Floats:
    thud, rattle = round(0.35 * rate), round(0.25 * rate)
    low = _band(thud, rate, 40, 220, draw) * _decay(thud, rate, 0.06)
    after = 0.25 * _band(rattle, rate, 800, 3000, draw) * _decay(rattle, rate, 0.05)
    return np.concatenate([low, after])


def _clicks(
    rate: int, draw: np.random.Generator, count: int, apart: tuple[float, float], hertz: float
) -> Floats:
    pieces: list[Floats] = []
    for _ in range(count):
        long = round(0.03 * rate)
        click = _band(long, rate, hertz * 0.6, hertz * 1.6, draw) * _decay(long, rate, 0.006)
        pieces += [draw.uniform(0.4, 1.0) * click, _quiet(rate, draw.uniform(*apart))]
    return np.concatenate(pieces)


def _keys(rate: int, draw: np.random.Generator) -> Floats:
    return _clicks(rate, draw, int(draw.integers(9, 14)), (0.01, 0.06), 4500)


def _typing(rate: int, draw: np.random.Generator) -> Floats:
    return _clicks(rate, draw, int(draw.integers(6, 10)), (0.08, 0.2), 2000)


def _knock(rate: int, draw: np.random.Generator) -> Floats:
    return _clicks(rate, draw, 3, (0.14, 0.2), 350)


def _cup(rate: int, draw: np.random.Generator) -> Floats:
    count = round(0.5 * rate)
    when = np.arange(count) / rate
    tones = [np.sin(2 * np.pi * f * draw.uniform(0.97, 1.03) * when) for f in (2300, 3700, 5100)]
    return np.sum(tones, axis=0) * _decay(count, rate, 0.09)


def _chair(rate: int, draw: np.random.Generator) -> Floats:
    count = round(draw.uniform(0.4, 0.7) * rate)
    stick = 1 + np.sign(np.sin(2 * np.pi * draw.uniform(35, 60) * np.arange(count) / rate))
    return _band(count, rate, 250, 1800, draw) * stick * _swell(count)


#: What makes each of them, and its peak.
NOISES: dict[str, tuple[Callable[[int, np.random.Generator], Floats], int]] = {
    "throat": (_throat, PEAK),
    "sneeze": (_sneeze, PEAK),
    "sniffle": (_sniffle, ROOM_PEAK),
    "breath": (_breath, ROOM_PEAK),
    "door": (_door, ROOM_PEAK),
    "keys": (_keys, ROOM_PEAK),
    "typing": (_typing, ROOM_PEAK),
    "knock": (_knock, ROOM_PEAK),
    "cup": (_cup, ROOM_PEAK),
    "chair": (_chair, ROOM_PEAK),
}
