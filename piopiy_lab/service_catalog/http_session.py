"""An aiohttp session that is opened when it is first used, on the loop that uses it.

Some of pipecat's services take a session of the user's own, which must be made on the call's loop
and closed after it. This one stands in: it can be made anywhere, costs nothing unless used, and
is closed when the service is cleaned up.
"""

from __future__ import annotations

from typing import Any

from piopiy_lab.services.seams import after_cleanup


class LateSession:
    """Behaves like the ``aiohttp.ClientSession`` that it opens at first use."""

    def __init__(self) -> None:
        self._opened: Any = None  # written by __getattr__, on the session's loop

    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)
        if self._opened is None:
            import aiohttp

            self._opened = aiohttp.ClientSession()
        return getattr(self._opened, name)

    async def close(self) -> None:
        """Close what was opened; on the session's loop."""
        opened, self._opened = self._opened, None
        if opened is not None:
            await opened.close()


def close_with(service: object, session: LateSession) -> None:
    """Let a service's clean-up close the session."""
    after_cleanup(service, session.close)
