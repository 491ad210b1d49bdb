"""Other settings for the session that a callback runs in, as whoever makes the call gives them."""

from __future__ import annotations

from dataclasses import replace

from piopiy_lab.session.session import current_session


def settle(**changes):
    """Change settings of the current session, before its agent is made."""
    session = current_session()
    session.settings = replace(session.settings, **changes)


def with_transport(change):
    """Let ``change`` have the current session's transport as soon as it is made."""
    opening = current_session().settings.open_transport

    def open_transport(session, settings):
        transport = opening(session, settings)
        change(transport)
        return transport

    settle(open_transport=open_transport)
