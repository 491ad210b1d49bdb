"""What voices said, kept on disk: one FLAC file for each text, voice and version.

The folder is the user's cache (``~/.cache/piopiy-lab/voices`` on Linux), or the variable
``PIOPIY_LAB_VOICES``'s: a folder in a project's repository gives every computer the same takes. The
first take stays: what another process has written meanwhile is what this one uses, too, since a
neural voice never says a thing twice in the same way. Any thread, any number of processes.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from piopiy_lab.errors import VoiceError
from piopiy_lab.screenplay.voice import Spoken
from piopiy_lab.sound.pcm import Int16

#: The variable that names the folder.
VARIABLE = "PIOPIY_LAB_VOICES"
#: Changes when what is kept is made in another way.
FORMAT = 1


def folder() -> Path:
    """Return the cache's folder; it need not be there."""
    named = os.environ.get(VARIABLE)
    if named:
        return Path(named).expanduser()
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or "~/AppData/Local"
    elif sys.platform == "darwin":
        base = "~/Library/Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "piopiy-lab" / "voices"


def key_of(identity: Mapping[str, object], text: str) -> str:
    """Return the name under which a text is kept.

    Args:
        identity: What tells the voice and its version, as JSON has it.
        text: What is said.
    """
    told = json.dumps([FORMAT, dict(identity), text], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(told.encode()).hexdigest()[:40]


def read(key: str) -> Spoken | None:
    """Return what is kept under a key; None if there is nothing that can be read."""
    import soundfile

    path = _path(key)
    if not path.is_file():
        return None
    try:
        with soundfile.SoundFile(path) as file:
            samples: Int16 = np.asarray(file.read(dtype="int16"), np.int16)
            told = json.loads(file.comment)
            rate = int(file.samplerate)
        words = tuple((str(text), float(start), float(end)) for text, start, end in told["words"])
        estimated = bool(told["estimated"])
    except (soundfile.SoundFileError, OSError, ValueError, KeyError, TypeError):
        return None  # cut short by a full disk, say: it is made again, and written over
    return None if samples.ndim != 1 else Spoken(samples, rate, words, estimated)


def write(key: str, text: str, spoken: Spoken) -> Spoken:
    """Keep a text's sound; return the one that is kept, which another process may have written.

    Raises:
        VoiceError: The folder can't be written.
    """
    import soundfile

    path = _path(key)
    told = {"text": text, "words": spoken.words, "estimated": spoken.estimated}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        number, name = tempfile.mkstemp(".flac", "new-", path.parent)
        os.close(number)
        try:
            with soundfile.SoundFile(
                name, "w", spoken.sample_rate, 1, subtype="PCM_16", format="FLAC"
            ) as file:
                file.comment = json.dumps(told, ensure_ascii=False)
                file.write(spoken.samples)
            os.chmod(
                name, 0o644
            )  # mkstemp's are their writer's alone, and the folder may be shared
            return _put(Path(name), path, key) or spoken
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name)
    except (OSError, soundfile.SoundFileError) as error:
        raise VoiceError(
            f"the voices' cache {str(path.parent)!r} can't be written ({error}): set {VARIABLE} "
            "to a folder of yours"
        ) from error


def _put(new: Path, path: Path, key: str) -> Spoken | None:
    """Put a file in its place unless a good one is there; return that one."""
    try:
        os.link(new, path)
    except FileExistsError:
        if (kept := read(key)) is not None:
            return kept
        os.replace(new, path)
    except OSError:  # a file system without links
        os.replace(new, path)
    return read(key)


def _path(key: str) -> Path:
    return folder() / key[:2] / f"{key}.flac"
