"""A platform that does as it was told: what becomes of transfers in a simulation. No I/O.

Runs on the session's loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from piopiy_lab.errors import ArgumentError, ArgumentTypeError
from piopiy_lab.session.call_control import COMPLETED, FAILED, QUEUED, STARTED, TransferNews
from piopiy_lab.session.targets import check_target
from piopiy_lab.session.transfer_order import TransferOrder

#: What becomes of a transfer: somebody answers, or the platform's reasons why it fails.
OUTCOMES = (
    "answered busy no_answer rejected invalid_number unreachable call_barred network_error"
).split()
#: Seconds from the request until it rings, and from then on until it has come out.
STARTED_SECS, RING_SECS = 0.1, 5.0


def check_outcomes(outcomes: object) -> dict[str, str]:
    """Return the outcomes by target, as an order has it.

    Raises:
        ArgumentTypeError: It is no mapping of texts.
        ArgumentError: A target is none, or an outcome is unknown.
    """
    if not isinstance(outcomes, Mapping):
        raise ArgumentTypeError(
            f"transfer_outcomes={outcomes!r}: give numbers to outcomes, "
            '{"+918012345678": "no_answer"} say'
        )
    for to, outcome in outcomes.items():
        if outcome not in OUTCOMES:
            raise ArgumentError(
                f"transfer_outcomes[{to!r}]={outcome!r}: give one of {', '.join(OUTCOMES)}"
            )
    return {check_target(to): outcome for to, outcome in outcomes.items()}


class ScriptedPlatform:
    """The ``CallControl`` of one transfer, whose outcome is known."""

    def __init__(self, outcome: str, told: Callable[[TransferNews], None]) -> None:
        """Transfer nobody yet.

        Args:
            outcome: One of :data:`OUTCOMES`.
            told: Takes the news, as from the room.
        """
        self._outcome = outcome
        self._told = told
        self._news = TransferNews(QUEUED)

    async def hang_up(self, reason: str | None = None) -> None:
        """There is no line to hang up."""

    async def transfer(self, order: TransferOrder) -> str:
        """Accept the transfer; its news come later."""
        loop = asyncio.get_running_loop()
        request_id = f"scripted-{round(loop.time() * 1000)}"
        secs = RING_SECS
        if self._outcome == "no_answer" and order.timeout_secs is not None:
            secs = order.timeout_secs
        out = (
            TransferNews(COMPLETED, request_id)
            if self._outcome == "answered"
            else TransferNews(FAILED, request_id, self._outcome)
        )
        loop.call_later(STARTED_SECS, self._tell, TransferNews(STARTED, request_id))
        loop.call_later(STARTED_SECS + secs, self._tell, out)
        return request_id

    async def transfer_state(self, request_id: str) -> TransferNews:
        """Return where it stands."""
        return self._news

    def _tell(self, news: TransferNews) -> None:
        self._news = news
        self._told(news)
