"""Text to speech with espeak-ng, in process, with word times and the same bytes every time.

How it works::

    Engine.speak()   samples and word events from the C library (piopiy_lab.sound.espeak)
    _shape()         pure: silence trimmed, long pauses shortened, events -> the text's own words
    synthesize()     the two, then resampled whole, brought to one peak level, and cached

What comes out depends on the arguments alone, not on the process or on what was spoken before.
Every function here may be called from any thread; synthesis takes about 0.002 s per second of
speech and is serialised by the engine's lock.
"""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from piopiy_lab.errors import ArgumentError, ArgumentTypeError
from piopiy_lab.sound.espeak import NATIVE_RATE, engine

__all__ = [
    "AGENT_VOICE",
    "CALLER_VOICE",
    "DEFAULT_VOICE",
    "NATIVE_RATE",
    "READY_VOICES",
    "SECOND_AGENT_VOICE",
    "Speech",
    "Voice",
    "Word",
    "find_voice",
    "synthesize",
    "voices",
]

_MAX_RATE = 192_000  # Hz; the highest rate that a clip can be asked for
_CACHE_BYTES = 32 * 2**20  # the clips kept, in bytes of samples
_MARGIN = 0.005  # s of silence left at either end of a clip
_NOTHING = np.zeros(0, dtype=np.int16)
_QUIET = 16  # a sample of at most this (of 32767) is silence: pauses are zeros up to -66 dBFS


@dataclass(frozen=True)
class Voice:
    """How to speak: an espeak-ng voice and what to do with it.

    Attributes:
        name: ``"language"`` or ``"language+variant"``, as espeak-ng names them: ``"en-us+f2"``.
        rate: Speed in words per minute, 80 to 450.
        pitch: Base pitch, 0 to 99; 50 is the variant's own.
        range: Liveliness of the pitch, 0 (monotone) to 99; 50 is the variant's own.
        volume: The clip's peak as a part of full scale, above 0 and up to 1. Every clip is brought
            to it, because voice activity detectors lose short words that peak below about 0.12.
        max_pause: The longest silence inside a clip in seconds, or None for espeak-ng's own pauses
            (0.17 s at a comma, 0.35 s at a full stop). A caller's silence of 0.2 s ends their turn.

    Raises:
        ArgumentError: A number is out of its range. The name is checked when the voice is used.
    """

    name: str = "en-us+f2"
    rate: int = 165
    pitch: int = 50
    range: int = 50
    volume: float = 0.5
    max_pause: float | None = None

    def __post_init__(self) -> None:
        for field, low, high in (("rate", 80, 450), ("pitch", 0, 99), ("range", 0, 99)):
            value = getattr(self, field)
            if not isinstance(value, int) or not low <= value <= high:
                raise ArgumentError(f"Voice {field} {value!r}: use an int from {low} to {high}")
        if not isinstance(self.volume, int | float) or not 0 < self.volume <= 1:
            raise ArgumentError(f"Voice volume {self.volume!r}: use a number above 0 and up to 1")
        if self.max_pause is not None and not self.max_pause >= 0:
            raise ArgumentError(
                f"Voice max_pause {self.max_pause!r}: use seconds, 0 or more, or None"
            )


AGENT_VOICE = Voice("en-us+f2", rate=165)
"""The agent: a woman, American, about 205 Hz."""

SECOND_AGENT_VOICE = Voice("en-gb-x-rp+m7", rate=150, pitch=20)
"""Another agent, or the service that a call was switched to: a man, British, slow, about 93 Hz."""

CALLER_VOICE = Voice("en-us+m3", rate=185, pitch=30, range=66, max_pause=0.12)
"""The caller: a man, American, quick, about 100 Hz. His numbers were chosen by measurement: Silero
hears one segment in each of 25 booking-desk sentences, PocketSphinx takes all of them right, and
Smart Turn v3 takes 21 of 22 for finished (for most other voices 5 to 8 of 12)."""

