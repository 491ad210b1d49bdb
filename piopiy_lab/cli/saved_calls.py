"""The commands that take a saved call: what they are called, and their arguments."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

#: Makes a command: its name, what it does in a few words, in full, and an example.
Command = Callable[[str, str, str, str], argparse.ArgumentParser]


def add_saved_calls(command: Command) -> None:
    """Add ``show``, ``replay`` and ``make-test``."""
    show = command(
        "show",
        "print a saved call",
        "Print a saved call: what was said, the tools, the latency of each answer and how it\n"
        "ended. Calls whose process was killed too. Of many calls that were saved together\n"
        "(Calls.save) their table; each of them is a file in the folder's 'calls'.",
        "piopiy-lab show piopiy-lab-demo --plot timeline.svg",
    )
    show.add_argument("folder", type=Path, metavar="DIR", help="the folder of the call, or calls")
    show.add_argument("--plot", type=Path, metavar="FILE", help="draw it too (.png, .svg, .pdf)")
    show.add_argument(
        "--html", type=Path, metavar="FILE", help="write it as one page that plays in any browser"
    )
    again = command(
        "replay",
        "run a saved call again",
        "Run a saved call again on an agent as it is now, in virtual time, and print both: what\n"
        "differs, and where they part. Exits with 1 if tools, floor or end differ. No tool is\n"
        "run: each returns what it returned then.",
        "piopiy-lab replay calls/bad my_agent.py --html both.html",
    )
    again.add_argument("folder", type=Path, metavar="DIR", help="the folder of the call")
    again.add_argument("session", metavar="FILE.py", help="or FILE.py:FUNCTION, MODULE:FUNCTION")
    again.add_argument("--html", type=Path, metavar="FILE", help="write both as one page")
    again.add_argument("--save", type=Path, metavar="DIR", help="save the replay in this folder")
    again.add_argument("--run-tools", action="store_true", help="run the agent's tools")
    again.add_argument(
        "--cassette", type=Path, metavar="DIR", help="play what the services answered then"
    )
    make = command(
        "make-test",
        "make a test of a saved call",
        "Write a test of a saved call, with its golden conversation: the caller as a screenplay,\n"
        "the tools with what they returned. pytest runs it at once.",
        "piopiy-lab make-test piopiy-lab-demo tests --session my_agent:create_session",
    )
    make.add_argument("folder", type=Path, metavar="DIR", help="the folder of the call")
    make.add_argument("tests", type=Path, metavar="TESTS", help="the folder of the tests")
    make.add_argument(
        "--session",
        metavar="MODULE:FUNCTION",
        help="what the test calls (default: what the call ran)",
    )
    make.add_argument("--name", metavar="NAME", help="the test's name (default: the call's id)")
    make.add_argument(
        "--scrub",
        action="append",
        default=[],
        metavar="TEXT",
        help="a name or number to leave out of all texts, or TEXT=INSTEAD; may be given often",
    )
    make.add_argument(
        "--sound", action="store_true", help="keep the caller's own sound, and the call's cassette"
    )
    make.add_argument("--overwrite", action="store_true", help="replace a test of that name")
