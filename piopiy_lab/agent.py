"""Piopiy's import path for the telephone side: the session's context variables, and ``Agent``."""

from __future__ import annotations

from piopiy_lab.callback import SessionCallback, check_callback
from piopiy_lab.errors import NotYetError
from piopiy_lab.session import ROOM_CTX, TOKEN_CTX, URL_CTX

__all__ = ["ROOM_CTX", "TOKEN_CTX", "URL_CTX", "Agent"]


class Agent:
    """Connects to Piopiy's signalling and runs one session per call. Not in this version."""

    def __init__(
        self,
        agent_id: str,
        agent_token: str,
        create_session: SessionCallback,
        signaling_url: str | None = None,
        debug: bool = False,
    ) -> None:
        """Take what the API reference's constructor takes.

        Args:
            agent_id: The agent's id from the dashboard.
            agent_token: Its token; never shown.
            create_session: The session callback.
            signaling_url: Another signalling endpoint.
            debug: More log lines.

        Raises:
            ArgumentTypeError: ``create_session`` is no session callback.
            NotYetError: Always, once that is checked: the phone comes in a later version.
        """
        check_callback(create_session)
        raise NotYetError(
            "Agent(...): telephone calls come in a later version; the same create_session runs now "
            "with start_call(create_session, Caller()...) and simulate(create_session, Caller()...)"
        )