DEFAULT_VOICE = CALLER_VOICE
"""What :func:`synthesize` speaks with; the agent's service passes its own."""

READY_VOICES = {
    "agent": AGENT_VOICE,
    "second_agent": SECOND_AGENT_VOICE,
    "caller": CALLER_VOICE,
}
"""The voices that have a name of their own here."""


@dataclass(frozen=True)
class Word:
    """One word of a clip.

    Attributes:
        text: The whitespace-separated token as it was written, with its punctuation.
        start: Seconds from the clip's start to the word's first sound.
        end: Seconds from the clip's start to the word's last sound; equals ``start`` for a token
            that is not spoken, such as a lone dash.
    """

    text: str
    start: float
    end: float


@dataclass(frozen=True, eq=False)
class Speech:
    """A spoken clip.

    Attributes:
        samples: Read-only int16 array of shape (n,), mono; empty when there was nothing to say.
        sample_rate: Samples per second.
        words: One entry for each whitespace-separated token of the text, in order.
    """

    samples: npt.NDArray[np.int16]
    sample_rate: int
    words: tuple[Word, ...]

    @property
    def duration(self) -> float:
        """The clip's length in seconds."""
        return len(self.samples) / self.sample_rate

    def __repr__(self) -> str:
        return f"<Speech {self.duration:.2f} s, {self.sample_rate} Hz, {len(self.words)} words>"


def synthesize(
    text: str, voice: Voice | str = DEFAULT_VOICE, *, sample_rate: int | None = None
) -> Speech:
    """Speak a text; the same arguments give the same bytes, in any process and after anything.

    The text is plain text, never markup: ``<`` and ``&`` are spoken. Emoji, control characters,
    NULs, and a text without a letter or a digit are not. Line breaks are pauses as espeak-ng makes
    them.

    Args:
        text: What to say, of any length (a thousand words take about a second).
        voice: A :class:`Voice`, or a name as in :func:`find_voice`.
        sample_rate: Hz, up to 192000; None is espeak-ng's own 22050. Another rate is resampled
            from the whole clip in float32 (soxr HQ), which is reproducible to the bit.

    Returns:
        The clip, without silence at either end; zero samples if nothing in the text is spoken.

    Raises:
        ArgumentTypeError: ``text`` is not a str or ``voice`` is neither a Voice nor a str.
        ArgumentError: An unknown voice or a sample rate out of range.
        MissingExtraError: espeak-ng is not installed.
    """
    if not isinstance(text, str):
        raise ArgumentTypeError(f"text is a {type(text).__name__}: use a str")
    voice = find_voice(voice)
    rate = NATIVE_RATE if sample_rate is None else sample_rate
    if not isinstance(rate, int) or not 0 < rate <= _MAX_RATE:
        raise ArgumentError(f"sample_rate {rate!r}: use an int from 1 to {_MAX_RATE} Hz, or None")
    key = (text, voice, rate)
    clip = _cache.get(key)
    if clip is None:
        raw, events = _NOTHING, []
        if any(character.isalnum() for character in text):
            raw, events = engine().speak(
                _speakable(text), voice.name, rate=voice.rate, pitch=voice.pitch, range=voice.range
            )
        samples, words = _shape(raw, events, text, voice.max_pause)
        samples = _finish(samples, rate, voice.volume)
        end = len(samples) / rate
        words = tuple(replace(w, start=min(w.start, end), end=min(w.end, end)) for w in words)
        clip = Speech(samples, rate, words)
        _cache.put(key, clip)
    return clip


