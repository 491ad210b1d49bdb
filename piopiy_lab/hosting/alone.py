"""``await voice_agent.start()`` with nobody running the session: a call on the local microphone.

The call runs on the caller's own loop, as the API reference's example expects: the cell (or
``asyncio.run``) is busy until somebody hangs up.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable

from piopiy_lab import display
from piopiy_lab.events.log import clock_from_now
from piopiy_lab.hosting.host import CallFields, CallHost
from piopiy_lab.session.session import SessionSettings
from piopiy_lab.transports.opening import opener

#: Seconds in which a call that was interrupted must have ended.
HANG_UP_SECS = 5.0


async def run_alone(start: Callable[[], Awaitable[None]]) -> None:
    """Run a session on the local microphone, to its end.

    Ctrl-C, or interrupting the cell, hangs up.

    Args:
        start: The session: ``voice_agent.start``, which finds a session now.

    Raises:
        AudioDeviceError: There is no microphone or no speaker.
        PiopiyLabError: Whatever ended the call badly.
        asyncio.CancelledError: The task was cancelled; the call has ended by then.
    """

    async def create_session() -> None:
        await start()

    origin, open_transport = await asyncio.to_thread(opener, None)
    loop = asyncio.get_running_loop()
    host = CallHost(
        create_session,
        CallFields(call_id=f"call-{uuid.uuid4().hex[:8]}"),
        SessionSettings(origin=origin, open_transport=open_transport),
        clock=clock_from_now(),
        call_on_loop=loop.call_soon_threadsafe,
    )
    display.show(host.call)
    task = loop.create_task(host.run(), name="piopiy_lab.hosting.alone")
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        host.end("hung_up")
        await asyncio.wait((task,), timeout=HANG_UP_SECS)
        raise
    host.call.raise_for_error()
