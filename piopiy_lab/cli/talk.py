"""``piopiy-lab talk``: a call on this computer's microphone, shown as it happens.

The call runs on the loop thread. This thread looks at its log ten times a second, prints what was
said, and keeps one line at the bottom: both levels, the last latency, and what is being typed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from piopiy_lab import events as ev
from piopiy_lab.call.call import Call
from piopiy_lab.call.transcript import clock_time
from piopiy_lab.cli import keyboard
from piopiy_lab.cli.live import Item, items_of
from piopiy_lab.cli.report import ending, print_latency
from piopiy_lab.cli.terminal import Terminal, printable
from piopiy_lab.errors import CallEndedError
from piopiy_lab.transports.microphones import Microphone

#: Seconds between two looks at the log.
LOOK_SECS = 0.1
#: Seconds that the call gets to end after Ctrl-C.
HANG_UP_SECS = 5.0
#: The key that mutes and opens the microphone, where keys are read one by one.
MUTE_KEY = "\t"
#: The keys that forget what is typed: Ctrl-U, and Ctrl-W, for it is a line of few words.
CLEAR_KEYS = "\x15\x17"


def list_devices(terminal: Terminal) -> int:
    """Print the devices; returns the exit code.

    Raises:
        AudioDeviceError: There is no PortAudio.
    """
    from piopiy_lab.transports import devices

    found = devices.devices()
    for side, title in (("input", "Microphones"), ("output", "Speakers")):
        terminal.line(terminal.styled(title, "bold"))
        for d in found:
            if d.side == side:
                mark = "*" if d.default else " "
                terminal.line(
                    f"{mark} {d.index:>3}  {d.name}  ({d.host}, {d.default_rate:g} Hz, "
                    f"{d.channels} channel{'s' if d.channels > 1 else ''})"
                )
    if not found:
        terminal.line("none: plug one in, or use BrowserMicrophone() in a notebook")
    return 0 if found else 1


def talk(
    terminal: Terminal,
    session: str | None,
    microphone: Microphone,
) -> int:
    """Talk to an agent until one of both hangs up.

    Args:
        terminal: Where to print.
        session: ``module:function``; None for the offline booking desk.
        microphone: The devices.

    Returns:
        The exit code: 0 after a call that ended well.

    Raises:
        ArgumentError: There is no such session.
        AudioDeviceError: No PortAudio, or no such device.
    """
    from piopiy_lab.hosting.live_call import start_call

    call = start_call(_session(session), microphone)
    by_key = terminal.redraws and keyboard.one_by_one()
    terminal.line(
        "Calling. Speak, or type a line and press Enter"
        f"{', Tab mutes' if by_key else ''}; Ctrl-C hangs up."
    )
    screen = Screen(terminal)
    try:
        with keyboard.typing(keys=by_key) as typed:
            _follow(screen, call, typed)
    except KeyboardInterrupt:
        screen.clear()
        call.hang_up()
    finally:
        call.hang_up()  # does nothing after the end
        with contextlib.suppress(TimeoutError):
            call.join(HANG_UP_SECS)
    return _report(terminal, call, offline=session is None)


def _session(place: str | None) -> Any:
    if place is None:
        from piopiy_lab.cli.demo_session import create_session

        return create_session

    from piopiy_lab.cli.serve import load_session

    return load_session(place)


def _follow(screen: Screen, call: Call, typed: keyboard.Typed) -> None:
    told = False
    while call.state != "ended":
        if not told and call.state == "listening":
            told = True
            if lines := try_saying(call):
                screen.print(screen.terminal.styled(f"Try saying: {lines}.", "dim"))
        screen.type(typed.take(), call)
        screen.update(call)
        typed.wait(LOOK_SECS)
    screen.update(call, over=True)


def try_saying(call: Call) -> str:
    """Return what the call's recogniser says that it listens for; "" if it doesn't."""
    examples = getattr(call.services.get("stt"), "try_saying", ())
    return ", or: ".join(f'"{text}"' for text in examples)


class Screen:
    """Whole lines of what was said, above one line that changes. Used on one thread."""

    def __init__(self, terminal: Terminal) -> None:
        """Print to a terminal; the changing line is there on a tty only."""
        self.terminal = terminal
        self._printed: set[tuple[object, ...]] = set()
        self._status = ""  # what stands in the bottom line
        self._line = ""  # what is being typed
        self._muted = False

    def type(self, keys: str, call: Call) -> None:
        """Take what was typed."""
        for char in keys:
            if char in "\r\n":
                text, self._line = self._line.strip(), ""
                if text:
                    _command(lambda text=text: call.user_says(text))
            elif char == MUTE_KEY:
                self._muted = not self._muted
                _command(lambda: call.mute(self._muted))
            elif char in "\x7f\b":
                self._line = self._line[:-1]
            elif char in CLEAR_KEYS:
                self._line = ""
            elif char.isprintable():
                self._line += char

    def update(self, call: Call, *, over: bool = False) -> None:
        """Print what is complete, and draw the bottom line anew."""
        items = items_of(call, over=over)
        log = call.events.snapshot()
        spoke = [e for e in log if isinstance(e, ev.AgentSpeechStarted | ev.AgentSpeechStopped)]
        speaking = bool(spoke) and isinstance(spoke[-1], ev.AgentSpeechStarted)
        growing = items[-1] if items and speaking and items[-1].who == "agent" else None
        for item in items:
            if item.key not in self._printed and (over or item is not growing):
                self._printed.add(item.key)
                self.print(self._said(item))
        mutes = [e for e in log if isinstance(e, ev.UserMuted)]
        if mutes:
            self._muted = mutes[-1].muted
        self._draw("" if over else self._bottom(call, log))

    def print(self, line: str) -> None:
        """Print a line above the bottom one."""
        self._draw("")
        self.terminal.line(line)

    def clear(self) -> None:
        """Take the bottom line away."""
        self._draw("")

    def _said(self, item: Item) -> str:
        terminal = self.terminal
        style = {"error": "bad", "note": "dim"}.get(item.who, item.who)
        aside = f"  ({printable(item.aside)})" if item.aside else ""
        who = terminal.styled(f"{'you' if item.who == 'caller' else item.who:<6}", style)
        time = terminal.styled(clock_time(item.at), "dim")
        return f"{time}  {who}  {printable(item.text)}{terminal.styled(aside, 'dim')}"

    def _bottom(self, call: Call, log: list[ev.Event]) -> str:
        level = next((e for e in reversed(log) if isinstance(e, ev.LevelMeasured)), None)
        if level is None:
            return "opening the microphone ..."[: self.terminal.columns - 1]
        you = "muted     " if self._muted else bar(level.user_dbfs)
        parts = [f"you {you}", f"agent {bar(level.agent_dbfs)}"]
        if call.turns:
            parts.append(f"{1000 * call.turns[-1].total:.0f} ms")
        typed = f"  > {self._line[-30:]}"
        room = self.terminal.columns - 1 - len(typed)  # a line that wraps can't be drawn over
        return "  ".join(parts)[: max(0, room)] + typed

    def _draw(self, status: str) -> None:
        if self.terminal.redraws and status != self._status:
            self._status = status
            self.terminal.write(f"\r\x1b[K{status}")


def bar(dbfs: float, width: int = 10) -> str:
    """Return a level of -60 to 0 dBFS as a bar."""
    full = round(width * min(1.0, max(0.0, (dbfs + 60) / 60)))
    return "#" * full + "." * (width - full)


def _command(command: Callable[[], object]) -> None:
    with contextlib.suppress(CallEndedError):  # it ended while somebody typed
        command()


def _report(terminal: Terminal, call: Call, *, offline: bool) -> int:
    terminal.line(f"{call.duration:.1f} s; {ending(call)}")
    print_latency(terminal, call)
    if offline:
        terminal.line(
            "\nThat agent listens for a list of sentences. A real recogniser and model are one "
            "line away,\nwith keys in the environment:\n\n"
            '  stt, llm, tts = stack("deepgram+openai+cartesia")  # from piopiy_lab\n\n'
            "in place of offline_stack() in your own copy: piopiy-lab demo --source > my_agent.py\n"
            "then: piopiy-lab talk my_agent:create_session"
        )
    return 1 if call.error is not None or call.end_reason == "audio_device_lost" else 0
