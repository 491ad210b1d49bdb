"""Writes what the services of one call are asked, and what comes of it.

Runs on the session's loop.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from piopiy_lab.cassette.keys import turn_of
from piopiy_lab.cassette.tape import Came, Writer
from piopiy_lab.cassette.values import Packing
from piopiy_lab.checks.json_values import Record
from piopiy_lab.screenplay.spoken_words import Script


class Deck:
    """A cassette that one call is recorded on."""

    def __init__(self, writer: Writer, call_now: Callable[[], float], script: Script) -> None:
        """Take the cassette, and the call's clock and caller."""
        self._writer = writer
        self.call_now: Callable[[], float] = call_now
        self.script: Script = script
        self.turn: int = 0  # the caller's turn; written by ask_llm()
        self._prompts: list[Any] = []
        self._said: dict[str, tuple[int, list[Any]]] = {}  # by part: its last question

    def ask(self, kind: str, part: str, asked: Record) -> int:
        """Write what is asked; returns its number."""
        at = round(self.call_now(), 6)
        return self._writer.ask({"kind": kind, "part": part, "turn": self.turn, "at": at, **asked})

    def ask_llm(self, part: str, asked: Record) -> int:
        """Write what a language model is asked: of the messages only those that are new."""
        said = asked["said"]
        self.turn = turn_of(said)
        prompt = {"instructions": asked["instructions"], "tools": asked["tools"]}
        if prompt not in self._prompts:
            self._prompts.append(prompt)
            self._writer.line({"prompt": self._prompt_number(prompt), "is": prompt})
        line: Record = {"prompt": self._prompt_number(prompt)}
        before, known = self._said.get(part, (0, []))
        same = _same(said, known)
        if same:
            line["same"] = [same, before]
        number = self.ask("llm", part, {**line, "said": said[same:]})
        self._said[part] = (number, said)
        return number

    def _prompt_number(self, prompt: Any) -> int:
        return self.first_prompt + self._prompts.index(prompt)

    first_prompt = 1  # of those that this call adds; written by who opens the cassette

    def says(self, number: int, text: str) -> None:
        """Write a text that a voice speaks."""
        self._writer.line({"of": number, "says": text})

    def came(
        self,
        number: int,
        at: float,
        does: str,
        args: Sequence[Any],
        named: Record,
        *,
        inside: bool = False,
        text: int = 0,
        began: float = 0.0,
        context_id: str | None = None,
        on: str | None = None,
        stop: float | None = None,
        secrets: Sequence[str] = (),
        timed: bool = False,
        begins: bool = False,
    ) -> None:
        """Write something that came."""
        packing = Packing(self._writer.sound, began, context_id, tuple(secrets), timed)
        line: Record = {"of": number, "at": round(at, 9), "does": does}
        if args:
            line["with"] = [packing.pack(value) for value in args]
        if named:
            line["named"] = {
                name: packing.told(value) if name == "error_msg" else packing.pack(value)
                for name, value in named.items()
            }
        if text:
            line["text"] = text
        if inside:
            line["inside"] = True
        if on:
            line["on"] = on
        if begins:
            line["begins"] = True
        if stop is not None:
            line["stop"] = round(stop, 9)
        self._writer.line(line)

    def copy(self, number: int, came: Came, at: float) -> None:
        """Write something that came of another answer, so many seconds after this one was asked."""
        line: Record = {"of": number, "at": round(at, 9), "does": came.does}
        if came.args:
            line["with"] = came.args
        if came.named:
            line["named"] = came.named
        self._writer.line(line)

    def end(self, number: int, *, cut: float | None = None) -> None:
        """Write that an answer is over, or was cut off after so many seconds."""
        self._writer.line({"of": number, **({"over": True} if cut is None else {"cut": cut})})


def _same(said: Sequence[Any], known: Sequence[Any]) -> int:
    """Return how many messages at the beginning are the same."""
    same = 0
    while same < min(len(said), len(known)) and said[same] == known[same]:
        same += 1
    return same
