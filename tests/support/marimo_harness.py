"""A real marimo server, for tests of what its notebooks show and do; the browser is lab_harness's.

The fixtures are in ``tests/realtime/browser/conftest.py``::

    def test_the_panel(open_marimo):
        notebook = open_marimo("import marimo as mo", "call = start_call(...)")
        notebook.run()                                    # all cells, as the button does
        panel = notebook.output(1).locator(".piopiy-panel")

One server serves the whole run. It listens on 127.0.0.1, lives in a temporary folder, and is ended
by its pid; a notebook's kernel is a process of the server's.
"""

from __future__ import annotations

import textwrap
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from lab_harness import find_chromium
from local_server import TIMEOUT_SECS, LocalServer, free_port


def missing_parts() -> str | None:
    """Say what these tests need and this machine lacks; None if it is all there."""
    if find_chromium() is None:
        return "Chromium is missing: apt-get install chromium"
    try:
        import marimo  # noqa: F401
        import playwright  # noqa: F401
    except ImportError as error:
        return f"{error}: pip install playwright 'piopiy-lab[marimo]'"
    return None


class MarimoServer(LocalServer):
    """A ``marimo edit`` or ``marimo run`` of its own, without a token, with its own settings."""

    def __init__(self, folder: Path, app: list[str] | None = None) -> None:
        """Start it and wait until it answers.

        Args:
            folder: Where its notebooks and settings go.
            app: The cells of the one notebook that visitors see; None: an editor.
        """
        self.notebooks = folder / "notebooks"
        self.notebooks.mkdir(parents=True)
        what = ["edit", str(self.notebooks)]
        if app is not None:
            self.write_notebook("app.py", app)
            what = ["run", str(self.notebooks / "app.py")]
        port = free_port()
        command = [
            "marimo", "-q", *what, "--headless", "--no-token",
            "--host", "127.0.0.1", "--port", str(port), "--session-ttl", "1",
        ]  # fmt: skip
        own = dict.fromkeys(("XDG_CONFIG_HOME", "XDG_STATE_HOME"), f"{folder}/own")
        own["MARIMO_SKIP_UPDATE_CHECK"] = "1"
        super().__init__("marimo", port, folder, command, own)

    def ask(self) -> None:
        """Ask whether it is well."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health", timeout=10):
            pass

    def url(self, notebook: str) -> str:
        """Return the address of a notebook."""
        return f"http://127.0.0.1:{self.port}/?file={notebook}"

    def write_notebook(self, name: str, cells: list[str]) -> None:
        """Write a notebook of cells; marimo finds out itself what each of them reads and makes."""
        told = [
            "import marimo\n\napp = marimo.App()\n",
            *(f"@app.cell\nasync def _():\n{textwrap.indent(cell.strip(), '    ')}\n    return\n"
              for cell in cells),
        ]  # fmt: skip
        (self.notebooks / name).write_text("\n\n".join(told))


class MarimoNotebook:
    """A notebook that is open in a page of the browser.

    Attributes:
        page: Playwright's page.
        console: What the page wrote on its console as warnings and errors, and uncaught errors.
    """

    def __init__(self, page: Any, url: str) -> None:
        """Open ``url`` in ``page`` and wait for its cells."""
        self.page = page
        self.console: list[str] = []
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.console.append(f"uncaught: {error}"))
        page.set_default_timeout(2000 * TIMEOUT_SECS)  # every cell runs before the last one shows
        page.goto(url)
        self.cell(0).wait_for()
        page.get_by_test_id("backend-status").wait_for()

    def _heard(self, message: Any) -> None:
        if message.type in ("warning", "error") and "was preloaded using" not in message.text:
            self.console.append(message.text)

    def cell(self, n: int) -> Any:
        """Return a Playwright locator of cell ``n``, from 0."""
        return self.page.locator(".marimo-cell").nth(n)

    def output(self, n: int) -> Any:
        """Return a locator of what cell ``n`` shows."""
        return self.cell(n).locator("[id^=output-]")

    def run(self) -> None:
        """Run every cell that has not run yet or is stale, as the button does; returns at once."""
        self.page.get_by_test_id("run-button").last.click()

    def run_cell(self, n: int) -> None:
        """Run a cell, and what reads what it makes; returns at once."""
        self.cell(n).hover()
        self.cell(n).get_by_test_id("run-button").first.click()

    def screenshot(self, path: Path, of: Any = None) -> Path:
        """Take a picture of the page, or of a locator, as PNG."""
        path.parent.mkdir(parents=True, exist_ok=True)
        (of or self.page).screenshot(path=str(path))
        return path
