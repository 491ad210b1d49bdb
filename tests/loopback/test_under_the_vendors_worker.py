"""The platform's gateway under the vendor's own worker (PyPI ``piopiy-agent``): the witness.

The vendor's worker registers with it, takes jobs, joins their rooms with LiveKit's client, is
cancelled and drained. And what the platform does with workers that are slow, full or strangers.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging

import grpc
import pytest
from livekit import rtc
from loopback_parts import own_threads
from piopiy_agent import PiopiyWorker
from piopiy_agent._pb import agent_pb2 as pb
from piopiy_agent._pb import agent_pb2_grpc as pb_grpc
from wait_until import until

from piopiy_lab import Caller
from piopiy_lab.errors import LoopbackError
from piopiy_lab.gateway.messages import JobAccepted, JobCompleted, JobRejected, RejectReason
from piopiy_lab.loopback import LoopbackPlatform


class VendorsWorker:
    """The vendor's worker with a handler that joins the room, accepts, and waits for the end."""

    def __init__(self, platform, *, token=None, accepts=True, join_first_secs=0.0, **options):
        self.jobs, self.answers, self.accepts = [], [], accepts
        self.join_first_secs = join_first_secs
        self.rooms = []
        self.worker = PiopiyWorker(
            agent_id="desk",
            token=token or platform.agent_token("desk"),
            register=platform.gateway_url.removeprefix("grpc://"),
            tls=False,
            **options,
        )
        self.worker.on_job(self.handle)

    async def handle(self, job):
        self.jobs.append(job)
        if not self.accepts:
            return
        room = rtc.Room()
        gone = asyncio.Event()
        room.on("participant_disconnected", lambda *_: gone.set())
        room.on("disconnected", lambda *_: gone.set())
        await asyncio.sleep(self.join_first_secs)
        try:
            await room.connect(job.livekit_url, job.access_token)
            self.rooms.append([p.kind for p in room.remote_participants.values()])
            self.answers.append(await job.accept(participant_identity="vendor"))
            if self.answers[-1]:
                await gone.wait()
        finally:
            await room.disconnect()

    async def __aenter__(self):
        self.task = asyncio.create_task(self.worker.run())
        return self

    async def __aexit__(self, *_):
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)
        self.worker._outbox.put_nowait(
            None
        )  # a stream that ended well leaves a task waiting for it
        await asyncio.sleep(0.05)


def said(platform, kind):
    return [m for agent in platform.agents for m in agent.said if isinstance(m, kind)]


async def ready(platform):
    await until(lambda: any(agent.takes_more for agent in platform.agents))


async def test_the_vendors_worker_takes_calls_and_reports_them():
    async with LoopbackPlatform(accept_ms=5000) as platform, VendorsWorker(platform) as vendor:
        await ready(platform)
        calls = [
            await platform.place_call(
                "desk",
                Caller().waits(0.3).hangs_up(),
                call_id=f"c{n}",
                direction="outbound",
                variables={"campaign": "spring"},
                metadata={"order": 7},
                sip_headers={"X-SIP-Account-ID": "site-2"},
            )
            for n in (1, 2)
        ]
        await until(lambda: len(said(platform, JobCompleted)) == 2)
        (agent,) = platform.agents
        accepted, completed = said(platform, JobAccepted), said(platform, JobCompleted)
    for call in calls:
        assert call.raise_for_error().end_reason == "caller_hung_up"
    first, second = vendor.jobs
    assert vendor.answers == [True, True]
    assert vendor.rooms == [[], []]  # the caller comes when the job is accepted, and no sooner
    assert first.deadline_ms == 5000
    assert first.call.call_uuid == "c1"
    assert (first.call.from_number, first.call.to_number) == ("+15550100", "+15550199")
    assert first.call.direction == "outbound"
    assert first.call.variables == {"campaign": "spring", "order": "7"}
    assert first.call.sip_headers == {"X-SIP-Account-ID": "site-2"}
    assert [m.job_id for m in accepted] == [m.job_id for m in completed]
    assert [m.job_id for m in accepted] == [first.job_id, second.job_id]
    assert accepted[0].participant_identity == "vendor"
    assert not any(m.error for m in completed)
    assert (agent.capacity, agent.dialect) == (10, "gateway")


