"""``events.jsonl`` while it is written: line by line, without secrets, split ones too.

A line is on its way to the disk when :meth:`EventFile.append` returns. Should a later chunk of a
streamed text show that the chunks before it held the beginning of a secret, the end of the file
is written anew.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from piopiy_lab.redaction import redact_line
from piopiy_lab.redaction.chunks import Chunks

#: How half a surrogate pair is written: as the escape that JSON has for it.
LONE = "backslashreplace"
#: How lines begin that hold numbers only: most of a call's, so they aren't searched for secrets.
_NUMBERS_ONLY = ('{"type": "VADSampled",', '{"type": "LevelMeasured",')
#: How lines begin that hold a chunk of what the LLM writes, and one word that is spoken.
_WRITTEN, _SPOKEN = '{"type": "LLMTextGenerated",', '{"type": "WordSpoken",'
#: The line after which what the LLM writes is another text.
_ANEW = '{"type": "LLMResponseStarted",'
#: Characters in which a secret's name and its value must be, spoken.
_SPOKEN_WINDOW = 400


class EventFile:
    """The file, open for appending. One thread at a time."""

    def __init__(self, path: Path) -> None:
        """Create it, or go on at its end.

        Raises:
            OSError: It can't be written.
        """
        self._path = path
        self._file = open(path, "ab", buffering=0)  # noqa: SIM115 (kept open)
        self._end = os.fstat(self._file.fileno()).st_size  # bytes
        self._streams = {
            _WRITTEN: _Stream(Chunks()),
            _SPOKEN: _Stream(Chunks(" ", _SPOKEN_WINDOW)),
        }

    @property
    def closed(self) -> bool:
        """Whether nothing is written any more."""
        return self._file.closed

    def append(self, line: str) -> None:
        """Append a line; it outlives the process from here on.

        Raises:
            OSError: The disk is full, or gone.
        """
        clean = line if line.startswith(_NUMBERS_ONLY) else redact_line(line)
        at = self._end
        self._write(f"{clean}\n".encode("utf-8", LONE))
        if line.startswith(_ANEW):
            self._streams[_WRITTEN].clear()
        for begin, stream in self._streams.items():
            if line.startswith(begin) and (changed := stream.add(at, line, clean)):
                self._write_anew(changed)

    def close(self) -> None:
        """Write no more."""
        self._file.close()

    def _write(self, data: bytes) -> None:
        left = memoryview(data)
        while left:
            written = self._file.write(left) or 0
            self._end += written
            left = left[written:]

    def _write_anew(self, changed: dict[int, str]) -> None:
        """Write the file's end again, with other texts in the lines at these offsets."""
        at = first = min(changed)
        with self._path.open("rb") as file:
            file.seek(first)
            lines = file.read().splitlines(keepends=True)
        moved: dict[int, int] = {}
        data = b""
        for line in lines:
            moved[at] = first + len(data)
            if at in changed:
                record = {**json.loads(line), "text": changed[at]}
                data += f"{json.dumps(record, ensure_ascii=False)}\n".encode("utf-8", LONE)
            else:
                data += line
            at += len(line)
        os.ftruncate(self._file.fileno(), first)
        self._end = first
        self._write(data)
        for stream in self._streams.values():
            stream.moved(moved)


class _Stream:
    """Where the last chunks of a text stand in the file, and how they were written."""

    def __init__(self, chunks: Chunks) -> None:
        self._chunks = chunks
        self._written: list[tuple[int, str]] = []  # offset of the line, its text there

    def add(self, at: int, line: str, clean: str) -> dict[int, str]:
        """Take the line at an offset; returns the texts that must change, by their offsets."""
        shown = self._chunks.add(str(json.loads(line).get("text")))
        self._written.append((at, str(json.loads(clean).get("text"))))
        self._written = self._written[-len(shown) :]
        pairs = list(zip(self._written, shown, strict=True))
        self._written = [(offset, text) for (offset, _), text in pairs]
        return {offset: text for (offset, before), text in pairs if before != text}

    def moved(self, to: dict[int, int]) -> None:
        """Follow lines that have moved."""
        self._written = [(to.get(at, at), text) for at, text in self._written]

    def clear(self) -> None:
        """Begin another text."""
        self._chunks.clear()
        self._written.clear()
