"""The platform's gateway: workers register over gRPC, and calls are offered to them as jobs.

gRPC's own threads carry the bytes, two for each worker; they hand every message over to the
platform's loop, where all that is decided is decided.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import grpc

from piopiy_lab.errors import LoopbackError
from piopiy_lab.gateway.messages import (
    METHOD,
    Register,
    Registered,
)
from piopiy_lab.gateway.wire import WireError, from_worker
from piopiy_lab.logs import safe_logger
from piopiy_lab.loopback.dispatch import AgentConnection, Dispatcher
from piopiy_lab.loopback.peer import HOST
from piopiy_lab.loopback.signalling import TokenOf, refusal
from piopiy_lab.loopback.worker_stream import WorkerStream

logger: logging.Logger = safe_logger(__name__)

#: How many workers may be connected.
MOST_WORKERS = 64
#: Seconds that gRPC gets to let its threads go.
STOP_SECS = 2.0
#: A worker's pings are no attack, however often they come.
_OPTIONS = [
    ("grpc.so_reuseport", 0),  # a port that is taken is an error
    ("grpc.http2.max_ping_strikes", 0),
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
]


class _Rpc(Protocol):
    """What is used of gRPC's context of one stream."""

    def invocation_metadata(self) -> Iterator[tuple[str, str | bytes]]:
        """What the client sent with the request."""
        ...

    def abort(self, code: grpc.StatusCode, details: str) -> object:
        """End it badly; raises."""
        ...


class GatewayServer:
    """The gateway; can be stopped and started again on the same port."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        token_of: TokenOf,
        *,
        deadline_ms: int,
        heartbeat_secs: int,
    ) -> None:
        """Make a gateway; it listens after :meth:`start`.

        Args:
            dispatcher: Is told who is there.
            token_of: Knows the agents' tokens.
            deadline_ms: Milliseconds in which a job must be accepted.
            heartbeat_secs: Seconds between a worker's heartbeats.
        """
        self._dispatcher = dispatcher
        self._token_of = token_of
        self._deadline_ms = deadline_ms
        self._heartbeat_secs = heartbeat_secs
        self._loop: asyncio.AbstractEventLoop | None = None  # the platform's; by start()
        self._server: grpc.Server | None = None
        self._pool: ThreadPoolExecutor | None = None
        self._workers: set[WorkerStream] = set()  # those whose stream is open; on the loop
        self.port: int = 0  # written by the first start()

    def start(self) -> None:
        """Listen; on the port of the last time, if there was one. On the platform's loop.

        Raises:
            LoopbackError: The port is taken.
        """
        if self._server is not None:
            return
        self._loop = asyncio.get_running_loop()
        self._pool = ThreadPoolExecutor(MOST_WORKERS, thread_name_prefix="piopiy-lab-gateway")
        server = grpc.server(self._pool, options=_OPTIONS)
        handler = grpc.stream_stream_rpc_method_handler(self._connect)
        service, method = METHOD.strip("/").split("/")
        server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(service, {method: handler}),)
        )
        try:
            self.port = server.add_insecure_port(f"{HOST}:{self.port}")
        except RuntimeError as error:
            raise LoopbackError(
                f"can't listen on {HOST}:{self.port}: is another program using the port?"
            ) from error
        server.start()
        self._server = server

    async def stop(self) -> None:
        """Drop every stream and stop listening, as a killed gateway does."""
        server, self._server = self._server, None
        pool, self._pool = self._pool, None
        if server is None or pool is None:
            return
        stopped = server.stop(0)
        for worker in list(self._workers):
            self._gone(worker)
        await asyncio.to_thread(stopped.wait, STOP_SECS)
        await asyncio.to_thread(pool.shutdown)

    # --- gRPC's threads -----------------------------------------------------------------------

    def _connect(self, requests: Iterator[bytes], rpc: _Rpc) -> Iterator[bytes]:
        """Carry one stream; a generator of what is sent."""
        sent = dict(rpc.invocation_metadata())
        worker = WorkerStream(str(sent.get("authorization", "")).removeprefix("Bearer "))
        reader = threading.Thread(
            target=self._read, args=(worker, requests), name="piopiy-lab-gateway", daemon=True
        )
        reader.start()
        yield from iter(worker.outbox.get, None)
        if worker.refusal is not None:
            rpc.abort(*worker.refusal)

    def _read(self, worker: WorkerStream, requests: Iterator[bytes]) -> None:
        self._on_loop(self._came, worker)
        with contextlib.suppress(grpc.RpcError):  # the worker has dropped the stream
            for data in requests:
                self._on_loop(self._take, worker, data)
        self._on_loop(self._gone, worker)

    def _on_loop(self, function: Callable[..., None], *arguments: object) -> None:
        assert self._loop is not None
        with contextlib.suppress(RuntimeError):  # the loop was closed
            self._loop.call_soon_threadsafe(function, *arguments)

    # --- the platform's loop ------------------------------------------------------------------

    def _came(self, worker: WorkerStream) -> None:
        self._workers.add(worker)

    def _gone(self, worker: WorkerStream) -> None:
        self._workers.discard(worker)
        worker.outbox.put(None)
        if worker.connection is not None:
            self._dispatcher.remove(worker.connection)

    def _take(self, worker: WorkerStream, data: bytes) -> None:
        try:
            message = from_worker(data)
        except WireError as error:
            worker.refuse(grpc.StatusCode.INVALID_ARGUMENT, str(error))
            return
        if worker.connection is not None:
            worker.take(message)
            self._dispatcher.changed()
        elif isinstance(message, Register):
            self._register(worker, message)
        else:
            worker.refuse(grpc.StatusCode.FAILED_PRECONDITION, "the first message is register")

    def _register(self, worker: WorkerStream, register: Register) -> None:
        auth = {"agent_id": register.agent_id, "token": worker.token or register.api_key}
        if (reason := refusal(auth, self._token_of)) is not None:
            logger.info("the gateway refused a worker: %s", reason)
            code = grpc.StatusCode.PERMISSION_DENIED
            worker.refuse(code if auth["token"] else grpc.StatusCode.UNAUTHENTICATED, reason)
            return
        worker.connection = AgentConnection(
            register.agent_id,
            "gateway",
            worker.send_event,
            worker.drop,
            answers=True,
            capacity=register.max_sessions,
            serving=False,  # until it says so
            offer_secs=self._deadline_ms / 1000,
        )
        worker.deadline_ms = self._deadline_ms
        worker.send(
            Registered(
                session_id=uuid.uuid4().hex,
                heartbeat_interval_s=self._heartbeat_secs,
                accept_deadline_ms=self._deadline_ms,
            )
        )
        self._dispatcher.add(worker.connection)
