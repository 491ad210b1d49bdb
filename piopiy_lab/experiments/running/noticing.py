"""What is to be said of a run beside its rows: tools that were really run.

Pure.
"""

from __future__ import annotations

from collections.abc import Mapping

from piopiy_lab.errors import ArgumentError, ArgumentTypeError
from piopiy_lab.experiments.running.work import Result


class Noticing:
    """Gathers it from the results as they come. On one thread."""

    def __init__(self) -> None:
        """Begin."""
        self._ran: dict[str, int] = {}  # real tools, and in how many calls

    def see(self, result: Result) -> None:
        """Look at a result."""
        for name in result.ran:
            self._ran[name] = self._ran.get(name, 0) + 1

    @property
    def ran(self) -> bool:
        """Whether a real tool was run."""
        return bool(self._ran)

    def notices(self) -> tuple[str, ...]:
        """Return what is to be said."""
        if max(self._ran.values(), default=0) < 2:
            return ()
        names = sorted(self._ran)
        doubles = ", ".join(f"{name!r}: ..." for name in names)
        often = ", ".join(f"{name} in {self._ran[name]} calls" for name in names)
        return (
            f"real tools were run: {often}; replace={{'tools': {{{doubles}}}}} has functions of "
            "yours called in their place",
        )


def check_for_many(replaced: Mapping[str, object], cassette: object) -> None:
    """Refuse what can serve one call alone.

    Args:
        replaced: What ``replace=`` came to, by part.
        cassette: What the user gave.

    Raises:
        ArgumentError: A service is in the place of a function that makes one.
        ArgumentTypeError: The cassette is no folder.
    """
    for part, service in replaced.items():
        made = hasattr(service, "process_frame") and not isinstance(service, type)
        if made or not callable(service):
            raise ArgumentError(
                f"replace={{{part!r}: {type(service).__name__}(...)}}: a service serves one call, "
                f"and each call needs its own; give a function that makes one, {{{part!r}: lambda: "
                f"{type(service).__name__}(...)}}"
            )
    if cassette is not None and (not hasattr(cassette, "__fspath__")) and type(cassette) is not str:
        raise ArgumentTypeError(
            f"cassette={cassette!r}: give a folder, in which each call has a cassette of its own; "
            "a Cassette is one call's"
        )
