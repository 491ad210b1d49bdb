"""``piopiy-lab talk``: a call on this computer's microphone, or by typing, shown as it happens.

The call runs on the loop thread. This thread looks at its log ten times a second, prints what was
said, hands on what is typed, and draws what changes (:mod:`piopiy_lab.cli.screen`).
"""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from piopiy_lab import events as ev
from piopiy_lab.call.call import Call
from piopiy_lab.cli import keyboard
from piopiy_lab.cli.reload import Watched, begin_again
from piopiy_lab.cli.report import print_failure, print_latency
from piopiy_lab.cli.screen import MUTE_KEY, Screen
from piopiy_lab.cli.sessions import UserCodeError, file_of, load_session
from piopiy_lab.cli.terminal import Terminal, printable
from piopiy_lab.errors import ArgumentError, AudioDeviceError, CallEndedError
from piopiy_lab.transports.microphones import Keyboard, Microphone

#: Seconds between two looks at the log.
LOOK_SECS = 0.1
#: Seconds that the call gets to end after Ctrl-C.
HANG_UP_SECS = 5.0
#: Seconds for which the agent has said nothing when the next line of a file is its turn.
QUIET_SECS = 0.8


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


@dataclass(frozen=True)
class TalkOptions:
    """What the command line says.

    Attributes:
        session: A file, ``path.py:function`` or ``module:function``; None for the offline booking
            desk.
        device: What the call is on.
        record: The folder in which the call is saved as it happens; with ``reload`` each call
            has a folder of its own in it, named by the time.
        reload: Call anew, in a process of its own, when the session's code is saved.
        debug: Show the whole traceback of what fails.
    """

    session: str | None
    device: Microphone | Keyboard
    record: Path | None = None
    reload: bool = False
    debug: bool = False


def talk(terminal: Terminal, options: TalkOptions) -> int:
    """Talk to an agent until one of both hangs up.

    Returns:
        The exit code: 0 after a call that ended well.

    Raises:
        ArgumentError: There is no such session.
        AudioDeviceError: No PortAudio, or no such device.
        UserCodeError: The session's module fails when it is imported.
    """
    if not options.reload:
        return _call(terminal, options, None)[0]
    if options.session is None:
        raise ArgumentError("--reload needs a session of your own: piopiy-lab talk my_agent.py")
    watched = Watched(file_of(options.session))
    try:
        code, hung_up = _call(terminal, options, watched)
    except UserCodeError as failed:  # a slip of the pen is the next save's affair
        print_failure(terminal, failed.error, debug=options.debug)
        code, hung_up = 1, False
    if hung_up:
        return code
    terminal.line(f"Save {printable(watched.file.name)} to call anew; Ctrl-C ends this.")
    try:
        saved = watched.wait()
    except KeyboardInterrupt:
        return code
    return _again(terminal, saved)


def _again(terminal: Terminal, saved: Path) -> NoReturn:
    terminal.line(terminal.styled(f"\n{printable(saved.name)} was saved: calling anew", "dim"))
    begin_again()


def _call(terminal: Terminal, options: TalkOptions, watched: Watched | None) -> tuple[int, bool]:
    """Call once; returns the exit code, and whether Ctrl-C ended it."""
    call = _start(options)
    typing = isinstance(options.device, Keyboard)
    by_key = terminal.redraws and keyboard.one_by_one()
    how = "Type a line and press Enter" if typing else "Speak, or type a line and press Enter"
    mutes = ", Tab mutes" if by_key and not typing else ""
    terminal.line(f"Calling. {how}{mutes}; Ctrl-C hangs up.")
    screen = Screen(terminal, levels=not typing)
    saved: Path | None = None
    hung_up = False
    try:
        with keyboard.typing(keys=by_key) as typed:
            saved = _follow(screen, call, Lines(call, typed, ends=typing), watched)
    except KeyboardInterrupt:
        hung_up = True
        screen.clear()
    finally:
        call.hang_up()  # does nothing after the end
        with contextlib.suppress(TimeoutError):
            call.join(HANG_UP_SECS)
    screen.update(call, over=True)
    if saved is not None:
        _again(terminal, saved)
    return _report(terminal, call, options), hung_up


