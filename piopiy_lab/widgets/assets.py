"""The page's side of the views: plain JavaScript and CSS files, put together as one module.

There is no bundler: the files in ``static/`` are read in the order of :data:`SCRIPTS` and joined.
Each declares functions and constants at the top level; the last one exports what anywidget calls.
Nothing is loaded from outside.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files

SCRIPTS = (
    "dom.js",
    "store.js",
    "player.js",
    "plot.js",
    "transcript.js",
    "desk.js",
    "stops.js",
    "keeping.js",
    "views.js",
)


@lru_cache(maxsize=1)
def script() -> str:
    """Return the module."""
    here = files("piopiy_lab.widgets") / "static"
    return "\n".join((here / name).read_text("utf-8") for name in SCRIPTS)


@lru_cache(maxsize=1)
def page_script() -> str:
    """Return a script that draws each ``.piopiy-kept`` of the page it stands in, on its own."""
    here = files("piopiy_lab.widgets") / "static"
    views, _ = script().rsplit("export default", 1)
    return f"(() => {{\n{views}\n{(here / 'kept.js').read_text('utf-8')}}})();"


@lru_cache(maxsize=1)
def style() -> str:
    """Return the style sheet."""
    return (files("piopiy_lab.widgets") / "static" / "view.css").read_text("utf-8")


def static(name: str) -> str:
    """Return the text of a file in ``static/``, a module of its own."""
    return (files("piopiy_lab.widgets") / "static" / name).read_text("utf-8")
