"""Other settings for the session that a callback runs in, as whoever makes the call gives them."""

from __future__ import annotations

from dataclasses import replace

from piopiy_lab.session.session import current_session


def settle(**changes):
    """Change settings of the current session, before its agent is made."""
    session = current_session()
    session.settings = replace(session.settings, **changes)
