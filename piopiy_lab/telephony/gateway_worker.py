"""An agent at Piopiy's gateway: one worker, who takes jobs while it has room and is ready.

Runs on the agent's loop.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import socket
import sys
from collections import deque
from collections.abc import Callable
from logging import Logger

from piopiy_lab._version import __version__
from piopiy_lab.errors import ArgumentError
from piopiy_lab.gateway.messages import (
    Drain,
    FromGateway,
    JobAssignment,
    JobCancel,
    JobCompleted,
    Register,
    ServingState,
    StatusUpdate,
)
from piopiy_lab.hosting.ready import load_models
from piopiy_lab.logs import safe_logger
from piopiy_lab.redaction import told
from piopiy_lab.telephony.jobs import MAX_DETAIL, Job
from piopiy_lab.telephony.sessions import RoomSessions
from piopiy_lab.telephony.signalling.gateway import GatewayLink
from piopiy_lab.telephony.signalling.invites import read_job
from piopiy_lab.telephony.signalling.links import Credentials, Link
from piopiy_lab.telephony.signalling.staying import OnState, StateTold, stay_connected
from piopiy_lab.telephony.warm_up import WarmUp, run_warm_up

log: Logger = safe_logger("piopiy_lab.agent")

#: How many ended jobs are remembered, so that none is served twice, or reported when there is a
#: stream again.
REMEMBERED = 1000
INSTANCE_VARIABLE = "PIOPIY_INSTANCE_ID"

_numbers = itertools.count(1)  # of the workers of this process


class GatewayWorker:
    """Registers with the gateway, and turns its jobs into sessions."""

    def __init__(
        self,
        url: str,
        credentials: Credentials,
        sessions: RoomSessions,
        *,
        instance_id: str,
        max_sessions: int,
        warm_up: WarmUp | None = None,
    ) -> None:
        """Make a worker that isn't registered.

        Args:
            url: The gateway.
            credentials: The agent's.
            sessions: Where its calls run.
            instance_id: Its name, which no other worker of the agent has.
            max_sessions: How many at once.
            warm_up: Loads the user's own models; ours are loaded besides.
        """
        self._url = url
        self._credentials = credentials
        self._sessions = sessions
        self._max = max_sessions
        self._warm_up = warm_up
        self._instance_id = instance_id
        self._ready = False  # written when everything is loaded
        self._draining = asyncio.Event()  # no more jobs: the gateway has said so, or the user
        self._link: GatewayLink | None = None  # the latest
        self._jobs: dict[str, Job] = {}  # by id, until each is over
        self._served: deque[str] = deque(maxlen=REMEMBERED)  # ids of jobs that were answered
        self._unsent: deque[JobCompleted] = deque(maxlen=REMEMBERED)  # while there is no stream

    async def serve(
        self,
        stop: asyncio.Event,
        on_state: OnState,
        grace: Callable[[], float],
        *,
        first_pause_secs: float,
    ) -> None:
        """Take calls until ``stop`` is set or the gateway drains this worker, and they are over.

        Args:
            stop: Ends it: calls get ``grace()`` seconds, and the stream stays open meanwhile.
            on_state: Told of every change.
            grace: Asked when it is stopped.
            first_pause_secs: Seconds before the first try to reconnect, at the most.

        Raises:
            SignalingError: The first connection failed, or the gateway refuses the agent.
        """
        finished = asyncio.Event()
        tasks = [
            asyncio.create_task(self._get_ready(finished), name="piopiy_lab.gateway.warm_up"),
            asyncio.create_task(
                self._wind_down(stop, finished, grace, on_state), name="piopiy_lab.gateway.drain"
            ),
        ]
        try:
            await stay_connected(
                self._open, finished, self._connected(on_state), first_pause_secs=first_pause_secs
            )
            for task in tasks:
                if task.done():
                    task.result()  # its own error, warm_up's say
        finally:
            await _end(tasks, sys.exception())

    async def _get_ready(self, finished: asyncio.Event) -> None:
        """Load what the first call would load otherwise, with the deadline running."""
        try:
            await load_models()
            if self._warm_up is not None:
                await run_warm_up(self._warm_up)
            self._ready = True
            self._tell_status()
        except BaseException:
            finished.set()
            raise

    async def _wind_down(
        self,
        stop: asyncio.Event,
        finished: asyncio.Event,
        grace: Callable[[], float],
        on_state: OnState,
    ) -> None:
        """Let the calls end, once somebody has asked for it; whatever happens, serving ends too."""
        waits = [asyncio.create_task(event.wait()) for event in (stop, self._draining)]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            drained = not stop.is_set()  # by the gateway: no caller is cut off
            self._draining.set()
            on_state("draining", "the gateway has asked for it" if drained else "")
            self._tell_status()
            await self._sessions.end(float("inf") if drained else grace())
        finally:
            finished.set()
            for wait in waits:
                wait.cancel()

    # --- the stream ---------------------------------------------------------------------------

    def _open(self) -> Link:
        register = Register(
            agent_id=self._credentials.agent_id,
            instance_id=self._instance_id,
            max_sessions=self._max,
            runtime=f"piopiy-lab/{__version__}",
        )
        self._link = GatewayLink(self._url, self._credentials, register, self.status, self._message)
        return self._link

    def _connected(self, on_state: OnState) -> OnState:
        def changed(state: StateTold, why: str) -> None:
            if not self._draining.is_set():
                on_state(state, why)
            if state == "connected" and self._link is not None:
                while self._unsent:
                    self._link.send(self._unsent.popleft())

        return changed

    def status(self) -> StatusUpdate:
        """Return how the worker is."""
        running = self._sessions.running
        detail, state = "", ServingState.SERVING
        if self._draining.is_set():
            state = ServingState.DRAINING
        elif not self._ready:
            state, detail = ServingState.NOT_SERVING, "loading models"
        free = max(0, self._max - running) if state == ServingState.SERVING else 0
        return StatusUpdate(
            active_sessions=running, available_slots=free, state=state, detail=detail
        )

    def _tell_status(self) -> None:
        if self._link is not None:
            self._link.tell_status()

    # --- what the gateway says ----------------------------------------------------------------

    def _message(self, link: GatewayLink, message: FromGateway, came_at: float) -> None:
        """Take one message; nothing in it may do harm."""
        try:
            match message:
                case JobAssignment():
                    self._offered(link, message, came_at)
                case JobCancel():
                    self._cancel(message)
                case Drain():
                    log.warning(
                        "the gateway drains this agent: no more calls; it stops when the %d "
                        "running ones have ended",
                        self._sessions.running,
                    )
                    self._draining.set()
                case _:
                    pass  # an answer to a heartbeat; gRPC's own pings watch the line
        except Exception:
            log.exception("a %s message could not be handled", type(message).__name__)

    def _offered(self, link: GatewayLink, offered: JobAssignment, came_at: float) -> None:
        job_id = offered.job_id
        if not job_id.strip():
            log.warning("ignored: a job without an id can't be answered")
            return
        known = self._jobs.get(job_id)
        if known is not None and known.is_lost:
            log.info("job %s is offered again, by another stream", told(job_id, 80))
            known.drop()  # nobody hears its answer; this one's is heard
        elif known is not None or job_id in self._served:
            log.warning("job %s is offered again: ignored", told(job_id, 80))
            return
        job = self._jobs[job_id] = Job(
            job_id,
            offered.room_name,
            link,
            offered.accept_deadline_ms or link.accept_deadline_ms,
            came_at=came_at,
            withdraw=self._sessions.withdraw,
            on_change=self._changed,
        )
        try:
            invite = read_job(offered, job)
        except ArgumentError as error:
            log.warning("a job is declined: %s", error)
            job.refused("unreadable", told(error, MAX_DETAIL))
            return
        if not self._ready:
            job.refused("loading", "its models are loading")
        elif job.is_late:
            log.warning("a job waited past its time: the agent's loop was blocked meanwhile")
            job.refused("late", "the worker was busy")
        else:
            self._sessions.invite(invite)

    def _cancel(self, message: JobCancel) -> None:
        job = self._jobs.get(message.job_id)
        if job is None:
            log.info("job %s is cancelled and is not here", told(message.job_id, 80))
            return
        log.info("job %s is cancelled: %s", told(message.job_id, 80), told(message.reason, 200))
        job.drop()

    def _changed(self, job: Job, report: JobCompleted | None) -> None:
        """Note that a job was answered or is over."""
        if job.state == "answered":
            self._served.append(job.job_id)
        elif self._jobs.get(job.job_id) is job:  # the same id may have been offered again since
            del self._jobs[job.job_id]
        if report is not None:
            if self._link is not None and self._link.is_open:
                self._link.send(report)
            else:
                self._unsent.append(report)
        self._tell_status()


async def _end(tasks: list[asyncio.Task[None]], raised: BaseException | None) -> None:
    """Cancel what still runs, and log what failed there but for what is raised already."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for task in tasks:
        error = None if task.cancelled() else task.exception()
        if error is not None and error is not raised:
            log.error("%s failed", task.get_name(), exc_info=error)


def new_instance_id() -> str:
    """Return a name for a worker: as the environment says, or of the machine and the process.

    Further ones of a process get a number.
    """
    number = next(_numbers)
    name = os.environ.get(INSTANCE_VARIABLE) or f"{socket.gethostname()}-{os.getpid()}"
    return name if number == 1 else f"{name}-{number}"
