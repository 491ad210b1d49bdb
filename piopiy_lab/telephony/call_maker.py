"""Makes the call of an invite, and says what went wrong with it.

Runs on the agent's loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
from collections.abc import Awaitable, Callable
from logging import Logger
from pathlib import Path

from piopiy_lab.call.call import Call
from piopiy_lab.cassette.beside import CassetteBeside
from piopiy_lab.errors import SavedCallError
from piopiy_lab.events import room_logs
from piopiy_lab.events.log import clock_from_now
from piopiy_lab.hosting.containment import is_of_a_signal
from piopiy_lab.hosting.host import CallFields, CallHost
from piopiy_lab.logs import safe_logger, warn_of_clear_address
from piopiy_lab.session.callback import SessionCallback
from piopiy_lab.session.replaced import Replaced
from piopiy_lab.session.session import ROOM_CTX, TOKEN_CTX, URL_CTX, SessionSettings
from piopiy_lab.telephony.log_lines import report_failure
from piopiy_lab.telephony.rest import RestApi, RestCallControl
from piopiy_lab.telephony.signalling.invites import Invite
from piopiy_lab.transports.opening import in_room

#: Bytes of a call's id that a folder's name is made of; file systems take 255.
MAX_NAME_BYTES = 180

#: Seconds that ``on_call_start`` and ``on_call_end`` may take.
HOOK_SECS = 10.0

OnSessionError = Callable[[str, BaseException], Awaitable[None] | None]
OnCall = Callable[[Call], Awaitable[None] | None]

log: Logger = safe_logger("piopiy_lab.agent")


class CallMaker:
    """Knows all that an agent's calls have in common; an invite brings the rest."""

    def __init__(
        self,
        create_session: SessionCallback,
        *,
        agent_id: str,
        rest: RestApi | None,
        record: bool | str | Path,
        cassette: bool,
        replace: Replaced,
        on_session_error: OnSessionError | None,
        on_call_start: OnCall | None,
        on_call_end: OnCall | None,
        after_call_secs: float,
    ) -> None:
        """Take what the ``Agent`` was given, checked.

        Args:
            create_session: The session callback.
            agent_id: For invites that name no agent.
            rest: The platform's call control; None where there is none.
            record: True keeps each call's audio in memory, a path each call as a folder in there.
            cassette: Whether what the services answer is kept in each call's folder.
            replace: Services to put in place of "stt", "llm" and "tts".
            on_session_error: Told of each session that failed.
            on_call_start: Told of each call before its session begins.
            on_call_end: Told of each call when it is over.
            after_call_secs: Seconds for what a callback does after its call.
        """
        self._create_session = create_session
        self._agent_id = agent_id
        self._rest = rest
        self._record = record
        self._cassette = cassette
        self._replace = replace
        self._on_session_error = on_session_error
        self._on_call_start = on_call_start
        self._on_call_end = on_call_end
        self._after_call_secs = after_call_secs
        self._reporting: set[asyncio.Task[None]] = set()  # running on_session_error callbacks

    def make(self, invite: Invite) -> CallHost:
        """Make the call of an invite; it doesn't run yet."""
        try:
            host = self._make(invite, _folder_in(self._record, invite))
        except SavedCallError as error:
            log.error("room %r is not recorded: %s", invite.room_name, error)
            host = self._make(invite, False)
        host.meta["room"] = invite.room_name
        if invite.url is not None:
            warn_of_clear_address(log, invite.url, "a room's token")
        room_logs.publish(invite.room_name, host.log)
        return host

    def _make(self, invite: Invite, record: bool | Path) -> CallHost:
        loop = asyncio.get_running_loop()

        def call_on_loop(function: Callable[..., object], *args: object) -> None:
            with contextlib.suppress(RuntimeError):  # the loop was closed: the call is over
                loop.call_soon_threadsafe(function, *args)

        return CallHost(
            self._create_session,
            CallFields(
                agent_id=invite.agent_id or self._agent_id,
                call_id=invite.call_id or invite.room_name,
                from_number=invite.from_number,
                to_number=invite.to_number,
                metadata=invite.metadata,
                direction=invite.direction,
                variables=invite.variables,
                sip_headers=invite.sip_headers,
                trace_id=invite.trace_id,
                room_name=None if invite.offer is None else invite.room_name,
            ),
            SessionSettings(
                origin="room",
                open_transport=in_room(invite.url, invite.token, invite.room_name),
                replace=self._replace,
                control=self._control(invite),
                variables={
                    URL_CTX: invite.url,
                    TOKEN_CTX: invite.token,
                    ROOM_CTX: invite.room_name,
                },
                needs_agent=False,
                after_call_secs=self._after_call_secs,
                cassette=self._cassette_in(record),
            ),
            clock=clock_from_now(),
            call_on_loop=call_on_loop,
            record=record,
        )

    def _cassette_in(self, folder: bool | Path) -> CassetteBeside | None:
        return CassetteBeside(folder) if self._cassette and isinstance(folder, Path) else None

    def _control(self, invite: Invite) -> RestCallControl | None:
        if self._rest is None or invite.call_id is None:
            return None
        offer = invite.offer
        return RestCallControl(
            self._rest, invite.call_id, None if offer is None else lambda: offer.is_ours
        )

    async def began(self, call: Call) -> None:
        """Tell the user's function of a call, before its session begins. Never raises."""
        await self._tell_of(call, self._on_call_start, "on_call_start")

    async def ended(self, call: Call) -> None:
        """Tell the user's function of a call that is over. Never raises."""
        await self._tell_of(call, self._on_call_end, "on_call_end")

    async def _tell_of(self, call: Call, callback: OnCall | None, what: str) -> None:
        if callback is not None:
            hook = callback  # so that the line below closes over what is no None
            await _tell(lambda: hook(call), str(call.meta["room"]), what, HOOK_SECS)

    def report(self, room: str, error: BaseException) -> None:
        """Log that the session of a room failed, and tell the user's function. Never raises."""
        report_failure(room, error)
        if self._on_session_error is not None:
            callback = self._on_session_error
            task = asyncio.create_task(
                _tell(lambda: callback(room, error), room, "on_session_error")
            )
            self._reporting.add(task)
            task.add_done_callback(self._reporting.discard)

    async def close(self) -> None:
        """Close the connections to the platform's API."""
        if self._rest is not None:
            await self._rest.close()


async def _tell(
    tell: Callable[[], Awaitable[None] | None], room: str, what: str, secs: float | None = None
) -> None:
    """Call a function of the user's, async or not; what goes wrong in it is logged."""
    try:
        async with asyncio.timeout(secs):
            told = tell()
            if inspect.isawaitable(told):
                await told
    except asyncio.CancelledError:
        raise
    except BaseException as second:  # sys.exit() in it, too: no call may suffer from it
        if is_of_a_signal(second):
            raise
        report_failure(room, second, what=what)


def _folder_in(record: bool | str | Path, invite: Invite) -> bool | Path:
    """Return the folder for a call: named after it, and never one that is there already."""
    if isinstance(record, bool):
        return record
    name = invite.call_id or invite.room_name
    plain = "".join(c if c.isalnum() or c in "-_.+" else "-" for c in name)
    # a file's name is counted in bytes, and what is written beside it gets a longer one
    plain = plain[:80].encode()[:MAX_NAME_BYTES].decode(errors="ignore").strip(".") or "call"
    folder = Path(record) / plain
    number = 2
    while folder.exists():
        folder = Path(record) / f"{plain}-{number}"
        number += 1
    return folder
