"""What travels to workers, what can't and is named, and workers that are not as this process."""

from __future__ import annotations

import asyncio
import multiprocessing
import pickle
import re
import socket
import sqlite3
import sys
import threading
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor

import httpx
import pytest
from live_calls import desk
from tone_voice import ToneTTS

from piopiy_lab import Caller, Voice, offline_stack, simulate_many
from piopiy_lab.errors import (
    ArgumentError,
    ArgumentTypeError,
    IncompatibleVersionError,
    MissingExtraError,
)
from piopiy_lab.experiments.running import parcel, travelling
from piopiy_lab.experiments.running.parcel import unpacked
from piopiy_lab.experiments.running.travelling import as_bytes
from piopiy_lab.experiments.running.work import Work
from piopiy_lab.experiments.running.worker import run as run_here
from piopiy_lab.voicing import preparing

SHORT = Caller().hears_greeting()


def many(session, callers, executor, **told):
    return asyncio.run(simulate_many(session, callers, executor=executor, **told))


def refused(session, **work):
    with pytest.raises(ArgumentError) as raised:
        as_bytes(Work(session, **{"callers": {"a": SHORT}, **work}))
    return str(raised.value)


def test_a_lock_two_functions_away_is_named_with_the_way_to_it():
    lock = threading.Lock()

    def lookup():
        return lock.locked()

    async def create_session(call_id):
        lookup()

    said = refused(create_session)
    assert "lock (_thread.lock), used in create_session() -> lookup()" in said
    assert "Make it inside of the session" in said
    assert "executor=0" in said


def test_a_socket_a_database_and_what_an_object_holds_are_named():
    wire = socket.socket()

    class Desk:
        def __init__(self):
            self.db = sqlite3.connect(":memory:")

        async def __call__(self, call_id):
            self.db.execute("select 1")
            wire.send(b"")

    session = Desk()
    try:
        said = refused(session)
    finally:
        wire.close()
        session.db.close()
    assert "Desk.db (sqlite3.Connection)" in said
    assert "wire (socket.socket)" in said


def refused_with(thing):
    """What is said of a session that uses ``client``, which is the thing."""
    client = thing

    async def create_session(call_id):
        client.get()

    return refused(create_session)


def test_a_variable_is_named_and_not_what_it_is_made_of():
    with httpx.Client() as client:
        said = refused_with(client)
    assert re.search(
        r": client \(httpx\.Client\), because of its _cookies\S* \(.*Lock\), used", said
    )
    assert said.count("because of its") == 1
    with ThreadPoolExecutor(1) as pool:
        said = refused_with(pool)
    assert ": client (concurrent.futures.thread.ThreadPoolExecutor), because of its _work" in said
    assert "Condition" not in said
    said = refused_with([1, {"mine": threading.Lock()}])
    assert ": client (list), because of its [1]['mine'] (_thread.lock), used in create_ses" in said
    assert "Make it inside of the session" in said


def test_several_variables_have_a_line_each():
    one, other = threading.Lock(), [threading.Lock()]

    async def create_session(call_id):
        one.acquire()
        other[0].acquire()

    assert refused(create_session).splitlines()[1:3] == [
        "  one (_thread.lock), used in create_session()",
        "  other (list), because of its [0] (_thread.lock), used in create_session()",
    ]


@pytest.mark.parametrize("mode", ["w", "a", "w+", "a+", "r+"])
def test_a_file_that_is_open_for_writing_is_refused(tmp_path, mode):
    path = tmp_path / "log.txt"
    path.write_text("so far")
    with path.open(mode) as file:
        said = refused_with(file)
    assert ": client (_io.TextIOWrapper, open for writing), used in create_session()" in said


def test_a_file_that_is_only_read_travels_as_what_is_in_it(tmp_path):
    path = tmp_path / "prompt.txt"
    path.write_text("Be brief.")
    with path.open() as file:

        def prompt(call):
            return file.read()

        work = Work(desk, {"a": SHORT}, checks={"prompt": prompt})
        assert unpacked(as_bytes(work)).checks["prompt"](None) == "Be brief."


def test_a_check_and_a_voice_that_cannot_travel_are_named_by_what_they_are():
    lock = threading.Lock()

    def short_enough(call):
        with lock:
            return call.duration < 60

    said = refused(desk, checks={"short": short_enough})
    assert "lock (_thread.lock), used in the check 'short'" in said


