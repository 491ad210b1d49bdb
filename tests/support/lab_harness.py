"""A real JupyterLab in a real Chromium, for tests of what a notebook shows and does.

The fixtures are in ``conftest.py``; a test of a widget looks like this::

    def test_the_panel_shows_the_transcript(open_notebook):
        notebook = open_notebook("from piopiy_lab import ...", "call = start_call(...)")
        notebook.run(0)
        notebook.run(1)                                  # returns when the cell has run
        panel = notebook.output(1).locator(".my-panel")  # a Playwright locator
        panel.get_by_role("button", name="Hang up").click()
        assert notebook.value("call.end_reason") == "hung_up"   # asks the kernel
        notebook.screenshot("panel.png", of=panel)

One server serves the whole run (session scope), one browser each test module: Playwright's loop
counts as running on the test's thread until it is stopped, and other modules call asyncio.run().
Everything listens on 127.0.0.1, lives in a temporary folder, and is stopped by pid.

The ``screenshots`` fixture is the folder in the environment variable PIOPIY_LAB_SCREENSHOTS, so
that you can look at them; without it, the test's temporary folder.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from local_server import TIMEOUT_SECS, LocalServer, free_port

#: Not "/": what works here works behind a proxy such as JupyterHub's.
BASE_URL = "/hub/user-1/"
#: A name that the browser takes to 127.0.0.1 and that, unlike "localhost", is no secure context.
INSECURE_HOST = "insecure.test"


def missing_parts() -> str | None:
    """Say what these tests need and this machine lacks; None if it is all there."""
    if find_chromium() is None:
        return "Chromium is missing: apt-get install chromium"
    try:
        import jupyterlab  # noqa: F401
        import playwright  # noqa: F401
    except ImportError as error:
        return f"{error}: pip install playwright 'piopiy-lab[jupyter]'"
    return None


def expect(locator: Any) -> Any:
    """Return Playwright's assertions on a locator; where Playwright is missing, nobody asks."""
    from playwright.sync_api import expect as assertions

    return assertions(locator)


def find_chromium() -> str | None:
    """Return the path of Chromium or Chrome."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return next((path for name in names if (path := shutil.which(name))), None)


class LabServer(LocalServer):
    """A ``jupyter lab`` of its own, with a token and a base URL; xsrf checks are on."""

    def __init__(self, folder: Path) -> None:
        """Start it and wait until it answers.

        Args:
            folder: Where its notebooks, settings and runtime files go.
        """
        self.notebooks = folder / "notebooks"
        self.token = secrets.token_hex(16)
        self._folder = folder
        self.notebooks.mkdir(parents=True)
        self._write_settings()
        port = free_port()
        command = [
            "jupyterlab", "--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1",
            f"--ServerApp.port={port}", "--ServerApp.port_retries=0",
            f"--ServerApp.base_url={BASE_URL}", f"--ServerApp.root_dir={self.notebooks}",
            f"--ServerApp.local_hostnames=['localhost', '{INSECURE_HOST}']",
            "--LabApp.expose_app_in_browser=True", "--LabApp.extension_manager=readonly",
            "--ServerApp.terminals_enabled=False",
        ]  # fmt: skip
        super().__init__("jupyter lab", port, folder, command, self._environment())

    def _environment(self) -> dict[str, str]:
        folder = str(self._folder)
        return {
            "JUPYTER_TOKEN": self.token,  # not on the command line, where others could read it
            "JUPYTER_CONFIG_DIR": f"{folder}/config",
            "JUPYTER_DATA_DIR": f"{folder}/data",
            "JUPYTER_RUNTIME_DIR": f"{folder}/runtime",
            "JUPYTERLAB_SETTINGS_DIR": f"{folder}/settings",
            "JUPYTERLAB_WORKSPACES_DIR": f"{folder}/workspaces",
            "IPYTHONDIR": f"{folder}/ipython",
        }

    def _write_settings(self) -> None:
        quiet = {"fetchNews": "false", "checkForUpdates": False}
        path = (
            self._folder
            / "settings/@jupyterlab/apputils-extension/notification.jupyterlab-settings"
        )
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(quiet))

    def ask(self) -> None:
        """Ask for its status."""
        self.api("status")

    def api(self, path: str) -> Any:
        """Return what the server's REST API answers to a GET."""
        return json.loads(self._request(path, "GET"))

    def _request(self, path: str, method: str) -> bytes:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{BASE_URL}api/{path}",
            headers={"Authorization": f"token {self.token}"},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=10) as response:
            return response.read()

    def end_kernel(self, kernel_id: str) -> None:
        """End a kernel, and with it what runs there."""
        self._request(f"kernels/{kernel_id}", "DELETE")

    def restart_kernel(self, kernel_id: str) -> None:
        """Restart a kernel, as somebody does in mid-call."""
        self._request(f"kernels/{kernel_id}/restart", "POST")

    def url(self, notebook: str, host: str = "127.0.0.1") -> str:
        """Return the address of a notebook in JupyterLab."""
        return f"http://{host}:{self.port}{BASE_URL}lab/tree/{notebook}?token={self.token}&reset"

    def write_notebook(self, name: str, cells: list[str]) -> None:
        """Write a notebook of code cells for the server to open."""
        import nbformat

        book = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell(source) for source in cells],
            metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
        )
        nbformat.write(book, self.notebooks / name)