async def test_a_handler_of_the_vendors_that_does_not_accept_is_no_answer():
    async with LoopbackPlatform() as platform, VendorsWorker(platform, accepts=False):
        await ready(platform)
        call = await platform.place_call("desk", ring_secs=1.0)
        (first, *_) = said(platform, JobRejected)
    assert isinstance(call.error, LoopbackError)
    assert "CONFIG_ERROR handler did not accept" in str(call.error)
    assert first.reason == RejectReason.CONFIG_ERROR


async def test_who_is_too_slow_loses_the_call_to_another_worker():
    async with (
        LoopbackPlatform(accept_ms=1500) as platform,
        VendorsWorker(platform, join_first_secs=1.7, instance_id="slow") as slow,
    ):
        await ready(platform)
        async with VendorsWorker(platform, instance_id="quick") as quick:
            await until(lambda: len(platform.agents) == 2 and platform.agents[1].takes_more)
            call = await platform.place_call("desk", Caller().waits(0.5).hangs_up())
            assert len(slow.jobs) + len(quick.jobs) == 2
    call.raise_for_error()
    assert quick.answers == [True]
    assert True not in slow.answers


async def test_no_more_calls_than_a_worker_has_room_for():
    async with (
        LoopbackPlatform(accept_ms=5000) as platform,
        VendorsWorker(platform, max_sessions=1) as vendor,
    ):
        await ready(platform)
        first = asyncio.create_task(platform.place_call("desk", Caller().waits(1.5).hangs_up()))
        await until(lambda: said(platform, JobAccepted))
        second = await platform.place_call(
            "desk", Caller().waits(0.2).hangs_up()
        )  # rings till then
        (await first).raise_for_error()
        assert not said(platform, JobRejected)  # it was not even asked
    second.raise_for_error()
    assert vendor.answers == [True, True]


async def test_a_caller_who_gives_up_cancels_the_job():
    async with (
        LoopbackPlatform(accept_ms=5000) as platform,
        VendorsWorker(platform, join_first_secs=60) as vendor,
    ):
        await ready(platform)
        call = await platform.place_call("desk", ring_secs=0.5)
        await until(lambda: platform.agents[0].takes_more and not vendor.worker._active)
    assert "did not join it within 0.5 s" in str(call.error)
    assert vendor.answers == []


async def test_a_drained_worker_of_the_vendors_lets_its_call_end_and_stops():
    async with LoopbackPlatform(accept_ms=5000) as platform, VendorsWorker(platform) as vendor:
        await ready(platform)
        call = asyncio.create_task(platform.place_call("desk", Caller().waits(1).hangs_up()))
        await until(lambda: said(platform, JobAccepted))
        assert await platform.drain("desk") == 1
        await until(lambda: not platform.agents[0].takes_more)
        refused = await platform.place_call("desk", ring_secs=0.3)
        (await call).raise_for_error()
        await until(lambda: said(platform, JobCompleted))
        await platform.agents[0].drop()  # it looks whether it is drained when its stream ends
        async with asyncio.timeout(5):
            await vendor.task
    assert "took no calls" in str(refused.error)


async def test_a_restarted_gateway_is_found_again_on_its_port():
    async with LoopbackPlatform(accept_ms=5000) as platform, VendorsWorker(platform) as vendor:
        await ready(platform)
        url = platform.gateway_url
        await platform.restart_signaling(down_secs=0.2)
        assert platform.gateway_url == url
        await ready(platform)
        (await platform.place_call("desk", Caller().waits(0.2).hangs_up())).raise_for_error()
    assert vendor.answers == [True]


# --- who is let in -------------------------------------------------------------------------------


