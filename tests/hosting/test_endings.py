"""However a call ends, it ends soon, says why, keeps what was recorded, and leaves nothing."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
from pipecat.frames.frames import LLMContextFrame

from piopiy_lab import Caller, VoiceAgent, offline_stack, simulate, start_call
from piopiy_lab.errors import CallEndedError, ServiceError
from piopiy_lab.offline.llm import RuleLLMService
from piopiy_lab.session.session import current_session

GUEST = Caller().hears_greeting().says("a table for two tomorrow at seven").hears_reply().waits(30)


def run(create_session, caller=GUEST, **options):
    return asyncio.run(simulate(create_session, caller, **options))


def assert_whole(call):
    """The log is closed, the recording is as long as the call, nothing runs on."""
    assert call.state == "ended"
    assert abs(call.recording.duration - call.duration) < 0.05
    assert "leaked" not in call.meta, call.meta["leaked"]


def at(moment, do):
    """Return a hook that does something ``moment`` seconds into the call."""

    def during(agent):
        session = current_session()
        asyncio.get_running_loop().call_later(moment, do, session)

    return during


@pytest.mark.parametrize("moment", [0.0, 0.001, 0.5, 2.5, 4.3, 5.0, 6.09, 6.5, 9.0, 20.0])
def test_a_hang_up_at_any_moment_ends_the_call(booking, moment):
    call = run(booking(at(moment, lambda session: session.end("hung_up"))))
    assert call.end_reason == "hung_up"
    assert call.error is None
    assert moment - 1e-6 <= call.duration < moment + 5
    assert_whole(call)


def test_a_hang_up_before_the_session_began(no_leftovers, booking):
    call = start_call(booking(), GUEST)
    call.hang_up()
    call.join(5)
    assert call.end_reason == "hung_up"
    call.hang_up()  # again: nothing
    with pytest.raises(CallEndedError, match="ended"):
        call.say("hello")


def test_an_exception_in_the_session():
    async def create_session():
        raise KeyError("no such customer")

    call = run(create_session)
    assert call.end_reason == "error"
    assert isinstance(call.error, KeyError)
    with pytest.raises(KeyError, match="no such customer"):
        call.raise_for_error()
    assert_whole(call)


def test_an_exception_after_the_agent_was_started(booking):
    async def create_session(call_id):
        agent = asyncio.create_task(booking()(call_id))
        await asyncio.sleep(2)
        agent.cancel()
        raise RuntimeError("the database is gone")

    call = run(create_session)
    assert call.end_reason == "error"
    assert str(call.error) == "the database is gone"
    assert_whole(call)


def test_a_session_that_starts_no_agent():
    async def create_session():
        return None

    call = run(create_session)
    assert call.end_reason == "error"
    assert "started no VoiceAgent" in str(call.error)


class Broken(RuleLLMService):
    """Raises when it should answer."""

    async def process_frame(self, frame, direction):
        if isinstance(frame, LLMContextFrame):
            raise ZeroDivisionError("broken on purpose")
        await super().process_frame(frame, direction)


class Hanging(RuleLLMService):
    """Waits for ever when it should answer."""

    async def process_frame(self, frame, direction):
        if isinstance(frame, LLMContextFrame):
            await asyncio.Event().wait()
        await super().process_frame(frame, direction)


class Deaf(RuleLLMService):
    """Waits for ever while it should get ready."""

    async def setup(self, setup):
        await super().setup(setup)
        await asyncio.Event().wait()


def with_llm(kind):
    def stack():
        from piopiy_lab.offline import booking_desk

        stt, _, tts = offline_stack()
        return stt, kind(booking_desk().rules()), tts

    return stack


def test_an_exception_in_a_service(booking):
    call = run(booking(stack=with_llm(Broken)))
    assert call.end_reason == "error"
    assert isinstance(call.error, ServiceError)
    assert "Broken" in str(call.error)
    assert "broken on purpose" in str(call.error)
    assert isinstance(call.error.__cause__, ZeroDivisionError)
    assert call.duration < 12
    assert_whole(call)


def test_a_provider_that_hangs_while_it_should_answer(booking):
    hang_up = at(10.0, lambda session: session.end("hung_up"))
    call = run(booking(hang_up, stack=with_llm(Hanging)))
    assert call.end_reason == "hung_up"
    assert call.duration < 15
    assert [entry.role for entry in call.transcript] == ["assistant", "user"]
    assert_whole(call)


def test_a_provider_that_never_gets_ready_ends_the_call_by_itself(booking):
    call = run(booking(stack=with_llm(Deaf)))
    assert call.end_reason == "error"
    assert "Deaf did not get ready" in str(call.error)
    assert call.duration < 15
    assert_whole(call)


def test_a_hang_up_while_a_provider_never_gets_ready(booking):
    hang_up = at(1.0, lambda session: session.end("hung_up"))
    call = run(booking(hang_up, stack=with_llm(Deaf)))
    assert call.end_reason == "hung_up"
    assert call.duration < 6
    assert_whole(call)


def test_a_session_that_clings_to_life(booking):
    async def create_session(call_id):
        try:
            await booking()(call_id)
        finally:
            await asyncio.sleep(60)  # a clean-up that takes too long

    call = run(create_session, Caller().hears_greeting().hangs_up(), after_call_secs=5)
    assert call.end_reason == "caller_hung_up"
    assert call.duration < 10
    assert call.state == "ended"


def test_an_agent_that_is_done_ends_the_call(booking):
    async def end(session):
        await session.agents[-1].stop(graceful=True)

    tasks = []
    call = run(booking(at(1.0, lambda s: tasks.append(asyncio.ensure_future(end(s))))))
    assert call.end_reason == "agent_ended"
    greeting = call.transcript[0]
    assert not greeting.interrupted
    assert greeting.text.endswith("help?")  # what was queued plays out
    assert_whole(call)


def test_silence_from_both_sides_is_an_idle_timeout():
    async def create_session(call_id):
        agent = VoiceAgent(instructions="x", greeting="Hello.", idle_timeout_secs=5)
        stt, llm, tts = offline_stack()
        await agent.Action(stt=stt, llm=llm, tts=tts, vad=True)
        await agent.start()

    call = run(create_session, Caller().hears_greeting().waits(60))
    assert call.end_reason == "idle_timeout"
    assert 5 < call.duration < 10
    assert_whole(call)


KILLED = """
import sys, time
sys.path.insert(0, {here!r})
from piopiy_lab import Caller, VoiceAgent, offline_stack, start_call

async def create_session():
    agent = VoiceAgent(instructions="x", greeting="Hello, this is the booking desk.")
    stt, llm, tts = offline_stack()
    await agent.Action(stt=stt, llm=llm, tts=tts, vad=True)
    await agent.start()

call = start_call(create_session, Caller().hears_greeting().waits(60), record={folder!r})
# what is on disk is about 1 s behind
while not call.transcript or call.duration < call.transcript[0].start + 2.5:
    assert call.state != "ended", call.raise_for_error()
    time.sleep(0.02)
print("speaking", flush=True)
time.sleep(60)
"""


def test_a_killed_process_loses_no_more_than_the_last_moment(tmp_path):
    from piopiy_lab import Call

    folder = tmp_path / "killed"
    code = KILLED.format(here=str(Path(__file__).parent), folder=str(folder))
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "speaking\n"
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    call = Call.load(folder)
    assert call.end_reason is None
    assert call.transcript[0].text.startswith("Hello, this is")
    assert call.recording.duration > 1.0
    assert call.recording.agent.any()