def test_without_cloudpickle_what_has_a_name_travels_and_the_rest_says_what_is_needed(monkeypatch):
    monkeypatch.setattr(travelling, "_by_value", lambda: None)
    work = Work(desk, {"a": SHORT})
    assert unpacked(as_bytes(work)).create_session is desk

    async def inner(call_id):
        pass

    with pytest.raises(MissingExtraError, match=r"inner\(\) travels .*piopiy-lab\[many\]"):
        as_bytes(Work(inner, {"a": SHORT}))
    module = sys.modules["__main__"]
    monkeypatch.setattr(desk, "__module__", "__main__")
    monkeypatch.setattr(module, "desk", desk, raising=False)
    with pytest.raises(MissingExtraError, match="a notebook or a script"):
        as_bytes(work)


def test_a_caller_whose_voice_has_spoken_travels_with_what_it_said(monkeypatch):
    caller = Caller(Voice(ToneTTS)).hears_greeting().says("a table for two")
    preparing.forget()
    here = many(desk, {"a": caller}, 0)
    asked = []

    def off_loop(work):
        asked.append(work)
        return speak(work)

    speak = preparing._off_loop
    preparing.forget()
    monkeypatch.setattr(preparing, "_off_loop", off_loop)
    there = many(desk, {"a": caller}, 1, repeat=1)
    assert here.rows == there.rows
    assert len(asked) == 1, "spoken once, here"
    prepared = preparing.prepared(caller)
    again = pickle.loads(pickle.dumps(prepared))
    assert preparing.prepared(again) is again
    assert preparing.prepared(again.says("thank you")) is not again
    assert len(asked) == 2


class Elsewhere(Executor):
    """A worker on another machine: it sees no file of this one, and holds what it was given."""

    def __init__(self, monkeypatch, **versions):
        self.given, self.pool = [], ProcessPoolExecutor(1, multiprocessing.get_context("spawn"))
        self.versions = versions

    def submit(self, fn, /, *args, **kwargs):
        if fn is not run_here:
            return self.pool.submit(fn, *args)
        given, job = args
        self.given.append(given)
        changed = tuple({**dict(given.versions), **self.versions}.items())
        there = parcel.Parcel(given.digest, "/nowhere", "/nowhere", changed, given.blob)
        return self.pool.submit(fn, there, job)

    def shutdown(self, wait=True, *, cancel_futures=False):
        self.pool.shutdown(wait, cancel_futures=cancel_futures)


def test_a_worker_that_sees_no_file_is_sent_the_work_once(monkeypatch):
    with Elsewhere(monkeypatch) as executor:
        calls = many(desk, {"a": SHORT}, executor, repeat=30)
    assert calls.rows == many(desk, {"a": SHORT}, 0, repeat=30).rows
    sent = [one for one in executor.given if one.blob is not None]
    assert 1 <= len(sent) <= 8, "those that were on their way before anything was known of it"


def test_a_worker_of_other_versions_is_named_with_both(monkeypatch):
    with (
        Elsewhere(monkeypatch, **{"pipecat-ai": "0.9"}) as executor,
        pytest.raises(IncompatibleVersionError, match=r"pipecat-ai 1\.14.* \(there is 0\.9\)"),
    ):
        many(desk, {"a": SHORT}, executor)


class Without(Executor):
    """A worker that can't import this package."""

    def submit(self, fn, /, *args, **kwargs):
        future = Future()
        future.set_exception(ModuleNotFoundError("No module named 'piopiy_lab'"))
        return future


def test_a_worker_without_the_package_says_what_to_install():
    with pytest.raises(IncompatibleVersionError, match=r"No module named.*install\s+piopiy-lab"):
        many(desk, SHORT, Without())


def test_services_and_cassettes_of_one_call_are_refused_for_many(tmp_path):
    from piopiy_lab.cassette import open_cassette

    _, llm, _ = offline_stack()
    with pytest.raises(ArgumentError, match=r"a function that makes one.*lambda: RuleLLMService"):
        many(desk, SHORT, 0, replace={"llm": llm})
    with pytest.raises(ArgumentError, match="a function that makes one"):
        many(desk, SHORT, 0, replace=offline_stack())
    with pytest.raises(ArgumentTypeError, match="a Cassette is one call's"):
        many(desk, SHORT, 0, cassette=open_cassette(tmp_path / "one"))
