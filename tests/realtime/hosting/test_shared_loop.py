"""Live calls that share a loop: who holds it is named and left behind; the others go on."""

from __future__ import annotations

import asyncio
import gc
import importlib
import subprocess
import sys
import threading
import time
from collections import Counter
from importlib.resources import files

import onnxruntime
import pytest
from wait_until import wait_until

from piopiy_lab import Caller, events, start_call
from piopiy_lab.errors import UnresponsiveError
from piopiy_lab.hosting.live_call import Patience
from piopiy_lab.session.session import current_session

SHORT = Caller().hears_greeting().hangs_up()


def at(moment, do):
    """Return a hook that does something ``moment`` seconds into the call."""

    def during(agent):
        asyncio.get_running_loop().call_later(moment, do, current_session())

    return during


def notices(call):
    return [event.message for event in call.events if isinstance(event, events.NoticeGiven)]


def test_a_blocked_loop_is_noticed_named_and_left_behind(no_leftovers, booking):
    go_on = threading.Event()

    def block(session):
        go_on.wait(90)  # what a blocking database client does

    call = start_call(booking(at(1.0, block)), Caller().hears_greeting().waits(30))
    call.join(60)
    assert not go_on.is_set()  # the loop is still blocked
    go_on.set()
    assert call.end_reason == "unresponsive"
    assert isinstance(call.error, UnresponsiveError)
    assert "test_shared_loop.py" in str(call.error)
    assert "go_on.wait(90)" in str(call.error)

    second = start_call(booking(), SHORT)  # on a fresh loop
    second.join(60)
    assert second.end_reason == "caller_hung_up"


def test_full_collections_are_short_while_calls_are_live(booking):
    gc.unfreeze()
    began = threading.Event()
    counts = []

    def during(agent):
        counts.append(gc.get_freeze_count())
        began.set()

    one, two = (start_call(booking(during), Caller().hears_greeting().waits(2)) for _ in range(2))
    began.wait(30)
    one.hang_up()
    one.join(30)
    assert gc.get_freeze_count() > counts[0] * 0.99 > len(gc.get_objects())
    two.join(60)
    wait_until(lambda: gc.get_freeze_count() == 0, secs=5)


def test_a_loop_that_imports_for_long_is_not_blocked(booking, tmp_path, monkeypatch):
    """The first call of a process imports half of pipecat on the loop, and a busy machine waits."""
    (tmp_path / "takes_long.py").write_text("import time\ntime.sleep(4.5)\n")
    monkeypatch.syspath_prepend(tmp_path)

    def load(session):
        importlib.import_module("takes_long")

    call = start_call(booking(at(0.5, load)), SHORT)
    call.join(60)
    assert call.end_reason == "caller_hung_up"


def test_a_loop_that_reads_a_model_for_long_is_not_blocked(booking, monkeypatch):
    """So does onnxruntime where the models are read, and several calls may do so at once."""
    read = onnxruntime.InferenceSession._create_inference_session

    def slowly(self, *args, **kwargs):
        read(self, *args, **kwargs)
        time.sleep(4.5)  # the loop is held, as by a slow disk

    slowly.__code__ = slowly.__code__.replace(co_name=read.__name__)
    model = files("pipecat.audio.vad.data") / "silero_vad.onnx"

    def load(session):
        monkeypatch.setattr(onnxruntime.InferenceSession, read.__name__, slowly)
        onnxruntime.InferenceSession(str(model))
        monkeypatch.undo()

    call = start_call(booking(at(0.5, load)), SHORT)
    call.join(60)
    assert call.end_reason == "caller_hung_up"


def test_live_calls_leave_no_task_and_no_thread(no_leftovers, booking):
    from piopiy_lab.hosting import loop_thread

    caller = SHORT
    calls = [start_call(booking(), caller) for _ in range(3)]
    for call in calls:
        call.join(60)
        assert call.end_reason == "caller_hung_up"
        assert len(call.transcript) == 1  # several calls at once do not see each other

    def left():  # a call is over a moment before the last of its tasks
        tasks = asyncio.all_tasks(loop_thread.shared().loop)
        return [task for task in tasks if not task.done()]

    wait_until(lambda: not left(), 5.0, left)


