"""What the offline recogniser understands of the desk: whenever a sentence begins, and at 8 kHz.

    python benchmarks/narrow_band.py [PHASES]
    python benchmarks/narrow_band.py --fit FOLDER    # the map of en-us-8khz/mllr_matrices, anew

Each of the sentences of tests/offline/test_accuracy.py, by two voices, at PHASES (4) places within
80 ms, with the detector's moment in its own windows: as it is, with level and floor changed by what
nobody hears, through 8 kHz and G.711 mu-law, and that with the wide model. FOLDER holds clips at
16 kHz that soundfile or PyAV can read, Debian's asterisk-core-sounds-en-g722 say.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
import soxr
from pocketsphinx import Decoder

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "offline"))
from test_accuracy import BOOK, OTHER, RIGHT, VOICES

from piopiy_lab.offline import narrow_band, recogniser, utterance
from piopiy_lab.offline.lending import Borrowed
from piopiy_lab.offline.recogniser import REJECTION_THRESHOLD, SAMPLE_RATE, onset
from piopiy_lab.sound.speech import synthesize

LEAD, TAIL = 0.9, 0.25  # s of silence around a clip
WINDOW = 512  # samples of the detector's
MU = 255


def mu_law(x: np.ndarray) -> np.ndarray:
    """Through 8 kHz and 8 bits of mu-law (ITU-T G.711's curve, without its segments) and back."""
    low = np.clip(soxr.resample(x.astype(np.float32), SAMPLE_RATE, 8000) / 32768, -1, 1)
    pressed = np.round(np.sign(low) * np.log1p(MU * np.abs(low)) / np.log1p(MU) * 127) / 127
    low = np.sign(pressed) * np.expm1(np.abs(pressed) * np.log1p(MU)) / MU * 32768
    back = soxr.resample(low.astype(np.float32), 8000, SAMPLE_RATE)
    return np.clip(np.pad(back, (0, max(0, len(x) - len(back))))[: len(x)], -32768, 32767)


def unheard(x: np.ndarray, draws: np.random.Generator) -> np.ndarray:
    """Up to 3 dB louder or softer, over a floor of -65 dBFS."""
    gained = x * 10 ** (draws.uniform(-3, 3) / 20)
    return np.clip(gained + draws.standard_normal(len(x)) * 18.4, -32768, 32767)


def heard(ear: recogniser.Recogniser, text: str, voice: object, change, draws) -> tuple[bool, str]:
    """Say a sentence at some place within 80 ms; whether it was accepted, and what was heard."""
    clip = synthesize(text, voice, sample_rate=SAMPLE_RATE).samples
    lead = round(LEAD * SAMPLE_RATE) + int(draws.integers(0, 1280))
    samples = np.pad(clip, (lead, round(TAIL * SAMPLE_RATE)))
    samples = change(samples.astype(np.float64), draws).astype(np.int16)
    sure = -(-(lead + round((0.35 + 0.05 * draws.random()) * SAMPLE_RATE)) // WINDOW) * WINDOW
    kept = samples[sure - round(0.8 * SAMPLE_RATE) : sure]
    ear.begin(kept)
    ear.feed(np.concatenate([kept[onset(kept) :], samples[sure:]]))
    found = ear.end(REJECTION_THRESHOLD)
    return found.accepted, found.text


def measure(phases: int) -> None:
    """Print the table."""
    print(f"{'':34}right sentences understood   others accepted")
    kinds = {
        "as it is": lambda x, _: x,
        "changed unheard": unheard,
        "8 kHz, mu-law": lambda x, _: mu_law(x),
        "8 kHz, mu-law, changed unheard": lambda x, draws: mu_law(unheard(x, draws)),
        "8 kHz, mu-law, with the wide model": lambda x, _: mu_law(x),
    }
    for name, change in kinds.items():
        borrowed = Borrowed(BOOK, {})
        if name.endswith("wide model"):
            borrowed.recogniser._ears = lambda _, ear=borrowed.ear: ear(False)
        draws = np.random.default_rng(7)
        said = {"right": [], "other": []}
        for kind, texts in (("right", RIGHT), ("other", OTHER)):
            for text in texts:
                for voice in VOICES:
                    for _ in range(phases):
                        ok, got = heard(borrowed.recogniser, text, voice, change, draws)
                        said[kind].append(ok and (kind == "other" or got == text))
        borrowed.give_back()
        right, other = said["right"], said["other"]
        print(f"{name:36}{sum(right):4} of {len(right):4}{sum(other):14} of {len(other):4}")


def features(clips: list[np.ndarray], **options: object) -> np.ndarray:
    """The front end's coefficients for clips, (frames, 13), before any mean is taken off."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        decoder = Decoder(lm=None, loglevel="FATAL", dither=False, mfclogdir=folder, **options)
        decoder.add_jsgf_string("one", "#JSGF V1.0;\ngrammar one;\npublic <s> = a;\n")
        decoder.activate_search("one")
        for clip in clips:
            decoder.reinit_feat()
            decoder.start_utt()
            decoder.process_raw(clip.astype("<i2").tobytes(), True)
            decoder.end_utt()
            (path,) = Path(folder).iterdir()
            found.append(np.frombuffer(path.read_bytes()[4:], ">f4").reshape(-1, 13))
            path.unlink()
    return np.concatenate(found)


def read(path: Path) -> np.ndarray:
    """A clip's samples, int16."""
    if path.suffix == ".g722":
        import av

        with av.open(str(path), format="g722") as clip:
            return np.concatenate([f.to_ndarray().ravel() for f in clip.decode(audio=0)])
    import soundfile

    return soundfile.read(path, dtype="int16")[0]


def fit(folder: Path) -> None:
    """Print the map's file and the mean."""
    paths = sorted(p for p in folder.rglob("*") if p.suffix in (".g722", ".wav", ".flac"))
    np.random.default_rng(3).shuffle(paths)
    clips = [clip for clip in map(read, paths[:150]) if len(clip) > 6000]
    sentences = (
        "the quick brown fox jumps over the lazy dog",
        "she had your dark suit in greasy wash water all year",
        "don't ask me to carry an oily rag like that",
        "please call stella ask her to bring these things",
        "we were away a year ago",
        "a zesty dog shoved five big quick kings to the church",
        "thursday the third of february at half past six",
        "four fresh fish for six thick chefs",
    )
    voices = ("en-us+m3", "en-us+f2", "en-gb-x-rp+m7", "en-us+m1", "en-us+f4")
    clips += [synthesize(s, v, sample_rate=SAMPLE_RATE).samples for s in sentences for v in voices]
    noise = np.tile(utterance.noise(), 4)

    def prepared(clip: np.ndarray) -> np.ndarray:
        gain = recogniser._gain_for(clip.astype(np.int16))
        return np.clip(np.rint(gain * clip + noise[: len(clip)]), -32768, 32767)

    wide = features([prepared(clip) for clip in clips])
    narrow = features(
        [prepared(np.rint(mu_law(clip))) for clip in clips],
        featparams=narrow_band.options()["featparams"],
    )
    loud = wide[:, 0] > np.quantile(wide[:, 0], 0.3)
    x, y = wide[loud], narrow[loud]
    matrix = np.linalg.lstsq(x - x.mean(0), y - y.mean(0), rcond=None)[0].T
    mean = np.array([float(value) for value in recogniser.CEPSTRAL_MEAN.split(",")])
    print("CEPSTRAL_MEAN", ",".join(f"{v:.2f}" for v in matrix @ (mean - x.mean(0)) + y.mean(0)))
    rows = "\n".join(" ".join(f"{value:.4f}" for value in row) for row in matrix)
    zeros, ones = " ".join(["0"] * 13), " ".join(["1"] * 13)
    print("1\n3\n" + "".join(f"13\n{rows}\n{zeros}\n{ones}\n" for _ in range(3)), end="")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--fit"]:
        fit(Path(sys.argv[2]))
    else:
        measure(int(sys.argv[1]) if len(sys.argv) > 1 else 4)
