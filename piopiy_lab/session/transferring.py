"""A session's transfers: asked for, rung, and come out one way or the other.

On the phone the session's settings have a :class:`~piopiy_lab.session.call_control.CallControl`,
which asks the platform; what becomes of a transfer arrives in the room, for those too that somebody
else began. On a microphone, in the browser and in a simulation there is no control: a transfer is
then an event, and the call ends where the caller would have left the agent; unless a simulation
says what becomes of it.

Runs on the session's loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Protocol

from piopiy_lab import events
from piopiy_lab.checks.threads import SameThread
from piopiy_lab.errors import CallControlError
from piopiy_lab.events.log import EventLog
from piopiy_lab.events.values import EndReason, TransferCause, TransferProgress
from piopiy_lab.session.call_control import (
    COMPLETED,
    FAILED,
    REQUEST_SECS,
    STARTED,
    CallControl,
    TransferNews,
)
from piopiy_lab.session.running_agent import RunningAgent
from piopiy_lab.session.scripted_transfers import ScriptedPlatform
from piopiy_lab.session.transfer_order import TransferOrder

#: Seconds in which the platform tells how a transfer came out, and those that it may take beyond
#: the time for which it was told to ring.
OUTCOME_SECS, RING_SLACK_SECS = 75.0, 15.0
#: Seconds that the news of a transfer may come behind the caller's leaving the room.
NEWS_SECS = 1.0
#: Seconds that the platform may take to hang up when the call is wound down.
HANG_UP_SECS = 3.0

_ENDED = "the call ended first"


class Transferable(Protocol):
    """The session whose caller is handed over."""

    log: EventLog
    agents: list[RunningAgent]
    handed_over: bool
    reason: EndReason | None

    @property
    def control(self) -> CallControl | None:
        """The platform's actions on this call; None off the phone."""
        ...

    def scripted_transfer(self, to: str) -> str | None:
        """Return what becomes of a transfer off the phone; None if nothing was said of it."""
        ...

    def now(self) -> float:
        """Return the call's seconds."""
        ...

    def end(self, reason: EndReason, error: BaseException | None = None) -> None:
        """Ask the call to end."""
        ...

    async def wait_for_end(self) -> None:
        """Wait until somebody has asked the call to end."""
        ...

    def notice(self, message: str) -> None:
        """Write something worth knowing into the log, once."""
        ...


class Transfer:
    """One transfer that the platform was asked for; made on the session's loop."""

    def __init__(self, order: TransferOrder) -> None:
        """Begin with an order."""
        loop = asyncio.get_running_loop()
        self.here = SameThread()
        self.order = order
        self.request_id = ""  # the platform's; "" until it has answered
        self.early: list[TransferNews] = []  # came before the platform's answer
        self.caller_gone = asyncio.Event()  # the caller has left the room
        self.news: asyncio.Future[TransferNews] = loop.create_future()  # what the room told
        #: Why it was refused, and how it came out: None is good, a text says what went wrong.
        self.accepted: asyncio.Future[str | None] = loop.create_future()
        self.outcome: asyncio.Future[str | None] = loop.create_future()

    def settle(self, why: str | None) -> None:
        """Say how it came out to whoever waits."""
        assert self.here(), "only on the session's loop"
        for future in (self.accepted, self.outcome):
            if not future.done():
                future.set_result(why)


