"""``Call``: what a user holds of a conversation, while it runs and afterwards.

A Call is a view over the event log and the recording, and hands commands to whoever runs the
call through a :class:`CommandPort`. It knows no pipecat, so a saved call loads without it; and
it owns no clock and no thread, so the same class serves a microphone, a simulation and a folder
on disk.

Everything here is safe to use from any thread unless its docstring says otherwise.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from piopiy_lab import events as ev
from piopiy_lab.call.command_port import CommandPort as CommandPort
from piopiy_lab.call.doors import behind
from piopiy_lab.call.record import CallRecord
from piopiy_lab.call.story import story_of
from piopiy_lab.display.user_traceback import shortened
from piopiy_lab.errors import CallEndedError, CallError, SavedCallError
from piopiy_lab.events.log import EventLog
from piopiy_lab.redaction import shown
from piopiy_lab.session import commands
from piopiy_lab.session.running_agent import AgentInCall
from piopiy_lab.sound.recording import SampleSource

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from piopiy_lab.call.saved import CallFolder

#: How long Ctrl-C in join() waits for the call to end before it is raised again, in seconds.
HANG_UP_WAIT_SECS = 5.0


class Call(CallRecord):
    """A conversation between a caller and an agent.

    Made by ``start_call()``, ``simulate()`` and :meth:`load`; not by hand.
    """

    def __init__(
        self,
        log: EventLog,
        recorder: SampleSource,
        port: CommandPort | None = None,
        meta: dict[str, Any] | None = None,
        folder: CallFolder | None = None,
    ) -> None:
        """Make a view of a call. For runners.

        Args:
            log: The call's events. The call is over when ``CallEnded`` is appended, so the
                recorder must be closed before.
            recorder: Where the sound is kept.
            port: Whoever runs the call; None for a call that was loaded.
            meta: ``call_id``, ``agent_id``, ``from_number``, ``to_number``, ``metadata`` and
                whatever else belongs in ``meta.json``. The runner may go on writing to it.
            folder: Where the call is saved as it happens, if it is.
        """
        path = None if folder is None else folder.path
        super().__init__(log, recorder, {} if meta is None else meta, path, port is not None)
        self._port = port

    @property
    def error(self) -> BaseException | None:
        """What ended the call badly; a :class:`CallError` with its text in a loaded call."""
        live = None if self._port is None else self._port.error
        if live is not None:
            return live
        if self._ended_event is not None and self._ended_event.error:
            return CallError(self._ended_event.error)
        return None

    def raise_for_error(self) -> Call:
        """Raise :attr:`error` if there is one; return the call otherwise.

        Its traceback is the user's part of it: this package's frames are taken out.
        """
        __tracebackhide__ = True  # the user's own lines are what counts; IPython hides this one
        error = self.error
        if error is not None:
            raise shortened(error)
        return self

    # --- acting on it -----------------------------------------------------------------------

    @property
    def agent(self) -> AgentInCall | None:
        """The session's VoiceAgent; None before there is one, of a bot, and in a loaded call."""
        return None if self._port is None else self._port.agent

    @property
    def services(self) -> Mapping[str, object]:
        """Names to services; in a loaded call, to their class names."""
        if self._port is not None:
            return self._port.services
        started = self._log.of(ev.PipelineStarted)
        return dict(started[-1].services) if started else {}

    def hang_up(self) -> None:
        """End the call. Returns at once; does nothing after the end."""
        if self._port is not None and not self._over:
            self._port.send(commands.HangUp())

    def say(self, text: str) -> None:
        """Let the agent speak the text. Returns at once.

        Raises:
            ArgumentError: There is nothing in the text.
            ArgumentTypeError: It is no text.
            CallEndedError: The call is over.
        """
        self._send(commands.Say(text))

    def user_says(self, text: str) -> None:
        """Give the agent a typed user turn. Returns at once.

        Raises:
            ArgumentError: There is nothing in the text.
            ArgumentTypeError: It is no text.
            CallEndedError: The call is over.
        """
        self._send(commands.UserSays(text))

    def press(self, digits: str) -> None:
        """Press keys of the phone for the caller. Returns at once.

        Args:
            digits: One or more of 0 to 9, * and #.

        Raises:
            ArgumentError: There is none, or something else among them.
            ArgumentTypeError: It is no text.
            CallEndedError: The call is over.
        """
        self._send(commands.Press(digits))

    def interrupt(self) -> None:
        """Stop what the agent says and thinks. Returns at once.

        Raises:
            CallEndedError: The call is over.
        """
        self._send(commands.Interrupt())

    def mute(self, muted: bool = True) -> None:
        """Close (or open) the user's side. Returns at once.

        Raises:
            CallEndedError: The call is over.
        """
        self._send(commands.Mute(bool(muted)))

    def tune(self, **settings: float) -> None:
        """Change detector and turn settings, ``tune(stop_secs=0.3)`` say. Returns at once.

        Raises:
            ArgumentError: No setting was given, or one is unknown or out of its range.
            CallEndedError: The call is over.
        """
        self._send(commands.Tune(settings))

    def switch_service(self, service: object) -> None:
        """Make another service of a switcher the active one. Returns at once.

        The change shows in :attr:`events` as ``ServiceSwitched`` once it has happened.

        Args:
            service: A service, or its name in :attr:`services`.

        Raises:
            ArgumentError: There is no such service in a switcher of the call.
            ServiceError: The service can no longer do its job.
            CallError: No VoiceAgent is running yet.
            CallEndedError: The call is over.
        """
        self._send(commands.SwitchService(service))

    def transfer(
        self,
        to: str,
        *,
        blind: bool = False,
        caller_id: str | None = None,
        timeout_secs: float | None = None,
        confirm: bool | None = None,
        hold_audio: bool | str | None = None,
        summary: str | None = None,
        sip_headers: Mapping[str, str] | None = None,
        variables: Mapping[str, object] | None = None,
    ) -> None:
        """Hand the caller over to somebody else. Returns at once.

        What the agent is saying is heard out first. On the phone the platform rings the number,
        and the caller stays with the agent until somebody answers; nobody does, and the call goes
        on as it was. Elsewhere it is an event, and the end. Done, the call ends with the reason
        "agent_ended". :attr:`events` has ``TransferRequested``, ``TransferStarted`` when it rings,
        and ``TransferFinished``.

        Args:
            to: A telephone number with its country code, or a SIP address. An extension is
                neither: give its SIP address.
            blind: Whether the agent leaves at once, whoever answers. Numbers only.
            caller_id: The number that rings shows: one of your account's. Needed for a call that
                came from a phone system of your own.
            timeout_secs: Seconds for which it rings.
            confirm: Whether the human has to press 1 before the caller is handed over.
            hold_audio: What the caller hears in place of the agent meanwhile: True for music, a
                file name, or an http(s) address.
            summary: What the human who picks up is told.
            sip_headers: More headers for a SIP address.
            variables: Anything of yours that JSON can hold; it is in the platform's events.

        Raises:
            ArgumentError: It is no number and no SIP address, or an option can't be used.
            CallEndedError: The call is over.
        """
        self._send(
            commands.Transfer(
                to,
                blind=blind,
                caller_id=caller_id,
                timeout_secs=timeout_secs,
                confirm=confirm,
                hold_audio=hold_audio,
                summary=summary,
                sip_headers=sip_headers,
                variables=variables,
            )
        )

    # --- waiting ----------------------------------------------------------------------------

    async def wait(self) -> Call:
        """Wait until the call has ended; from any event loop, by any number of waiters.

        Cancelling the waiter leaves the call alone.
        """
        await self._over.wait()
        return self

    def join(self, timeout: float | None = None) -> Call:
        """Block until the call has ended, for scripts; in a notebook use ``await call.wait()``.

        Ctrl-C hangs up, waits up to 5 s for the end, and is raised again.

        Args:
            timeout: Seconds of the wall clock; None waits for as long as it takes.

        Raises:
            TimeoutError: The call was not over in time. It goes on.
            CallError: Called on the thread of the session's loop, where it would wait for ever.
        """
        loop_thread = None if self._port is None else self._port.loop_thread_ident
        if loop_thread == threading.get_ident() and not self._over:
            raise CallError(
                "join() on the thread that runs the call would wait for ever; "
                "use 'await call.wait()' there"
            )
        try:
            done = self._over.block(timeout)
        except KeyboardInterrupt:
            self.hang_up()
            self._over.block(HANG_UP_WAIT_SECS)
            raise
        if not done:
            raise TimeoutError(f"call {self.call_id} was not over after {timeout} s; it goes on")
        return self

    # --- showing and keeping it -------------------------------------------------------------

    def plot(self, **options: Any) -> Figure:
        """Draw the call as a timeline; see :func:`piopiy_lab.plot.plot_call`."""
        from piopiy_lab.plot import plot_call

        return plot_call(self, **options)

    def panel(self) -> Any:
        """Return the live panel, which shows itself as a cell's last value.

        On a running call it lets you act; on an ended or loaded one it plays the recording.

        Raises:
            CallError: This is no notebook.
        """
        return behind("panel")(self)

    def save(self, path: str | PathLike[str], overwrite: bool = False) -> Path:
        """Save the call as a folder.

        It has ``events.jsonl``, ``call.wav``, ``caller.flac`` and ``meta.json``. A running call is
        saved as it stands.

        Raises:
            SavedCallError: The folder exists and isn't empty, or can't be written.
        """
        from piopiy_lab.call.saved import save

        return save(self, path, overwrite)

    def save_html(self, path: str | PathLike[str], overwrite: bool = False) -> Path:
        """Save the call as one HTML file that plays in any browser, for whoever has no notebook.

        It holds the picture, the conversation with words to click, tools, latencies, settings and
        the sound (MP3), needs nothing from outside, and has no secrets in it. A minute is about
        0.4 MB and a second or two of work; of more than two hours the player holds the first two.

        Args:
            path: The file.
            overwrite: Replace a file that is there.

        Returns:
            The file's whole path.

        Raises:
            SavedCallError: The file is there already, or can't be written.
        """
        from piopiy_lab.display.document import document_of

        target = Path(path).expanduser().resolve()
        try:
            if target.exists() and not overwrite:
                raise SavedCallError(
                    f"{target} is there already; give another name, or overwrite=True"
                )
            text = document_of(self)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
        except SavedCallError:
            raise
        except OSError as error:
            raise SavedCallError(
                f"{target} can't be written: {error.strerror or error}; give another place"
            ) from error
        return target

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Call:
        """Load a saved call; one whose process was killed loads up to there.

        Raises:
            SavedCallError: The folder is no saved call, or can't be read.
        """
        from piopiy_lab.call.saved import load

        log, audio, meta = load(path)
        folder = Path(path).expanduser().resolve()
        call = cls(log, audio, None, {"call_id": folder.name, **meta})
        call._path = folder
        return call

    def __repr__(self) -> str:
        turns = f"{len(self.turns)} turn{'' if len(self.turns) == 1 else 's'}"
        state = self.state
        if self.end_reason is not None:
            state = f"ended ({self.end_reason})"
        elif state == "ended":
            state = "broken off"
        return f"<Call {shown(self.call_id)}: {state}, {self.duration:.1f} s, {turns}>"

    def __str__(self) -> str:
        return story_of(self, self.error)

    def _repr_mimebundle_(
        self, include: object = None, exclude: object = None
    ) -> dict[str, object]:
        from piopiy_lab.display import call_mimebundle

        return call_mimebundle(self)

    # --- inside -----------------------------------------------------------------------------

    def _display_(self) -> object:
        """Show itself in marimo, which asks for this."""
        return behind("_display_")(self)

    def _send(self, command: commands.Command) -> None:
        if self._port is None or self._over:
            reason = f" ({self.end_reason})" if self.end_reason else ""
            raise CallEndedError(
                f"{command.verb}(): call {self.call_id} has ended{reason}; start another one"
            )
        self._port.send(command)
