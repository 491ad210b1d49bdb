"""An Agent at a gateway that speaks the vendor's own messages.

Its sessions join no real room: they say that they have, when a test lets them.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import time

import grpc
import pytest
from gateway_servers import GatewayServer, job, pb
from wait_until import until

from piopiy_lab import Agent, events
from piopiy_lab.errors import ArgumentError, MissingExtraError, RoomError, SignalingError
from piopiy_lab.hosting.ready import load_imports
from piopiy_lab.session.session import current_session
from piopiy_lab.telephony.signalling.staying import pause

TOKEN = "tok-very-secret-1"


@pytest.fixture(autouse=True)
def no_models(monkeypatch):
    """No detector to load: no session here has one."""
    monkeypatch.setattr("piopiy_lab.telephony.gateway_worker.load_models", load_imports)


class Session:
    """A session callback: joins after ``join_secs``, and lasts until ``leave`` is set."""

    def __init__(self, join_secs=0.0, fails=None):
        self.join_secs, self.fails = join_secs, fails
        self.told, self.ended, self.leave = [], [], asyncio.Event()

    async def __call__(self, **fields):
        self.told.append(fields)
        try:
            await asyncio.sleep(self.join_secs)
            if self.fails is not None:
                raise self.fails
            session = current_session()
            session.log.append(events.RoomJoined(at=session.now(), room="r", identity="agent-7"))
            await self.leave.wait()
        finally:
            self.ended.append(fields["call_id"])


def at(server, session, **options):
    return Agent("agent-1", TOKEN, session, server.url, **options)


def gateway(**options):
    return GatewayServer(token=TOKEN, **options)


async def serving(server, number=1):
    stream = await server.worker(number)
    await stream.wait_for_state(pb.SERVING)
    return stream


@pytest.fixture
def agent_in_background():
    handles = []

    def start(agent):
        handles.append(agent.start())
        return handles[-1]

    yield start
    for handle in handles:
        handle.stop()
        handle.join(10)


async def test_it_registers_and_the_token_is_in_the_metadata_only(running_agent, caplog):
    caplog.set_level(logging.DEBUG)
    async with gateway() as server, running_agent(at(server, Session(), debug=True)):
        stream = await serving(server)
        beat = await stream.wait_for("heartbeat")
    (register,) = stream.of("register")
    assert (register.agent_id, register.max_sessions, register.api_key) == ("agent-1", 10, "")
    assert register.instance_id
    assert register.runtime.startswith("piopiy-lab/")
    assert stream.metadata["authorization"] == f"Bearer {TOKEN}"
    assert beat.sent_unix_ms > 1.6e12
    assert TOKEN not in str(stream.got)
    assert TOKEN not in caplog.text


async def test_a_call_is_accepted_once_in_the_room_and_reported_when_it_is_over(running_agent):
    session = Session(join_secs=0.1)
    agent_said = []
    async with gateway() as server:
        agent = at(
            server,
            session,
            max_sessions=3,
            on_call_start=lambda call: agent_said.append(("start", call.call_id)),
            on_call_end=lambda call: agent_said.append((call.end_reason, call.call_id)),
        )
        async with running_agent(agent):
            stream = await serving(server)
            await stream.send(job=job())
            await until(lambda: session.told)
            assert not stream.of("accepted")  # not in the room yet
            accepted = await stream.wait_for("accepted")
            await until(lambda: stream.of("status")[-1].active_sessions == 1)
            status = stream.of("status")[-1]
            session.leave.set()
            completed = await stream.wait_for("completed")
            await until(lambda: stream.of("status")[-1].active_sessions == 0)
    assert (accepted.job_id, accepted.room_name) == ("job-1", "room-1")
    assert accepted.participant_identity == "agent-7"
    assert 100 <= accepted.join_ms <= 400
    assert (status.active_sessions, status.available_slots, status.state) == (1, 2, pb.SERVING)
    assert (completed.job_id, completed.error) == ("job-1", False)
    assert session.told == [
        {
            "agent_id": "agent-1",
            "call_id": "call-job-1",
            "from_number": "+15550100",
            "to_number": "+15550199",
            "metadata": {"campaign": "spring"},
            "direction": "inbound",
            "variables": {"campaign": "spring"},
            "sip_headers": {"X-Order": "7"},
            "trace_id": "trace-1",
            "room_name": "room-1",
        }
    ]
    assert agent_said == [("start", "call-job-1"), ("agent_ended", "call-job-1")]
    (call,) = agent.calls
    assert call.meta["sip_headers"] == {"X-Order": "7"}
    assert "room-token-1" not in str(call.meta)


@pytest.mark.parametrize("told_by", ["registered", "job"])
async def test_who_is_in_the_room_too_late_does_not_accept_and_leaves_it(running_agent, told_by):
    """The deadline of 50 ms is the gateway's, or the offer's own."""
    session = Session(join_secs=0.3)
    async with gateway(deadline_ms=50 if told_by == "registered" else 0) as server:
        agent = at(server, session)
        async with running_agent(agent):
            stream = await serving(server)
            offer = job() if told_by == "registered" else job(accept_deadline_ms=50)
            await stream.send(job=offer)
            rejected = await stream.wait_for("rejected")
            await until(lambda: not agent.sessions.running)
            await asyncio.sleep(0.3)  # past the time at which it would have joined
    assert (rejected.reason, rejected.detail) == (
        pb.ROOM_JOIN_FAILED,
        "not in the room within 50 ms",
    )
    assert session.ended == ["call-job-1"]
    assert not stream.of("accepted")
    assert not stream.of("completed")


@pytest.mark.parametrize(
    ("fails", "reason", "words"),
    [
        (RuntimeError("no key"), pb.CONFIG_ERROR, "RuntimeError: no key"),
        (RoomError("the room can't be joined: 401"), pb.ROOM_JOIN_FAILED, "RoomError: the room"),
        (None, pb.CONFIG_ERROR, "had joined no room"),
    ],
)
async def test_what_cannot_be_served_is_declined_and_says_why(running_agent, fails, reason, words):
    async def returns_at_once(**fields):
        if fails is not None:
            raise fails

    async with gateway() as server, running_agent(at(server, returns_at_once)):
        stream = await serving(server)
        await stream.send(job=job())
        rejected = await stream.wait_for("rejected")
    assert (rejected.job_id, rejected.reason) == ("job-1", reason)
    assert words in rejected.detail
    assert not stream.of("accepted")


async def test_a_caller_whose_call_was_not_accepted_is_not_hung_up_on(running_agent):
    """It is another worker's call by then."""
    asked = []

    async def fails(**fields):
        control = current_session().control
        await control.hang_up("error")
        asked.append(control)
        raise RuntimeError("no key")

    async with gateway() as server:
        agent = at(server, fails, rest_url="http://127.0.0.1:9/v3")  # nobody listens there
        async with running_agent(agent):
            stream = await serving(server)
            await stream.send(job=job())
            await stream.wait_for("rejected")
            await until(lambda: not agent.sessions.running)
    (call,) = agent.calls
    assert asked
    assert not [e for e in call.events.of(events.ErrorOccurred) if "hung up" in e.message]


