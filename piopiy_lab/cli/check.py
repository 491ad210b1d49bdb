"""What came of one of the checks of ``piopiy-lab doctor``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

#: How a check came out.
CheckStatus = Literal["ok", "missing", "failed"]


@dataclass(frozen=True)
class Check:
    """What came of a check.

    Attributes:
        name: What was tried.
        status: "ok", "missing" (an optional part is not there) or "failed".
        detail: What was found, or what went wrong.
        base: Whether calls need it.
        remedy: What to do, if anything.
    """

    name: str
    status: CheckStatus
    detail: str
    base: bool = False
    remedy: str | None = None
