"""What may be called on the session's loop only says so."""

from __future__ import annotations

import asyncio

import pytest

from piopiy_lab.events.log import EventLog
from piopiy_lab.session.session import Session, SessionSettings
from piopiy_lab.sound.recorder import Recorder


@pytest.mark.parametrize(
    "ask",
    [
        lambda session: session.end("hung_up"),
        lambda session: session.mute(True),
        lambda session: session.listening(),
        lambda session: session.fail(ValueError("x")),
    ],
)
def test_a_session_is_used_on_its_own_loop_only(ask):
    async def main():
        settings = SessionSettings(origin="custom", open_transport=lambda *_: None)
        session = Session(EventLog(lambda: 0.0), Recorder(24000, keep=False), settings)
        with pytest.raises(AssertionError, match="off the session's loop"):
            await asyncio.to_thread(ask, session)
        ask(session)
        return session

    session = asyncio.run(main())
    with pytest.raises(AssertionError, match="off the session's loop"):
        session.end("hung_up")  # nor after it, outside of any
