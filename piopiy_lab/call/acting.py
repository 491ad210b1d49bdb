"""What a call can be asked to do while it runs, of whoever runs it. Safe to use from any thread."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from piopiy_lab import events as ev
from piopiy_lab.call.command_port import CommandPort
from piopiy_lab.call.record import CallRecord
from piopiy_lab.errors import CallEndedError
from piopiy_lab.events.log import EventLog
from piopiy_lab.session import commands
from piopiy_lab.session.running_agent import AgentInCall
from piopiy_lab.sound.recording import SampleSource

if TYPE_CHECKING:
    from piopiy_lab.call.saved import CallFolder


class ActingCall(CallRecord):
    """A call that hands commands to whoever runs it."""

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

    # --- inside ---

    def _send(self, command: commands.Command) -> None:
        if self._port is None or self._over:
            reason = f" ({self.end_reason})" if self.end_reason else ""
            raise CallEndedError(
                f"{command.verb}(): call {self.call_id} has ended{reason}; start another one"
            )
        self._port.send(command)
