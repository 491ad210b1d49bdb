"""``piopiy-lab serve module:create_session``: serve calls from the phone until told to stop.

This is the one place that takes signals: the first SIGTERM, SIGHUP or Ctrl-C lets running calls
drain, a second one ends them.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import importlib.util
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from piopiy_lab.checks.texts import described
from piopiy_lab.cli.terminal import Terminal
from piopiy_lab.display.user_traceback import user_place
from piopiy_lab.errors import ArgumentError, SignalingError

ID_VARIABLE, TOKEN_VARIABLE = "PIOPIY_AGENT_ID", "PIOPIY_AGENT_TOKEN"
URL_VARIABLE, REST_VARIABLE = "PIOPIY_SIGNALING_URL", "PIOPIY_REST_URL"


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
    quiet: bool = False


def serve(terminal: Terminal, options: ServeOptions) -> int:
    """Serve calls; returns the exit code: 0 it was told to stop, 1 signalling failed."""
    create_session = load_session(options.session)
    agent_id = options.agent_id or os.environ.get(ID_VARIABLE, "")
    if not agent_id:
        raise ArgumentError(f"no agent id: set {ID_VARIABLE}, or give --agent-id")
    from piopiy_lab.agent import Agent

    agent = Agent(
        agent_id,
        _token(options.token_file),
        create_session,
        signaling_url=options.signaling_url or os.environ.get(URL_VARIABLE) or None,
        debug=not options.quiet,
        max_sessions=options.max_sessions,
        record=options.record or False,
        keep_calls=0,
        rest_url=options.rest_url or os.environ.get(REST_VARIABLE) or None,
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


def _token(file: Path | None) -> str:
    """Read the token; not from the command line, where every user of the machine can see it."""
    if file is None:
        token = os.environ.get(TOKEN_VARIABLE, "")
        if not token.strip():
            raise ArgumentError(f"no agent token: set {TOKEN_VARIABLE}, or give --token-file FILE")
        return token
    try:
        token = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ArgumentError(f"the token file {file} can't be read: {error}") from error
    if not token:
        raise ArgumentError(f"the token file {file} is empty")
    return token


def load_session(place: str) -> Any:
    """Return the session callback that ``module:function`` or ``path.py:function`` names.

    Raises:
        ArgumentError: There is none of that name, or the module exits when it is imported; what it
            raises otherwise is passed on.
    """
    where, _, name = place.rpartition(":")
    if not where or not name.isidentifier():
        raise ArgumentError(f"{place!r}: give module:function, my_agent:create_session say")
    try:
        module = _import(where)
    except SystemExit as error:
        raise ArgumentError(
            f"{where} exits when it is imported ({described(error)}, {user_place(error)}): put "
            'what only a script should do under if __name__ == "__main__":'
        ) from error
    try:
        return getattr(module, name)
    except AttributeError:
        raise ArgumentError(f"{where} has no {name!r}") from None


def _import(where: str) -> object:
    """Import a module by its name, or from its file."""
    if where.endswith(".py"):
        path = Path(where).resolve()
        if not path.is_file():
            raise ArgumentError(f"there is no file {where}")
        sys.path.insert(0, str(path.parent))
        spec = importlib.util.spec_from_file_location(path.stem, path)
        if spec is None or spec.loader is None:
            raise ArgumentError(f"{where} is no Python file")
        module = sys.modules[path.stem] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module
    sys.path.insert(0, os.getcwd())
    try:
        return importlib.import_module(where)
    except ModuleNotFoundError as error:
        if error.name is None or not (where == error.name or where.startswith(error.name + ".")):
            raise  # something that the module itself imports
        raise ArgumentError(
            f"there is no module {where!r} here ({os.getcwd()}); give module:function, or "
            "path/to/file.py:function"
        ) from None