def _start(options: TalkOptions) -> Call:
    from piopiy_lab.hosting.live_call import start_call

    session, record = _session(options.session), options.record
    if record is not None and options.reload:  # one call after the other
        record /= time.strftime("%Y-%m-%d-%H.%M.%S")
    try:
        return start_call(session, options.device, record=record or True)
    except AudioDeviceError as error:
        if isinstance(options.device, Keyboard):
            raise
        command = " ".join(filter(None, ("piopiy-lab talk", options.session, "--text")))
        raise AudioDeviceError(f"{error}. By typing it goes without: {command}") from error


def _session(place: str | None) -> Any:
    if place is None:
        return desk_session
    return load_session(place)


async def desk_session(call_id: str) -> None:
    """Answer a call as the offline booking desk, which understands more than the demo's agent."""
    from piopiy_lab import VoiceAgent, offline_stack
    from piopiy_lab.offline import booking_desk

    desk = booking_desk()
    agent = VoiceAgent(instructions=desk.instructions, greeting=desk.greeting, tools=desk.tools)
    stt, llm, tts = offline_stack()
    await agent.Action(stt=stt, llm=llm, tts=tts, vad=True)
    await agent.start()


class Lines:
    """Typed lines on their way into a call, which must listen first. Used on one thread."""

    def __init__(self, call: Call, typed: keyboard.Typed, *, ends: bool) -> None:
        """Read what is typed.

        Args:
            call: The call.
            typed: What is typed; a file's lines are given one at a time, when the agent is silent.
            ends: Whether the end of what is typed is the call's.
        """
        self.typed = typed
        self._call, self._ends = call, ends
        self._waiting: deque[str] = deque()
        self._given = 0
        self._quiet_from: float | None = None  # on the monotonic clock

    def move(self, screen: Screen) -> None:
        """Hand on what is ready; the call may end by it."""
        keys = self.typed.take()
        if keys.count(MUTE_KEY) % 2:
            _command(lambda: self._call.mute(not screen.muted))
        self._waiting += screen.type(keys)
        if self._call.state != "listening":
            return
        if self._waiting and (self.typed.by_hand or self._is_quiet()):
            line = self._waiting.popleft()
            _command(lambda: self._call.user_says(line))
            self._given, self._quiet_from = self._given + 1, None
        elif self._ends and self.typed.over and (self.typed.by_hand or self._is_quiet()):
            self._call.hang_up()

    def _is_quiet(self) -> bool:
        """Whether the agent has answered, and nothing happened for a while."""
        call, now = self._call, time.monotonic()
        arrived = len(call.events.of(ev.UserTextTyped)) >= self._given
        if not arrived or call.activity != "idle":
            self._quiet_from = None
        elif self._quiet_from is None:
            self._quiet_from = now
        return self._quiet_from is not None and now - self._quiet_from >= QUIET_SECS


def _follow(screen: Screen, call: Call, lines: Lines, watched: Watched | None) -> Path | None:
    """Show the call to its end; returns the file that was saved before that, if one was."""
    told = False
    while call.state != "ended":
        if watched is not None and (saved := watched.changed()) is not None:
            return saved
        if not told and call.state == "listening":
            told = True
            if examples := try_saying(call):
                screen.print(screen.terminal.styled(f"Try saying: {examples}.", "dim"))
        lines.move(screen)
        screen.update(call)
        lines.typed.wait(LOOK_SECS)
    return None


def try_saying(call: Call) -> str:
    """Return what the call's recogniser says that it listens for; "" if it doesn't."""
    examples = getattr(call.services.get("stt"), "try_saying", ())
    return ", or: ".join(f'"{text}"' for text in examples)


def _command(command: Callable[[], object]) -> None:
    with contextlib.suppress(CallEndedError):  # it ended while somebody typed
        command()


def _report(terminal: Terminal, call: Call, options: TalkOptions) -> int:
    if call.error is not None:
        print_failure(terminal, call.error, debug=options.debug)
    reason = (call.end_reason or "broken off").replace("_", " ")
    terminal.line(f"{call.duration:.1f} s; {reason}")
    print_latency(terminal, call)
    if (folder := call.folder) is not None:
        terminal.line(f"\nSaved; see it again: piopiy-lab show {printable(str(folder))}")
    if options.session is None:
        terminal.line(
            "\nThat agent listens for a list of sentences. Make one of your own:\n\n"
            "  piopiy-lab new my-agent\n\n"
            "A real recogniser and model are one line away, with keys in the environment:\n\n"
            '  stt, llm, tts = stack("deepgram+openai+cartesia")  # from piopiy_lab'
        )
    return 1 if call.error is not None or call.end_reason == "audio_device_lost" else 0