def find_voice(voice: Voice | str) -> Voice:
    """The voice for a name: one of :data:`READY_VOICES`, or an espeak-ng ``language+variant``.

    Args:
        voice: A name, or a Voice, which is returned as it is.

    Raises:
        ArgumentTypeError: ``voice`` is neither a str nor a Voice.
        ArgumentError: espeak-ng has no such language or variant; the message lists them.
        MissingExtraError: espeak-ng is needed to judge the name, and is not installed.
    """
    if isinstance(voice, str) and voice in READY_VOICES:
        return READY_VOICES[voice]
    if isinstance(voice, str):
        voice = Voice(voice)
    if not isinstance(voice, Voice):
        raise ArgumentTypeError(f"voice is a {type(voice).__name__}: use a Voice or a voice's name")
    known = engine()
    language, plus, variant = voice.name.partition("+")
    if language not in known.languages:
        raise ArgumentError(
            f"No voice {voice.name!r}: use one of {', '.join(READY_VOICES)}; or 'language+variant' "
            f"with a language of {', '.join(sorted(known.languages))}"
        )
    if plus and variant not in known.variants:
        raise ArgumentError(
            f"No variant {variant!r} in voice {voice.name!r}: use one of "
            f"{', '.join(sorted(known.variants))}"
        )
    return voice


def voices() -> tuple[str, ...]:
    """The names that :func:`find_voice` knows: the ready ones first, then espeak-ng's languages.

    Each language also takes a variant, as in ``"en-us+f3"``; an unknown one is answered with the
    list of them.

    Raises:
        MissingExtraError: espeak-ng is not installed.
    """
    return (*READY_VOICES, *sorted(engine().languages))


# Pure parts


def _speakable(text: str) -> str:
    """The text with what must not be spoken blanked out, character for character."""
    return _UNSPOKEN.sub(" ", text)


_UNSPOKEN = re.compile(
    r"[\x00-\x08\x0e-\x1f\x7f-\x9f\ud800-\udfff"  # control characters, lone surrogates
    r"\u200b-\u200f\u20e3\u2190-\u21ff\u2300-\u27bf\u2b00-\u2bff\ufe00-\ufe0f\ufeff"  # symbols
    r"\U0001f000-\U0001faff\U000e0000-\U000e007f]"  # emoji, tags
)


def _shape(
    raw: npt.NDArray[np.int16],
    events: list[tuple[int, int]],
    text: str,
    max_pause: float | None,
) -> tuple[npt.NDArray[np.int16], tuple[Word, ...]]:
    """Trim a clip, shorten its pauses, and time the text's own words.

    Args:
        raw: int16 samples of shape (n,) at :data:`NATIVE_RATE`.
        events: (index of a character in ``text``, sample) for each word espeak-ng spoke, in order.
        text: The text, whose whitespace-separated tokens are the words.
        max_pause: Seconds, or None.

    Returns:
        The samples that stay, and a word for each token.
    """
    tokens = [m.span() for m in re.finditer(r"\S+", text)]
    loud = np.flatnonzero(np.abs(raw.astype(np.int32)) > _QUIET)
    if not len(loud):
        return raw[:0], tuple(Word(text[a:b], 0.0, 0.0) for a, b in tokens)
    keep = _kept(loud, len(raw), max_pause)
    place = np.concatenate(([0], np.cumsum(keep)))  # a raw sample's index in what is kept
    words = []
    for (a, b), (start, end) in zip(tokens, _spans(tokens, events, text, loud), strict=True):
        words.append(
            Word(text[a:b], *(round(int(place[s]) / NATIVE_RATE, 6) for s in (start, end)))
        )
    return raw[keep], tuple(words)


