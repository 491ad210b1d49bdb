"""A server of somebody else's (JupyterLab, marimo) that runs for the tests, on 127.0.0.1 only."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]
#: Seconds for anything in the browser; a kernel's first import of pipecat is the slowest.
TIMEOUT_SECS = 30.0


class LocalServer:
    """A server's process: started, waited for, and ended with its children by pid."""

    def __init__(
        self, name: str, port: int, folder: Path, command: list[str], own: Mapping[str, str]
    ) -> None:
        """Start it and wait until it answers.

        Args:
            name: What it is called in an error.
            port: Where it listens.
            folder: Where its log goes.
            command: The module that is run, and its arguments.
            own: Its environment, beside this process's.
        """
        self.port = port
        log = folder / "server.log"
        paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        with log.open("wb") as file:
            self._process = subprocess.Popen(
                [sys.executable, "-m", *command],
                stdout=file, stderr=file, stdin=subprocess.DEVNULL,
                env={**os.environ, **own, "PYTHONPATH": os.pathsep.join(paths),
                     "NO_PROXY": "127.0.0.1"},
                start_new_session=True,
                preexec_fn=_end_with_parent,
            )  # fmt: skip
        try:
            if not self._answers_in_time():
                raise RuntimeError(f"{name} did not start:\n{log.read_text()[-3000:]}")
        except BaseException:
            self.stop()
            raise

    def ask(self) -> None:
        """Ask for anything; raises while it does not answer."""
        raise NotImplementedError

    def _answers_in_time(self) -> bool:
        deadline = time.monotonic() + TIMEOUT_SECS
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                self.ask()
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.1)  # nothing tells when it listens
            else:
                return True
        return False

    def stop(self) -> None:
        """Stop the server and with it its kernels."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)  # its own session: only its children
                self._process.wait(5)


def free_port() -> int:
    """Return a port on which nobody listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def _end_with_parent() -> None:
    """Let the server end when the test run is killed; Linux only, runs in the new process."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG
