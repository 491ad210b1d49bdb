"""What a running call can be told: a set of frozen records, each with its own checks.

A ``Call`` makes one and sends it to whoever runs the call. A record that was made is well formed;
whether the call can follow it (is there such a service, such a setting?) is for the running agent
to say, when it is sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from piopiy_lab.errors import ArgumentError, ArgumentTypeError
from piopiy_lab.screenplay.caller import KEYS
from piopiy_lab.session.transfer_order import TransferOrder


@dataclass(frozen=True)
class HangUp:
    """End the call with the reason "hung_up"."""

    verb: ClassVar[str] = "hang_up"


@dataclass(frozen=True)
class Mute:
    """Close or open the user's side."""

    muted: bool
    verb: ClassVar[str] = "mute"


@dataclass(frozen=True)
class Say:
    """Let the agent speak the text.

    Raises:
        ArgumentError: There is nothing in the text.
        ArgumentTypeError: It is no text.
    """

    text: str
    verb: ClassVar[str] = "say"

    def __post_init__(self) -> None:
        _check_text(self.verb, self.text)


@dataclass(frozen=True)
class UserSays:
    """Give the agent a typed user turn.

    Raises:
        ArgumentError: There is nothing in the text.
        ArgumentTypeError: It is no text.
    """

    text: str
    verb: ClassVar[str] = "user_says"

    def __post_init__(self) -> None:
        _check_text(self.verb, self.text)


@dataclass(frozen=True)
class Press:
    """Press keys of the phone for the caller: one or more of 0 to 9, * and #.

    Raises:
        ArgumentError: There is none, or something else among them.
        ArgumentTypeError: It is no text.
    """

    digits: str
    verb: ClassVar[str] = "press"

    def __post_init__(self) -> None:
        _check_text(self.verb, self.digits)
        if strange := sorted(set(self.digits) - set(KEYS)):
            raise ArgumentError(
                f"press({self.digits!r}): there is no key {strange[0]!r}; give {KEYS}"
            )


@dataclass(frozen=True)
class Interrupt:
    """Stop what the agent says and thinks."""

    verb: ClassVar[str] = "interrupt"


@dataclass(frozen=True)
class Tune:
    """Change detector and turn settings.

    Raises:
        ArgumentError: No setting was given.
    """

    settings: Mapping[str, float]
    verb: ClassVar[str] = "tune"

    def __post_init__(self) -> None:
        if not self.settings:
            raise ArgumentError("tune() was given no setting; for example tune(stop_secs=0.3)")


@dataclass(frozen=True)
class SwitchService:
    """Make another service of a switcher the active one."""

    service: object  # one of pipecat's, or its name
    verb: ClassVar[str] = "switch_service"


@dataclass(frozen=True)
class Transfer(TransferOrder):
    """Hand the caller over to somebody else, once the agent has been heard out."""

    verb: ClassVar[str] = "transfer"


#: What only a running VoiceAgent can do; the call itself does the other two.
AgentCommand = Say | UserSays | Press | Interrupt | Tune | SwitchService | Transfer
Command = AgentCommand | HangUp | Mute


def _check_text(verb: str, text: object) -> None:
    if not isinstance(text, str):
        raise ArgumentTypeError(f"{verb}() takes a text, not {type(text).__name__} {text!r}")
    if not text.strip():
        raise ArgumentError(f"{verb}() was given {text!r}; give it something to say")
