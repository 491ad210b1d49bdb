"""What ends a script in the middle of many calls ends the processes that make them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest
from wait_until import wait_until

SCRIPT = """
import asyncio
from live_calls import desk
from piopiy_lab import Caller, simulate_many
from piopiy_lab.experiments.running import processes

if "own" in {argv!r}:
    processes.find_spec = lambda name: None
caller = Caller().hears_greeting().says("a table for two").hears_reply()
told = dict(repeat=200, executor=2, on_call=lambda row: print(row.call_id, flush=True))
asyncio.run(simulate_many(desk, caller, **told))
"""


@pytest.mark.parametrize("pool", ["loky", "own"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_no_process_is_left(pool, number):
    import psutil  # ipykernel needs it

    script = subprocess.Popen(
        [sys.executable, "-c", SCRIPT.format(argv=[pool])],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        start_new_session=True,  # so that a Ctrl-C reaches all of them, as in a terminal
    )
    try:
        assert script.stdout is not None
        assert script.stdout.readline().startswith("caller-1-")
        workers = psutil.Process(script.pid).children(recursive=True)
        assert len(workers) >= 2
        if number == signal.SIGINT:
            os.killpg(script.pid, number)
        else:
            script.kill()
        _, errors = script.communicate(timeout=20)
    finally:
        script.kill()
    assert script.returncode == -number
    assert number == signal.SIGKILL or errors.rstrip().endswith("KeyboardInterrupt")

    def gone():
        alive = [one for one in workers if one.is_running()]
        return all(one.status() == psutil.STATUS_ZOMBIE for one in alive)

    wait_until(gone, 10, lambda: f"left: {workers}")
