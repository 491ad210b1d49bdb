"""Calls on a Dask cluster: the same rows, and one that hangs or dies is a row there too.

The cluster is as by hand: a scheduler and two workers as processes of their own, on loopback.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import signal
import subprocess
import sys
from importlib.util import find_spec

import pytest
from live_calls import desk

from piopiy_lab import Caller, simulate_many
from piopiy_lab.errors import ArgumentError, ArgumentTypeError, SimulationError

SHORT = Caller().hears_greeting()
BOOKS = SHORT.says("a table for two tomorrow at seven").hears_reply()


def many(session, callers, executor, **told):
    return asyncio.run(simulate_many(session, callers, executor=executor, **told))


@pytest.fixture(scope="module")
def distributed():
    if find_spec("distributed") is None:
        if os.environ.get("PIOPIY_LAB_REQUIRE") == "all":
            pytest.fail("no distributed: pip install 'piopiy-lab[test]'")
        pytest.skip("no distributed: pip install 'piopiy-lab[test]'")
    import distributed

    return distributed


def start(*command):
    return subprocess.Popen(
        [sys.executable, "-m", *command],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )


@pytest.fixture(scope="module")
def client(distributed, tmp_path_factory):
    """A client of a scheduler and two workers, as somebody starts them on three machines."""
    folder = tmp_path_factory.mktemp("dask")
    where = folder / "scheduler.json"
    common = ("--scheduler-file", str(where), "--no-dashboard")
    started = [
        start("distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0", *common)
    ]
    try:
        for name in ("one", "two"):
            options = ("--name", name, "--nthreads", "1", "--no-nanny", "--host", "127.0.0.1")
            local = ("--local-directory", str(folder / name))
            started.append(start("distributed.cli.dask_worker", *options, *local, *common))
        with distributed.Client(scheduler_file=str(where), timeout=30) as made:
            made.wait_for_workers(2, timeout=30)
            yield made
    finally:
        for process in reversed(started):
            process.kill()  # a worker that is asked takes its time to say goodbye
        for process in started:
            process.wait(timeout=20)


def test_the_rows_of_a_cluster_are_those_of_this_process(client):
    executor = client.get_executor(pure=False)
    cold = many(desk, {"anna": BOOKS, "bo": SHORT}, executor, repeat=2)
    warm = many(desk, {"anna": BOOKS, "bo": SHORT}, executor, repeat=2)
    assert cold.rows == warm.rows == many(desk, {"anna": BOOKS, "bo": SHORT}, 0, repeat=2).rows
    assert len({row.worker for row in cold}) == 2
    assert cold["anna", 1].recording.shape[0] > 24000


def sleeps():
    import time  # the real one

    time.sleep(999)


def killed():
    os.kill(os.getpid(), signal.SIGKILL)


def raises():
    raise LookupError("no such table")


def leaves():
    sys.exit(3)


def faulty(fault):
    async def session(call_id):
        if call_id == "a-2":
            fault()
        await desk(call_id)

    return session


@pytest.mark.parametrize(
    ("fault", "kind", "said"),
    [
        (sleeps, "hung", "test_cluster.py, line"),
        (killed, "died", "killed by SIGKILL"),
        (raises, "raised", "LookupError: no such table (test_cluster.py, line"),
        (leaves, "raised", "SystemExit: 3, raised at test_cluster.py, line"),
    ],
)
def test_one_bad_call_costs_no_other_and_no_worker(client, fault, kind, said):
    executor = client.get_executor(pure=False)
    before = set(client.scheduler_info()["workers"])
    calls = many(faulty(fault), {"a": SHORT}, executor, repeat=4, still_secs=6)
    assert [row.kind for row in calls] == ["passed", kind, "passed", "passed"]
    assert said in str(calls[1].error)
    assert set(client.scheduler_info()["workers"]) == before


def test_a_module_that_only_this_machine_has_is_named_with_the_way_to_send_it(
    client, tmp_path, monkeypatch
):
    (tmp_path / "my_own_agent.py").write_text("from live_calls import desk as theirs\n\n\n"
        "async def create_session(call_id):\n    await theirs(call_id)\n")  # fmt: skip
    monkeypatch.syspath_prepend(tmp_path)
    session = importlib.import_module("my_own_agent").create_session
    executor = client.get_executor(pure=False)
    with pytest.raises(SimulationError, match=r"my_own_agent.*client\.upload_file"):
        many(session, SHORT, executor)
    client.upload_file(str(tmp_path / "my_own_agent.py"))
    assert many(session, SHORT, executor)[0].passed


def test_a_client_is_not_its_executor_and_a_closed_one_takes_nothing(distributed, client):
    with pytest.raises(ArgumentTypeError, match=r"client\.get_executor\(pure=False\)"):
        many(desk, SHORT, client)
    other = distributed.Client(client.scheduler.address)
    executor = other.get_executor(pure=False)
    other.close()
    with pytest.raises(ArgumentError, match="give one that is open"):
        many(desk, SHORT, executor)
