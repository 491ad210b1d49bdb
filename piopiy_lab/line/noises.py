"""Noise around a caller, made from nothing: street, cafe, hum. Pure, and the same for a seed.

Each is a loop of seconds, made once and read again and again; its mean power within the line's
band is 1, so that a factor sets its level.
"""

from __future__ import annotations

import functools

import numpy as np

from piopiy_lab.errors import ArgumentError
from piopiy_lab.sound.babble import babble
from piopiy_lab.sound.pcm import Float32

#: Seconds of each loop: long enough that nobody hears it begin again.
STREET_SECS, CAFE_SECS, HUM_SECS = 24, 12, 1
#: The part of a noise's power that a line must let through.
LEAST_PART = 1e-6
#: Hz of the mains, and how many of its harmonics are heard.
MAINS_HZ, HARMONICS = 50.0, 30
#: Voices in a cafe: with fewer one of them is understood to be speaking to the agent.
VOICES = 8
#: Cars that pass in a loop, seconds in which one comes and goes, and dB by which it swells.
CARS, PASSING_SECS, SWELL_DB = 6, (2.0, 5.0), (6.0, 12.0)
#: Hz up to which a street is loud; above it falls by 9 dB an octave.
STREET_HZ = 250.0


@functools.lru_cache(maxsize=8)
def noise_loop(kind: str, rate: int, band: tuple[float, float] | None, seed: int) -> Float32:
    """Return a loop of noise, float32 of shape (n,), with a mean power of 1 within the band.

    Args:
        kind: "street", "cafe" or "hum".
        rate: Hz.
        band: Hz that the line lets through; None for all.
        seed: Which street it is.

    Raises:
        ArgumentError: The band has nothing of it.
    """
    draws = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, len(kind)])))
    made = {"street": _street, "cafe": _cafe, "hum": _hum}[kind](rate, draws)
    spectrum = np.fft.rfft(made)
    hertz = np.fft.rfftfreq(len(made), 1 / rate)
    low, high = (20.0, rate / 2) if band is None else band
    spectrum[(hertz < low) | (hertz > high)] = 0
    within = np.fft.irfft(spectrum, len(made))
    if np.mean(within**2) < LEAST_PART * np.mean(made**2):
        raise ArgumentError(
            f"Line(noise={kind!r}, band={band!r}): there is nothing of a {kind} between {low:g} "
            f"and {high:g} Hz; take another noise, or a wider band"
        )
    loop = (within / np.sqrt(np.mean(within**2))).astype(np.float32)
    loop.flags.writeable = False
    return loop


def _street(rate: int, draws: np.random.Generator) -> np.ndarray:
    """Traffic: noise that falls from 250 Hz on, and cars that swell and ebb, brighter when near."""
    count = STREET_SECS * rate
    far = _shaped(count, rate, draws, STREET_HZ)
    near = _shaped(count, rate, draws, 3 * STREET_HZ)
    secs = np.arange(count) / rate
    swells = np.zeros(count)
    for begins in (np.arange(CARS) + draws.random(CARS) * 0.8) * STREET_SECS / CARS:
        takes = draws.uniform(*PASSING_SECS)
        loudest = 10 ** (draws.uniform(*SWELL_DB) / 20)
        away = (secs - begins + STREET_SECS / 2) % STREET_SECS - STREET_SECS / 2
        swells += loudest * np.where(
            np.abs(away) < takes / 2, 0.5 + 0.5 * np.cos(2 * np.pi * away / takes), 0
        )
    return far + 0.7 * swells * near


def _shaped(count: int, rate: int, draws: np.random.Generator, corner: float) -> np.ndarray:
    spectrum = np.fft.rfft(draws.standard_normal(count))
    spectrum /= (1 + (np.fft.rfftfreq(count, 1 / rate) / corner) ** 2) ** 0.75
    shaped = np.fft.irfft(spectrum, count)
    return shaped / np.sqrt(np.mean(shaped**2))


def _cafe(rate: int, draws: np.random.Generator) -> np.ndarray:
    """Voices at other tables: one made-up voice, at other pitches, that talk and pause."""
    count = CAFE_SECS * rate
    voice = babble(3 * rate, rate).astype(np.float64)
    voice[: rate // 100] *= np.linspace(0, 1, rate // 100)
    voice[-rate // 100 :] *= np.linspace(1, 0, rate // 100)
    room = np.zeros(count)
    for _ in range(VOICES):
        pace = draws.uniform(0.8, 1.5)
        at = int(draws.integers(count))
        level = 10 ** (draws.uniform(-6, 0) / 20)
        said = np.zeros(count)
        while at < 2 * count:
            takes = int(draws.uniform(1.0, 2.9) * rate / pace)
            begin = int(draws.integers(max(1, len(voice) - int(takes * pace) - 1)))
            piece = np.interp(begin + np.arange(takes) * pace, np.arange(len(voice)), voice)
            piece *= np.minimum(1, np.minimum(np.arange(takes), np.arange(takes)[::-1]) / 200)
            places = (at + np.arange(takes)) % count
            if np.any(said[places]):
                break
            said[places] = piece
            at += takes + int(draws.uniform(0.2, 0.9) * rate)
        room += level * said
    return room + 0.02 * np.sqrt(np.mean(room**2)) * draws.standard_normal(count)


def _hum(rate: int, draws: np.random.Generator) -> np.ndarray:
    """50 Hz and its harmonics, odd ones stronger, as a transformer or a bad earth gives them."""
    secs = np.arange(HUM_SECS * rate) / rate
    hum = np.zeros(len(secs))
    for number in range(1, HARMONICS + 1):
        if number * MAINS_HZ < rate / 2:
            strong = (1.0 if number % 2 else 0.5) / number
            hum += strong * np.sin(2 * np.pi * (number * MAINS_HZ * secs + draws.random()))
    return hum