class Chrome:
    """A headless Chromium whose microphone hears a WAV file.

    Attributes:
        context: Playwright's persistent browser context.
        capture_file: What the microphone hears, looped; write it before the page opens the
            microphone. At first a second of silence.
    """

    def __init__(self, folder: Path) -> None:
        """Start it; its profile and the capture file are in ``folder``."""
        from playwright.sync_api import sync_playwright

        folder.mkdir(parents=True, exist_ok=True)
        self.capture_file = folder / "capture.wav"
        write_capture(self.capture_file, None)
        self._playwright = sync_playwright().start()
        try:
            self.context = self._playwright.chromium.launch_persistent_context(
                str(folder / "profile"),
                executable_path=find_chromium(),
                headless=False,  # the new headless mode has to be asked for by its argument
                args=[
                    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic",
                    "--no-first-run", "--disable-background-networking",
                    "--disable-component-update", "--disable-sync",
                    "--autoplay-policy=user-gesture-required",
                    "--use-fake-device-for-media-stream",
                    f"--use-file-for-fake-audio-capture={self.capture_file}",
                    f"--host-resolver-rules=MAP {INSECURE_HOST} 127.0.0.1",
                ],
                ignore_default_args=["--mute-audio", "--enable-automation"],
                permissions=["microphone"],
                # Not to tests/realtime's sound card, if it is there: PulseAudio keeps up to two
                # seconds for Chromium, so what a page plays would be heard that much later.
                env={k: v for k, v in os.environ.items() if not k.startswith("PULSE_")}
                | {"PULSE_SERVER": "unix:/nonexistent"},
                viewport={"width": 1100, "height": 800},
            )  # fmt: skip
            self.context.set_default_timeout(TIMEOUT_SECS * 1000)
        except BaseException:
            self._playwright.stop()
            raise

    def stop(self) -> None:
        """Close it."""
        self.context.close()
        self._playwright.stop()