def _kept(loud: npt.NDArray[np.intp], n: int, max_pause: float | None) -> npt.NDArray[np.bool_]:
    """Which of ``n`` samples stay: a margin around all that is loud, pauses cut in the middle."""
    margin = int(_MARGIN * NATIVE_RATE)
    keep = np.zeros(n, dtype=np.bool_)
    keep[max(0, loud[0] - margin) : loud[-1] + 1 + margin] = True
    if max_pause is not None:
        longest = int(max_pause * NATIVE_RATE)
        for i in np.flatnonzero(np.diff(loud) - 1 > longest):
            keep[loud[i] + 1 + longest // 2 : loud[i + 1] - (longest - longest // 2)] = False
    return keep


def _spans(
    tokens: list[tuple[int, int]],
    events: list[tuple[int, int]],
    text: str,
    loud: npt.NDArray[np.intp],
) -> list[tuple[int, int]]:
    """The first sample and the one after the last, for each token.

    espeak-ng splits a number into several words, joins others ("of the"), and places the word after
    a dash on the dash: the events are gathered by token, moved off tokens that are not spoken, and
    a word without an event shares the time of the one before it, by length.
    """
    if not tokens:
        return []
    spoken = [any(c.isalnum() for c in text[a:b]) for a, b in tokens]
    said = []  # (token, sample), in the order spoken
    at = 0
    for position, sample in events:
        while at + 1 < len(tokens) and position >= tokens[at + 1][0]:
            at += 1
        said.append((at, sample))
    placed = {token for token, _ in said}
    first: dict[int, int] = {}  # token -> the sample of its first event
    for token, sample in said:
        follows = token + 1 < len(tokens) and spoken[token + 1] and token + 1 not in placed
        first.setdefault(token if spoken[token] or not follows else token + 1, sample)

    def sound_at(sample: int) -> int:
        """The first loud sample from here on."""
        i = int(np.searchsorted(loud, sample))
        return int(loud[min(i, len(loud) - 1)])

    starts = sorted(first.items())
    spans = [(int(loud[0]), int(loud[0]))] * len(tokens)
    for n, (token, sample) in enumerate(starts):
        following = starts[n + 1] if n + 1 < len(starts) else (len(tokens), int(loud[-1]) + 1)
        start = min(sound_at(sample), following[1])
        i = int(np.searchsorted(loud, following[1]))
        end = max(start, int(loud[i - 1]) + 1 if i else start)
        group = range(token, following[0])
        weights = [tokens[k][1] - tokens[k][0] if spoken[k] or k == token else 0 for k in group]
        passed = np.concatenate(([0], np.cumsum(weights))) / sum(weights)
        for j, k in enumerate(group):
            spans[k] = (
                start + int((end - start) * passed[j]),
                start + int((end - start) * passed[j + 1]),
            )
    return spans


def _finish(
    samples: npt.NDArray[np.int16], sample_rate: int, volume: float
) -> npt.NDArray[np.int16]:
    """Resample the whole clip, bring its peak to ``volume``, and make it read-only int16."""
    if len(samples):
        import soxr

        x = samples.astype(np.float32)
        if sample_rate != NATIVE_RATE:
            x = soxr.resample(x, NATIVE_RATE, sample_rate, quality="HQ")
        peak = float(np.abs(x).max()) if len(x) else 0.0
        gain = 32767 * volume / peak if peak else 0.0
        samples = np.rint(x.astype(np.float64) * gain).astype(np.int16)
    samples.flags.writeable = False
    return samples


class _Cache:
    """The clips spoken last, up to a number of bytes; the one used longest ago goes first."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lock = threading.Lock()  # guards the two below
        self._clips: OrderedDict[tuple[str, Voice, int], Speech] = OrderedDict()
        self._size = 0  # bytes of samples in _clips

    def get(self, key: tuple[str, Voice, int]) -> Speech | None:
        """The clip for a key, now the one used last; None if it isn't here."""
        with self._lock:
            if key in self._clips:
                self._clips.move_to_end(key)
            return self._clips.get(key)

    def put(self, key: tuple[str, Voice, int], clip: Speech) -> None:
        """Keep a clip, unless it would take more than a quarter of the room."""
        with self._lock:
            if key in self._clips or clip.samples.nbytes > self._limit // 4:
                return
            self._clips[key] = clip
            self._size += clip.samples.nbytes
            while self._size > self._limit:
                self._size -= self._clips.popitem(last=False)[1].samples.nbytes

    def clear(self) -> None:
        """Forget every clip."""
        with self._lock:
            self._clips.clear()
            self._size = 0


_cache = _Cache(_CACHE_BYTES)