async def test_a_worker_that_is_full_says_so_and_takes_the_next_when_it_has_room(running_agent):
    session = Session()
    async with gateway() as server, running_agent(at(server, session, max_sessions=1)):
        stream = await serving(server)
        await stream.send(job=job("job-1", "room-1"))
        await stream.wait_for("accepted")
        await stream.send(job=job("job-2", "room-2"))
        rejected = await stream.wait_for("rejected")
        session.leave.set()
        await stream.wait_for("completed")
        await until(lambda: stream.of("status")[-1].available_slots == 1)
        session.leave.clear()
        await stream.send(job=job("job-2", "room-2"))  # offered again, which is no duplicate
        await stream.wait_for("accepted", 2)
    assert (rejected.job_id, rejected.reason) == ("job-2", pb.AT_CAPACITY)
    assert rejected.detail == "1 of 1 sessions run"


async def test_a_job_that_is_offered_twice_is_served_once(running_agent, caplog):
    session = Session()
    async with gateway() as server, running_agent(at(server, session)):
        stream = await serving(server)
        await stream.send(job=job())
        await stream.send(job=job())  # while it joins
        await stream.wait_for("accepted")
        await stream.send(job=job(room="room-9"))  # while it runs
        session.leave.set()
        await stream.wait_for("completed")
        await stream.send(job=job())  # when it is over
        await stream.send(job=job("job-2", "room-2"))
        await stream.wait_for("completed", 2)
    assert [fields["call_id"] for fields in session.told] == ["call-job-1", "call-job-2"]
    assert [accepted.job_id for accepted in stream.of("accepted")] == ["job-1", "job-2"]
    assert not stream.of("rejected")
    assert caplog.text.count("job job-1 is offered again: ignored") == 3


