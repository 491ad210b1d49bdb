"""One scenario and one bot on a virtual loop: pipecat's session at one end, a call at the other.

The caller's side is pipecat's own ``EvalSession`` with its client, driver and matcher. The bot's
side is a call of ours like any other, on an :class:`~piopiy_lab.evals.transport.EvalTransport`. The
bot is started when the client connects, as pipecat's runner does. Runs on the calling thread.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from pipecat.evals.scenario import EvalLoadedScenario
from pipecat.evals.serializer import EVAL_STT_SAMPLE_RATE
from pipecat.evals.session import EvalSession, EvalSessionParams
from pipecat.evals.tts import tts_sample_rate

from piopiy_lab import events
from piopiy_lab.call.call import Call
from piopiy_lab.evals import seams
from piopiy_lab.evals.cast import Parts
from piopiy_lab.evals.runs import PipecatResult
from piopiy_lab.evals.transport import EvalTransport
from piopiy_lab.evals.user_words import Recordings, UserWords
from piopiy_lab.evals.wire import End, wire
from piopiy_lab.hosting.containment import is_of_a_signal
from piopiy_lab.hosting.host import CallFields, CallHost
from piopiy_lab.redaction import redact_line
from piopiy_lab.session.callback import SessionCallback
from piopiy_lab.session.replaced import Replaced
from piopiy_lab.session.session import Session, SessionSettings
from piopiy_lab.session.transport import TransportSettings
from piopiy_lab.simulation.clock import patched_pipecat_time
from piopiy_lab.simulation.current import hold
from piopiy_lab.simulation.limits import Limits
from piopiy_lab.simulation.placeholder_keys import placeholder_keys
from piopiy_lab.simulation.virtual_loop import VirtualTimeLoop

#: Virtual seconds that a bot gets to end once the conversation is over and its line is closed.
END_SECS = 10.0

#: Makes pipecat's session for an address; called on the virtual loop.
MakeSession = Callable[[str], EvalSession[Any]]


@dataclass(frozen=True, kw_only=True)
class Setting:
    """How a bot is run in an eval, the same for every scenario.

    Attributes:
        bot: A session callback.
        replace: Services in place of the bot's, checked.
        metadata: What the bot is told.
        record: Whether the calls' audio is kept.
        limits: How far a simulation may go.
        params: pipecat's own settings of a session.
    """

    bot: SessionCallback
    replace: Replaced = field(default_factory=Replaced)
    metadata: object = None
    record: bool = True
    limits: Limits | None = None
    params: EvalSessionParams = field(default_factory=EvalSessionParams)


class EvalLoop(VirtualTimeLoop):
    """A virtual loop on which pipecat's runner takes no signals: Ctrl-C is the caller's."""

    def add_signal_handler(self, sig: int, callback: Callable[..., object], *args: object) -> None:
        """Leave the signal as it is."""


@dataclass(frozen=True, kw_only=True)
class Played:
    """What came of a scenario.

    Attributes:
        result: pipecat's result; None where its session could not come to one.
        call: The call as it was, ended; None where none was begun.
        error: Why there is no result.
    """

    result: PipecatResult | None = None
    call: Call | None = None
    error: BaseException | None = None


async def play(parts: Parts, setting: Setting) -> Played:
    """Run a scenario; on a thread that runs a loop, which goes on in between.

    What is raised on the way (virtual time that can't go on, somebody who plays along and can't be
    made, ``sys.exit()`` in their code) is this run's ``error``: the others are not lost by it.

    Args:
        parts: The scenario, and who plays along.
        setting: How the bot is run.

    Returns:
        What came of it.
    """
    host: CallHost | None = None
    loop = EvalLoop(
        limits=setting.limits,
        describe=lambda: "" if host is None else _last_events(host),
        progress=lambda: 0 if host is None or host.session is None else host.session.frames,
    )
    bot_end, client_end = wire()
    words = UserWords()
    host = _host(parts.scenario, setting, bot_end, words, loop)
    own = [name for name in (getattr(setting.bot, "__module__", None),) if name]
    keys = placeholder_keys() if setting.replace else contextlib.nullcontext()
    with patched_pipecat_time(also=own), keys, _recordings(parts.scenario, words) as recordings:
        make_session = partial(_session, parts, setting, words, recordings)
        try:
            talk = _Eval(host, bot_end, client_end, make_session).run()
            result = await loop.run_in_slices(talk)
        except (Exception, SystemExit) as error:
            if is_of_a_signal(error):
                raise
            host.end_log("error", error)
            return Played(error=error, call=None if host.session is None else host.call)
        finally:
            host.end_log("cancelled")
    return Played(result=result, call=host.call)


def _recordings(scenario: EvalLoadedScenario, words: UserWords) -> Recordings:
    turns = getattr(scenario, "turns", ())  # a simulated caller has none
    texts = {turn.audio: turn.user for turn in turns if turn.audio is not None}
    rate = tts_sample_rate(scenario.user_speech) if scenario.user_speech else EVAL_STT_SAMPLE_RATE
    return Recordings(texts, rate, words)


def _session(
    parts: Parts, setting: Setting, words: UserWords, recordings: Recordings, address: str
) -> EvalSession[Any]:
    """Make pipecat's session, and have it tell what it speaks."""
    session = parts.session(
        address, setting.params, lambda voice: seams.tell_texts(voice, words.spoken)
    )
    seams.bot_is_there(session)
    seams.play_recordings(session, recordings.prepared)
    return session


def _last_events(host: CallHost) -> str:
    """Say what happened last, for the message of a guard."""
    told = [event for event in host.log if not isinstance(event, events.VADSampled)][-6:]
    return "\n".join(["Last events:", *(f"  {redact_line(event.to_json())}" for event in told)])


def _host(
    scenario: EvalLoadedScenario,
    setting: Setting,
    line: End,
    words: UserWords,
    loop: VirtualTimeLoop,
) -> CallHost:
    def open_transport(session: Session, settings: TransportSettings) -> EvalTransport:
        return EvalTransport(session, settings, line, words)

    return CallHost(
        setting.bot,
        CallFields(call_id=scenario.name, metadata=setting.metadata),
        SessionSettings(
            origin="caller",
            open_transport=open_transport,
            virtual=True,
            replace=setting.replace,
            hold=hold,
            rtvi=True,
            written=not scenario.bot_audio,
        ),
        clock=lambda: loop.elapsed,
        call_on_loop=loop.call_soon_threadsafe,
        record=setting.record,
    )


class _Eval:
    """Both sides of one run; on the virtual loop."""

    def __init__(
        self, host: CallHost, bot_end: End, client_end: End, make_session: MakeSession
    ) -> None:
        self._host = host
        self._bot_end = bot_end
        self._client_end = client_end
        self._make_session = make_session
        self._bot: asyncio.Task[None] | None = None  # written by _dial(), once

    async def run(self) -> PipecatResult:
        """Let pipecat's session talk to the bot, and both come to their end."""
        with seams.dialled(self._dial) as address:
            try:
                return await self._make_session(address).run()
            finally:
                self._bot_end.hang_up()
                if self._bot is not None:
                    await asyncio.wait((self._bot,), timeout=END_SECS)

    async def _dial(self) -> End:
        """Start the bot, as a client has come; return the client's end of the line."""
        self._bot = asyncio.create_task(self._run_bot(), name="piopiy_lab.eval.bot")
        return self._client_end

    async def _run_bot(self) -> None:
        try:
            await self._host.run()
        finally:
            self._bot_end.hang_up()
