"""How one tool is called: its time limit, what an interruption does, what is said meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import TypeVar

from piopiy_lab.checks.arguments import check_secs, check_text
from piopiy_lab.errors import ArgumentTypeError
from piopiy_lab.tools import seams

#: Seconds that a tool may take when nothing else was said: a caller who hears nothing for half a
#: minute hangs up. It doesn't hold for tools that go on in the background
#: (``cancel_on_interruption=False``).
DEFAULT_TIMEOUT_SECS = 30.0
#: Seconds after which a ``filler`` is spoken.
DEFAULT_FILLER_AFTER_SECS = 1.0

_FunctionT = TypeVar("_FunctionT", bound=Callable[..., object])


@dataclass(frozen=True, kw_only=True)
class ToolOptions:
    """The options of one tool; None is "not said".

    Attributes:
        timeout_secs: Seconds after which the tool is stopped, and the LLM is told so.
        cancel_on_interruption: Whether a caller who interrupts stops the tool. If not, the LLM
            goes on talking while the tool runs, and is given the result when it comes.
        filler: Said when the tool takes long.
        filler_after_secs: After how many seconds.
    """

    timeout_secs: float | None = None
    cancel_on_interruption: bool | None = None
    filler: str | None = None
    filler_after_secs: float | None = None

    def __post_init__(self) -> None:
        for name in ("timeout_secs", "filler_after_secs"):
            secs = getattr(self, name)
            if secs is None:
                continue
            check_secs(name, secs, zero=False)
        if self.cancel_on_interruption not in (None, True, False):
            raise ArgumentTypeError(
                f"cancel_on_interruption={self.cancel_on_interruption!r}: give True or False"
            )
        if self.filler is not None:
            check_text("filler", self.filler)

    def over(self, other: ToolOptions) -> ToolOptions:
        """Return these options, with the other's where these say nothing."""
        given = {f.name: getattr(self, f.name) for f in fields(self)}
        return replace(other, **{name: value for name, value in given.items() if value is not None})

    @property
    def background(self) -> bool:
        """Whether the tool goes on when the caller interrupts."""
        return self.cancel_on_interruption is False


def tool_options(
    *,
    timeout_secs: float | None = None,
    cancel_on_interruption: bool | None = None,
    filler: str | None = None,
    filler_after_secs: float | None = None,
) -> Callable[[_FunctionT], _FunctionT]:
    """Say how a tool is called, where its function is written.

    ::

        @tool_options(timeout_secs=5, filler="One moment, I am looking.")
        async def find_order(number: int) -> dict: ...

    Args:
        timeout_secs: Seconds after which it is stopped, and the LLM is told so; 30 if not given
            (none for a tool that isn't cancelled on interruption).
        cancel_on_interruption: False lets it go on when the caller interrupts; the LLM goes on
            talking and is given the result when it comes. True if not given.
        filler: Said when it takes longer than ``filler_after_secs``.
        filler_after_secs: Seconds; 1 if not given.

    Raises:
        ArgumentTypeError: A value has the wrong type.
        ArgumentError: A time isn't positive, or the text is empty.
    """
    options = ToolOptions(
        timeout_secs=timeout_secs,
        cancel_on_interruption=cancel_on_interruption,
        filler=filler,
        filler_after_secs=filler_after_secs,
    )

    def mark(function: _FunctionT) -> _FunctionT:
        function._piopiy_lab_options = options  # type: ignore[attr-defined]
        return function

    return mark


def options_of(handler: object) -> ToolOptions:
    """Return what a function was marked with, by our ``tool_options`` or by pipecat's."""
    ours = getattr(handler, "_piopiy_lab_options", None) or ToolOptions()
    theirs = ToolOptions(
        timeout_secs=seams.timeout_mark(handler),
        cancel_on_interruption=seams.cancel_mark(handler),
    )
    return ours.over(theirs)
