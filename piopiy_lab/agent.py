"""``Agent``: the phone's side. Connects to Piopiy's signalling and runs one session per call.

Also Piopiy's import path for the session's context variables.
"""

from __future__ import annotations

import asyncio
import importlib
from logging import Logger
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from piopiy_lab.call.call import Call
from piopiy_lab.checks.arguments import check_count, is_number
from piopiy_lab.errors import (
    ArgumentError,
    ArgumentTypeError,
    SignalingError,
)
from piopiy_lab.events.values import AgentState
from piopiy_lab.gateway.messages import USUAL_SESSIONS
from piopiy_lab.hosting.host import check_after_call, check_record
from piopiy_lab.logs import safe_logger, warn_of_clear_address
from piopiy_lab.redaction import keep_secret, shown_url
from piopiy_lab.session.callback import SessionCallback, as_callback
from piopiy_lab.session.replacing import Replacements, check_replace
from piopiy_lab.session.session import ROOM_CTX, TOKEN_CTX, URL_CTX, current_session
from piopiy_lab.telephony.call_maker import CallMaker, OnCall, OnSessionError
from piopiy_lab.telephony.log_lines import set_debug
from piopiy_lab.telephony.rest import REST_URL, RestApi
from piopiy_lab.telephony.sessions import RoomSessions
from piopiy_lab.telephony.signalling.dialects import open_link
from piopiy_lab.telephony.signalling.invites import read_invite, read_room_name
from piopiy_lab.telephony.signalling.links import Credentials, check_url, is_gateway
from piopiy_lab.telephony.signalling.staying import (
    FIRST_PAUSE_SECS,
    GATEWAY_PAUSE_SECS,
    StateTold,
    stay_connected,
)
from piopiy_lab.transports.room_joining import wait_for_unfinished

if TYPE_CHECKING:
    from piopiy_lab.telephony.background import BackgroundAgent
    from piopiy_lab.telephony.warm_up import WarmUp

__all__ = ["ROOM_CTX", "SIGNALING_URL", "TOKEN_CTX", "URL_CTX", "Agent"]

#: Piopiy's own signalling server.
SIGNALING_URL = "https://signaling.piopiy.com"
#: Whose calls Piopiy's own REST API knows.
_PIOPIYS_OWN = ("signaling.piopiy.com", "register.piopiy.com")

log: Logger = safe_logger("piopiy_lab.agent")
logger = log  # the name that the SDK's users import it by


