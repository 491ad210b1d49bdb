"""``piopiy-lab serve module:create_session``: serve calls from the phone until told to stop.

This is the one place that takes signals: the first SIGTERM, SIGHUP or Ctrl-C lets running calls
drain, a second one ends them.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from piopiy_lab.cli import account
from piopiy_lab.cli.sessions import load_session
from piopiy_lab.cli.terminal import Terminal
from piopiy_lab.errors import ArgumentError, SignalingError
from piopiy_lab.telephony.signalling.links import check_url


@dataclass(frozen=True)
class ServeOptions:
    """What the command line says; None where the environment is asked."""

    session: str  # "module:function" or "path.py:function"
    agent_id: str | None = None
    token_file: Path | None = None
    signaling_url: str | None = None
    rest_url: str | None = None
    max_sessions: int | None = None
    grace: float = 30.0  # seconds that calls get to drain
    record: Path | None = None
    cassette: bool = False
    quiet: bool = False


def serve(terminal: Terminal, options: ServeOptions) -> int:
    """Serve calls; returns the exit code: 0 it was told to stop, 1 signalling failed."""
    create_session = load_session(options.session)
    agent_id = options.agent_id or account.agent_id()
    if not agent_id:
        raise ArgumentError(f"no agent id: set {account.ID_VARIABLE}, or give --agent-id")
    url = options.signaling_url or account.signaling_url()
    if url is not None:
        check_url(url)
    from piopiy_lab.agent import Agent

    agent = Agent(
        agent_id,
        _token(options.token_file, url),
        create_session,
        signaling_url=url,
        debug=not options.quiet,
        max_sessions=options.max_sessions,
        record=options.record or False,
        cassette=options.cassette,
        keep_calls=0,
        rest_url=options.rest_url or account.rest_url(),
    )
    try:
        asyncio.run(_serve(terminal, agent, options.grace))
    except SignalingError as error:
        Terminal(sys.stderr).line(f"piopiy-lab serve: {error}")
        return 1
    return 0


async def _serve(terminal: Terminal, agent: Any, grace: float) -> None:
    loop = asyncio.get_running_loop()
    asked = 0
    stopping: set[asyncio.Task[None]] = set()

    def stop() -> None:
        nonlocal asked
        asked += 1
        running = agent.sessions.running
        if asked == 1 and running:
            terminal.line(f"draining {running} call(s) for up to {grace:g} s; again ends them now")
        stopping.add(loop.create_task(agent.shutdown(grace=grace if asked == 1 else 0.0)))

    with _signals(loop, stop):
        terminal.line(f"{agent!r}")
        await agent.connect()
    await asyncio.gather(*stopping)
    sessions = agent.sessions
    terminal.line(f"stopped: {sessions.started} call(s) served, {sessions.failed} failed")


#: What tells it to stop; SIGHUP when the terminal it was started from is closed.
_STOPS = ("SIGINT", "SIGTERM", "SIGHUP")


@contextlib.contextmanager
def _signals(loop: asyncio.AbstractEventLoop, stop: Callable[[], None]):
    names = [getattr(signal, name) for name in _STOPS if hasattr(signal, name)]
    try:
        for name in names:
            loop.add_signal_handler(name, stop)
    except NotImplementedError:  # Windows: its loops take no signals
        before = {
            name: signal.signal(name, lambda *_: loop.call_soon_threadsafe(stop)) for name in names
        }
        try:
            yield
        finally:
            for name, handler in before.items():
                signal.signal(name, handler)
        return
    try:
        yield
    finally:
        for name in names:
            loop.remove_signal_handler(name)


def _token(file: Path | None, url: str | None) -> str:
    """Read the token; not from the command line, where every user of the machine can see it."""
    if file is None:
        if not (token := account.token(url)):
            name = account.token_variables(url)[0]
            raise ArgumentError(f"no agent token: set {name}, or give --token-file FILE")
        return token
    try:
        token = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ArgumentError(f"the token file {file} can't be read: {error}") from error
    if not token:
        raise ArgumentError(f"the token file {file} is empty")
    return token
