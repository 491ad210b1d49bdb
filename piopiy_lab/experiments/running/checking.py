"""What a call has to be beside its screenplay: plain functions of a ``Call``."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import numpy as np

from piopiy_lab.call.call import Call
from piopiy_lab.checks.texts import described
from piopiy_lab.display.user_traceback import user_line
from piopiy_lab.errors import ArgumentError, ArgumentTypeError
from piopiy_lab.redaction import redact_text

#: False or an exception says that the call isn't so.
Check: TypeAlias = Callable[[Call], object]
#: One of them, several, or several by name.
Checks: TypeAlias = Check | Mapping[str, Check] | Sequence[Check]


def failed_check(checks: Mapping[str, Check], call: Call) -> tuple[str, str] | None:
    """Return the name of the first check that a call does not pass, and why; None if it does.

    A check that returns False, or raises anything, is one that it does not pass: what can't be
    measured is no pass.
    """
    for name, check in checks.items():
        try:
            verdict = check(call)
        except (Exception, SystemExit) as error:
            place = user_line(error)
            return name, redact_text(f"{described(error)}{f' ({place})' if place else ''}")
        if isinstance(verdict, bool | np.bool_) and not verdict:
            return name, f"{name}(call) is False"
    return None


def named_checks(checks: Checks) -> dict[str, Check]:
    """Return checks by name.

    Raises:
        ArgumentTypeError: One is no function.
        ArgumentError: Two have one name.
    """
    if callable(checks):
        checks = (checks,)
    if isinstance(checks, Mapping):
        named = dict(checks)
    else:
        names = [_name(check) for check in checks]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ArgumentError(f"two checks are called {twice[0]!r}: give a dict of them by name")
        named = dict(zip(names, checks, strict=True))
    for name, check in named.items():
        if not callable(check):
            raise ArgumentTypeError(f"checks: {name!r} is {check!r}; give a function of a Call")
    return named


def _name(check: object) -> str:
    while isinstance(check, functools.partial):
        check = check.func
    return str(getattr(check, "__name__", type(check).__name__))