async def stream_of(url, messages, metadata=()):
    """Say something to a gateway with the vendor's stub; returns its answers, then its code."""

    async def outgoing():
        for message in messages:
            yield message
        await asyncio.sleep(0.3)

    got = []
    async with grpc.aio.insecure_channel(url.removeprefix("grpc://")) as channel:
        stream = pb_grpc.AgentGatewayStub(channel).Connect(outgoing(), metadata=metadata)
        try:
            async for message in stream:
                got.append(message.WhichOneof("payload"))
        except grpc.aio.AioRpcError as error:
            return got, error.code().name, error.details()
    return got, "OK", ""


REGISTER = pb.WorkerMessage(register=pb.Register(agent_id="desk", max_sessions=1))
TOKEN = "a-token-nobody-may-see"


@pytest.mark.parametrize(
    ("messages", "token", "code", "words"),
    [
        ([REGISTER], "wrong-token-7", "PERMISSION_DENIED", "wrong token for agent 'desk'"),
        ([REGISTER], None, "UNAUTHENTICATED", "auth has no token"),
        (
            [pb.WorkerMessage(register=pb.Register(agent_id="nobody"))],
            TOKEN,
            "PERMISSION_DENIED",
            "there is no agent 'nobody'",
        ),
        ([pb.WorkerMessage(heartbeat=pb.Heartbeat())], TOKEN, "FAILED_PRECONDITION", "register"),
        ([pb.WorkerMessage()], TOKEN, "FAILED_PRECONDITION", "the first message is register"),
    ],
)
async def test_strangers_are_refused_with_the_reason(messages, token, code, words, caplog):
    caplog.set_level(logging.DEBUG)
    metadata = () if token is None else (("authorization", f"Bearer {token}"),)
    async with LoopbackPlatform({"desk": TOKEN}) as platform:
        got, told, details = await stream_of(platform.gateway_url, messages, metadata)
        assert platform.agents == []
    assert (got, told) == ([], code)
    assert words in details
    assert TOKEN not in details + caplog.text


async def test_an_early_client_that_sends_its_token_in_the_message_is_known():
    early = pb.WorkerMessage(register=pb.Register(agent_id="desk", api_key=TOKEN))
    async with LoopbackPlatform({"desk": TOKEN}) as platform:
        got, told, _ = await stream_of(platform.gateway_url, [early])
        await until(lambda: not platform.agents)
    assert (got, told) == (["registered"], "OK")


async def test_messages_of_a_later_version_disturb_nothing():
    later = REGISTER.SerializeToString()
    odd = [
        pb.WorkerMessage.FromString(later),
        pb.WorkerMessage.FromString(b"\xf2\x07\x02hi"),
        pb.WorkerMessage(status=pb.StatusUpdate(state=9)),
        pb.WorkerMessage(accepted=pb.JobAccepted(job_id="none")),
        pb.WorkerMessage(rejected=pb.JobRejected(job_id="none", reason=17)),
        pb.WorkerMessage(completed=pb.JobCompleted(job_id="none")),
        pb.WorkerMessage(heartbeat=pb.Heartbeat(sent_unix_ms=5)),
    ]
    metadata = (("authorization", f"Bearer {TOKEN}"),)
    async with LoopbackPlatform({"desk": TOKEN}) as platform:
        got, told, _ = await stream_of(platform.gateway_url, odd, metadata)
    assert (got, told) == (["registered", "cancel", "hb_ack"], "OK")


async def test_only_this_machine_is_listened_on_and_no_thread_is_left():
    before = own_threads()
    async with LoopbackPlatform() as platform, VendorsWorker(platform):
        await ready(platform)
        assert platform.gateway_url.startswith("grpc://127.0.0.1:")
    with contextlib.suppress(TimeoutError):
        await until(lambda: not left_of(before), 3)
    assert not left_of(before)


def left_of(before):
    """Threads of ours; those of gRPC's asyncio client are the vendor's."""
    return [t.name for t in own_threads() - before if "piopiy" in t.name]
