"""``Replay``: a call that was run again, beside the one that was recorded."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np

from piopiy_lab import events as ev
from piopiy_lab.call.course import Course, Exchange, course_of
from piopiy_lab.call.divergence import Divergence, first_divergence
from piopiy_lab.call.record import CallRecord
from piopiy_lab.display.side_by_side import Pair, Side, document_of_two, html_of_two, text_of_two
from piopiy_lab.display.wording import called
from piopiy_lab.errors import SavedCallError
from piopiy_lab.events.values import Role

C = TypeVar("C", bound=CallRecord)


class Replay(Generic[C]):
    """A call, run again: shows both side by side, and says where they part.

    Attributes:
        call: The call as it is now.
        original: The recorded one.
        notes: What must be known of the comparison: answers that an old prompt gave, say.
    """

    def __init__(
        self,
        call: C,
        original: CallRecord,
        notes: Sequence[str] = (),
        *,
        turns: int | None = None,
    ) -> None:
        """Compare two calls. For :meth:`piopiy_lab.Call.replay`.

        Args:
            call: The replay.
            original: The recorded call.
            notes: What must be known of the comparison.
            turns: The first of the caller's turns that isn't compared; None: all are.
        """
        self._turns = turns
        self.call: C = call
        self.original: CallRecord = original
        self.notes: tuple[str, ...] = tuple(notes)

    @cached_property
    def divergence(self) -> Divergence | None:
        """The first difference in tools, floor or end; None without any. Prose may differ."""
        return first_divergence(self._was, self._now, turns=self._turns)

    @cached_property
    def identical(self) -> bool:
        """Whether every event and every sample is the same.

        Left out are the screenplay's own steps, which a recorded caller has others of, and what
        the call was on.
        """
        return (
            _lines(self.original) == _lines(self.call)
            and self.original.recording.shape == self.call.recording.shape
            and bool(np.array_equal(self.original.recording, self.call.recording))
        )

    def text(self) -> str:
        """Return both as text: what is the same once, what differs as ``-`` was and ``+`` now."""
        return text_of_two(self._title, self._pairs, self.notes)

    def save_html(self, path: str | PathLike[str], overwrite: bool = False) -> Path:
        """Save both as one HTML file: on one time axis, turn beside turn, with both sounds.

        Args:
            path: The file.
            overwrite: Replace a file that is there.

        Returns:
            The file's whole path.

        Raises:
            SavedCallError: The file is there already, or can't be written.
        """
        target = Path(path).expanduser().resolve()
        if target.exists() and not overwrite:
            raise SavedCallError(f"{target} is there already; give another name, or overwrite=True")
        page = document_of_two(self._title, self._pairs, self.notes, self.original, self.call)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(page, encoding="utf-8")
        except OSError as error:
            raise SavedCallError(
                f"{target} can't be written: {error.strerror or error}; give another place"
            ) from error
        return target

    def __repr__(self) -> str:
        return f"<Replay of {self.original.call_id}: {self._verdict}>"

    def __str__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        return html_of_two(self._title, self._pairs, self.notes, self.original, self.call)

    # --- inside ---------------------------------------------------------------------------------

    @cached_property
    def _was(self) -> Course:
        return course_of(self.original)

    @cached_property
    def _now(self) -> Course:
        return course_of(self.call)

    @property
    def _verdict(self) -> str:
        if self.divergence is not None:
            return str(self.divergence)
        if self.identical:
            return "the same call, to the last sample"
        told = any(
            a is None or b is None or a.said("agent") != b.said("agent") for a, b in self._both
        )
        return "the same course" + (", in other words" if told else "")

    @property
    def _title(self) -> str:
        return f"Replay of call {self.original.call_id}: {self._verdict}"

    @property
    def _both(self) -> list[tuple[Exchange | None, Exchange | None]]:
        was, now = self._was.exchanges, self._now.exchanges
        count = max(len(was), len(now))
        return [
            (was[n] if n < len(was) else None, now[n] if n < len(now) else None)
            for n in range(count)
        ]

    @property
    def _pairs(self) -> list[Pair]:
        split = self.divergence
        pairs: list[Pair] = []
        for number, (was, now) in enumerate(self._both):
            here = split is not None and split.turn == number
            pairs.append(
                Pair(
                    number,
                    None if was is None else _side(was),
                    None if now is None else _side(now),
                    diverges=str(split) if here else None,
                    after=split is not None and number > split.turn,
                )
            )
        return pairs


def _side(one: Exchange) -> Side:
    lines: list[tuple[float, str, str]] = []
    for entry in (*one.caller, *one.agent):
        who: Role = entry.role
        text = entry.text + (" -- broken into" if entry.interrupted else "")
        lines.append((entry.start, "caller" if who == "user" else "agent", text))
    lines += [(tool.start, "tool", called(tool.name, tool.arguments)) for tool in one.tools]
    lines.sort(key=lambda line: (line[0], line[1] != "tool"))
    return Side(one.start, tuple(lines), None if one.turn is None else one.turn.total)


def _lines(call: CallRecord) -> list[str]:
    left_out = (ev.CallStarted, ev.CallerStepStarted, ev.CallerStepFinished, ev.CallerStepFailed)
    return [event.to_json() for event in call.events if not isinstance(event, left_out)]
