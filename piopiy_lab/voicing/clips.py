"""A folder of clips as a voice: each text is a sound file.

The text of a clip is what ``clips.json`` (``{"a table for two": "two.wav"}``) or ``clips.csv``
(two columns, ``text`` and ``file``) says; without either it is the file's name, underscores being
spaces: ``a_table_for_two.wav``. Texts are compared word by word, without case and punctuation.
"""

from __future__ import annotations

import csv
import difflib
import json
from pathlib import Path

from piopiy_lab.errors import AudioFileError, VoiceError
from piopiy_lab.screenplay.sayings import words_of
from piopiy_lab.screenplay.voice import Spoken
from piopiy_lab.sound import pcm
from piopiy_lab.sound.files import open_sound
from piopiy_lab.voicing.shaping import has_sound, shaped

#: The files that say which text is which clip.
JSON, CSV = "clips.json", "clips.csv"
#: Endings of the files that are clips where neither is there.
ENDINGS = (".wav", ".flac", ".ogg", ".mp3", ".aiff", ".aif")
#: Hz that speech can be read at.
RATES = (4000, 192_000)
#: So many of a folder's texts are named in a message.
NAMED = 12


class Clips:
    """A folder of clips."""

    def __init__(self, folder: Path) -> None:
        """Read which texts there are; the sounds are read when they are asked for.

        Raises:
            VoiceError: There is no such folder, nothing in it, or a list that can't be read.
        """
        self._folder = folder
        if not folder.is_dir():
            raise VoiceError(f"voice={str(folder)!r}: there is no such folder of clips")
        self._files: dict[tuple[str, ...], tuple[str, Path]] = {}
        for text, path in _listed(folder):
            self._add(text, path)
        if not self._files:
            raise VoiceError(
                f"voice={str(folder)!r} has no clips: put sound files there whose names are their "
                f"texts (a_table_for_two.wav), or a {JSON} of texts and files"
            )

    def _add(self, text: str, path: Path) -> None:
        words = tuple(words_of(text))
        if not words:
            raise VoiceError(f"the clip {path.name!r} in {str(self._folder)!r} has no words")
        there = self._files.setdefault(words, (text, path))
        if there[1] != path:
            raise VoiceError(
                f"{str(self._folder)!r} has two clips for {text!r}: {there[1].name} and "
                f"{path.name}; keep one"
            )

    @property
    def texts(self) -> list[str]:
        """What can be said, sorted."""
        return sorted(text for text, _ in self._files.values())

    def spoken(self, text: str) -> Spoken:
        """Return a text's clip: its silent ends cut off, its level as recorded.

        Raises:
            VoiceError: There is none, or it has no sound; names the text.
            AudioFileError: It can't be read, or has a rate that no speech has.
        """
        found = self._files.get(tuple(words_of(text)))
        if found is None:
            near = difflib.get_close_matches(text, self.texts, n=NAMED, cutoff=0.0)
            others = len(self._files) - len(near)
            more = f" and {others} more" if others else ""
            raise VoiceError(
                f"{str(self._folder)!r} has no clip for {text!r}: it has "
                f"{', '.join(map(repr, near))}{more}"
            )
        path = found[1]
        with open_sound(path) as sound:
            rate = int(sound.samplerate)
            if not RATES[0] <= rate <= RATES[1]:
                raise AudioFileError(
                    f"the clip {str(path)!r} says that it has {rate} Hz: speech has "
                    f"{RATES[0]} to {RATES[1]}. Record or convert it again, to 16000 Hz say"
                )
            samples = pcm.mono(sound.read(dtype="float32", always_2d=True))
        if not has_sound(samples):
            raise VoiceError(f"the clip {str(path)!r} for {text!r} is silent: record it again")
        return shaped(samples, rate, text, (), level=False)


def _listed(folder: Path) -> list[tuple[str, Path]]:
    try:
        if (folder / JSON).is_file():
            told = json.loads((folder / JSON).read_text(encoding="utf-8-sig"))
            if not isinstance(told, dict) or not all(isinstance(v, str) for v in told.values()):
                raise ValueError('expected {"a text": "its file.wav", ...}')
            return [(str(text), folder / str(name)) for text, name in told.items()]
        if (folder / CSV).is_file():
            with (folder / CSV).open(encoding="utf-8-sig", newline="") as file:
                rows = list(csv.DictReader(file))
            if not all(row.get("text") and row.get("file") for row in rows):
                raise ValueError("expected the columns text and file, both filled")
            return [(row["text"], folder / row["file"]) for row in rows]
    except (OSError, ValueError, csv.Error) as error:
        name = JSON if (folder / JSON).is_file() else CSV
        raise VoiceError(f"{str(folder / name)!r} can't be read: {error}") from error
    clips = [one for one in sorted(folder.iterdir()) if one.suffix.lower() in ENDINGS]
    return [(one.stem.replace("_", " "), one) for one in clips if words_of(one.stem)]
