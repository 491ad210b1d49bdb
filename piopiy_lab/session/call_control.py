"""What the platform can do with a call from outside of it: hang up, and transfer the caller."""

from __future__ import annotations

from typing import Protocol


class CallControl(Protocol):
    """The platform's actions on one call. Used on the session's loop only."""

    async def hang_up(self) -> None:
        """End the caller's line. Does nothing if it has ended.

        Raises:
            CallControlError: The platform refused, or could not be asked.
        """
        ...

    async def transfer(self, to: str) -> None:
        """Hand the caller over to a number, and return when the platform has done so.

        Args:
            to: A number as :func:`~piopiy_lab.session.targets.check_target` returns it.

        Raises:
            CallControlError: The platform refused, nobody took the call, or it could not be asked.
        """
        ...
