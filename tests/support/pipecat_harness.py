"""pipecat's own eval harness as it comes: its server, a real WebSocket, the wall clock."""

from __future__ import annotations

import asyncio
import socket
import warnings
from pathlib import Path

from pipecat.evals.scenario import EvalScenarioFile
from pipecat.evals.session import EvalSession, EvalSessionParams
from pipecat.runner.types import EvalRunnerArguments

#: Seconds that a bot gets to listen, and to end when its session is over.
PATIENCE = 20.0


def verdict_of(result):
    """What a result says that is no time and no wording: each turn, and how it failed."""
    return [
        (
            turn.status,
            [(one.event_name, one.passed, one.matched) for one in turn.expectations],
            [(failure.event_name, failure.kind) for failure in turn.failures],
        )
        for turn in result.turns
    ]


async def by_pipecat(path: Path, bot, timeout_secs: float = 60.0):
    """Run each scenario of a file as ``pipecat eval run`` does, against a bot of its own.

    pipecat's newer transport for this needs FastAPI; its older one is a server, and speaks the
    same. Returns pipecat's results by the scenarios' names.
    """
    params = EvalSessionParams(
        use_cache=False,
        connect_timeout_s=PATIENCE,
        default_timeout_ms=round(timeout_secs * 1000),
    )
    results = {}
    for scenario in EvalScenarioFile.load(path):
        port = _free_port()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            arguments = EvalRunnerArguments(host="127.0.0.1", port=port)
        running = asyncio.create_task(bot(arguments))
        try:
            address = f"ws://127.0.0.1:{port}"
            session = EvalSession.from_scenario(scenario, address, params=params)
            results[scenario.name] = await session.run()
        finally:
            done, _ = await asyncio.wait((running,), timeout=PATIENCE)
            running.cancel()
        for task in done:
            task.result()  # the bot's own error says more than a refused connection
    return results


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]
