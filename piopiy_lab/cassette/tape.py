"""A cassette's folder: ``cassette.jsonl``, written line by line as it happens, and its sound.

A line is an object: the head (``{"cassette": 1, ...}``), what was asked (``{"asked": 7, "kind":
"llm", ...}``), what came of it (``{"of": 7, "at": 0.35, "does": "push_frame", ...}``), its end
(``{"of": 7, "over": 1.2}``) or where it was cut off (``{"of": 7, "cut": 0.8}``). Sound is 16-bit
PCM (``sounds``), and a line that has some names its first byte and their number. The sound is
written first, so a killed process leaves at most half a line, which is left out.

Pure but for the files; used on one thread at a time.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from piopiy_lab.cassette.sounds import FLAC, RAW, SoundReader, SoundWriter, size_of
from piopiy_lab.errors import CassetteError

#: The format's number; a cassette with another one is refused.
VERSION = 1
LINES = "cassette.jsonl"
#: What a voice does when it tells when its words are heard.
WORDS = "add_word_timestamps"

#: What a service did to its base class: the mark that the seconds are counted from, the seconds,
#: the method's name, its arguments by place and by name, and whether it came from within ``run_*``.
Json = Any


@dataclass(frozen=True)
class Came:
    """Something that came of what was asked.

    Attributes:
        at: Seconds since it was asked, or since the text that it belongs to.
        does: The method of pipecat's base class that the service called.
        args: What it gave it, in order.
        named: What it gave it by name.
        text: Of a voice: the number of the text that it belongs to.
        inside: Whether it came from within ``run_tts`` or ``run_stt``.
        on: The frame that the recogniser was given when it came from within ``process_frame``.
        begins: Of a realtime model: whether an answer of it begins here.
        stop: Of a recogniser, where the detector had said that the speech is over: the seconds of
            that, counted as ``at`` is. It keeps to that moment, wherever it comes.
    """

    at: float
    does: str
    args: list[Json] = field(default_factory=list[Json])
    named: dict[str, Json] = field(default_factory=dict[str, Json])
    text: int = 0
    inside: bool = False
    on: str | None = None
    begins: bool = False
    stop: float | None = None


@dataclass
class Answer:
    """What was asked of a service, and all that came of it.

    Attributes:
        number: Its place on the cassette.
        kind: "stt", "llm", "tts" or "tool".
        part: Whose answer it is: "llm", or "llm/anna" of a switcher's.
        turn: The caller's turn, from 1; 0 before it.
        at: The call's seconds.
        asked: What was asked: messages, texts, an act of the caller's.
        came: What came of it, in order.
        texts: Of a voice: the texts that it spoke in one go.
        cut: Seconds after which it was cut off; None if it wasn't.
        used: Whether it has been played; written by the player.
    """

    number: int
    kind: str
    part: str
    turn: int
    at: float
    asked: dict[str, Json]
    came: list[Came] = field(default_factory=list[Came])
    texts: list[str] = field(default_factory=list[str])
    cut: float | None = None
    used: bool = False


class Writer:
    """Writes a cassette as it happens; every line is handed to the system at once."""

    def __init__(self, folder: Path, *, append: bool, about: dict[str, Json]) -> None:
        """Open the folder.

        Args:
            folder: Where; made if it isn't there.
            append: Whether to go on behind what is there.
            about: What the head of a new one says beside the version.

        Raises:
            CassetteError: It can't be written.
        """
        self._numbers = 0
        self._failed = False  # whether the disk is full, say; written by _write()
        self.on_failure: Callable[[OSError], object] = lambda error: None  # set by who opens it
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if append:
                _drop_half_a_line(folder / LINES)
            self._lines: BinaryIO = (folder / LINES).open("ab" if append else "wb")
            self._sound = SoundWriter(folder, append=append)
        except OSError as error:
            raise CassetteError(
                f"the cassette {str(folder)!r} can't be written: {error}"
            ) from error
        if not append:
            self.line({"cassette": VERSION, **about})

    def number_from(self, number: int) -> None:
        """Number what is asked from here on."""
        self._numbers = number

    def ask(self, line: dict[str, Json]) -> int:
        """Write what is asked, and return its number."""
        number = self._numbers
        self._numbers += 1
        self.line({"asked": number, **line})
        return number

    def line(self, line: dict[str, Json]) -> None:
        """Write a line."""
        first: Json = next(iter(line.get("with", ())), None)
        if _has_sound(first):
            self._sound.rate = first.get("sample_rate", self._sound.rate)
        data = json.dumps(line, ensure_ascii=False).encode() + b"\n"
        self._write(lambda: (self._lines.write(data), self._lines.flush()))

    def _write(self, write: Callable[[], object]) -> None:
        """Write, as long as that works: the call goes on without its cassette."""
        if self._failed:
            return
        try:
            write()
        except OSError as error:
            self._failed = True
            self.on_failure(error)

    def sound(self, samples: bytes) -> list[int]:
        """Write 16-bit samples; returns their first byte, and their number."""
        self._write(lambda: self._sound.write(samples))
        return self._sound.place(samples)

    def close(self) -> None:
        """Close the files; may be called on another thread, once nothing is written any more.

        Raises:
            OSError: The sound can't be compressed; it is there, and raw.
        """
        try:
            self._lines.close()
        finally:
            self._sound.close()


class Reader:
    """A cassette that is there: its answers in memory, its sound left on the disk."""

    def __init__(self, folder: Path) -> None:
        """Read it.

        Raises:
            CassetteError: It is no cassette, of another version, torn, or its sound is missing.
        """
        self.folder = folder
        self.answers: list[Answer] = []
        self.torn = False  # whether half a line was left out at its end
        self.by_detector = False  # whether recognition hangs on the detector's starts
        self.next_prompt = 1  # the number of the next prompt that is added
        self._sound = SoundReader(folder)
        self._read()

    def _read(self) -> None:
        path = self.folder / LINES
        try:
            text = path.read_bytes().decode()
        except (OSError, UnicodeDecodeError) as error:
            raise CassetteError(
                f"{str(path)!r} is no cassette that can be read: {error}"
            ) from error
        lines = text.split("\n")
        self.torn: bool = lines.pop() != ""
        if not lines:
            raise CassetteError(
                f"{str(path)!r} is empty: its recording was cut off at once; record it again with "
                "record_mode='all'"
            )
        by_number: dict[int, Answer] = {}
        said: dict[int, list[Json]] = {}
        prompts: dict[int, Json] = {}
        end_of_sound = 0
        for number, line in enumerate(lines, 1):
            try:
                record = json.loads(line)
                if number == 1:
                    self._check_head(record)
                elif "is" in record:
                    prompts[record["prompt"]] = record["is"]
                    self.next_prompt = record["prompt"] + 1
                else:
                    end_of_sound = max(end_of_sound, self._take(record, by_number, said, prompts))
            except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
                raise CassetteError(
                    f"{str(path)!r} is torn: line {number} of {len(lines)} can't be read "
                    f"({error}); record it again with record_mode='all'"
                ) from error
        self._check_sound(end_of_sound)

    def _check_head(self, head: Json) -> None:
        if not isinstance(head, dict) or "cassette" not in head:
            raise CassetteError(
                f"{str(self.folder / LINES)!r} is no cassette: it begins with no head; was it "
                "written by hand?"
            )
        if head["cassette"] != VERSION:
            raise CassetteError(
                f"the cassette {str(self.folder)!r} has the format {head['cassette']!r} (written "
                f"by piopiy_lab {head.get('piopiy_lab', 'unknown')}), and this version reads "
                f"{VERSION}: record it again with record_mode='all'"
            )

    def _take(
        self,
        record: dict[str, Json],
        by_number: dict[int, Answer],
        said: dict[int, list[Json]],
        prompts: dict[int, Json],
    ) -> int:
        """Take a line; returns up to which byte of sound it needs."""
        if "asked" in record:
            asked = dict(record)
            number = asked.pop("asked")
            kind, part, turn = asked.pop("kind"), asked.pop("part"), asked.pop("turn")
            at = asked.pop("at")
            if kind == "llm":
                same, of = asked.pop("same", (0, 0))
                said[number] = asked["said"] = said.get(of, [])[:same] + asked["said"]
                asked |= prompts[asked.pop("prompt")]
            self.by_detector = self.by_detector or "sound" in asked
            answer = by_number[number] = Answer(number, kind, part, turn, at, asked)
            self.answers.append(answer)
            return 0
        answer = by_number[record["of"]]
        if "does" in record:
            answer.came.append(
                Came(
                    float(record["at"]),
                    str(record["does"]),
                    record.get("with", []),
                    record.get("named", {}),
                    record.get("text", 0),
                    record.get("inside", False),
                    record.get("on"),
                    record.get("begins", False),
                    record.get("stop"),
                )
            )
            sounds = [one["sound"] for one in record.get("with", []) if _has_sound(one)]
            return max((first + n for first, n in sounds), default=0)
        if "says" in record:
            answer.texts.append(record["says"])
        elif "cut" in record:
            answer.cut = float(record["cut"])
        return 0

    def _check_sound(self, needed: int) -> None:
        try:
            there = size_of(self.folder)
        except OSError as error:
            raise CassetteError(
                f"the sound of the cassette {str(self.folder)!r} can't be read: {error}"
            ) from error
        if there < needed:
            file = next((one for one in (RAW, FLAC) if (self.folder / one).is_file()), None)
            lacks = f"has no {FLAC}" if file is None else f"has lost some of its {file}"
            raise CassetteError(
                f"the cassette {str(self.folder)!r} {lacks}: {there} of {needed} bytes are there; "
                "copy the whole folder, or record it again with record_mode='all'"
            )
        if not needed:
            return
        try:  # a header tells how long it was, and not whether it is all there
            self._sound.read([max(0, needed - 2), min(2, needed)])
        finally:
            self._sound.close()

    def sound(self, place: list[int]) -> bytes:
        """Return the samples at a place.

        Raises:
            CassetteError: They are damaged.
        """
        return self._sound.read(place)

    def close(self) -> None:
        """Close the sound."""
        self._sound.close()


def _has_sound(value: Json) -> bool:
    return isinstance(value, dict) and "sound" in value


def _drop_half_a_line(path: Path) -> None:
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if whole != content:
        path.write_bytes(whole)