class Transfers:
    """The transfers of one session, one at a time."""

    def __init__(self, session: Transferable) -> None:
        """Transfer nobody yet."""
        self._session = session
        self.news_secs = NEWS_SECS  # that a room's end waits for the platform's word
        self.current: Transfer | None = None  # the one under way; written by begin(), _finish()
        self._targets: dict[str, str] = {}  # of those that were asked for here, by request
        self._told: set[tuple[str, TransferProgress]] = set()  # of news: request and status
        self._tasks: set[asyncio.Task[None]] = set()  # the loop holds its tasks only weakly

    async def begin(self, order: TransferOrder, cause: TransferCause) -> Transfer | None:
        """Ask for a transfer, and return when the platform has accepted it.

        Returns:
            The transfer, which may be waited for (:meth:`wait`); None off the phone, where the
            call ends at once.

        Raises:
            CallControlError: It was refused. The call goes on, and the log has it.
        """
        session = self._session
        session.log.append(events.TransferRequested(at=session.now(), to=order.to, cause=cause))
        control, scripted = session.control, session.scripted_transfer(order.to)
        if control is None and scripted is not None:
            control = ScriptedPlatform(scripted, self.told)
        if control is None:
            session.log.append(
                events.TransferFinished(at=session.now(), to=order.to, status="not_on_phone")
            )
            session.end("agent_ended")
            return None
        if self.current is not None:
            why = f"a transfer to {self.current.order.to} is under way already"
            self._log_end(order.to, "", why)
            raise _failed(order, why)
        transfer = self.current = Transfer(order)
        self._soon(self._carry_out(transfer, control))
        # whoever asks may be cancelled (an interrupted tool); what the platform was told stands
        if (why := await asyncio.shield(transfer.accepted)) is not None:
            raise _failed(order, why)
        return transfer

    async def wait(self, transfer: Transfer) -> None:
        """Wait until a transfer has come out, or the call has ended.

        Raises:
            CallControlError: It came to nothing, and the call goes on.
        """
        why = await asyncio.shield(transfer.outcome)
        if why is not None and self._session.reason is None:
            raise _failed(transfer.order, why)

    # --- what the room tells ------------------------------------------------------------------

    def told(self, news: TransferNews) -> None:
        """Take what the platform says of a transfer; this session's, or one begun elsewhere."""
        current = self.current
        assert current is None or current.here(), "only on the session's loop"
        if current is not None and not current.accepted.done():
            current.early.append(news)
            return
        if news.request_id:
            if (news.request_id, news.status) in self._told:
                return
            self._told.add((news.request_id, news.status))
        ours = current is not None and news.request_id in ("", current.request_id)
        if current is not None and ours and news.status in (FAILED, COMPLETED):
            if not current.news.done():
                current.news.set_result(news)
            return
        to = current.order.to if current and ours else self._targets.get(news.request_id, "")
        if news.status == STARTED:
            at = self._session.now()
            self._session.log.append(
                events.TransferStarted(at=at, to=to, request_id=news.request_id)
            )
            if not (current and ours and current.order.hold_audio):  # it is music that they hear
                self._narrate(news)
        elif news.status in (FAILED, COMPLETED):
            self._finish(to, news.request_id, _why(news))

    def caller_left(self) -> bool:
        """Take that the caller has left the room, or that the room was closed.

        Returns:
            Whether a transfer is under way: that may be how it succeeds, and it ends the call.
        """
        if self.current is None:
            return False
        assert self.current.here(), "only on the session's loop"
        self.current.caller_gone.set()
        return True

    async def close(self) -> None:
        """Give up what is under way: the call is over."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # --- inside -------------------------------------------------------------------------------

    async def _carry_out(self, transfer: Transfer, control: CallControl) -> None:
        why: str | None = _ENDED
        try:
            refused = await self._ask(transfer, control)
            if refused is None and not transfer.order.blind:
                why = await self._come_out(transfer, control)
            else:
                why = refused
        finally:  # when it was cancelled, too: the call ended first
            self.current = None
            gone = transfer.caller_gone.is_set()
            accepted = transfer.accepted.done()
            self._finish(transfer.order.to, transfer.request_id, why, narrate=accepted and not gone)
            if gone:
                self._session.end("caller_hung_up")
            transfer.settle(why)
            for news in transfer.early:  # of one that was begun elsewhere
                self.told(news)

    async def _ask(self, transfer: Transfer, control: CallControl) -> str | None:
        """Ask the platform; returns why it refused, None if it accepted."""
        try:
            async with asyncio.timeout(REQUEST_SECS):
                request_id = await control.transfer(transfer.order)
        except TimeoutError:
            return f"no answer in {REQUEST_SECS:g} s"
        except Exception as error:
            return str(error) or type(error).__name__
        transfer.request_id = request_id
        self._targets[request_id] = transfer.order.to
        return None

    async def _come_out(self, transfer: Transfer, control: CallControl) -> str | None:
        """Wait for the outcome of an accepted transfer; returns why it failed."""
        transfer.accepted.set_result(None)
        early, transfer.early = transfer.early, []
        for news in early:
            self.told(news)
        secs = max(OUTCOME_SECS, (transfer.order.timeout_secs or 0.0) + RING_SLACK_SECS)
        gone = asyncio.create_task(transfer.caller_gone.wait())
        ended = asyncio.create_task(self._session.wait_for_end())
        try:
            await asyncio.wait(
                (transfer.news, gone, ended), timeout=secs, return_when=asyncio.FIRST_COMPLETED
            )
            if gone.done() and not transfer.news.done():
                await asyncio.wait((transfer.news,), timeout=self.news_secs)
        finally:
            gone.cancel()
            ended.cancel()
        if transfer.news.done():
            return _why(transfer.news.result())
        if ended.done():
            return _ENDED
        news = await self._state(transfer.request_id, control)
        if news is not None and news.status in (FAILED, COMPLETED):
            return _why(news)
        return "the caller hung up" if gone.done() else f"no outcome in {secs:g} s"

    async def _state(self, request_id: str, control: CallControl) -> TransferNews | None:
        """Ask for what the room did not tell; None if that can't be known either."""
        try:
            async with asyncio.timeout(HANG_UP_SECS):
                return await control.transfer_state(request_id)
        except (TimeoutError, CallControlError) as error:
            self._session.notice(
                f"the platform did not say how the transfer came out: {error or 'no answer'}"
            )
            return None

    def _finish(self, to: str, request_id: str, why: str | None, *, narrate: bool = True) -> None:
        """Write how a transfer came out, and end the call if the caller is elsewhere now."""
        self._log_end(to, request_id, why)
        if why is None:
            self._told.add((request_id, COMPLETED))
            self._session.handed_over = True
            self._session.end("agent_ended")
        elif narrate:
            self._narrate(TransferNews(FAILED, request_id, why))

    def _log_end(self, to: str, request_id: str, why: str | None) -> None:
        self._session.log.append(
            events.TransferFinished(
                at=self._session.now(),
                to=to,
                status="transferred" if why is None else "failed",
                error=why,
                request_id=request_id or None,
            )
        )

    def _narrate(self, news: TransferNews) -> None:
        """Let the agent tell the caller, and know it itself."""
        if self._session.reason is None and self._session.agents:
            self._soon(self._session.agents[-1].narrate(news))

    def _soon(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.get_running_loop().create_task(work, name="piopiy_lab.transfer")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _why(news: TransferNews) -> str | None:
    """Return why a settled transfer failed; None if it did not."""
    return None if news.status == COMPLETED else news.reason or FAILED


def _failed(order: TransferOrder, why: str) -> CallControlError:
    return CallControlError(f"the transfer to {order.to} failed: {why}")


async def release(session: Transferable) -> None:
    """Hang up the caller's line when a call has ended on this side; for runners.

    Does nothing off the phone, after a transfer, and when the caller hung up. A failure is written
    to the log: the call is over all the same.
    """
    control = session.control
    if control is None or session.handed_over or session.reason == "caller_hung_up":
        return
    try:
        async with asyncio.timeout(HANG_UP_SECS):
            await control.hang_up(session.reason)
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