async def test_another_job_for_a_room_it_is_in_is_declined(running_agent):
    async with gateway() as server, running_agent(at(server, Session())):
        stream = await serving(server)
        await stream.send(job=job())
        await stream.wait_for("accepted")
        await stream.send(job=job("job-2"))
        rejected = await stream.wait_for("rejected")
    assert (rejected.job_id, rejected.reason) == ("job-2", pb.ROOM_JOIN_FAILED)


@pytest.mark.parametrize("joined", [False, True])
async def test_a_cancelled_job_ends_its_session_and_is_spoken_of_no_more(running_agent, joined):
    session = Session(join_secs=0.0 if joined else 0.2)
    async with gateway() as server:
        agent = at(server, session)
        async with running_agent(agent):
            stream = await serving(server)
            await stream.send(job=job())
            await until(lambda: session.told)
            if joined:
                await stream.wait_for("accepted")
            await stream.send(cancel=pb.JobCancel(job_id="job-1", reason="caller gone"))
            await until(lambda: agent.calls and agent.calls[0].state == "ended")
            await until(lambda: stream.of("status")[-1].active_sessions == 0)
            await stream.send(cancel=pb.JobCancel(job_id="job-1"))  # twice does no harm
            await stream.send(job=job("job-2", "room-2"))
            await stream.wait_for("accepted", 1 + joined)
    assert agent.calls[0].end_reason == "cancelled"
    assert not stream.of("rejected")
    assert [c.job_id for c in stream.of("completed")] in ([], ["job-2"])


class LeavesSlowly(Session):
    """Its first session, once cancelled, lasts until ``let_go`` is set."""

    def __init__(self):
        super().__init__()
        self.let_go = asyncio.Event()

    async def __call__(self, **fields):
        if self.told:
            return await super().__call__(**fields)
        self.told.append(fields)
        try:
            await asyncio.sleep(60)
        finally:
            await self.let_go.wait()
            self.ended.append(fields["call_id"])


@pytest.mark.parametrize("cancelled_first", [False, True])
async def test_a_job_offered_again_is_not_forgotten_when_its_first_session_ends(
    running_agent, caplog, cancelled_first
):
    """The first offer was late, or was taken back; the second waits for the room."""
    session = LeavesSlowly()
    async with gateway() as server:
        agent = at(server, session)
        async with running_agent(agent):
            stream = await serving(server)
            offer = job() if cancelled_first else job(accept_deadline_ms=50)
            await stream.send(job=offer)
            await until(lambda: session.told)
            if cancelled_first:
                await stream.send(cancel=pb.JobCancel(job_id="job-1", reason="rerouted"))
            else:
                await stream.wait_for("rejected")
            await stream.send(job=job(accept_deadline_ms=20_000))
            await until(lambda: any(s.next for s in agent.sessions._rooms.values()))
            session.let_go.set()
            await stream.wait_for("accepted")
            await stream.send(job=job())  # known, and so ignored
            await stream.send(cancel=pb.JobCancel(job_id="job-1", reason="caller gone"))
            await until(lambda: len(session.ended) == 2)
            await until(lambda: stream.of("status")[-1].active_sessions == 0)
    assert [call.end_reason for call in agent.calls] == ["cancelled", "cancelled"]
    assert len(stream.of("rejected")) == (0 if cancelled_first else 1)
    assert "job job-1 is offered again: ignored" in caplog.text
    assert "is not here" not in caplog.text


async def test_a_job_offered_again_and_taken_back_while_it_waits_for_its_room(
    running_agent, caplog
):
    caplog.set_level(logging.INFO)
    session = LeavesSlowly()
    async with gateway() as server:
        agent = at(server, session, debug=True)
        async with running_agent(agent):
            stream = await serving(server)
            await stream.send(job=job(accept_deadline_ms=50))
            await stream.wait_for("rejected")
            await stream.send(job=job(accept_deadline_ms=20_000))
            await until(lambda: any(s.next for s in agent.sessions._rooms.values()))
            await stream.send(cancel=pb.JobCancel(job_id="job-1", reason="caller gone"))
            await until(lambda: not any(s.next for s in agent.sessions._rooms.values()))
            session.let_go.set()
            await until(lambda: not agent.sessions.running)
            await stream.send(job=job("job-2", "room-2"))
            await stream.wait_for("accepted")
    assert [fields["call_id"] for fields in session.told] == ["call-job-1", "call-job-2"]
    assert [rejected.job_id for rejected in stream.of("rejected")] == ["job-1"]
    assert "is not here" not in caplog.text


