"""One stream to Piopiy's gateway, over gRPC.

gRPC has threads of its own, which write what is put into a queue; one thread of ours reads. It
hands each message over to the loop that connects, where everything else here runs. (Its asyncio
client disturbs another loop of the process that uses it, such as a notebook's.)
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
import time
from collections.abc import Callable
from urllib.parse import urlsplit

from piopiy_lab.checks.texts import described
from piopiy_lab.errors import MissingExtraError, SignalingError
from piopiy_lab.gateway.messages import (
    ACCEPT_DEADLINE_MS,
    HEARTBEAT_SECS,
    METHOD,
    PACKAGE,
    FromGateway,
    FromWorker,
    Heartbeat,
    Register,
    Registered,
    StatusUpdate,
)
from piopiy_lab.gateway.wire import WireError, from_gateway, to_gateway
from piopiy_lab.redaction import goes_in_the_clear, shown_url
from piopiy_lab.redaction import told as told_by
from piopiy_lab.telephony.log_lines import log
from piopiy_lab.telephony.signalling.links import ACCEPT_SECS, Credentials, target_of

try:
    import grpc
except ImportError as error:
    raise MissingExtraError("Piopiy's gateway", "telephony", detail=str(error)) from error

#: Seconds that a polite goodbye may take; after that the stream is dropped.
GOODBYE_SECS = 2.0
#: How a dead line is noticed: a ping every 10 s, answered within 20 s.
_OPTIONS = [("grpc.keepalive_time_ms", 10_000), ("grpc.keepalive_timeout_ms", 20_000)]
#: What the gateway says when the same id and token won't do, however often.
_REFUSALS = ("PERMISSION_DENIED", "UNAUTHENTICATED")
#: And when it, or whatever is there, can't make anything of this client.
_STRANGERS = ("UNIMPLEMENTED", "INVALID_ARGUMENT", "FAILED_PRECONDITION")


#: Told of each message but ``registered``: the stream, the message, and the loop's time at which it
#: came, which was earlier than now if the loop was busy. On the loop, in their order.
OnGatewayMessage = Callable[["GatewayLink", FromGateway, float], None]


class GatewayLink:
    """One stream; a :class:`~piopiy_lab.telephony.signalling.links.Link`."""

    def __init__(
        self,
        url: str,
        credentials: Credentials,
        register: Register,
        status: Callable[[], StatusUpdate],
        on_message: OnGatewayMessage,
    ) -> None:
        """Remember where; nothing is sent yet.

        Args:
            url: The gateway, ``grpcs://host`` or ``grpc://host:port``.
            credentials: The token goes into the stream's metadata, and nowhere else.
            register: How the worker introduces itself.
            status: Says how the worker is, when it is registered and with each heartbeat.
            on_message: Told of each message but ``registered``.
        """
        self.accept_deadline_ms: int = ACCEPT_DEADLINE_MS  # until the gateway says otherwise
        self.is_open: bool = False  # registered, and not ended
        self._url = url
        self._credentials = credentials
        self._register = register
        self._status = status
        self._on_message = on_message
        self._beat_secs: float = HEARTBEAT_SECS  # until the gateway says otherwise
        self._outbox: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()  # None ends it
        self._channel: grpc.Channel | None = None  # written by connect()
        self._stream: grpc.Call | None = None  # written by connect()
        self._beating: asyncio.Task[None] | None = None  # registered to closed
        self._registered = asyncio.Event()
        self._ended = asyncio.Event()  # the stream has; why is in the next two
        self._code, self._details = "", ""

    async def connect(self) -> None:
        """Connect, introduce the worker, and wait until the gateway has registered it."""
        self._open(asyncio.get_running_loop())
        waits = [asyncio.create_task(e.wait()) for e in (self._registered, self._ended)]
        try:
            await asyncio.wait(waits, timeout=ACCEPT_SECS, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        if not self._registered.is_set():
            error = self._explain()
            await self.close()
            raise error
        self._beating = asyncio.create_task(self._beat(), name="piopiy_lab.gateway.heartbeat")

    def _open(self, loop: asyncio.AbstractEventLoop) -> None:
        token = self._credentials.agent_token
        if not (token.isascii() and token.isprintable()):  # gRPC's words would not say what it is
            raise SignalingError(
                "the agent's token can't be sent: it has characters that no token has; take it "
                "from the dashboard",
                refused=True,
            )
        target, tls = target_of(self._url)
        options = [*_OPTIONS]
        if not tls and not goes_in_the_clear(self._url):  # on this machine: past any proxy
            options.append(("grpc.enable_http_proxy", 0))
        self._channel = (
            grpc.secure_channel(target, grpc.ssl_channel_credentials(), options)
            if tls
            else grpc.insecure_channel(target, options)
        )
        call = self._channel.stream_stream(METHOD)
        self._put(self._register)
        stream = call(
            iter(self._outbox.get, None), metadata=(("authorization", f"Bearer {token}"),)
        )
        self._stream = stream

        def hand_over(function: Callable[..., None], *arguments: object) -> None:
            with contextlib.suppress(RuntimeError):  # the loop was closed: nobody listens
                loop.call_soon_threadsafe(function, *arguments)

        def read() -> None:
            code, details = "UNKNOWN", ""
            try:
                with contextlib.suppress(grpc.RpcError):  # the stream's end: its code says why
                    for data in stream:
                        hand_over(self._take, data, loop.time())
                code, details = stream.code().name, stream.details() or ""
            except BaseException as error:  # a defect: who waits for the end must hear of it
                details = f"the stream can't be read: {described(error)}"
                log.exception("the gateway's stream can't be read")
                stream.cancel()
            finally:
                hand_over(self._end, code, details)

        threading.Thread(target=read, name="piopiy_lab.gateway", daemon=True).start()

    def _explain(self) -> SignalingError:
        where, agent = shown_url(self._url), self._credentials.agent_id
        code, details = self._code, told_by(self._details)
        if not code:
            return SignalingError(
                f"the gateway {where} did not register agent {agent!r} within {ACCEPT_SECS:g} s"
            )
        if code in _REFUSALS:
            return SignalingError(
                f"the gateway {where} refused agent {agent!r}: {details or code}; check the "
                "agent's id and token in the dashboard: they belong together",
                refused=True,
            )
        if code in _STRANGERS:
            return SignalingError(
                f"{where} does not speak this protocol, {PACKAGE} ({code}: {details}): check the "
                "address, or look for a newer piopiy-lab",
                refused=True,
            )
        if code == "UNAVAILABLE":
            hint = "check the address and the network"
            if any(word in details for word in ("WRONG_VERSION", "SSL_ERROR", "TSI_")):
                hint = "it speaks no TLS there: grpc:// (PIOPIY_TLS=false) is for one without"
            elif "certificate" in details.lower():
                hint = "its certificate is not trusted: check the host's name"
            elif urlsplit(self._url).scheme == "grpc":
                hint += ", and whether it wants TLS (grpcs://)"
            return SignalingError(f"no gateway at {where}: {details}; {hint}")
        return SignalingError(
            f"the gateway {where} ended the stream before it had registered agent {agent!r} "
            f"({code}: {details})"
        )

    # --- what is said -------------------------------------------------------------------------

    def send(self, message: FromWorker) -> None:
        """Say something; nothing happens once the stream has ended."""
        if self.is_open:
            self._put(message)

    def tell_status(self) -> None:
        """Say how the worker is now."""
        self.send(self._status())

    def _put(self, message: FromWorker) -> None:
        self._outbox.put(to_gateway(message))

    async def _beat(self) -> None:
        while True:
            self.send(Heartbeat(sent_unix_ms=int(time.time() * 1000)))
            self.tell_status()
            await asyncio.sleep(self._beat_secs)

    # --- what is heard ------------------------------------------------------------------------

    def _take(self, data: bytes, came_at: float) -> None:
        try:
            message = from_gateway(data)
        except WireError as error:
            log.warning("ignored: the gateway sent %d bytes, and %s", len(data), error)
            return
        if isinstance(message, Registered):
            self.accept_deadline_ms = message.accept_deadline_ms or ACCEPT_DEADLINE_MS
            self._beat_secs = message.heartbeat_interval_s or HEARTBEAT_SECS
            self.is_open = not self._ended.is_set()
            self._registered.set()
        elif message is None:
            log.info("ignored: the gateway sent what a later version of its protocol may have")
        else:
            self._on_message(self, message, came_at)

    def _end(self, code: str, details: str) -> None:
        self.is_open = False
        self._code, self._details = code, details
        self._ended.set()

    async def wait_closed(self) -> str:
        """Wait for the end of the stream and return why."""
        await self._ended.wait()
        if self._code == "OK":
            return "the gateway ended the stream"
        return f"{self._code}: {told_by(self._details)}" if self._details else self._code

    async def close(self) -> None:
        """Send what is left, and end the stream; drop it if that takes too long."""
        self.is_open = False
        if self._beating is not None:
            self._beating.cancel()
        if self._channel is None:
            return
        channel, self._channel = self._channel, None
        self._outbox.put(None)
        if self._stream is not None and self._registered.is_set():
            try:
                async with asyncio.timeout(GOODBYE_SECS):
                    await self._ended.wait()
            except TimeoutError:
                self._stream.cancel()
        await asyncio.to_thread(channel.close)
