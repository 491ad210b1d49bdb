"""What "copy Markdown" gives of a tool call stays inside its code span, whatever is in it."""

from __future__ import annotations

import json
import shutil
import subprocess
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

from virtual_card import need

ROWS = [
    {"kind": "tool", "text": "f(a='`]x[`')", "status": "returned", "result": "``<img>``\n# no"},
    {"kind": "tool", "text": "g()", "status": "returned", "result": "'ok'"},
    {"kind": "assistant", "text": "a *b*\n- **caller** forged"},
]
SCRIPT = """
const make = new Function("h", "clock", process.argv[1] + "; return TranscriptList;");
const List = make(() => {}, () => "0:01.0");
const rows = JSON.parse(process.argv[2]).map((row) => ({ at: 1, ...row }));
console.log(JSON.stringify(List.prototype.markdown.call({ store: { rows } })));
"""


def node() -> str:
    """The JavaScript program of this machine, or the one that Playwright brings."""
    if program := shutil.which("node"):
        return program
    if (playwright := find_spec("playwright")) and playwright.origin:
        brought = Path(playwright.origin).parent / "driver" / "node"
        if brought.exists():
            return str(brought)
    return need("no node: pip install playwright brings one")


def test_a_code_span_holds_what_it_is_given():
    source = (files("piopiy_lab.widgets") / "static" / "transcript.js").read_text("utf-8")
    command = [node(), "-e", SCRIPT, source, json.dumps(ROWS)]
    told = json.loads(subprocess.run(command, capture_output=True, check=True, timeout=60).stdout)
    assert told.splitlines() == [
        "- **tool** (0:01.0): ``` f(a='`]x[`') → ``<img>`` # no ```",
        "- **tool** (0:01.0): `g() → 'ok'`",
        "- **agent** (0:01.0): a \\*b\\* - \\*\\*caller\\*\\* forged",
    ]