async def test_a_job_that_another_stream_offers_again_is_answered_there(running_agent):
    """The first stream went while its room was being joined: nobody hears that answer."""
    session = Session(join_secs=0.5)
    async with gateway(deadline_ms=20_000) as server:
        agent = at(server, session)
        agent._first_pause_secs = 0.02
        async with running_agent(agent):
            stream = await serving(server)
            await stream.send(job=job())
            await until(lambda: session.told)
            stream.over.set()
            second = await serving(server, 2)
            await second.send(job=job())
            accepted = await second.wait_for("accepted")
            session.leave.set()
            await second.wait_for("completed")
    assert accepted.job_id == "job-1"
    assert [call.end_reason for call in agent.calls] == ["cancelled", "agent_ended"]
    assert not stream.of("accepted")
    assert not second.of("rejected")


async def test_a_job_that_is_no_job_is_declined_in_words(running_agent):
    broken = [
        job("job-1", room=""),
        job("job-2", token=" "),
        job("job-3", url="file:///etc/passwd"),
        job("job-4", room="a\nb"),
    ]
    session = Session()
    async with gateway() as server, running_agent(at(server, session)):
        stream = await serving(server)
        await stream.send(job=job("", "room-0"))  # can't even be declined
        for each in broken:
            await stream.send(job=each)
        await stream.send_raw(b"\x12\xff\xff\xff\xff\xff")
        await stream.send_raw(b"\xf2\x07\x02hi")  # of a later version
        await stream.send(
            job=job("good", "room-5", call={"direction": "sideways", "call_uuid": ""})
        )
        await stream.wait_for("accepted")
    assert [r.job_id for r in stream.of("rejected")] == ["job-1", "job-2", "job-3", "job-4"]
    assert {r.reason for r in stream.of("rejected")} == {pb.CONFIG_ERROR}
    assert "no room_name" in stream.of("rejected")[0].detail
    assert (session.told[0]["call_id"], session.told[0].get("direction")) == ("room-5", None)


async def test_it_does_not_serve_before_its_models_are_loaded(running_agent):
    loaded = asyncio.Event()

    async def warm_up():
        await loaded.wait()

    async with gateway() as server, running_agent(at(server, Session(), warm_up=warm_up)):
        stream = await server.worker()
        status = await stream.wait_for_state(pb.NOT_SERVING)
        await stream.send(job=job())
        rejected = await stream.wait_for("rejected")
        loaded.set()
        await stream.wait_for_state(pb.SERVING)
        await stream.send(job=job())
        await stream.wait_for("accepted")
    assert status.available_slots == 0
    assert (rejected.reason, rejected.detail) == (pb.AT_CAPACITY, "its models are loading")


async def test_models_that_cannot_be_loaded_end_it_with_their_own_error():
    def warm_up():
        raise FileNotFoundError("whisper.bin")

    async with gateway() as server:
        with pytest.raises(FileNotFoundError, match=r"whisper\.bin"):
            await at(server, Session(), warm_up=warm_up).connect()


async def test_a_warm_up_that_was_cancelled_from_inside_says_so():
    async def warm_up():
        loading = asyncio.create_task(asyncio.sleep(60))
        loading.cancel()
        await loading

    async with gateway() as server:
        with pytest.raises(ArgumentError, match=r"warm_up=.* was cancelled from inside"):
            await at(server, Session(), warm_up=warm_up).connect()


async def test_what_warm_up_raises_is_logged_where_another_error_is_raised(unused_tcp_port, caplog):
    async def warm_up():
        try:
            await asyncio.sleep(60)
        finally:
            raise FileNotFoundError("whisper.bin")

    url = f"grpc://127.0.0.1:{unused_tcp_port}"
    with pytest.raises(SignalingError, match="no gateway at"):
        await Agent("agent-1", TOKEN, Session(), url, warm_up=warm_up).connect()
    assert "FileNotFoundError: whisper.bin" in caplog.text