class Agent:
    """Connects to Piopiy's signalling and runs one session per call.

    ``await Agent(agent_id, agent_token, create_session).connect()`` serves calls until it is
    cancelled or shut down; in a notebook ``agent.start()`` does so beside the cells. Each session
    runs in its own task and its own context, in which ``URL_CTX``, ``TOKEN_CTX`` and ``ROOM_CTX``
    are set. What goes wrong in one touches no other.

    Unlike the reference SDK, it configures no logging, takes no signal, never shows a token, and
    stays connected when the server goes away.
    """

    def __init__(
        self,
        agent_id: str,
        agent_token: str,
        create_session: SessionCallback,
        signaling_url: str | None = None,
        debug: bool = False,
        *,
        max_sessions: int | None = None,
        on_session_error: OnSessionError | None = None,
        record: bool | str | Path = False,
        cassette: bool = False,
        keep_calls: int = 20,
        rest_url: str | None = None,
        rest_token: str | None = None,
        replace: Replacements | None = None,
        after_call_secs: float | None = None,
        on_call_start: OnCall | None = None,
        on_call_end: OnCall | None = None,
        warm_up: WarmUp | None = None,
    ) -> None:
        """Take what the API reference's constructor takes, and a few things more.

        Args:
            agent_id: The agent's id from the dashboard.
            agent_token: Its token; never shown.
            create_session: The session callback. It may take any of ``agent_id``, ``call_id``,
                ``from_number``, ``to_number``, ``metadata``, ``direction``, ``variables``,
                ``sip_headers``, ``trace_id`` and ``room_name``; ``call_id`` is the room's name
                where the call has none.
            signaling_url: Another signalling endpoint: ``http(s)://`` for Socket.IO,
                ``grpcs://register.piopiy.com`` for Piopiy's gateway (``grpc://host:port`` for one
                without TLS), ``ws(s)://`` for JSON over a WebSocket.
            debug: Log lines from INFO on (logger ``piopiy_lab.agent``), else from WARNING on.
            max_sessions: Refuse invites past this number of sessions; 10 at a gateway if None.
            on_session_error: ``f(room_name, error)``, async or not, called on the agent's loop for
                each session that failed; it is logged in any case.
            record: True keeps each call's audio in memory, a path keeps each call as a folder in
                there.
            cassette: Whether each of these folders also has a cassette of what the services and
                tools answered, in ``cassette/``.
            keep_calls: How many ended calls stay in :attr:`calls`.
            rest_url: The base of the call control API; Piopiy's own where ``signaling_url`` is,
                and none with another ``signaling_url``. Without it a transfer is an event, and
                the end of a session leaves the room and nothing else.
            rest_token: The API's bearer token; the agent's own if None. Never shown.
            replace: Services to put in place of "stt", "llm" and "tts" at ``Action(...)``, as in
                ``simulate``: for a trial of a session without its providers' keys. Give functions
                that make them: each call needs its own. "tools" has functions in the place of
                tools' handlers, the same for every call.
            after_call_secs: Seconds for what ``create_session`` does after ``agent.start()`` has
                returned, such as a summary or a CRM entry; then it is cancelled, and a notice says
                so. 30 if None. An agent that shuts down gives it no more than its grace.
            on_call_start: ``f(call)``, async or not, called with the :class:`Call` before its
                session begins, on the agent's loop. At a gateway its time counts: a call is
                accepted within 0.4 s, or is another worker's.
            on_call_end: The same when the call is over. What fails in either is logged; either is
                cut off after 10 s.
            warm_up: Loads models of yours at a gateway, before the first call is taken: a plain
                function, run on another thread, or an async one. What it raises ends ``connect()``.
                For gateways only: no other signalling can be told that a worker isn't ready yet.

        Raises:
            ArgumentTypeError: Something has the wrong type; ``create_session`` is no callback.
            ArgumentError: An empty id or token, a bad address, a limit below 1; ``warm_up`` away
                from a gateway.
        """
        for name, value in (("agent_id", agent_id), ("agent_token", agent_token)):
            if not isinstance(value, str):  # the value isn't shown: it may be the token
                raise ArgumentTypeError(f"{name} must be a text, not a {type(value).__name__}")
            if not value.strip():
                raise ArgumentError(f"{name} is empty: take it from the dashboard")
        create_session = as_callback(create_session)
        check_record(record)
        if cassette and isinstance(record, bool):
            raise ArgumentError(
                f"cassette={cassette!r} keeps a cassette in each call's folder, and record="
                f"{record!r} keeps none: give record='calls'"
            )
        if max_sessions is not None:
            check_count("max_sessions", max_sessions, least=1)
        check_count("keep_calls", keep_calls, least=0)
        hooks = {
            "on_session_error": on_session_error,
            "on_call_start": on_call_start,
            "on_call_end": on_call_end,
            "warm_up": warm_up,
        }
        for name, hook in hooks.items():
            if hook is not None and not callable(hook):
                raise ArgumentTypeError(f"{name}={hook!r}: give a function")
        self.agent_id: str = agent_id.strip()
        self.signaling_url: str = (
            SIGNALING_URL if signaling_url is None else check_url(signaling_url)
        )
        self.state: AgentState = "stopped"
        self._credentials = Credentials(self.agent_id, agent_token.strip())
        at_gateway = is_gateway(self.signaling_url)
        if warm_up is not None and not at_gateway:
            raise ArgumentError(
                f"warm_up={warm_up!r} would never run: it is for Piopiy's gateway, and "
                f"{shown_url(self.signaling_url)} is none; load your models before "
                "agent.connect(), or give signaling_url='grpcs://register.piopiy.com'"
            )
        if rest_url is None and urlsplit(self.signaling_url).hostname in _PIOPIYS_OWN:
            rest_url = REST_URL
        self._loop: asyncio.AbstractEventLoop | None = None  # the one that connect() runs on
        self._warm_up = warm_up
        self._instance_id = ""  # its name at a gateway, the same whenever it connects
        # before the first try to reconnect
        self._first_pause_secs = GATEWAY_PAUSE_SECS if at_gateway else FIRST_PAUSE_SECS
        self._stop: asyncio.Event | None = None  # while connect() runs: set to end it
        self._done: asyncio.Event | None = None  # set when connect() has returned
        for secret in (agent_token, rest_token or ""):
            keep_secret(secret)  # a server may say it back: it is shown and written nowhere
        self._grace = 0.0  # seconds that calls get to drain; written by shutdown()
        self._calls = CallMaker(
            create_session,
            agent_id=self.agent_id,
            rest=None if rest_url is None else RestApi(rest_url, rest_token or agent_token),
            record=record,
            cassette=cassette,
            replace=check_replace(replace, create_session),
            on_session_error=on_session_error,
            on_call_start=on_call_start,
            on_call_end=on_call_end,
            after_call_secs=check_after_call(after_call_secs),
        )
        if max_sessions is None and at_gateway:
            max_sessions = USUAL_SESSIONS
        self._max_sessions = max_sessions
        self._sessions = RoomSessions(self._calls, max_sessions=max_sessions, keep_calls=keep_calls)
        set_debug(debug)

    # --- the API reference's methods ---------------------------------------------------------

    async def connect(self) -> None:
        """Connect to signalling and serve calls until :meth:`shutdown` or a cancellation.

        The first connection is tried once. After that a lost one is opened again, with growing
        pauses, while sessions run on.

        Raises:
            SignalingError: There is no server, or it refused the agent (with its reason). A
                server that refuses on reconnecting ends it too, once the running calls are over.
            ArgumentError: It is connected already.
        """
        if self._stop is not None:
            raise ArgumentError("connect(): this agent is connected; make another one, or wait")
        self._loop = asyncio.get_running_loop()
        self._stop, self._done, self._grace = asyncio.Event(), asyncio.Event(), 0.0
        self._sessions.open()
        self.state = "connecting"
        warn_of_clear_address(log, self.signaling_url, "the agent's token")
        try:
            importlib.import_module("piopiy_lab.transports.room")  # a second, not of the first call
            await self._serve(self._stop)
        except SignalingError:
            if self._sessions.running:  # refused later on: the calls there are go on
                log.error("signalling refuses the agent; its running calls are served to the end")
                self._grace = float("inf")
            raise
        finally:
            self.state = "draining"
            try:
                await self._sessions.end(self._grace)
                await wait_for_unfinished()
                await self._calls.close()
            finally:
                self.state, stopped = "stopped", self._done
                self._stop = self._done = self._loop = None
                stopped.set()

    async def shutdown(self, *, grace: float = 0.0) -> None:
        """Disconnect from signalling and end the sessions; returns when they have ended.

        Call it on the loop that :meth:`connect` runs on. From inside a session it returns at once.

        Args:
            grace: Seconds in which running calls may end by themselves. Signalling is closed all
                the same, so the platform sends new calls elsewhere.

        Raises:
            ArgumentError: ``grace`` is negative or no number; or it is called on another loop.
        """
        if not is_number(grace) or not grace >= 0:
            raise ArgumentError(f"shutdown(grace={grace!r}): give seconds, 0 or more")
        if self._stop is None or self._done is None:
            return
        if asyncio.get_running_loop() is not self._loop:
            raise ArgumentError(
                "shutdown(): this agent is connected on another event loop: await it on the loop "
                "that runs connect(); what agent.start() gave ends it from anywhere, handle.stop()"
            )
        done = self._done
        self._grace = float(grace)
        self._sessions.hurry(self._grace)
        self._stop.set()
        if current_session() is None:
            await done.wait()

    # --- beside the API reference ------------------------------------------------------------

    def start(self) -> BackgroundAgent:
        """Serve calls on a thread of its own; returns at once, for notebooks.

        Running the same cell again shuts down the agent that it started before.

        Returns:
            A handle, which shows itself as a live table of sessions.
        """
        from piopiy_lab.telephony.background import start_agent

        return start_agent(self)

    @property
    def calls(self) -> list[Call]:
        """The calls, oldest first: those that run, and the last ended ones. Thread-safe."""
        return self._sessions.calls

    @property
    def sessions(self) -> RoomSessions:
        """The sessions with their counters. To read only."""
        return self._sessions

    def __repr__(self) -> str:
        return (
            f"<Agent {self.agent_id!r} at {shown_url(self.signaling_url)}: {self.state}, "
            f"{self._sessions.running} running>"
        )

    # --- inside, on the agent's loop ---------------------------------------------------------

    async def _serve(self, stop: asyncio.Event) -> None:
        """Take calls, in the dialect of the address's scheme, until it is stopped."""
        pause = self._first_pause_secs
        if not is_gateway(self.signaling_url):
            await stay_connected(
                lambda: open_link(self.signaling_url, self._credentials, self._message),
                stop,
                self._changed,
                first_pause_secs=pause,
            )
            return
        from piopiy_lab.telephony.gateway_worker import GatewayWorker, new_instance_id

        self._instance_id = self._instance_id or new_instance_id()
        worker = GatewayWorker(
            self.signaling_url,
            self._credentials,
            self._sessions,
            instance_id=self._instance_id,
            max_sessions=self._max_sessions or USUAL_SESSIONS,
            warm_up=self._warm_up,
        )
        await worker.serve(stop, self._changed, lambda: self._grace, first_pause_secs=pause)

    def _changed(self, state: StateTold, why: str) -> None:
        self.state = state
        self._sessions.changes += 1
        if state == "connected":
            log.info("connected to %s", shown_url(self.signaling_url))
        elif state == "reconnecting":
            log.warning(
                "signalling was lost (%s); reconnecting, %d sessions run on",
                why,
                self._sessions.running,
            )

    def _message(self, event: str, data: object) -> None:
        """Take one message of the server's; nothing in it may do harm."""
        try:
            if event == "join_room":
                self._sessions.invite(read_invite(data))
            elif event == "cancel_room":
                self._sessions.cancel(read_room_name(data))
            else:
                log.info("signalling said %s, which is none of ours: ignored", ascii(event[:40]))
        except ArgumentError as error:
            log.warning("ignored: %s", error)
        except Exception:
            log.exception("a %s message could not be handled", ascii(str(event)[:40]))
