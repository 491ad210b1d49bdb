"""A text that comes in chunks: a secret that is split over them is seen when it is whole. Pure."""

from __future__ import annotations

from piopiy_lab.redaction.texts import redact_text

#: Characters of the text so far that are looked at with each chunk.
WINDOW = 2048


class Chunks:
    """The last chunks of one text, for one thread at a time."""

    def __init__(self, between: str = "", window: int = WINDOW) -> None:
        """Begin a text.

        Args:
            between: What stands between two chunks.
            window: Characters that are looked at with each chunk: as many as a secret may have.
        """
        self._between, self._window = between, window
        self._chunks: list[str] = []

    def add(self, chunk: str) -> list[str]:
        """Take a chunk; returns the last ones, it among them, as they may be shown.

        Joined, they are the text without its secrets: what stands for one is in the chunk that it
        begins in, and the others that it is in are shorter.
        """
        self._chunks.append(chunk)
        while sum(map(len, self._chunks)) > self._window and len(self._chunks) > 1:
            del self._chunks[0]
        text = self._between.join(self._chunks)
        clean = redact_text(text)
        return list(self._chunks) if clean == text else self._cut(text, clean)

    def clear(self) -> None:
        """Begin another text."""
        self._chunks.clear()

    def _cut(self, text: str, clean: str) -> list[str]:
        """Cut the clean text where the chunks are cut; what differs goes to the first of them."""
        least = min(len(text), len(clean))
        head = next((i for i in range(least) if text[i] != clean[i]), least)
        tail = next((i for i in range(least - head) if text[-1 - i] != clean[-1 - i]), least - head)
        end = len(text) - tail  # text[head:end] is what differs
        stands_for, shown, at = clean[head : len(clean) - tail], [], 0
        for chunk in self._chunks:
            start, stop = at, at + len(chunk)
            before, after = text[start : max(start, min(stop, head))], text[max(start, end) : stop]
            if start <= head < stop or (start > head and stands_for):
                shown.append(f"{before}{stands_for}{after}")
                stands_for = ""
            else:
                shown.append(before + after)
            at = stop + len(self._between)
        return shown