async def test_a_warm_up_on_its_thread_that_fails_after_the_end_is_logged(running_agent, caplog):
    began, go_on = threading.Event(), threading.Event()

    def warm_up():
        began.set()
        go_on.wait(10)
        raise FileNotFoundError(f"{TOKEN} whisper.bin")

    async with gateway() as server:
        async with running_agent(at(server, Session(), warm_up=warm_up)):
            await until(began.is_set)
        assert "warm_up" not in caplog.text
        go_on.set()
        await until(lambda: "whisper.bin" in caplog.text)
    assert "the agent was ended before it was done" in caplog.text
    assert TOKEN not in caplog.text


@pytest.mark.parametrize("asked_by", ["gateway", "user"])
async def test_what_fails_while_it_winds_down_ends_it_and_is_raised(running_agent, asked_by):
    async def broken(grace):
        agent.sessions.end = end
        raise RuntimeError("broken end")

    session = Session()
    async with gateway() as server:
        agent = at(server, session)
        end, agent.sessions.end = agent.sessions.end, broken
        async with running_agent(agent) as task:
            stream = await serving(server)
            await stream.send(job=job())
            await stream.wait_for("accepted")
            async with asyncio.timeout(10):
                if asked_by == "gateway":
                    await stream.send(drain=pb.Drain())
                else:
                    await agent.shutdown()
                with pytest.raises(RuntimeError, match="broken end"):
                    await task
    assert [call.state for call in agent.calls] == ["ended"]


async def test_what_fails_while_it_winds_down_is_logged_where_warm_up_failed_too(caplog):
    """One error is raised, and none is lost."""

    async def warm_up():
        await agent._stop.wait()
        raise FileNotFoundError("whisper.bin")

    async def broken(grace):
        agent.sessions.end = end
        raise RuntimeError("broken end")

    async with gateway() as server:
        agent = at(server, Session(), warm_up=warm_up)
        end, agent.sessions.end = agent.sessions.end, broken
        task = asyncio.create_task(agent.connect())
        await until(lambda: agent.state == "connected")
        await agent.shutdown()
        with pytest.raises(FileNotFoundError):
            await task
    assert "RuntimeError: broken end" in caplog.text


async def test_a_drained_worker_lets_its_calls_end_and_stops(running_agent):
    session = Session()
    async with gateway() as server:
        agent = at(server, session)
        async with running_agent(agent) as task:
            stream = await serving(server)
            await stream.send(job=job())
            await stream.wait_for("accepted")
            await stream.send(drain=pb.Drain(grace_seconds=1))
            status = await stream.wait_for_state(pb.DRAINING)
            assert agent.state == "draining"
            await stream.send(job=job("job-2", "room-2"))
            rejected = await stream.wait_for("rejected")
            await asyncio.sleep(1.2)
            assert not task.done()  # past the gateway's grace: no caller is cut off
            session.leave.set()
            async with asyncio.timeout(5):
                await task
    assert (status.active_sessions, status.available_slots) == (1, 0)
    assert (rejected.job_id, rejected.reason) == ("job-2", pb.SHUTTING_DOWN)
    assert [c.job_id for c in stream.of("completed")] == ["job-1"]
    assert agent.calls[0].end_reason == "agent_ended"


async def test_a_shutdown_drains_with_the_stream_open(running_agent):
    session = Session()
    async with gateway() as server:
        agent = at(server, session)
        async with running_agent(agent) as task:
            stream = await serving(server)
            await stream.send(job=job())
            await stream.wait_for("accepted")
            ending = asyncio.create_task(agent.shutdown(grace=30))
            await stream.wait_for_state(pb.DRAINING)
            await stream.send(job=job("job-2", "room-2"))
            rejected = await stream.wait_for("rejected")
            session.leave.set()
            async with asyncio.timeout(5):
                await ending
                await task
    assert rejected.reason == pb.SHUTTING_DOWN
    assert [c.job_id for c in stream.of("completed")] == ["job-1"]


