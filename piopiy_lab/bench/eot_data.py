"""eot-bench's own data, if somebody has it: its silences, with the turn model's scores.

The data is on Hugging Face (Apache-2.0) and not in this package. A folder of it has JSON lines,
each a turn: ``id``, ``audio`` (a file's path in the folder), ``silence_spans`` (a list of
``{"start": s, "end": s}`` or ``[s, s]``, in order; the last one is the turn's end).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from pipecat.audio.turn.smart_turn.base_smart_turn import SmartTurnParams
from pipecat.audio.turn.smart_turn.local_smart_turn_v3 import LocalSmartTurnAnalyzerV3
from pipecat.metrics.metrics import TurnMetricsData

from piopiy_lab.bench.end_of_turn import Silence
from piopiy_lab.checks.arguments import is_number
from piopiy_lab.errors import ArgumentError
from piopiy_lab.sound import pcm
from piopiy_lab.sound.files import open_sound
from piopiy_lab.sound.pcm import Int16

#: When Smart Turn is asked, in seconds of silence: once, as eot-bench's own adapter does.
LOOKS = (0.2,)
#: The model hears the last 8 s, at 16 kHz.
HEARS_SECS, RATE = 8.0, 16000
#: Longer than any silence: the analyzer must not decide by itself.
_NEVER_SECS = 3600.0


async def eot_silences(
    folder: str | PathLike[str], *, looks: Sequence[float] = LOOKS
) -> tuple[Silence, ...]:
    """Return the silences of a folder of eot-bench's data, scored by Smart Turn.

    Takes some 50 ms of CPU for each look; the model hears nothing that comes after it.

    Args:
        folder: With ``*.jsonl`` files.
        looks: Seconds into each silence at which the model is asked, rising.

    Raises:
        ArgumentError: No such folder, no rows, or a row that is none; names file and line.
        AudioFileError: A recording can't be read.
    """
    place, files = _files(folder)
    model = LocalSmartTurnAnalyzerV3(params=SmartTurnParams(stop_secs=_NEVER_SECS))
    model.set_sample_rate(RATE)
    found: list[Silence] = []
    try:
        for path in files:
            for line, row in _rows(path):
                found += await _turn(model, place, f"{path.name}, line {line}", row, looks)
    finally:
        await model.cleanup()
    if not found:
        raise ArgumentError(f"{str(place)!r} has no turns in its {len(files)} *.jsonl files")
    return tuple(found)


def _files(folder: str | PathLike[str]) -> tuple[Path, list[Path]]:
    place = Path(folder).expanduser()
    files = sorted(place.glob("*.jsonl"))
    if not files:
        raise ArgumentError(
            f"{str(place)!r} has no *.jsonl: a line for each turn, with id, audio and "
            "silence_spans, as eot-bench's data has them"
        )
    return place, files


def _rows(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeError) as error:
        raise ArgumentError(f"{str(path)!r} can't be read: {error}") from error
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise ArgumentError(f"{path.name}, line {number}: no JSON ({error})") from error
        if not isinstance(row, dict):
            raise ArgumentError(f"{path.name}, line {number}: {row!r:.60} is no object")
        yield number, row


async def _turn(
    model: LocalSmartTurnAnalyzerV3,
    folder: Path,
    where: str,
    row: Mapping[str, Any],
    looks: Sequence[float],
) -> list[Silence]:
    spans = _spans(where, row.get("silence_spans"))
    audio = row.get("audio")
    name = audio.get("path") if isinstance(audio, dict) else audio
    if not isinstance(name, str):
        raise ArgumentError(f"{where}: audio is {audio!r:.60}; give a file's path in the folder")
    with open_sound(folder / name) as sound:
        rate = int(sound.samplerate)
        samples = pcm.mono(sound.read(dtype="float32", always_2d=True))
    samples = pcm.resample(samples, rate, RATE)
    found: list[Silence] = []
    for place, (start, end) in enumerate(spans):
        last = place == len(spans) - 1
        scores: list[tuple[float, float]] = []
        for look in looks:
            if not last and look >= end - start:
                break
            scores.append((look, await _score(model, samples, start, look)))
        label = "end" if last else "hold"
        found.append(Silence(label, end - start, tuple(scores)))
    return found


def _spans(where: str, told: object) -> list[tuple[float, float]]:
    spans: list[tuple[float, float]] = []
    for span in told if isinstance(told, list) else ():
        match span:
            case {"start": start, "end": end} | [start, end] if is_number(start) and is_number(end):
                before = spans[-1][1] if spans else 0.0
                if not before <= start <= end:
                    raise ArgumentError(
                        f"{where}: a silence is {start:g} to {end:g} s; they must be in order, "
                        f"this one from {before:g} s on"
                    )
                spans.append((float(start), float(end)))
            case _:
                raise ArgumentError(
                    f"{where}: a silence is {span!r:.60}; give its start and end in seconds"
                )
    if not spans:
        raise ArgumentError(f"{where} has no silence_spans: the last one is the turn's end")
    return spans


async def _score(
    model: LocalSmartTurnAnalyzerV3, samples: Int16, start: float, look: float
) -> float:
    """Return how sure the model is at a look, 0 to 1; it hears only what was before."""
    at, until = round(start * RATE), round((start + look) * RATE)
    heard = samples[max(0, until - round(HEARS_SECS * RATE)) : until]
    heard = np.pad(heard, (0, max(0, until - len(samples))))  # a file that ends with the words
    silent = min(until - at, len(heard))
    model.clear()
    model.append_audio(pcm.to_bytes(heard[: len(heard) - silent]), True)
    model.append_audio(pcm.to_bytes(heard[len(heard) - silent :]), False)
    _, metrics = await model.analyze_end_of_turn()
    return metrics.probability if isinstance(metrics, TurnMetricsData) else 0.0
