"""``Microphone``, ``BrowserMicrophone``, ``Keyboard``: what a call with a person can be on.

Only their descriptions: making one opens nothing and imports neither PortAudio nor pipecat.
``transports.microphone`` and ``transports.browser`` carry the audio.
"""

from __future__ import annotations

from dataclasses import dataclass

from piopiy_lab import display
from piopiy_lab.checks.arguments import check_flag, check_number, check_secs, is_whole
from piopiy_lab.display import BrowserChannel
from piopiy_lab.errors import ArgumentError, ArgumentTypeError, NoBrowserError

#: The value of ``echo_cancellation`` that ignores the microphone while the agent speaks.
HALF_DUPLEX = "half-duplex"


@dataclass(frozen=True)
class Microphone:
    """This computer's microphone and speaker, as something that a call can be on.

    Example::

        call = start_call(create_session, Microphone())
        call = start_call(create_session, Microphone("USB", "USB", echo_cancellation=False))

    Attributes:
        input: The microphone: a device's index, a part of its name, or None for the default one
            at the time of the call. ``piopiy-lab talk --list-devices`` lists them.
        output: The speaker, likewise.
        echo_cancellation: True takes the agent's voice out of what the microphone hears (the
            "echo" extra), so that open speakers work and the agent can be interrupted.
            "half-duplex" ignores the microphone while the agent is heard: no extra needed, and no
            interruptions by voice. False does nothing: for headphones.
        noise_suppression: Take steady noise out too. It costs some interruptions: a caller who
            speaks over the agent is heard less well.
        gain_control: Let a quiet microphone be raised as needed.
        push_to_talk: Start with the user's side muted; ``call.mute(False)`` is pressing the key,
            ``call.mute()`` letting it go.
        input_gain_db: Added to the microphone's level, -40 to 40 dB.
        latency: Seconds of sound that the speaker's device is asked to keep; more of it helps
            against dropouts, and makes the agent's voice and its silence later by as much. 0.01 to
            1; None for what has proved enough (0.04). Less suits a process that does nothing else:
            in a notebook that computes meanwhile the voice breaks up.
    """

    input: int | str | None = None
    output: int | str | None = None
    echo_cancellation: bool | str = True
    noise_suppression: bool = False
    gain_control: bool = False
    push_to_talk: bool = False
    input_gain_db: float = 0.0
    latency: float | None = None

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            ArgumentTypeError: One has the wrong type.
            ArgumentError: One is out of range.
        """
        for name in ("input", "output"):
            _check_device(name, getattr(self, name))
        if self.echo_cancellation not in (True, False, HALF_DUPLEX):
            raise ArgumentError(
                f"Microphone(echo_cancellation={self.echo_cancellation!r}): give True, "
                f"{HALF_DUPLEX!r} (the microphone is ignored while the agent speaks), or False "
                "(with headphones)"
            )
        for name in ("noise_suppression", "gain_control", "push_to_talk"):
            check_flag(name, getattr(self, name), of="Microphone")
        if self.echo_cancellation is not True and (self.noise_suppression or self.gain_control):
            raise ArgumentError(
                "Microphone(noise_suppression=..., gain_control=...) are parts of the echo "
                "canceller: they need echo_cancellation=True"
            )
        check_number("input_gain_db", self.input_gain_db, -40, 40, of="Microphone")
        if self.latency is not None:
            check_number("latency", self.latency, 0.01, 1, of="Microphone")


def _check_device(name: str, device: object, of: str = "Microphone") -> None:
    if device is None or (isinstance(device, str) and device.strip()):
        return
    if is_whole(device):
        if device < 0:
            raise ArgumentError(
                f"{of}({name}={device}): give a device's index from 0, a part of its name, "
                "or None for the default"
            )
        return
    kind = ArgumentError if isinstance(device, str) else ArgumentTypeError
    raise kind(
        f"{of}({name}={device!r}): give a device's index, a part of its name, or None for "
        "the default; 'piopiy-lab talk --list-devices' lists them"
    )


@dataclass(frozen=True, kw_only=True)
class Keyboard:
    """A call by typing: no microphone, and no script.

    The turns are what is typed: in the panel's line, with ``call.user_says("...")``, or in
    ``piopiy-lab talk --text``. Tools, interruptions, contexts and latency are as ever; a typed turn
    has no ``vad``, ``turn`` and ``transcript`` part.

    Example::

        call = start_call(create_session, Keyboard())
        call.user_says("a table for two")

    Attributes:
        voice: Play the agent's voice, where there is a speaker. Without, or where there is none,
            its words appear when they would be heard.
        output: The speaker: a device's index, a part of its name, or None for the default one.
    """

    voice: bool = True
    output: int | str | None = None

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            ArgumentTypeError: One has the wrong type.
            ArgumentError: The device is none.
        """
        check_flag("voice", self.voice, of="Keyboard")
        _check_device("output", self.output, of="Keyboard")


@dataclass(frozen=True, kw_only=True)
class BrowserMicrophone:
    """The microphone and the loudspeakers of the computer whose browser shows the notebook.

    The kernel may be anywhere: audio takes the notebook's own connection, no other port. The cell
    that starts the call shows a button that starts the microphone, its level, and buttons to mute
    it and to choose a device. May be used for any number of calls, one at a time or several.

    Attributes:
        echo_cancellation: Take the agent's voice out of what the microphone hears; the browser's
            own canceller does it. Off only with headphones.
        noise_suppression: The browser's. Off by default: it makes interruptions hard to hear.
        auto_gain_control: The browser's.
        muted: Start with the microphone muted.
        timeout: Seconds in which a browser has to answer.
        start_timeout: Seconds that a person has for pressing the button and allowing the
            microphone; the agent greets only then.
    """

    echo_cancellation: bool = True
    noise_suppression: bool = False
    auto_gain_control: bool = True
    muted: bool = False
    timeout: float = 30.0
    start_timeout: float = 300.0

    def __post_init__(self) -> None:
        for name in ("echo_cancellation", "noise_suppression", "auto_gain_control", "muted"):
            check_flag(name, getattr(self, name), of="BrowserMicrophone")
        for name in ("timeout", "start_timeout"):
            check_secs(name, getattr(self, name), zero=False, of="BrowserMicrophone")

    @property
    def constraints(self) -> dict[str, bool]:
        """What ``getUserMedia`` is asked for, by its own names."""
        return {
            "echoCancellation": self.echo_cancellation,
            "noiseSuppression": self.noise_suppression,
            "autoGainControl": self.auto_gain_control,
        }

    def show(self) -> BrowserChannel:
        """Show the controls in the cell that runs now. For ``start_call``.

        Raises:
            NoBrowserError: This is no notebook.
            UnsafeKernelError: The notebook's kernel would wedge.
        """
        channel = display.browser_microphone()
        if channel is None:
            raise NoBrowserError(
                "BrowserMicrophone() needs a notebook in a browser, and this process is no "
                "notebook's kernel: run it in JupyterLab, or use Microphone()"
            )
        return channel
