"""``piopiy-lab bench``: an agent's turn-taking, by the public definitions and by ours."""

from __future__ import annotations

import argparse
import asyncio
import os
from pathlib import Path

from piopiy_lab.cli.saved_calls import Command
from piopiy_lab.cli.sessions import load_session
from piopiy_lab.cli.terminal import Terminal, printable
from piopiy_lab.errors import ArgumentError

#: Calls between two lines of progress.
_EVERY = 50


def add_bench(command: Command) -> None:
    """Add ``bench``."""
    bench = command(
        "bench",
        "measure an agent's turn-taking",
        "Let some 300 callers say what people say beside their turns (mm hmm, wait, a cough, a\n"
        "word to somebody else, a pause in a sentence), and count what the agent makes of it: by\n"
        "tau-voice's definitions, by eot-bench's, and by this package's own. In virtual time, in\n"
        "a minute or two; the same figures every time. Without an agent: a plain one.",
        "piopiy-lab bench my_agent.py --against pipecat --html bench.html",
    )
    bench.add_argument(
        "session", nargs="?", metavar="FILE.py", help="or FILE.py:FUNCTION, or MODULE:FUNCTION"
    )
    bench.add_argument(
        "--against", metavar="AGENT", help="a second column: pipecat, or FILE.py:FUNCTION"
    )
    bench.add_argument(
        "--recogniser",
        default="screenplay",
        metavar="WHICH",
        help="screenplay (what was really said), own (the agent's), or MODULE:FUNCTION that makes "
        "one (default: %(default)s)",
    )
    bench.add_argument("--split", choices=("tune", "accept"), help="half of the stimuli")
    bench.add_argument(
        "--kind", action="append", metavar="KIND", help="only these: backchannel, end, ..."
    )
    bench.add_argument("--human", type=Path, metavar="DIR", help="recordings with a labels.csv")
    bench.add_argument("--eot", type=Path, metavar="DIR", help="eot-bench's data, if you have it")
    bench.add_argument("--jobs", type=int, metavar="N", help="processes; 0: in this one")
    bench.add_argument("--html", type=Path, metavar="FILE", help="write everything as one page")
    bench.add_argument("--json", type=Path, metavar="FILE", help="write the figures as JSON")


def bench(terminal: Terminal, options: argparse.Namespace) -> int:
    """Run the bench and print its table.

    Returns:
        0 if it was measured, 1 if some calls came to nothing.

    Raises:
        PiopiyLabError: An option can't be used, or a file can't be written.
        UserCodeError: The agent's module raises when it is imported.
    """
    from piopiy_lab.bench.running import run_bench

    for name, path in (("--html", options.html), ("--json", options.json)):
        if path is None:
            continue
        if path.is_dir():
            raise ArgumentError(f"{name} {path} is a folder: give a file in it")
        place = next(folder for folder in path.expanduser().absolute().parents if folder.exists())
        if not place.is_dir() or not os.access(place, os.W_OK):  # said before minutes of calls
            raise ArgumentError(f"{name} {path} can't be written: {place} is no folder to write in")
    recogniser, against = options.recogniser, options.against
    if recogniser not in ("screenplay", "own"):
        recogniser = load_session(recogniser)
    if against is not None and against != "pipecat":
        against = load_session(against)
    done = 0

    def told(row: object) -> None:
        nonlocal done
        done += 1
        if done % _EVERY == 0:
            terminal.line(terminal.styled(f"{done} calls", "dim"))

    report = asyncio.run(
        run_bench(
            None if options.session is None else load_session(options.session),
            recogniser=recogniser,
            against=against,
            kinds=options.kind,
            split=options.split,
            human=options.human,
            eot=options.eot,
            executor=options.jobs,
            on_call=told,
        )
    )
    for line in str(report).splitlines():
        terminal.line(printable(line))
    if options.html is not None:
        terminal.line(f"Written: {report.save_html(options.html, overwrite=True)}")
    if options.json is not None:
        terminal.line(f"Written: {report.save_json(options.json)}")
    return 1 if report.failed else 0
