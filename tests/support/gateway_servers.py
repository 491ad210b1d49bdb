"""A gateway for tests, over the vendor's own messages: what it says is what the vendor's would.

It does as it is told: each stream's messages are kept, and what it sends is the test's to say.
"""

from __future__ import annotations

import asyncio
import contextlib

import grpc
from piopiy_agent._pb import agent_pb2 as pb

METHOD = "telecmi.agent.v1.AgentGateway"


class Stream:
    """One worker's stream."""

    def __init__(self, context, metadata):
        self.context = context
        self.metadata = metadata
        self.got = []  # (payload's name, message), in order
        self.changed = asyncio.Event()
        self.over = asyncio.Event()  # the test ends it

    def of(self, kind):
        return [message for name, message in self.got if name == kind]

    async def send(self, **payload):
        await self.context.write(pb.DispatcherMessage(**payload).SerializeToString())

    async def send_raw(self, data):
        await self.context.write(data)

    async def wait_for(self, kind, count=1, secs=10):
        async with asyncio.timeout(secs):
            while len(self.of(kind)) < count:
                self.changed.clear()
                await self.changed.wait()
        return self.of(kind)[count - 1]

    async def wait_for_state(self, state, secs=30):
        async with asyncio.timeout(secs):
            while not (told := self.of("status")) or told[-1].state != state:
                self.changed.clear()
                await self.changed.wait()
        return told[-1]


class GatewayServer:
    """A gateway on 127.0.0.1; ``on_register(stream)`` says what it answers."""

    def __init__(self, token="tok-1", deadline_ms=0, heartbeat_s=0, port=0):
        self.token, self.deadline_ms, self.heartbeat_s, self.port = (
            token,
            deadline_ms,
            heartbeat_s,
            port,
        )
        self.streams = []
        self.registers = True  # whether a worker is registered
        self.refuses_with = None  # (grpc.StatusCode, details)
        self.at_once = []  # what is sent right after "registered": payloads by name

    @property
    def url(self):
        return f"grpc://127.0.0.1:{self.port}"

    async def __aenter__(self):
        self.server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        handler = grpc.stream_stream_rpc_method_handler(self._connect)
        self.server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(METHOD, {"Connect": handler}),)
        )
        self.port = self.server.add_insecure_port(f"127.0.0.1:{self.port}")
        await self.server.start()
        return self

    async def __aexit__(self, *_):
        await self.server.stop(0)

    async def worker(self, number=1, secs=30):
        """The number-th stream, once it has registered."""
        async with asyncio.timeout(secs):
            while len(self.streams) < number:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
            await self.streams[number - 1].wait_for("register", secs=secs)
        return self.streams[number - 1]

    async def _connect(self, requests, context):
        stream = Stream(context, dict(context.invocation_metadata()))
        self.streams.append(stream)
        if stream.metadata.get("authorization") != f"Bearer {self.token}":
            await context.abort(grpc.StatusCode.PERMISSION_DENIED, "token and agent don't match")
        if self.refuses_with is not None:
            await context.abort(*self.refuses_with)
        reading = asyncio.create_task(self._read(stream, requests))
        over = asyncio.create_task(stream.over.wait())
        try:
            await asyncio.wait((reading, over), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (reading, over):
                task.cancel()
            await asyncio.gather(reading, over, return_exceptions=True)

    async def _read(self, stream, requests):
        with contextlib.suppress(grpc.RpcError):
            async for data in requests:
                message = pb.WorkerMessage.FromString(data)
                kind = message.WhichOneof("payload")
                stream.got.append((kind, getattr(message, kind)))
                stream.changed.set()
                if kind == "register" and self.registers:
                    await stream.send(
                        registered=pb.Registered(
                            session_id="s-1",
                            heartbeat_interval_s=self.heartbeat_s,
                            accept_deadline_ms=self.deadline_ms,
                        )
                    )
                    for payload in self.at_once:
                        await stream.send(**payload)


def job(job_id="job-1", room="room-1", **more):
    call = {
        "call_uuid": f"call-{job_id}",
        "from_number": "+15550100",
        "to_number": "+15550199",
        "direction": "inbound",
        "sip_headers": {"X-Order": "7"},
        "variables": {"campaign": "spring"},
        **more.pop("call", {}),
    }
    return pb.JobAssignment(
        job_id=job_id,
        room_name=room,
        livekit_url=more.pop("url", "ws://127.0.0.1:9"),
        access_token=more.pop("token", "room-token-1"),
        trace_id="trace-1",
        call=pb.CallContext(**call),
        **more,
    )
