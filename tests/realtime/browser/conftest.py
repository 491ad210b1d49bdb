"""Fixtures of the tests in a real JupyterLab; what they give is in ``lab_harness``."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import marimo_harness
import pytest
from lab_harness import Chrome, LabServer, Notebook, missing_parts
from marimo_harness import MarimoNotebook, MarimoServer

#: What each server's tests lack on this machine, if anything.
MISSING = {"lab": missing_parts(), **dict.fromkeys(
    ("marimo_server", "run_marimo"), marimo_harness.missing_parts())}  # fmt: skip
if any(MISSING.values()) and os.environ.get("PIOPIY_LAB_REQUIRE") == "all":
    raise RuntimeError("; ".join(filter(None, MISSING.values())))


def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.parent == Path(__file__).parent and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(240))  # beside others a server begins late
        for server, lacks in MISSING.items():
            if lacks and server in getattr(item, "fixturenames", ()):
                item.add_marker(pytest.mark.skip(reason=lacks))


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    """The one ``jupyter lab`` of the test run: a ``LabServer``."""
    server = LabServer(tmp_path_factory.mktemp("lab"))
    yield server
    server.stop()


@pytest.fixture(scope="module")
def chrome(tmp_path_factory):
    """The module's browser: a ``Chrome``, with a capture file as its microphone."""
    browser = Chrome(tmp_path_factory.mktemp("chrome"))
    yield browser
    browser.stop()


@pytest.fixture
def open_notebook(lab, chrome, request):
    """A function that opens code cells as a notebook, in a page and with a kernel of its own.

    ``open_notebook(*cells, name=None, host="127.0.0.1", before=None)``: a ``name`` that was opened
    before is opened again, in a second tab with the same kernel (its cells stay as they are);
    ``before(page)`` is called before the page loads.
    """
    opened = []
    numbers = itertools.count(1)

    def open_notebook(*cells, name=None, host="127.0.0.1", before=None):
        name = name or f"{request.node.name}-{next(numbers)}.ipynb".replace("[", "-").replace(
            "]", ""
        )
        if cells:
            lab.write_notebook(name, list(cells))
        page = chrome.context.new_page()
        if before is not None:
            before(page)
        notebook = Notebook(page, lab.url(name, host))
        notebook.name = name
        opened.append(notebook)
        return notebook

    yield open_notebook
    for notebook in opened:
        if not notebook.page.is_closed():
            notebook.close()
    for session in lab.api("sessions"):
        lab.end_kernel(session["kernel"]["id"])


@pytest.fixture(scope="session")
def marimo_server(tmp_path_factory):
    """The one ``marimo edit`` of the test run: a ``MarimoServer``."""
    server = MarimoServer(tmp_path_factory.mktemp("marimo"))
    yield server
    server.stop()


@pytest.fixture
def run_marimo(tmp_path):
    """A function that serves code cells to visitors, as ``marimo run`` does."""
    servers = []

    def run_marimo(*cells):
        servers.append(MarimoServer(tmp_path / "run", list(cells)))
        return servers[-1]

    yield run_marimo
    for server in servers:
        server.stop()


@pytest.fixture
def open_marimo(marimo_server, chrome, request):
    """A function that opens code cells, or a notebook's file, in marimo; each with its kernel."""
    opened = []

    def open_marimo(*cells, text=None):
        name = f"{request.node.name}_{len(opened)}.py"
        if text is None:
            marimo_server.write_notebook(name, list(cells))
        else:
            (marimo_server.notebooks / name).write_text(text, encoding="utf-8")
        page = chrome.context.new_page()
        opened.append(page)
        return MarimoNotebook(page, marimo_server.url(name))

    yield open_marimo
    for page in opened:
        page.close()


@pytest.fixture
def screenshots(tmp_path):
    """The folder for pictures: PIOPIY_LAB_SCREENSHOTS, or the test's own."""
    return Path(os.environ.get("PIOPIY_LAB_SCREENSHOTS") or tmp_path)
