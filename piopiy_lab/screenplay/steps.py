"""What a screenplay is made of: sounds to say, and steps. Pure data."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from piopiy_lab.checks.arguments import check_secs, is_whole
from piopiy_lab.errors import ArgumentError
from piopiy_lab.screenplay.phrases import Phrase
from piopiy_lab.sound.pcm import Int16

#: Seconds that a waiting step waits unless told otherwise.
TIMEOUT_SECS = 10.0


@dataclass(frozen=True)
class Audio:
    """A piece of the caller's audio.

    Attributes:
        samples: int16, shape (n,).
        sample_rate: Hz.
    """

    samples: Int16
    sample_rate: int

    def __repr__(self) -> str:
        return f"<Audio: {len(self.samples) / self.sample_rate:.1f} s at {self.sample_rate} Hz>"


@dataclass(frozen=True)
class AudioFile:
    """A recording that stands in for the caller: it is played from its first sample on.

    The folder of a saved call plays what its agent heard, by its own frames and clock, and presses,
    types and hangs up as its caller did: against the same agent it is the same call (against
    another one, ``Caller.from_call`` follows the agent). Any other file, and the ``call.wav`` in
    such a folder, is played as a recording.

    Any format, rate, channels and width that soundfile reads; a saved stereo call too, by its
    caller channel. It is resampled once, while it streams. When the file is over, the caller
    listens until the agent has been silent for ``then_listens`` seconds and hangs up.

    Attributes:
        path: The file.
        channel: Which channel is the caller's, from 0. None: the only one, or the left channel
            of a saved call (a folder, or ``call.wav`` in one); a stereo file elsewhere is
            mixed down.
        then_listens: Seconds of the agent's silence after which the caller hangs up.
    """

    path: str | Path
    channel: int | None = None
    then_listens: float = 2.0

    def __post_init__(self) -> None:
        if self.channel is not None and (not is_whole(self.channel) or self.channel < 0):
            raise ArgumentError(f"channel={self.channel!r}: give a whole number from 0, or None")
        check_step_secs("then_listens", self.then_listens)

    def __repr__(self) -> str:
        channel = "" if self.channel is None else f", channel={self.channel}"
        return f"AudioFile({str(self.path)!r}{channel})"


@dataclass(frozen=True)
class Step:
    """One step of a screenplay; ``str(step)`` is the line that wrote it."""

    def __str__(self) -> str:
        shown: list[str] = []
        for f in fields(self):
            value = getattr(self, f.name)
            if f.name in ("text", "pattern", "name", "digits", "secs"):
                shown.append(repr(value.pattern if isinstance(value, re.Pattern) else value))
            elif f.name == "args":
                shown += [f"{key}={wanted!r}" for key, wanted in value]
            elif value != f.default:
                shown.append(f"{f.name}={value!r}")
        return f"{self.verb}({', '.join(shown)})"

    @property
    def verb(self) -> str:
        """The name of the Caller's method that makes this step."""
        return re.sub("(?<!^)(?=[A-Z])", "_", type(self).__name__).lower()


@dataclass(frozen=True)
class HearsGreeting(Step):
    """Wait until the agent has spoken and is silent again."""

    timeout: float = TIMEOUT_SECS


@dataclass(frozen=True)
class Says(Step):
    """Wait until the agent is silent, then speak; over when the last sample was spoken."""

    text: str | Audio | AudioFile | Phrase
    timeout: float = TIMEOUT_SECS
    over_agent: bool = False  # speak at once, whoever is speaking


@dataclass(frozen=True)
class HearsReply(Step):
    """Wait for a reply, until the agent was silent for a while and no tool call is open."""

    timeout: float = TIMEOUT_SECS


@dataclass(frozen=True)
class Listens(Step):
    """Wait until the agent neither speaks, thinks nor has a tool at work for a while.

    How a file ends: unlike :class:`HearsReply` it needs no reply.
    """

    silence: float


@dataclass(frozen=True)
class Hears(Step):
    """Wait until the agent's words since the caller last spoke contain this."""

    pattern: str | re.Pattern[str]
    within: float = TIMEOUT_SECS


@dataclass(frozen=True)
class ExpectsTool(Step):
    """Wait until the agent has called this tool, with at least these arguments."""

    name: str
    args: tuple[tuple[str, Any], ...] = ()
    timeout: float = TIMEOUT_SECS


@dataclass(frozen=True)
class Interrupts(Step):
    """Speak while the agent speaks, ``after`` seconds from its first audio on."""

    text: str | Audio | Phrase
    after: float = 1.0
    timeout: float = TIMEOUT_SECS


@dataclass(frozen=True)
class Waits(Step):
    """Say nothing for a while."""

    secs: float


@dataclass(frozen=True)
class Presses(Step):
    """Press keys of the phone."""

    digits: str


@dataclass(frozen=True)
class HangsUp(Step):
    """End the call."""


def check_step_secs(name: str, value: object) -> float:
    """A step may take no time, or wait for ever: a simulation has an end all the same."""
    return check_secs(name, value, zero=True, endless=True)


def has_arguments(arguments: object, wanted: dict[str, object]) -> bool:
    """Whether a tool call has at least these arguments."""
    given = arguments if isinstance(arguments, Mapping) else {}
    return all(key in given and given[key] == wanted[key] for key in wanted)
