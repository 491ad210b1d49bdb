"""When somebody really spoke: hand labels, a scripted caller's own times, or silero-vad offline."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from piopiy_lab import events as ev
from piopiy_lab.call.record import CallRecord
from piopiy_lab.checks.arguments import is_whole
from piopiy_lab.errors import ArgumentError, ArgumentTypeError, MissingExtraError
from piopiy_lab.sound import pcm
from piopiy_lab.sound.files import open_sound
from piopiy_lab.sound.pcm import Int16
from piopiy_lab.sound.recording import Recording
from piopiy_lab.turn_lab.judged import RATE

Span = tuple[float, float]

#: Silences shorter than this many seconds belong to an utterance: people pause at commas.
PAUSE_SECS = 0.5


def caller_samples(recording: object) -> Int16:
    """Return the caller's side at 16 kHz: int16, (n,).

    Args:
        recording: A Call, its ``.recording``, a sound file's or saved call's path, or a pair of
            samples (int16 or float, mono) and their rate in Hz.

    Raises:
        ArgumentTypeError: Something else.
        ArgumentError: There is no sound in it.
        AudioFileError: The file can't be read.
    """
    if isinstance(recording, CallRecord):
        recording = recording.recording
    if isinstance(recording, Recording):
        samples, rate = recording.caller, recording.sample_rate
    elif isinstance(recording, str | Path):
        samples, rate = _read(Path(recording))
    elif isinstance(recording, tuple) and len(recording) == 2:
        samples, rate = np.asarray(recording[0]), recording[1]
        if samples.ndim != 1 or not is_whole(rate) or rate <= 0:
            raise ArgumentTypeError(
                f"a recording of shape {samples.shape} at {rate!r} Hz: give (samples, rate) with "
                "mono samples and a whole number of Hz"
            )
    else:
        raise ArgumentTypeError(
            f"a recording can't be {type(recording).__name__}: give a Call, its .recording, the "
            "path of a sound file, or (samples, sample_rate)"
        )
    if len(samples) < rate // 10:
        raise ArgumentError(
            f"the recording has {len(samples) / rate:.2f} s of sound: give one that somebody "
            "speaks in (a call made with record=False has none)"
        )
    if samples.dtype != np.int16:
        samples = pcm.to_int16(samples)
    return pcm.resample(samples, rate, RATE)


def _read(path: Path) -> tuple[Int16, int]:
    if path.is_dir():
        path = path / "call.wav"
    with open_sound(path) as sound:
        samples, rate = sound.read(dtype="float32", always_2d=True), sound.samplerate
    side = samples[:, 0] if path.name == "call.wav" else samples.mean(axis=1)
    return pcm.to_int16(side), int(rate)


def reference_of(reference: Any, recording: Any, samples: Int16) -> tuple[list[Span], str]:
    """Return the utterances and where they come from.

    Args:
        reference: ``(start, end)`` pairs in seconds, "script", "silero", or None: the scripted
            caller's own times if the recording is a Call with one, else silero-vad.
        recording: What :func:`caller_samples` was given.
        samples: What it gave.

    Raises:
        ArgumentError: Pairs that are no utterances, another word, or no script in the call.
        MissingExtraError: silero-vad is needed and not installed.
    """
    script = _scripted(recording)
    if reference is None:
        reference = "script" if script else "silero"
    if reference == "script":
        if not script:
            raise ArgumentError(
                'reference="script": this recording has no scripted caller; give hand labels, '
                '[(0.5, 2.1), ...], or "silero"'
            )
        return script, "the scripted caller's own times"
    if reference == "silero":
        return _silero(samples), "silero-vad, offline"
    if isinstance(reference, str):
        raise ArgumentError(f'reference={reference!r}: give pairs, "script" or "silero"')
    return _labels(reference, len(samples) / RATE), "hand labels"


def _labels(reference: Iterable[Any], secs: float) -> list[Span]:
    spans: list[Span] = []
    try:
        for start, end in reference:
            spans.append((float(start), float(end)))
    except (TypeError, ValueError) as error:
        raise ArgumentError(
            f"reference={reference!r}: give (start, end) pairs in seconds ({error})"
        ) from error
    if not spans:
        raise ArgumentError("reference=[]: label at least one utterance, [(start, end), ...]")
    spans.sort()
    for (start, end), after in zip(spans, [*spans[1:], None], strict=True):
        if not 0 <= start < end <= secs + 0.1:
            raise ArgumentError(
                f"the label ({start:g}, {end:g}) is no stretch of this recording of {secs:.1f} s"
            )
        if after is not None and after[0] < end:
            raise ArgumentError(f"the labels at {start:g} s and {after[0]:g} s overlap")
    return spans


def _scripted(recording: object) -> list[Span]:
    if not isinstance(recording, CallRecord):
        return []
    spoke = recording.events.of(ev.CallerSpoke)
    spoke = [e for e in recording.events.of(ev.CallerSpoke) if not e.found]
    return [(e.at, e.end) for e in spoke if e.end > e.at and e.manner != "cough"]


def _silero(samples: Int16) -> list[Span]:
    try:
        import torch
        from silero_vad import get_speech_timestamps, load_silero_vad
    except ImportError as error:
        raise MissingExtraError(
            "Judging a recording without labels", "reference", detail=str(error)
        ) from error
    found = get_speech_timestamps(
        torch.from_numpy(pcm.to_float32(samples)),
        load_silero_vad(onnx=True),
        min_silence_duration_ms=round(1000 * PAUSE_SECS),
        return_seconds=True,
        time_resolution=3,
    )
    if not found:
        raise ArgumentError("silero-vad finds no speech in this recording: label it by hand")
    return [(float(span["start"]), float(span["end"])) for span in found]
