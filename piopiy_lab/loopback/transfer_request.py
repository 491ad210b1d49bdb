"""A request for a transfer, as REST brings it: read, and refused where the platform refuses. Pure.

The fields are those that the platform's own client sends (PyPI ``piopiy-agent``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

_NUMBER = re.compile(r"[0-9]{7,15}")
_SIP = re.compile(r"sips?:[^\s@]+@[^\s@]+")


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_number(value: object) -> bool:
    return isinstance(value, str) and _NUMBER.fullmatch(value) is not None


def _are_headers(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(v, str) for v in value.values())


#: The fields of a warm transfer: whether a value will do, and what would.
_WARM: dict[str, tuple[Callable[[object], bool], str]] = {
    "to_number": (_is_number, "digits with country code, no plus"),
    "sip_uri": (lambda v: isinstance(v, str) and _SIP.fullmatch(v) is not None, "sip:who@where"),
    "caller_id": (_is_number, "one of your numbers, digits with country code, no plus"),
    "timeout_sec": (lambda v: type(v) is int and v > 0, "whole seconds"),
    "confirm": (lambda v: isinstance(v, bool), "true or false"),
    "hold_audio": (lambda v: isinstance(v, bool) or _is_text(v), "true, a file name or an address"),
    "transfer_summary": (_is_text, "a text"),
    "sip_headers": (_are_headers, "names to texts"),
    "variables": (lambda v: isinstance(v, dict), "an object"),
}


@dataclass(frozen=True)
class TransferRequest:
    """What was asked for.

    Attributes:
        to: The number or SIP address; "" for a call flow that calls nobody.
        blind: Whether the agent is to leave at once.
        body: The request as it came.
    """

    to: str
    blind: bool
    body: Mapping[str, Any]

    @property
    def ring_secs(self) -> float | None:
        """Seconds for which it was told to ring; None if it wasn't."""
        return self.body.get("timeout_sec")


def read_transfer_request(body: object) -> TransferRequest:
    """Read a request.

    Raises:
        ValueError: It can't be carried out; the message names the field.
    """
    if not isinstance(body, dict):
        raise ValueError('send a JSON object: {"to_number": "4420..."}')
    targets = [name for name in ("to_number", "sip_uri", "pipeline") if body.get(name)]
    if len(targets) != 1:
        raise ValueError("send exactly one of to_number, sip_uri and pipeline")
    if targets == ["pipeline"]:
        if more := sorted(set(body) - {"pipeline"}):
            raise ValueError(f"{more[0]}: not beside a pipeline")
        return TransferRequest(_called_by(body["pipeline"]), blind=True, body=body)
    for name, value in body.items():
        if name not in _WARM:
            raise ValueError(f"{name}: there is no such field")
        good, wanted = _WARM[name]
        if not good(value):
            raise ValueError(f"{name}: send {wanted}")
    if "sip_headers" in body and targets != ["sip_uri"]:
        raise ValueError("sip_headers: for a sip_uri only")
    return TransferRequest(body[targets[0]], blind=False, body=body)


def _called_by(pipeline: object) -> str:
    """Return the first number that a call flow calls, "" if it calls none."""
    if not isinstance(pipeline, list):
        raise ValueError("pipeline: send a list of steps")
    for step in pipeline:
        if not isinstance(step, dict) or not _is_text(step.get("action")):
            raise ValueError('pipeline: each step is an object with an "action"')
    for step in pipeline:
        if step["action"] == "connect":
            params, endpoints = step.get("params", {}), step.get("endpoints")
            if not isinstance(params, dict) or not isinstance(endpoints, list) or not endpoints:
                raise ValueError('pipeline: "connect" has "params" and a list of "endpoints"')
            if "caller_id" in params and not _is_number(params["caller_id"]):
                raise ValueError(f"caller_id: send {_WARM['caller_id'][1]}")
            return _number_of(endpoints[0])
    return ""


def _number_of(endpoint: object) -> str:
    if not isinstance(endpoint, dict) or endpoint.get("type") != "pstn":
        return ""
    number = endpoint.get("number")
    if not isinstance(number, str) or not _is_number(number):
        raise ValueError(f"endpoints: number: send {_WARM['to_number'][1]}")
    return number
