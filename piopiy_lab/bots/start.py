"""A bot as a session callback: what makes it run wherever a ``create_session`` does.

Runs on the session's loop, in the call's own context.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any

from piopiy_lab.bots import seams
from piopiy_lab.bots.arguments import runner_arguments
from piopiy_lab.bots.call import BotCall
from piopiy_lab.bots.kinds import KINDS, kind_of
from piopiy_lab.bots.making import Making
from piopiy_lab.bots.run import BotRun
from piopiy_lab.bots.transport import BotTransport
from piopiy_lab.errors import BotError
from piopiy_lab.listening.turn_taking import load_models
from piopiy_lab.session.session import Session, current_session
from piopiy_lab.session.signatures import BotKind
from piopiy_lab.simulation.placeholder_keys import placeholder_keys

#: The signals that programs end by, as pipecat's runner takes them.
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
#: The calls whose bots run on the main thread, and who handled the signals before the first one.
_bots_here: list[Session] = []
_before: dict[signal.Signals, Any] = {}


class BotSession:
    """A session callback that runs a bot."""

    runs_a_bot = True

    def __init__(self, bot: Callable[..., Awaitable[Any]], kind: BotKind) -> None:
        """Hold a bot.

        Args:
            bot: ``async def bot(runner_args)``, or ``async def bot(transport, call)``.
            kind: Which of the two.
        """
        self.bot = bot
        self.kind = kind
        self.__name__: str = getattr(bot, "__name__", type(bot).__name__)
        self.__module__: str = getattr(bot, "__module__", None) or type(bot).__module__

    async def __call__(self, **fields: Any) -> None:
        """Run the bot in this call.

        Raises:
            BotError: It can't be run here; it ran no pipeline, or one without its transport.
        """
        __tracebackhide__ = True  # in notebooks and pytest
        session = current_session()
        assert session is not None, "whoever runs a session has entered it"
        making = _MakingForRun(session, session.settings.replace)
        making.direction = fields.get("direction")
        if not session.settings.virtual:  # before who makes a detector gets a shared one: of these
            await asyncio.to_thread(load_models)  # else the bot loads them on the loop
        seams.stand_in_by(making.in_place_of)
        seams.ignore_signals(asyncio.get_running_loop(), _noted_in_a_bots_call)
        # no service of the bot's has a key before it is made, and what replaces it needs none
        keys = placeholder_keys() if session.settings.replace else contextlib.nullcontext()
        try:
            with _signals_kept(session), keys:
                await self._run(making, fields)
        finally:
            if making.transport is not None:
                await making.transport.cleanup()  # its handlers may be writing down the call
        if session.reason is None and session.latest_agent is None:
            raise BotError(f"{self.__name__} returned and {_what_is_missing(making)}")

    async def _run(self, making: _MakingForRun, fields: Mapping[str, Any]) -> None:
        __tracebackhide__ = True
        if self.kind == "vendor":
            transport = making.make_transport(_livekit_transport())
            call = BotCall.of(fields)
            assert making.run is not None, "a transport was made"
            making.run.listening = call
            await self.bot(transport, call)
        else:
            session = current_session()
            kind = kind_of(self.bot, in_eval=session is not None and session.settings.rtvi)
            await self.bot(runner_arguments(kind, fields))


class _MakingForRun(Making):
    """Making that begins a run with the transport."""

    run: BotRun | None = None

    def make_transport(self, stands_for: type) -> BotTransport:
        transport = super().make_transport(stands_for)
        self.run = BotRun(self._session, transport, check=self.check_reached, made=self._made)
        return transport


def as_session(bot: Callable[..., Awaitable[Any]], kind: BotKind) -> BotSession:
    """Return the session callback that runs a bot."""
    return BotSession(bot, kind)


def _what_is_missing(making: Making) -> str:
    if making.transport is None:
        names = ", ".join(kind.name for kind in KINDS)
        return (
            "made no transport: take it from create_transport(runner_args, transport_params), with "
            f"one of {names}"
        )
    return (
        "ran no pipeline with its transport in it: put transport.input() and transport.output() "
        "into a Pipeline, and end with 'await runner.run()'"
    )


def _livekit_transport() -> type:
    """Return what the vendor's bots are given: LiveKit's class, or its name where it is missing."""
    try:
        from pipecat.transports.livekit.transport import LiveKitTransport
    except Exception:  # pipecat raises a plain Exception for a missing package
        return type("LiveKitTransport", (), {})
    return LiveKitTransport


def _noted_in_a_bots_call() -> bool:
    session = current_session()
    if session is None or not seams.somebody_is_asked():
        return False
    session.notice(
        "the bot wants to handle signals, and in a call of the lab's it may not: Ctrl-C is the "
        "notebook's; WorkerRunner(handle_sigint=runner_args.handle_sigint) says so"
    )
    return True


@contextlib.contextmanager
def _signals_kept(session: Session) -> Iterator[None]:
    """Give the process back the signals that the bot took.

    Only the main thread can take them, or give them back; a call on another one leaves them to it.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    if not _bots_here:
        _before.update({one: signal.getsignal(one) for one in _SIGNALS})
    _bots_here.append(session)
    try:
        yield
    finally:
        _bots_here.remove(session)
        taken = [one for one in _SIGNALS if signal.getsignal(one) is not _before[one]]
        for one in taken:
            signal.signal(one, _before[one])
        if taken:
            session.notice(
                f"the bot took {' and '.join(one.name for one in taken)} with signal.signal(); "
                "the process has them back"
            )