async def test_a_job_that_waited_while_the_loop_was_blocked_is_declined(agent_in_background):
    """Its time counts from when it came, not from when somebody looked."""
    blocking, seen = threading.Event(), []

    async def create_session(call_id):
        seen.append(call_id)
        blocking.set()
        time.sleep(0.5)  # noqa: ASYNC251 - as one does that loads its models here

    async with gateway() as server:
        agent_in_background(at(server, create_session))
        stream = await serving(server)
        await stream.send(job=job("job-1", "room-1"))
        await until(blocking.is_set)
        await stream.send(job=job("job-2", "room-2", accept_deadline_ms=100))
        await stream.wait_for("rejected", 2)
    why = {
        rejected.job_id: (rejected.reason, rejected.detail) for rejected in stream.of("rejected")
    }
    assert why["job-2"] == (pb.ROOM_JOIN_FAILED, "the worker was busy")
    assert seen == ["call-job-1"]


async def test_a_bot_that_runs_no_pipeline_accepts_no_call(running_agent):
    async def bot(transport, call):
        pass

    async with gateway() as server, running_agent(at(server, bot)):
        stream = await serving(server)
        await stream.send(job=job())
        rejected = await stream.wait_for("rejected")
    assert rejected.reason == pb.CONFIG_ERROR
    assert rejected.detail.startswith("BotError: bot returned and ran no pipeline")


async def test_a_worker_keeps_its_name_and_two_have_two(running_agent, monkeypatch):
    monkeypatch.setenv("PIOPIY_INSTANCE_ID", "worker-7")
    async with gateway() as server:
        agent, other = at(server, Session()), at(server, Session())
        agent._first_pause_secs = 0.02
        async with running_agent(agent), running_agent(other):
            stream = await server.worker()
            stream.over.set()
            await server.worker(3)
        async with running_agent(agent):
            await server.worker(4)
    first, second, again, later = (s.of("register")[0].instance_id for s in server.streams)
    assert first == again == later != second
    assert {name[:8] for name in (first, second)} == {"worker-7"}


async def test_numbers_without_bounds_and_a_second_registration_are_taken(running_agent):
    session = Session()
    most = 2**32 - 1
    async with (
        gateway(deadline_ms=most, heartbeat_s=most) as server,
        running_agent(at(server, session)),
    ):
        stream = await serving(server)
        await stream.send(job=job(accept_deadline_ms=most))
        await stream.wait_for("accepted")
        await stream.send(registered=pb.Registered(accept_deadline_ms=1))
        await stream.send(drain=pb.Drain(grace_seconds=most))
        await stream.wait_for_state(pb.DRAINING)
        await stream.send(drain=pb.Drain())
        session.leave.set()
        await stream.wait_for("completed")


async def test_a_message_too_large_costs_the_stream_and_no_call(running_agent):
    session = Session()
    async with gateway() as server:
        agent = at(server, session)
        agent._first_pause_secs = 0.02
        async with running_agent(agent):
            stream = await serving(server)
            await stream.send(job=job())
            await stream.wait_for("accepted")
            large = job("job-2", "room-2", call={"variables": {"x": "y" * 5_000_000}})
            sending = stream.send(job=large)
            await asyncio.gather(sending, return_exceptions=True)  # the stream breaks meanwhile
            second = await serving(server, 2)
            assert agent.sessions.running == 1
            await second.send(job=job("job-3", "room-3", call={"variables": {"x": "y" * 900_000}}))
            await second.wait_for("accepted")
    assert len(session.told[-1]["variables"]["x"]) == 900_000


async def test_a_gateway_that_floods_with_offers_is_answered_each_time(running_agent):
    session = Session()
    async with gateway() as server, running_agent(at(server, session, max_sessions=2)):
        stream = await serving(server)
        for n in range(200):
            await stream.send(job=job(f"job-{n}", f"room-{n}"))
        await stream.wait_for("rejected", 198, secs=30)
        await stream.wait_for("accepted", 2)
    assert len(session.told) == 2


async def test_its_calls_run_beside_a_notebook(agent_in_background):
    """On a thread of its own: gRPC's threads reach that loop too."""
    session = Session()
    session.leave.set()
    async with gateway() as server:
        handle = agent_in_background(at(server, session))
        await handle.wait_connected()
        stream = await serving(server)
        await stream.send(job=job())
        await stream.wait_for("completed")
        await stream.send(drain=pb.Drain())
        await handle.wait()
    assert handle.state == "stopped"
    assert [call.call_id for call in handle.calls] == ["call-job-1"]


# --- a gateway that goes away, and one that says no ----------------------------------------------


