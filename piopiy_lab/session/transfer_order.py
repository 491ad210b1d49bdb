"""What a transfer is asked for: where to, and how. Checked when it is made; no I/O.

The words are those of the platform's REST API, in this package's own names (``timeout_secs``,
``summary``); :mod:`piopiy_lab.telephony.rest` puts them on the wire.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypedDict

from piopiy_lab.checks.arguments import check_flag, check_secs, check_text
from piopiy_lab.errors import ArgumentError, ArgumentTypeError
from piopiy_lab.session.targets import check_caller_id, check_target, is_sip

#: What only a transfer that rings somebody first can have.
_WARM_ONLY = ("timeout_secs", "confirm", "hold_audio", "summary", "sip_headers", "variables")


class TransferOptions(TypedDict, total=False):
    """How a caller is handed over; see :class:`TransferOrder` for what each means."""

    blind: bool
    caller_id: str | None
    timeout_secs: float | None
    confirm: bool | None
    hold_audio: bool | str | None
    summary: str | None
    sip_headers: Mapping[str, str] | None
    variables: Mapping[str, object] | None


@dataclass(frozen=True)
class TransferOrder:
    """Whom to hand the caller over to, and how; None is "not said".

    Attributes:
        to: A telephone number with its country code, or a SIP address; without spaces and brackets
            once the order is made.
        blind: Whether the agent leaves at once. If not (warm), the caller stays with the agent
            while it rings, and if nobody answers nothing changes.
        caller_id: The number that rings shows: one of the account's. Needed for a call that came
            from a phone system of your own.
        timeout_secs: Seconds for which it rings.
        confirm: Whether the human has to press 1 before the caller is handed over.
        hold_audio: What the caller hears in place of the agent meanwhile: True for music, a file
            name, or an http(s) address.
        summary: What the human who picks up is told.
        sip_headers: More headers for a SIP address, names to texts.
        variables: Anything of yours, as JSON: it comes back in the platform's events.

    Raises:
        ArgumentError: It is no number and no SIP address, an extension, a blind transfer to a SIP
            address, or an option that this transfer can't have.
        ArgumentTypeError: Something has the wrong type.
    """

    to: str
    blind: bool = False
    caller_id: str | None = None
    timeout_secs: float | None = None
    confirm: bool | None = None
    hold_audio: bool | str | None = None
    summary: str | None = None
    sip_headers: Mapping[str, str] | None = None
    variables: Mapping[str, object] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "to", check_target(self.to))
        check_flag("blind", self.blind)
        if self.caller_id is not None:
            object.__setattr__(self, "caller_id", check_caller_id(self.caller_id))
        if self.timeout_secs is not None:
            check_secs("timeout_secs", self.timeout_secs, zero=False)
        if self.confirm is not None:
            check_flag("confirm", self.confirm)
        if self.hold_audio is not None and not isinstance(self.hold_audio, bool):
            check_text("hold_audio", self.hold_audio)
        if self.summary is not None:
            check_text("summary", self.summary)
        _check_sip_headers(self.sip_headers)
        _check_variables(self.variables)
        self._check_together()

    def _check_together(self) -> None:
        if self.sip_headers is not None and not is_sip(self.to):
            raise ArgumentError(
                f"sip_headers={dict(self.sip_headers)!r}: a telephone takes none; leave them out, "
                "or transfer to a SIP address"
            )
        if not self.blind:
            return
        if is_sip(self.to):
            raise ArgumentError(
                f"a blind transfer to {self.to!r}: the platform hands over to a SIP address only "
                "when somebody there has answered; leave out blind=True, or give a number"
            )
        given = [name for name in _WARM_ONLY if getattr(self, name) is not None]
        if given:
            raise ArgumentError(
                f"a blind transfer takes no {given[0]}=: the agent is gone before it rings; leave "
                "it out, or leave out blind=True"
            )


def _check_sip_headers(headers: object) -> None:
    if headers is None:
        return
    if not isinstance(headers, Mapping):
        raise ArgumentTypeError(f"sip_headers={headers!r}: give names to texts")
    for name, value in headers.items():
        if not isinstance(name, str) or not isinstance(value, str):
            raise ArgumentTypeError(f"sip_headers: {name!r}: {value!r} is no pair of texts")
        if not name.strip() or not (name + value).isprintable():
            raise ArgumentError(f"sip_headers: {name!r}: {value!r} is no header; give one line")


def _check_variables(variables: object) -> None:
    if variables is None:
        return
    if not isinstance(variables, Mapping) or not all(isinstance(name, str) for name in variables):
        raise ArgumentTypeError(f"variables={variables!r}: give names to values")
    try:
        json.dumps(dict(variables), allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise ArgumentError(f"variables={variables!r} is no JSON: {error}") from None
