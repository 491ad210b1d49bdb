"""A conversation as it happens, line by line, and as it was.

Pulled, not pushed: whoever follows a call asks :meth:`Follower.update` to print what is new, as
often as they like. What is printed is derived from the call's transcript, so the lines on the
screen, ``call.transcript`` and ``piopiy-lab show`` agree. An agent's line grows while it talks.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from piopiy_lab import events as ev
from piopiy_lab.call.call import Call
from piopiy_lab.call.tool_calls import build_tool_calls
from piopiy_lab.call.transcript import Entry, build_transcript, clock_time, marked_text
from piopiy_lab.cli.terminal import Terminal, printable
from piopiy_lab.display.wording import unheard
from piopiy_lab.events.tools import arguments_text
from piopiy_lab.events.troubles import trouble_in
from piopiy_lab.redaction import redact
from piopiy_lab.screenplay.sayings import words_of

#: Seconds by which the detector's idea of when the caller spoke may miss the caller's own.
SLACK_SECS = 0.3


@dataclass(frozen=True)
class Item:
    """One thing that happened, as it is printed.

    Attributes:
        key: Tells it from every other item, also when its text has grown.
        at: Seconds of the call's clock.
        who: "agent", "caller", "tool", "error" or "note".
        text: What is printed; may grow from one look at a call to the next.
        aside: What a reader should know about it; printed once, after the text.
    """

    key: tuple[object, ...]
    at: float
    who: str
    text: str
    aside: str = ""


class Follower:
    """Prints a call's conversation; each update prints what is new. Not thread-safe."""

    def __init__(self, terminal: Terminal) -> None:
        """Print to a terminal."""
        self._terminal = terminal
        self._shown: dict[tuple[object, ...], Item] = {}  # what was printed of each item
        self._open: tuple[object, ...] | None = None  # the item whose line has no end yet

    def update(self, call: Call, *, over: bool = False) -> None:
        """Print what is new.

        Args:
            call: The call.
            over: Whether nothing more will come, so that everything is printed.
        """
        for item in items_of(call, over=over):
            before = self._shown.get(item.key)
            if before == item:
                continue
            self._shown[item.key] = item
            if before is None:
                self._begin(item)
            else:
                self._go_on(before, item)
        if over:
            self._end_line()

    def _begin(self, item: Item, lead: str = "") -> None:
        terminal = self._terminal
        self._end_line()
        time = terminal.styled(clock_time(item.at), "dim")
        style = {"error": "bad", "note": "dim"}.get(item.who, item.who)
        who = terminal.styled(f"{item.who:<6}", style)
        terminal.write(f"{time}  {who}  {lead}{printable(item.text)}")
        self._open = item.key
        self._say_aside(item)

    def _go_on(self, before: Item, item: Item) -> None:
        grew = item.text.startswith(before.text)
        more = item.text[len(before.text) :] if grew else item.text
        if self._open == item.key and grew:
            self._terminal.write(printable(more))
        elif more:
            self._begin(Item(item.key, item.at, item.who, more.strip()), "... ")
        if item.aside != before.aside:
            self._say_aside(item)

    def _say_aside(self, item: Item) -> None:
        if item.aside:
            self._terminal.write(f"  {self._terminal.styled(f'({printable(item.aside)})', 'dim')}")

    def _end_line(self) -> None:
        if self._open is not None:
            self._terminal.line()
            self._open = None