async def test_any_end_of_the_stream_reconnects_and_calls_run_on(running_agent):
    session = Session()
    async with gateway() as server:
        agent = at(server, session)
        agent._first_pause_secs = 0.05
        async with running_agent(agent):
            stream = await serving(server)
            await stream.send(job=job())
            await stream.wait_for("accepted")
            stream.over.set()  # it ends with OK
            second = await server.worker(2)
            await until(
                lambda: second.of("status") and second.of("status")[-1].active_sessions == 1
            )
            await server.server.stop(0)  # and with CANCELLED, as a restart does
            await until(lambda: agent.state == "reconnecting")
            assert agent.sessions.running == 1
            session.leave.set()
            await until(lambda: not agent.sessions.running)  # while nobody is there to be told
            again = GatewayServer(token=TOKEN, port=server.port)
            async with again:
                third = await again.worker()
                completed = await third.wait_for("completed")
                await third.send(job=job("job-2", "room-2"))
                await third.wait_for("accepted")
    assert completed.job_id == "job-1"


class BrokenStream:
    """gRPC's own stream, of which one part raises what gRPC promises not to raise."""

    def __init__(self, stream, part, error):
        self.stream, self.part, self.error = stream, part, error

    def __iter__(self):
        yield next(self.stream)
        if self.part == "next":
            raise self.error

    def code(self):
        if self.part == "code":
            raise self.error
        return self.stream.code()  # which waits for the end, as gRPC's does

    def details(self):
        raise self.error

    def cancel(self):
        self.stream.cancel()


@pytest.mark.parametrize("part", ["next", "code", "details"])
@pytest.mark.parametrize("error", [ValueError("not gRPC's"), MemoryError("too much")])
async def test_a_stream_that_cannot_be_read_ends_and_another_is_opened(
    running_agent, monkeypatch, caplog, part, error
):
    opened = []

    def open_channel(*arguments):
        channel = grpc_channel(*arguments)
        opened.append(channel)
        if len(opened) == 1:
            make = channel.stream_stream
            channel.stream_stream = lambda method: (
                lambda *given, **named: BrokenStream(make(method)(*given, **named), part, error)
            )
        return channel

    grpc_channel = grpc.insecure_channel
    monkeypatch.setattr(grpc, "insecure_channel", open_channel)
    async with gateway() as server:
        agent = at(server, Session())
        agent._first_pause_secs = 0.02
        async with running_agent(agent):
            stream = await server.worker()
            if part != "next":
                stream.over.set()
            second = await serving(server, 2)
            await second.send(job=job())
            await second.wait_for("accepted")
    assert f"the stream can't be read: {type(error).__name__}: {error}" in caplog.text


async def test_a_call_that_was_offered_by_a_stream_that_is_gone_is_not_accepted(running_agent):
    session = Session(join_secs=0.2)
    async with gateway() as server:
        agent = at(server, session)
        agent._first_pause_secs = 0.02
        async with running_agent(agent):
            stream = await serving(server)
            await stream.send(job=job())
            await until(lambda: session.told)
            stream.over.set()
            second = await serving(server, 2)
            await until(lambda: not agent.sessions.running)
            await asyncio.sleep(0.2)
    assert not stream.of("accepted")
    assert not second.of("accepted")
    assert agent.calls[0].end_reason == "cancelled"


@pytest.mark.parametrize(
    ("code", "details", "words", "refused"),
    [
        ("PERMISSION_DENIED", f"no {TOKEN}", "refused agent 'agent-1': no", True),
        ("UNAUTHENTICATED", "", "refused agent 'agent-1': UNAUTHENTICATED", True),
        ("UNIMPLEMENTED", "v2 only", "does not speak this protocol, telecmi.agent.v1", True),
        ("FAILED_PRECONDITION", "client too old", "client too old", True),
        ("CANCELLED", "restarting", "ended the stream before it had registered", False),
        ("OK", "", "ended the stream before it had registered", False),
    ],
)
async def test_a_gateway_that_says_no_is_told_in_words(code, details, words, refused, caplog):
    async with gateway() as server:
        server.refuses_with = (getattr(grpc.StatusCode, code), details)
        if code == "OK":
            server.refuses_with, server.registers = None, False
            ending = asyncio.create_task(server.worker())
            ending.add_done_callback(lambda done: done.result().over.set())
        with pytest.raises(SignalingError, match="127") as caught:
            await at(server, Session()).connect()
    assert words in str(caught.value)
    assert caught.value.refused is refused
    assert TOKEN not in str(caught.value) + caplog.text


