"""Staying connected: one link after the other, with growing pauses between them."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine
from typing import Literal

from piopiy_lab.errors import SignalingError
from piopiy_lab.telephony.signalling.links import Link

#: Seconds before the first try to reconnect; each further one waits twice as long, up to the
#: longest. Half of each wait is chance, so that many agents don't come back in step.
FIRST_PAUSE_SECS = 0.5
GATEWAY_PAUSE_SECS = 1.0  # the same, where it is Piopiy's gateway
LONGEST_PAUSE_SECS = 30.0
#: Seconds after which a connection counts as a good one, and the pauses begin anew.
STEADY_SECS = 10.0
#: Refusals in a row on reconnecting after which it isn't tried again: the token was withdrawn.
MAX_REFUSALS = 5

StateTold = Literal["connected", "reconnecting", "draining"]
#: Told of every change, with the reason: of "draining" at a gateway only.
OnState = Callable[[StateTold, str], None]


def pause(attempt: int, chance: float, first_secs: float = FIRST_PAUSE_SECS) -> float:
    """Return the seconds to wait before try number ``attempt`` (from 0).

    Args:
        attempt: How many tries have failed in a row.
        chance: 0 to 1; spreads the waits between half and full length.
        first_secs: The longest that the first wait may be.
    """
    longest = min(LONGEST_PAUSE_SECS, first_secs * 2 ** min(attempt, 16))
    return longest * (0.5 + chance / 2)


async def stay_connected(
    open_link: Callable[[], Link],
    stop: asyncio.Event,
    on_state: OnState,
    *,
    first_pause_secs: float = FIRST_PAUSE_SECS,
) -> None:
    """Keep one link open until ``stop`` is set.

    Args:
        open_link: Makes a fresh link, whose connect() sends the credentials anew.
        stop: Ends it; the link is closed then.
        on_state: Told of every change.
        first_pause_secs: Seconds before the first try to reconnect, at the most.

    Raises:
        SignalingError: The first connection failed, or the server refused the agent
            :data:`MAX_REFUSALS` times in a row later on.
    """
    attempt = refusals = 0
    ever = False
    loop = asyncio.get_running_loop()
    while not stop.is_set():
        link = open_link()
        try:
            if await _unless(stop, link.connect()):
                return
            ever, refusals = True, 0
            began = loop.time()
            on_state("connected", "")
            if await _unless(stop, link.wait_closed()):
                return
            why = await link.wait_closed()
            if loop.time() - began >= STEADY_SECS:
                attempt = 0
        except SignalingError as error:
            refusals = refusals + 1 if error.refused else 0
            if not ever or refusals >= MAX_REFUSALS:
                raise
            why = str(error)
        finally:
            await link.close()
        on_state("reconnecting", why)
        secs = pause(attempt, random.random(), first_pause_secs)
        attempt += 1
        if await _unless(stop, asyncio.sleep(secs)):
            return


async def _unless(stop: asyncio.Event, coroutine: Coroutine[object, object, object]) -> bool:
    """Await a coroutine until ``stop`` is set; return whether it was, and the work dropped."""
    work = asyncio.create_task(coroutine)
    stopped = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait((work, stopped), return_when=asyncio.FIRST_COMPLETED)
        if stop.is_set():
            return True
        await work
        return False
    finally:
        for task in (work, stopped):
            task.cancel()
        await asyncio.gather(work, stopped, return_exceptions=True)
