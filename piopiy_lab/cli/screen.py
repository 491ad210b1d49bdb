"""What ``piopiy-lab talk`` draws: whole lines of what was said, and what changes below them.

Where a terminal can be drawn over, the last two lines are alive: what is being said, word by word,
and below it the levels, the last latency and what is being typed. Elsewhere only whole lines come.
"""

from __future__ import annotations

from piopiy_lab import events as ev
from piopiy_lab.call.call import Call
from piopiy_lab.call.transcript import clock_time
from piopiy_lab.cli.live import Item, items_of
from piopiy_lab.cli.terminal import Terminal, fitted, printable

#: The key that mutes and opens the microphone, where keys are read one by one.
MUTE_KEY = "\t"
#: The keys that forget what is typed: Ctrl-U, and Ctrl-W, for it is a line of few words.
CLEAR_KEYS = "\x15\x17"
#: How many of the characters that are typed are seen.
TYPED_COLUMNS = 60


class Screen:
    """Whole lines of what was said, above what changes. Used on one thread."""

    def __init__(self, terminal: Terminal, *, levels: bool = True) -> None:
        """Print to a terminal; what changes is there on a tty only.

        Args:
            terminal: Where to print.
            levels: Whether there is a microphone, whose level and the agent's are shown.
        """
        self.terminal = terminal
        self.muted = False
        self._levels = levels
        self._printed: set[tuple[object, ...]] = set()
        self._before: dict[tuple[object, ...], Item] = {}  # as they were at the last look
        self._drawn: tuple[str, ...] = ()  # the lines below, as they stand
        self._line = ""  # what is being typed

    def type(self, keys: str) -> list[str]:
        """Take what was typed; returns the lines that are complete."""
        lines: list[str] = []
        for char in keys:
            if char in "\r\n":
                text, self._line = self._line.strip(), ""
                lines += [text] if text else []
            elif char in "\x7f\b":
                self._line = self._line[:-1]
            elif char in CLEAR_KEYS:
                self._line = ""
            elif char.isprintable():
                self._line += char
        return lines

    def update(self, call: Call, *, over: bool = False) -> None:
        """Print what is complete, and draw what changes anew."""
        log = call.events.snapshot()
        items = items_of(call, over=over)
        growing = self._print_all(items, None if over else _spoken_now(items, log), over)
        self.muted = next((e.muted for e in reversed(log) if isinstance(e, ev.UserMuted)), False)
        if over:
            self.clear()
            return
        growing = growing or _interim(log)
        now = () if growing is None else (self._growing(growing),)
        self._draw(*now, self._bottom(call, log))

    def _print_all(self, items: list[Item], spoken: Item | None, over: bool) -> Item | None:
        """Print up to what may still change, the agent's last words say, and return that."""
        before, self._before = self._before, {item.key: item for item in items}
        for item in items:
            if item.key in self._printed:
                continue
            settled = over or item.who != "agent" or before.get(item.key) == item
            if item is spoken or not settled:  # how it ended is known at the next look
                return item
            self._printed.add(item.key)
            self.print(self._said(item))
        return None

    def print(self, line: str) -> None:
        """Print a line above what changes."""
        self.clear()
        self.terminal.line(line)

    def clear(self) -> None:
        """Take away what changes."""
        self._draw()

    def _said(self, item: Item) -> str:
        terminal, text = self.terminal, printable(item.text)
        style = {"error": "bad", "note": "dim"}.get(item.who, item.who)
        text = terminal.styled(text, "bad") if item.who == "error" else text
        aside = f"  ({printable(item.aside)})" if item.aside else ""
        return f"{self._head(item, style)}{text}{terminal.styled(aside, 'dim')}"

    def _growing(self, item: Item) -> str:
        room = self.terminal.columns - 1 - len(f"{clock_time(item.at)}  {item.who:<6}  ")
        return self._head(item, item.who) + fitted(printable(item.text), room, keep_end=True)

    def _head(self, item: Item, style: str) -> str:
        time = self.terminal.styled(clock_time(item.at), "dim")
        return f"{time}  {self.terminal.styled(f'{item.who:<6}', style)}  "

    def _bottom(self, call: Call, log: list[ev.Event]) -> str:
        columns = self.terminal.columns - 1  # a line that wraps can't be drawn over
        parts: list[str] = []
        level = next((e for e in reversed(log) if isinstance(e, ev.LevelMeasured)), None)
        if call.state == "starting":
            parts.append("opening the microphone ..." if self._levels else "starting ...")
        elif level is not None and self._levels:
            caller = "muted     " if self.muted else bar(level.user_dbfs)
            parts += [f"caller {caller}", f"agent {bar(level.agent_dbfs)}"]
        if call.turns:
            parts.append(f"{1000 * call.turns[-1].total:.0f} ms")
        typed = fitted(self._line, min(TYPED_COLUMNS, max(4, columns - 8)), keep_end=True)
        prompt = f"  > {typed}" if parts else f"> {typed}"
        head = fitted("  ".join(parts), max(0, columns - len(fitted(prompt, columns))))
        return fitted(head + prompt, columns)

    def _draw(self, *lines: str) -> None:
        if self.terminal.redraws and lines != self._drawn:
            up = "\x1b[A" * (len(self._drawn) - 1)
            self._drawn = lines
            self.terminal.write(f"\r{up}\x1b[J" + "\n".join(lines))


def _spoken_now(items: list[Item], log: list[ev.Event]) -> Item | None:
    """Return what the agent says at this moment, if it speaks."""
    kinds = (ev.AgentSpeechStarted, ev.AgentSpeechStopped)
    last = next((e for e in reversed(log) if isinstance(e, kinds)), None)
    if not isinstance(last, ev.AgentSpeechStarted):
        return None
    return next((item for item in reversed(items) if item.who == "agent"), None)


def _interim(log: list[ev.Event]) -> Item | None:
    """Return what the recogniser has understood so far of what is being said."""
    for event in reversed(log):
        match event:
            case ev.InterimTranscribed():
                return Item(("interim",), event.at, "caller", f"{event.text} ...")
            case ev.Transcribed() | ev.UserTurnAdded():
                return None
            case _:
                pass
    return None


def bar(dbfs: float, width: int = 10) -> str:
    """Return a level of -60 to 0 dBFS as a bar."""
    full = round(width * min(1.0, max(0.0, (dbfs + 60) / 60)))
    return "#" * full + "." * (width - full)
