"""Pauses that people make: how many a setting cuts, against how long the ends of turns wait.

    apt install asterisk-core-sounds-{en,es,fr,it,ru}-wav; pip install moonshine-voice
    python benchmarks/human_pauses.py [--sounds DIR] [--picture FILE] [--each N] [--anchored]

Recordings of people who read: prompts of Debian's asterisk-core-sounds (five languages, four
speakers, 8 kHz), a dozen a language with a silence of 0.25 s or more in them and half a dozen
without, and moonshine-voice's three readings. Each is taken for one turn; its pauses are found by
level, 32 dB below the voice.

For the detector alone, for the turn model at the stop, and for the model that looks early too: the
fewest pauses that any setting cuts at a mean delay up to so much.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import soundfile

from piopiy_lab import turn_sweep
from piopiy_lab.listening import early_looks
from piopiy_lab.sound import pcm
from piopiy_lab.turn_lab import TurnScore
from piopiy_lab.turn_lab.listened import EARLY_LOOK_SECS

RATE = 16000
#: Seconds: of a frame whose level is taken, of a silence that is a pause, of a sound that is one.
FRAME_SECS, PAUSE_SECS, SOUND_SECS = 0.01, 0.25, 0.08
#: dB below the voice (the 95th percentile of the levels) at which a frame is silent.
BELOW_DB = 32.0
#: Seconds of silence before and behind a recording.
BEFORE_SECS, BEHIND_SECS = 0.3, 2.0
#: A prompt without a pause is a sentence if it is so many seconds long.
LEAST_SECS = 1.0
FOLDER = Path("/usr/share/asterisk/sounds")
READINGS = ("beckett.wav", "two_cities.wav", "endgame_nagg_nell.wav")
STOPS = (0.2, 0.3, 0.4, 0.5, 0.6, 0.8)
THRESHOLDS, WAITS = (0.5, 0.7, 0.9), (0.8, 1.5)
#: Seconds of mean delay.
DELAYS = (0.3, 0.4, 0.5, 0.6, 0.8, 1.0)

Sound = np.ndarray
Spans = list[tuple[float, float]]
Recording = tuple[tuple[Sound, int], list[Spans]]


def spans_of(sound: Sound) -> Spans:
    """Return when somebody speaks in int16 samples, shape (n,), seconds."""
    size = round(FRAME_SECS * RATE)
    frames = sound[: len(sound) // size * size].reshape(-1, size).astype(float)
    level = 20 * np.log10(np.sqrt((frames**2).mean(axis=1)) + 1e-9)
    voice, floor = np.percentile(level, 95), np.percentile(level, 3)
    loud = level > max(voice - BELOW_DB, min(floor + 8, voice - 15))
    edges = np.flatnonzero(np.diff(np.concatenate([[0], loud, [0]]).astype(int))) * FRAME_SECS
    found: Spans = []
    for start, end in edges.reshape(-1, 2).tolist():
        if found and start - found[-1][1] < PAUSE_SECS:
            found[-1] = found[-1][0], end
        else:
            found.append((start, end))
    return [one for one in found if one[1] - one[0] >= SOUND_SECS]


def read(path: Path) -> Recording | None:
    """Return a recording with silence around it, and its one turn; None where nobody speaks."""
    own, rate = soundfile.read(path, dtype="float32", always_2d=True)
    sound = pcm.resample(pcm.to_int16(own[:, 0]), rate, RATE)
    spans = spans_of(sound) if len(sound) > RATE // 4 and sound.any() else []
    if not spans:
        return None
    before, behind = (np.zeros(round(s * RATE), np.int16) for s in (BEFORE_SECS, BEHIND_SECS))
    moved = [(start + BEFORE_SECS, end + BEFORE_SECS) for start, end in spans]
    return (np.concatenate([before, sound, behind]), RATE), [moved]


def recordings(folder: Path, each: int) -> Iterator[tuple[str, Recording]]:
    """Yield a name, its speaker first, and the recording."""
    for speaker in sorted(folder.iterdir()) if folder.is_dir() else ():
        left = {True: each, False: each // 2}  # by whether there is a pause in it
        for path in sorted(speaker.rglob("*.wav")):
            found = read(path)
            if found is None:
                continue
            (turn,) = found[1]
            paused = len(turn) > 1
            if left[paused] and (paused or turn[0][1] - turn[0][0] >= LEAST_SECS):
                left[paused] -= 1
                yield f"{speaker.name}/{path.stem}", found
    spec = find_spec("moonshine_voice")
    for name in READINGS if spec is not None and spec.origin is not None else ():
        found = read(Path(str(spec.origin)).parent / "assets" / name)
        if found is not None:
            yield f"moonshine/{name}", found


def fewest(scores: Sequence[TurnScore], most: float, missed: int) -> TurnScore | None:
    quick = [one for one in scores if one.delay.value <= most + 0.005 and one.missed <= missed]
    return min(quick, key=lambda one: (len(one.cuts), one.delay.value), default=None)


def told(one: TurnScore) -> str:
    rule, share = one.rule, one.share
    setting = f"stop {rule.stop_secs:g}"
    if rule.threshold:
        setting += f" threshold {rule.threshold:g} wait {rule.wait_secs:g}"
    return (
        f"{len(one.cuts):3} {share.value:5.1%} ({share.low:.1%} to {share.high:.1%}) "
        f"at {one.delay.value:.3f} s, p50 {one.p50:.3f}: {setting}"
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--sounds", type=Path, default=FOLDER)
    parser.add_argument("--picture", type=Path)
    parser.add_argument("--each", type=int, default=12, help="prompts with a pause, a language")
    parser.add_argument("--anchored", action="store_true", help="sound that ends behind the voice")
    options = parser.parse_args()
    early_looks.ANCHORED = options.anchored
    found = dict(recordings(options.sounds, options.each))
    if not found:
        raise SystemExit(f"no recordings in {options.sounds}; what to install stands above")
    silence = turn_sweep(found, stop_secs=STOPS, threshold=0.0, wait_secs=1.5, look_secs=0.0)
    both = turn_sweep(
        found,
        stop_secs=STOPS,
        threshold=THRESHOLDS,
        wait_secs=WAITS,
        look_secs=(0.0, EARLY_LOOK_SECS),
    )
    usual, folders = both.usual, {name.partition("/")[0] for name in found}
    print(
        f"{len(found)} recordings in {len(folders)} folders: {usual.pauses} pauses, "
        f"{usual.ends} ends, {usual.missed} of them not heard"
    )
    families = {
        "silence alone": list(silence),
        "the model at the stop": [one for one in both if not one.rule.look_secs],
        "and early": [one for one in both if one.rule.look_secs],
    }
    print("with stop 0.2, threshold 0.5, wait 1.5:")
    for name, scores in families.items():
        for one in scores:
            if (one.rule.stop_secs, one.rule.wait_secs) == (0.2, 1.5) and one.rule.threshold in (
                0.0,
                0.5,
            ):
                print(f"  {name:22} {told(one)}")
    for most in sorted({*DELAYS, round(usual.delay.value, 3)}):
        print(f"up to {most:.3f} s:")
        for name, scores in families.items():
            best = fewest(scores, most, usual.missed)
            print(f"  {name:22} {'-' if best is None else told(best)}")
    if options.picture:
        both.plot().savefig(options.picture)


if __name__ == "__main__":
    main()
