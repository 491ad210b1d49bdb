"""``piopiy-lab eval``: pipecat's eval files on a bot, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from piopiy_lab.cli.report import print_failure
from piopiy_lab.cli.sessions import load_session
from piopiy_lab.cli.terminal import Terminal, printable
from piopiy_lab.errors import ArgumentError, SavedCallError
from piopiy_lab.evals.report import EvalReport
from piopiy_lab.evals.running import run_eval
from piopiy_lab.evals.runs import EvalRun
from piopiy_lab.session.replacing import TOOLS

FAILED, CANT_RUN = 1, 2


@dataclass(frozen=True, kw_only=True)
class EvalOptions:
    """What the command line said.

    Attributes:
        scenario: The eval file, or a folder of them.
        bot: Where the bot is.
        only: Part of the names of the scenarios to run.
        replace: ``"stt=screenplay"``, ``"llm=module:function"``.
        judge: ``"rules"``, or who makes a classifier.
        voice: The name of an offline voice.
        persona: Who makes the LLM of a simulated caller.
        html: The page's file.
        junit: The XML's file.
        results: The folder of pipecat's results.
        debug: Whether tracebacks are shown.
    """

    scenario: Path
    bot: str
    only: str | None = None
    replace: Sequence[str] = ()
    judge: str | None = None
    voice: str | None = None
    persona: str | None = None
    html: Path | None = None
    junit: Path | None = None
    results: Path | None = None
    debug: bool = False


def evaluate(terminal: Terminal, options: EvalOptions) -> int:
    """Run eval files and print what came of each scenario.

    Returns:
        0 if all passed, 1 if not, 2 if something could not run.

    Raises:
        PiopiyLabError: A file is none, an option can't be used, or a report can't be written.
        UserCodeError: The bot's module, or that of a judge, raises when it is imported.
    """
    _check_places(options)
    bot = load_session(options.bot)
    judge = options.judge
    if judge is not None and judge != "rules":
        judge = _loaded("--judge", judge, "rules, or MODULE:FUNCTION that makes a classifier")
    persona = options.persona
    if persona is not None:
        persona = _loaded("--persona", persona, "MODULE:FUNCTION that makes an LLM service")
    replace = _replacements(options.replace)
    report = asyncio.run(
        run_eval(
            options.scenario,
            bot,
            only=options.only,
            replace=replace,
            judge=judge,
            voice=options.voice,
            persona=persona,
            on_run=lambda run: _print(terminal, run, debug=options.debug),
        )
    )
    for line in report.summary.splitlines():
        terminal.line(terminal.styled(printable(line), "dim"))
    _write(terminal, report, options)
    if any(run.status == "error" for run in report):
        return CANT_RUN
    return 0 if report.passed else FAILED


def _check_places(options: EvalOptions) -> None:
    """Refuse, before anything runs, a place where nothing can be written.

    Raises:
        ArgumentError: A file's is a folder, or a folder's a file.
    """
    for name, path in (("--html", options.html), ("--junit", options.junit)):
        if path is not None and path.is_dir():
            raise ArgumentError(f"{name} {path} is a folder: give a file in it")
    if options.results is not None and options.results.is_file():
        raise ArgumentError(f"--results {options.results} is a file: give a folder")


def _loaded(option: str, place: str, wanted: str) -> object:
    if ":" not in place and not place.endswith(".py"):
        raise ArgumentError(f"{option} {place}: give {wanted}")
    return load_session(place)


def _print(terminal: Terminal, run: EvalRun, *, debug: bool) -> None:
    first, *rest = str(run).splitlines()
    terminal.line(printable(first) if run.passed else terminal.styled(printable(first), "bad"))
    for line in rest:
        terminal.line(printable(line))
    if debug and run.error is not None:
        print_failure(terminal, run.error, debug=True)


def _write(terminal: Terminal, report: EvalReport, options: EvalOptions) -> None:
    """Write what was asked for.

    Raises:
        SavedCallError: One can't be written; the others are.
    """
    failed: SavedCallError | None = None
    for path, save in (
        (options.html, report.save_html),
        (options.junit, report.save_junit),
        (options.results, report.save_results),
    ):
        if path is not None:
            try:
                terminal.line(f"Written: {save(path)}")
            except SavedCallError as error:
                failed = failed or error
    if failed is not None:
        raise failed


def _replacements(texts: Sequence[str]) -> dict[str, object]:
    """Return what all of ``--replace`` means: ``tools.NAME`` is a double for one tool."""
    services, tools = dict[str, object](), dict[str, object]()
    for name, by in map(_replacement, texts):
        kind, dot, tool = name.partition(".")
        if dot and kind == TOOLS:
            tools[tool] = by
        else:
            services[name] = by
    return {**services, TOOLS: tools} if tools else services


def _replacement(text: str) -> tuple[str, object]:
    """Return what ``stt=screenplay`` or ``llm=module:function`` means."""
    name, given, what = text.partition("=")
    if not given or not name or not what:
        raise ArgumentError(
            f"--replace {text}: give what is replaced and by whom, stt=screenplay or "
            "llm=my_fakes:make_llm, or tools.book_table=my_fakes:book_table"
        )
    return name, what if what == "screenplay" else load_session(what)