class Notebook:
    """A notebook that is open in a page of the browser, with its kernel ready.

    Attributes:
        page: Playwright's page.
        console: What the page wrote on its console as warnings and errors, and uncaught errors.
    """

    def __init__(self, page: Any, url: str) -> None:
        """Open ``url`` in ``page`` and wait for the kernel."""
        self.page = page
        self.url = url
        self.console: list[str] = []
        page.on(
            "console",
            lambda m: self.console.append(m.text) if m.type in ("warning", "error") else None,
        )
        page.on("pageerror", lambda error: self.console.append(f"uncaught: {error}"))
        page.goto(url)
        self._wait_for_kernel()

    def reload(self) -> None:
        """Load the page again, as a user does with F5; the kernel goes on."""
        self.page.reload()
        self._wait_for_kernel()

    def _wait_for_kernel(self) -> None:
        self.page.wait_for_function(
            """() => {
                const panel = window.jupyterapp?.shell?.currentWidget;
                const kernel = panel?.sessionContext?.session?.kernel;
                return panel?.content?.widgets?.length && kernel?.status === 'idle'
                    && kernel.connectionStatus === 'connected';
            }"""
        )

    def run(self, n: int, *, wait: bool = True) -> list[dict[str, Any]]:
        """Run cell ``n`` (from 0) as Shift-Enter does.

        Args:
            n: Which cell.
            wait: Return when it has run; False: at once.

        Returns:
            Its outputs so far, as in nbformat.
        """
        run = "jupyterapp.commands.execute('notebook:run-cell')"
        self.page.evaluate(
            f"""async n => {{
                const notebook = jupyterapp.shell.currentWidget.content;
                notebook.deselectAll();
                notebook.activeCellIndex = n;
                {"await " + run if wait else run + "; return null"}
            }}""",
            n,
        )
        return self.outputs(n)

    def outputs(self, n: int) -> list[dict[str, Any]]:
        """Return the outputs of cell ``n`` as nbformat has them."""
        return self.page.evaluate(
            "n => jupyterapp.shell.currentWidget.content.widgets[n].model.outputs.toJSON()", n
        )

    def text(self, n: int) -> str:
        """Return the text of cell ``n``'s outputs: streams, results and tracebacks."""
        parts = []
        for out in self.outputs(n):
            data = out.get("text", out.get("data", {}).get("text/plain", out.get("traceback", "")))
            parts.append("".join(data) if isinstance(data, list) else data)
        return "".join(parts)

    def output(self, n: int) -> Any:
        """Return a Playwright locator of the output area of cell ``n``, widgets and all."""
        return (
            self.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-Cell")
            .nth(n)
            .locator(".jp-Cell-outputWrapper")
        )

    def execute(self, code: str) -> str:
        """Run code in the kernel, past the cells; return what it printed.

        It takes its turn like a cell, so it waits for a cell that still runs.

        Raises:
            AssertionError: The code raised; with its traceback.
        """
        result = self.page.evaluate(
            """async code => {
                const kernel = jupyterapp.shell.currentWidget.sessionContext.session.kernel;
                const future = kernel.requestExecute({code, store_history: false});
                let text = '', error = null;
                future.onIOPub = message => {
                    if (message.header.msg_type === 'stream') text += message.content.text;
                    if (message.header.msg_type === 'error')
                        error = message.content.traceback.join('\\n');
                };
                await future.done;
                return {text, error};
            }""",
            code,
        )
        assert result["error"] is None, result["error"]
        return result["text"]

    def value(self, expression: str) -> Any:
        """Return an expression's value in the kernel, through JSON."""
        return json.loads(
            self.execute(
                f"import json as _json; print(_json.dumps({expression}, default=repr))"
            ).splitlines()[-1]
        )

    def wait_for(self, expression: str, timeout: float = TIMEOUT_SECS) -> Any:
        """Wait until an expression is true in the kernel, and return it.

        Raises:
            AssertionError: It was not in ``timeout`` seconds.
        """
        deadline = time.monotonic() + timeout
        while not (value := self.value(expression)):
            assert time.monotonic() < deadline, f"not true in {timeout:g} s: {expression}"
            self.page.wait_for_timeout(100)
        return value

    def theme(self, name: str) -> None:
        """Switch JupyterLab's theme: "light" or "dark"."""
        self.page.evaluate(
            "t => jupyterapp.commands.execute('apputils:change-theme', {theme: t})",
            f"JupyterLab {name.title()}",
        )
        self.page.wait_for_function(
            "light => document.body.dataset.jpThemeLight === light",
            arg=str(name == "light").lower(),
        )
        self.page.locator("#jupyterlab-splash").wait_for(state="detached")

    def screenshot(self, path: Path, of: Any = None) -> Path:
        """Take a picture of the page, or of a locator, as PNG."""
        path.parent.mkdir(parents=True, exist_ok=True)
        (of or self.page).screenshot(path=str(path))
        return path

    def close(self) -> None:
        """Close the page; the kernel goes on until the server stops."""
        self.page.close()


def write_capture(path: Path, samples: Any, sample_rate: int = 48000, channels: int = 1) -> None:
    """Write what Chromium's microphone hears, looped.

    Args:
        path: ``Chrome.capture_file``.
        samples: int16, (n,), or None for a second of silence.
        sample_rate: Hz.
        channels: How many channels to write the samples into.
    """
    import numpy as np
    import soundfile

    clip = np.zeros(sample_rate, np.int16) if samples is None else samples
    soundfile.write(path, np.repeat(clip[:, None], channels, axis=1), sample_rate, "PCM_16")