async def test_a_wrong_token_is_a_refusal_that_does_not_show_it():
    async with gateway() as server:
        agent = Agent("agent-1", "tok-that-is-wrong", Session(), server.url)
        with pytest.raises(SignalingError, match="token and agent don't match; check") as caught:
            await agent.connect()
    assert "tok-that-is-wrong" not in str(caught.value)


async def test_a_token_that_no_header_holds_is_not_shown():
    async with gateway() as server:
        with pytest.raises(SignalingError, match="can't be sent") as caught:
            await Agent("agent-1", "tök-sécret", Session(), server.url).connect()
    assert "sécret" not in str(caught.value)


async def test_a_gateway_that_never_registers_is_given_up(monkeypatch):
    monkeypatch.setattr("piopiy_lab.telephony.signalling.gateway.ACCEPT_SECS", 0.2)
    async with gateway() as server:
        server.registers = False
        with pytest.raises(SignalingError, match=r"did not register agent 'agent-1' within 0\.2 s"):
            await at(server, Session()).connect()


async def test_without_grpcio_the_install_line_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "grpc", None)
    for name in ("telephony.gateway_worker", "telephony.signalling.gateway"):
        monkeypatch.delitem(sys.modules, f"piopiy_lab.{name}", raising=False)
    agent = Agent("agent-1", TOKEN, Session(), "grpcs://register.piopiy.com")
    with pytest.raises(MissingExtraError, match=r'pip install "piopiy-lab\[telephony\]"'):
        await agent.connect()
    assert agent.state == "stopped"


def test_the_pauses_before_reconnecting_double_from_1_s_to_30():
    agent = Agent("agent-1", TOKEN, Session(), "grpcs://register.piopiy.com")
    longest = [pause(attempt, 1.0, agent._first_pause_secs) for attempt in range(7)]
    assert longest == [1, 2, 4, 8, 16, 30, 30]


async def test_no_gateway_there_is_an_error_at_once(unused_tcp_port):
    agent = Agent("agent-1", TOKEN, Session(), f"grpc://127.0.0.1:{unused_tcp_port}")
    async with asyncio.timeout(5):
        with pytest.raises(SignalingError, match="no gateway at grpc://127"):
            await agent.connect()


async def test_tls_where_there_is_none_says_so():
    async with gateway() as server:
        agent = Agent("agent-1", TOKEN, Session(), server.url.replace("grpc:", "grpcs:"))
        with pytest.raises(SignalingError, match=r"it speaks no TLS there: grpc://"):
            await agent.connect()


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("grpc://127.0.0.1", "give the port"),
        ("grpcs://register.piopiy.com/v2", "a host and a port, and nothing more"),
        ("grpcs://user:secret@host", "a host and a port, and nothing more"),
        ("grpcs://", "grpcs://host for its gateway"),
        ("grpc://host:port", "is no address"),
    ],
)
def test_an_address_that_is_no_gateways_is_refused(url, words):
    with pytest.raises(ArgumentError, match=words) as caught:
        Agent("agent-1", TOKEN, Session(), url)
    assert "secret" not in str(caught.value)


async def test_a_token_in_the_clear_over_the_network_is_warned_of(monkeypatch, caplog):
    async def nowhere(*_, **__):
        pass

    monkeypatch.setattr("piopiy_lab.telephony.gateway_worker.stay_connected", nowhere)
    await Agent("agent-1", TOKEN, Session(), "grpc://gateway.lan:50051").connect()
    assert "is sent in the clear to grpc://gateway.lan:50051" in caplog.text
    assert "use grpcs://" in caplog.text


async def test_hooks_that_fail_are_logged_and_harm_no_call(running_agent, caplog):
    async def on_call_start(call):
        raise RuntimeError("no CRM")

    def on_call_end(call):
        raise SystemExit

    session = Session()
    async with gateway() as server:
        agent = at(server, session, on_call_start=on_call_start, on_call_end=on_call_end)
        async with running_agent(agent):
            stream = await serving(server)
            await stream.send(job=job())
            await stream.wait_for("accepted")
            session.leave.set()
            await stream.wait_for("completed")
    assert "on_call_start failed" in caplog.text
    assert "no CRM" in caplog.text
    assert "on_call_end failed" in caplog.text
