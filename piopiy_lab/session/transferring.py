"""What the platform can do with a call from outside of it: hang up, and transfer the caller.

On the phone the session's settings have a :class:`CallControl`, which asks the platform. On a
microphone, in the browser and in a simulation there is none: a transfer is then an event, and the
call ends where the caller would have left the agent.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from piopiy_lab import events
from piopiy_lab.errors import CallControlError
from piopiy_lab.events.values import TransferCause

if TYPE_CHECKING:
    from piopiy_lab.session.session import Session

#: Seconds that the platform may take to answer an action.
ACTION_SECS = 20.0
#: Seconds that it may take to hang up when the call is wound down.
HANG_UP_SECS = 3.0


async def transfer(session: Session, to: str, cause: TransferCause) -> None:
    """Transfer a session's caller; the call ends when that is done.

    Args:
        session: The call.
        to: Where to, checked.
        cause: Who asked: "tool", "code" or "command".

    Raises:
        CallControlError: The transfer failed. The call goes on, and the log has it.
    """
    log = session.log
    log.append(events.TransferRequested(at=session.now(), to=to, cause=cause))
    control = session.settings.control
    if control is None:
        log.append(events.TransferFinished(at=session.now(), to=to, status="not_on_phone"))
        session.end("agent_ended")
        return
    try:
        async with asyncio.timeout(ACTION_SECS):
            await control.transfer(to)
    except TimeoutError as error:
        raise _failed(session, to, f"no answer in {ACTION_SECS:g} s") from error
    except Exception as error:
        raise _failed(session, to, str(error) or type(error).__name__) from error
    session.handed_over = True
    log.append(events.TransferFinished(at=session.now(), to=to, status="transferred"))
    session.end("agent_ended")


def _failed(session: Session, to: str, why: str) -> CallControlError:
    session.log.append(events.TransferFinished(at=session.now(), to=to, status="failed", error=why))
    return CallControlError(f"the transfer to {to} failed: {why}")


async def release(session: Session) -> None:
    """Hang up the caller's line when a call has ended on this side; for runners.

    Does nothing off the phone, after a transfer, and when the caller hung up. A failure is written
    to the log: the call is over all the same.
    """
    control = session.settings.control
    if control is None or session.handed_over or session.reason == "caller_hung_up":
        return
    try:
        async with asyncio.timeout(HANG_UP_SECS):
            await control.hang_up()
    except Exception as error:
        why = str(error) or type(error).__name__
        session.log.append(
            events.ErrorOccurred(
                at=session.now(),
                message=f"the caller's line could not be hung up: {why}",
                source="CallControl",
                remedy="the platform ends it when nobody is left in the room",
            )
        )