def test_twenty_calls_that_begin_at_once_are_slow_and_all_live(booking):
    patient = Caller().hears_greeting(timeout=60).hangs_up()
    calls = [start_call(booking(), patient, record=False) for _ in range(20)]
    for call in calls:
        call.join(120)
    assert Counter(call.end_reason for call in calls) == {"caller_hung_up": 20}
    assert not [notice for call in calls for notice in notices(call)]


def test_who_shares_the_loop_with_a_call_that_holds_it_goes_on(no_leftovers, booking):
    def hold(session):
        time.sleep(5)

    other = start_call(booking(), Caller().hears_greeting().waits(8).hangs_up())
    call = start_call(booking(at(2.0, hold)), Caller().hears_greeting().waits(30))
    call.join(60)
    other.join(60)
    assert call.end_reason == "unresponsive"
    assert "time.sleep(5)" in str(call.error)
    assert other.end_reason == "caller_hung_up"


def test_a_call_that_loads_for_long_before_it_listens_is_slow_and_says_why(booking):
    session = booking()

    async def create_session(call_id):
        time.sleep(6)  # noqa: ASYNC251 - a model that is read
        await session(call_id)

    call = start_call(create_session, SHORT)
    call.join(60)
    assert call.end_reason == "caller_hung_up"
    assert any("slow to begin" in said and "time.sleep(6)" in said for said in notices(call))


def test_how_long_a_call_may_stand_still():
    patience = Patience()
    assert patience.with_call(own=True, listening=True) < 5  # a blocked call ends within 5 s
    assert patience.with_call(own=True, listening=False) > 60
    for listening in (False, True):
        assert patience.with_call(own=False, listening=listening) > 10


@pytest.mark.parametrize("vad", ["vad=True", ""])  # without, the stand-in brings a detector
def test_a_live_call_imports_and_loads_nothing_on_its_loop(vad):
    code = """
import asyncio, sys, threading
from piopiy_lab import Caller, VoiceAgent, offline_stack, start_call
import onnxruntime, piopiy_lab.offline.decoders as decoders

async def create_session():
    services = offline_stack()
    agent = VoiceAgent(instructions="x", greeting="Hello.")
    loop = threading.current_thread()

    def watch(function):
        def watched(*args, **kwargs):
            assert threading.current_thread() is not loop, function
            return function(*args, **kwargs)
        return watched

    onnxruntime.InferenceSession = watch(onnxruntime.InferenceSession)
    decoders._new_decoder = watch(decoders._new_decoder)
    assert "openai" in sys.modules
    await agent.Action(**dict(zip(("stt", "llm", "tts"), services)), VAD)
    await agent.start()

call = start_call(create_session, Caller().hears_greeting().hangs_up())
call.join(60)
call.raise_for_error()
print(call.end_reason)
"""
    code = code.replace("VAD", vad)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.endswith("caller_hung_up\n"), done.stdout + done.stderr


@pytest.mark.parametrize("where", ["task", "callback"])
def test_a_call_that_exits_ends_alone(booking, where):
    """Both calls are on one loop, which asyncio would let ``sys.exit()`` stop."""

    async def leave():
        sys.exit(7)

    leaving = []

    def during(session):
        if where == "callback":
            sys.exit(7)
        leaving.append(asyncio.create_task(leave()))

    innocent = start_call(booking(), Caller().hears_greeting().waits(2).hangs_up())
    guilty = start_call(booking(at(0.5, during)), Caller().hears_greeting().waits(30))
    assert guilty.join(30).end_reason == "error"
    assert "test_shared_loop.py" in str(guilty.error)
    assert "sys.exit(7)" in str(guilty.error)
    assert innocent.join(30).end_reason == "caller_hung_up"
    third = start_call(booking(), SHORT)  # the loop takes calls as before
    assert third.join(30).end_reason == "caller_hung_up"
