"""Every exception this package raises.

The tree::

    PiopiyLabError
    ├── ArgumentError (ValueError)         a value that can't be used; names what would do
    │   ├── PhraseError                    a phrase that the offline recogniser can't listen for
    │   └── EvalFileError                  an eval file that can't be run; names file, line and key
    ├── ArgumentTypeError (TypeError)      a value of the wrong type, or a required one left out
    ├── MissingExtraError (ImportError)    an optional part is not installed; has the install line
    ├── IncompatibleVersionError (RuntimeError)  a package is not as this one needs it
    ├── MissingKeyError (LookupError)      a provider's key isn't set; says where to get one
    ├── MissingWeightsError (FileNotFoundError)  a local model isn't where it was said to be
    ├── VoiceError                         a caller's voice that gives no sound, or not this text
    ├── AudioFileError                     an audio file that can't be read or holds no sound
    ├── AudioDeviceError                   no PortAudio, no device, or a device that refuses
    │   └── BrowserMicrophoneError         the browser's microphone can't be used
    │       ├── MicrophoneDeniedError      the browser did not allow it
    │       ├── NoMicrophoneError          the browser sees no microphone
    │       ├── InsecurePageError          the page is neither https:// nor localhost
    │       ├── NoBrowserError             no notebook, no browser, or nobody who pressed start
    │       └── UnsafeKernelError          an ipykernel that the stream of audio would wedge
    ├── ForeignCallError (ValueError)      a recording or report of another tool that can't be read
    ├── SavedCallError                     a folder that can't be written, or is no saved call
    ├── SignalingError (ConnectionError)   Piopiy's signalling can't be reached, or said no
    ├── CallError                          something about one running call
    │   ├── CallEndedError                 the call is over; the command came too late
    │   ├── CallControlError               a transfer or a hang-up was refused, or came to nothing
    │   ├── ToolError                      a tool ran out of time, or its MCP server failed
    │   ├── ServiceError                   a service failed, timed out, or can't be used again
    │   ├── BotError                       a bot of another runner's can't be run as it is
    │   ├── RoomError                      the call's room can't be joined, or its link was lost
    │   ├── UnresponsiveError              the loop was blocked; names the frame it is stuck in
    │   ├── ScreenplayError (AssertionError)  the caller waited for what never came; names the step
    │   └── ReplayError                    a call can't be run again; says why
    ├── CassetteError                      a cassette that can't be read, or lacks what was asked
    ├── EvalFailedError (AssertionError)   an eval's bot did not do what the file expects
    ├── LoopbackError (RuntimeError)       the loopback platform can't do what was asked
    └── SimulationError                    virtual time can't go on
        ├── SimulationDeadlockError        nothing is scheduled; says who waits for what
        └── SimulationLimitError           a cap (virtual time, wall clock, livelock) was reached

Messages say what failed, with the value, and then what to do.
"""

from __future__ import annotations


class PiopiyLabError(Exception):
    """The base of every exception that this package raises on purpose."""


class ArgumentError(PiopiyLabError, ValueError):
    """An argument's value can't be used."""


class PhraseError(ArgumentError):
    """A phrase that the offline recogniser can't listen for, with the words it doesn't know."""


class EvalFileError(ArgumentError):
    """An eval file can't be run as it is; the message names the file, the line and the key."""


class ArgumentTypeError(PiopiyLabError, TypeError):
    """An argument has the wrong type, or a required one is missing."""


class MissingExtraError(PiopiyLabError, ImportError):
    """An optional part of the package is needed and not installed."""

    def __init__(
        self, what: str, extra: str, *, detail: str = "", project: str = "piopiy-lab"
    ) -> None:
        """Say what is missing and how to install it.

        Args:
            what: The feature that needs the extra, as the start of a sentence.
            extra: The extra's name in ``pyproject.toml``.
            detail: The import error's own words, if they help.
            project: The package whose extra it is, as ``pip`` knows it.
        """
        self.extra = extra
        tail = f" ({detail})" if detail else ""
        whose = "" if project == "piopiy-lab" else f" of {project}"
        super().__init__(
            f"{what} needs the '{extra}' extra{whose}{tail}: pip install \"{project}[{extra}]\""
        )


