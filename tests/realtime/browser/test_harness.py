"""The harness itself: a real JupyterLab, under a base URL and with a token."""

from __future__ import annotations

import urllib.error
import urllib.request

import pytest
from lab_harness import BASE_URL


def test_cells_run_and_show(open_notebook, tmp_path):
    notebook = open_notebook(
        "print(6 * 7)", "from ipywidgets import IntSlider\nIntSlider(5)", "1/0"
    )
    notebook.run(0)
    assert notebook.text(0) == "42\n"
    notebook.run(1)
    assert notebook.output(1).locator(".widget-readout").inner_text() == "5"
    notebook.run(2)
    assert "ZeroDivisionError" in notebook.text(2)
    assert notebook.value("[1, 'two']") == [1, "two"]
    with pytest.raises(AssertionError, match="NameError"):
        notebook.execute("no_such_name")
    notebook.theme("dark")
    assert notebook.screenshot(tmp_path / "dark.png").stat().st_size > 10_000
    notebook.theme("light")


def test_nothing_is_served_without_the_token_or_beside_the_base_url(lab):
    for path, code in ((f"{BASE_URL}api/sessions", 403), ("/api/sessions", 404)):
        with pytest.raises(urllib.error.HTTPError) as error:
            urllib.request.urlopen(f"http://127.0.0.1:{lab.port}{path}", timeout=5)
        assert error.value.code == code