def items_of(call: Call, *, over: bool = True) -> list[Item]:
    """Return what happened in a call, in order; pure but for reading the log.

    Args:
        call: The call.
        over: Whether nothing more will come; otherwise what may still change is left out.
    """
    log = call.events.snapshot()
    spoken = log if over else _without_early_words(log)
    entries = build_transcript(spoken)
    sure = max((e.at for e in spoken if isinstance(e, _TAKEN)), default=-1.0)
    items = [
        _entry_item(call, entry, spoken)
        for entry in entries
        if over or entry.role == "assistant" or entry.start <= sure
    ]
    items += _unheard_items(entries, spoken, over)
    for tool in build_tool_calls(log):
        given = arguments_text(tool.arguments)
        items.append(Item(("call", tool.number), tool.start, "tool", f"{tool.name}({given})"))
        if tool.end is not None:
            result = tool.status if tool.status != "returned" else repr(redact(tool.result))
            detail = f": {tool.error}" if tool.error else ""
            items.append(Item(("result", tool.number), tool.end, "tool", f"-> {result}{detail}"))
    items += [_other_item(number, event) for number, event in enumerate(log) if _is_other(event)]
    return sorted(items, key=lambda item: (round(item.at, 6), item.who != "tool"))


_TAKEN = (ev.UserTurnAdded, ev.UserTextTyped, ev.DTMFReceived)
_OTHERS = (
    ev.ErrorOccurred,
    ev.TurnLost,
    ev.NoticeGiven,
    ev.ServiceSwitched,
    ev.InstructionsChanged,
)


def _without_early_words(log: list[ev.Event]) -> list[ev.Event]:
    """Leave out words of a speech that has not begun: they would go to the one before."""
    open_from = len(log)
    for index in range(len(log) - 1, -1, -1):
        if isinstance(log[index], ev.AgentSpeechStarted):
            return log
        if isinstance(log[index], ev.AgentSpeechStopped):
            open_from = index
            break
    return [e for i, e in enumerate(log) if i < open_from or not isinstance(e, ev.WordSpoken)]


def _entry_item(call: Call, entry: Entry, log: list[ev.Event]) -> Item:
    key = (entry.role, round(entry.start, 3))
    if entry.role == "assistant":
        if not entry.interrupted:
            return Item(key, entry.start, "agent", entry.text)
        rest = unheard(call, entry)
        aside = f"cut off; not heard: {rest!r}" if rest else "cut off"
        return Item(key, entry.start, "agent", f"{entry.text} --", aside)
    said = _script(entry, log)
    differs = said and words_of(said) != words_of(entry.text)
    return Item(
        key, entry.start, "caller", marked_text(entry), f"said: {said!r}" if differs else ""
    )


def _script(entry: Entry, log: Iterable[ev.Event]) -> str:
    """Return what the scripted caller really said there."""
    return " ".join(
        e.text for e in log if isinstance(e, ev.CallerSpoke) and e.text and _is_at(e, entry)
    )


def _is_at(spoke: ev.CallerSpoke, entry: Entry) -> bool:
    begin, end = entry.start - SLACK_SECS, entry.end + SLACK_SECS
    return spoke.at < end and spoke.end > begin


def _unheard_items(entries: Iterable[Entry], log: list[ev.Event], over: bool) -> list[Item]:
    """Return what the scripted caller said and the recogniser made nothing of."""
    users = [entry for entry in entries if entry.role == "user"]
    answered = max((e.at for e in log if isinstance(e, ev.AgentSpeechStarted)), default=-1.0)
    return [
        Item(
            ("spoke", e.at),
            e.at,
            "caller",
            f"[{e.beside or 'nothing understood'}]",
            f"said: {e.text or 'a sound'!r}",
        )
        for e in log
        if isinstance(e, ev.CallerSpoke)
        and (over or e.end < answered)
        and not any(_is_at(e, entry) for entry in users)
    ]


def _is_other(event: ev.Event) -> bool:
    return isinstance(event, _OTHERS)


def _other_item(number: int, event: ev.Event) -> Item:
    key = ("event", number)
    if (trouble := trouble_in(event)) is not None:
        return Item(key, event.at, "error", str(trouble))
    match event:
        case ev.ServiceSwitched():
            text = f"{event.kind} switched from {event.old} to {event.new} ({event.cause})"
            return Item(key, event.at, "note", text)
        case ev.NoticeGiven():
            return Item(key, event.at, "note", event.message)
        case _:
            return Item(key, event.at, "note", "the agent's instructions were changed")