class IncompatibleVersionError(PiopiyLabError, RuntimeError):
    """pipecat, or another package whose insides are relied on, is not as this one needs it.

    No ``ImportError``: where an extra is looked for, that would pass for one that is missing.
    """


class MissingKeyError(PiopiyLabError, LookupError):
    """A provider's key, or another variable that it needs, isn't in the environment."""

    def __init__(self, message: str, variables: tuple[str, ...]) -> None:
        """Say what is missing; ``variables`` are the variables' names, never their values."""
        self.variables = variables
        super().__init__(message)


class MissingWeightsError(PiopiyLabError, FileNotFoundError):
    """The weights of a local service aren't in the folder that was named, or not all of them."""


class VoiceError(PiopiyLabError, ValueError):
    """A scripted caller's voice gives no sound, or has none for a text; says which."""


class AudioFileError(PiopiyLabError, ValueError):
    """An audio file can't be read, or holds no sound."""


class AudioDeviceError(PiopiyLabError, OSError):
    """No PortAudio, no audio device, or a device that refuses the stream."""


class BrowserMicrophoneError(AudioDeviceError):
    """The browser's microphone can't be used."""


class MicrophoneDeniedError(BrowserMicrophoneError):
    """The browser, its user or the system did not allow the microphone (``NotAllowedError``)."""


class NoMicrophoneError(BrowserMicrophoneError):
    """The browser sees no microphone (``NotFoundError``)."""


class InsecurePageError(BrowserMicrophoneError):
    """The page is neither https:// nor localhost, so its browser has no microphones for it."""


class NoBrowserError(BrowserMicrophoneError):
    """No notebook, no browser that answers, or nobody who started the microphone in time."""


class UnsafeKernelError(BrowserMicrophoneError):
    """This version of ipykernel can wedge for good under a stream of audio."""


class SavedCallError(PiopiyLabError, OSError):
    """A folder can't be written to, or doesn't hold a saved call."""


class ForeignCallError(PiopiyLabError, ValueError):
    """What another tool wrote of a call can't be read; the message names the file and the field."""


class SignalingError(PiopiyLabError, ConnectionError):
    """The signalling server can't be reached, refused the agent, or is no signalling server.

    Attributes:
        refused: Whether the server answered and said no (a wrong token, say): trying again with
            the same id and token won't help.
    """

    def __init__(self, message: str, *, refused: bool = False) -> None:
        """Say what failed, and whether it was the server that said no."""
        super().__init__(message)
        self.refused = refused


class CallError(PiopiyLabError):
    """Something went wrong in one call."""


class CallEndedError(CallError):
    """The call has ended, so the command can't act on it."""


class CallControlError(CallError):
    """The platform refused to transfer or hang up a call, or nobody took a transfer."""


class ToolError(CallError):
    """A tool ran out of time, or the MCP server that has it failed."""


class ServiceError(CallError):
    """A service failed, timed out, or can't be used in this call."""


class BotError(CallError):
    """A bot that was written for pipecat's runner can't be run as it is."""


class RoomError(CallError):
    """The call's room can't be joined, or the link to it was lost for good."""


class UnresponsiveError(CallError):
    """The session's loop was blocked for too long; the message names where."""


class ScreenplayError(CallError, AssertionError):
    """The scripted caller waited for something that never came; the message names the step."""


class ReplayError(CallError):
    """A call can't be replayed: it never began, or hasn't kept what its agent heard."""


class CassetteError(PiopiyLabError):
    """A cassette can't be read, written or played, or what was asked is not on it."""


class EvalFailedError(PiopiyLabError, AssertionError):
    """A bot did not do what an eval file expects; the message names the scenarios and why."""


class LoopbackError(PiopiyLabError, RuntimeError):
    """The loopback platform isn't running, or can't do what was asked of it."""


class SimulationError(PiopiyLabError, RuntimeError):
    """A simulation can't run or can't go on."""


class SimulationDeadlockError(SimulationError):
    """Nothing is scheduled and nothing is ready: the message says who waits for what."""


class SimulationLimitError(SimulationError):
    """A limit of the simulation was reached: virtual time, wall clock or livelock.

    Attributes:
        stood_still: Whether virtual time had stopped moving, and would not have gone on.
    """

    def __init__(self, message: str, *, stood_still: bool = False) -> None:
        """Say which limit, and whether virtual time stood still."""
        super().__init__(message)
        self.stood_still = stood_still
