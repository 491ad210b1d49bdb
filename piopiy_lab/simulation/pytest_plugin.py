"""The pytest plugin: the fixtures ``simulate`` and ``golden``, and failures that tell the call.

::

    def test_books_a_table(simulate, golden):
        call = simulate(create_session, Caller().hears_greeting().says("a table for two please"))
        assert call.tool_calls[0].name == "book_table"
        golden(call)

pytest loads this module in every run of everybody who has the package, so it imports nothing
that costs; ``-p no:piopiy_lab`` leaves it out.
"""

from __future__ import annotations

import sys
from argparse import ArgumentTypeError
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeGuard

import pytest
from loguru import logger

# Importing the package silences pipecat in notebooks; a test run of anybody's stays as it was.
logger.enable("pipecat")

if TYPE_CHECKING:
    from piopiy_lab.call.call import Call
    from piopiy_lab.simulation.conversation_diff import Line
    from piopiy_lab.simulation.fixtures import GoldenFixture, SimulateFixture

#: By name, for it is in a room above: the mark for tests that run many times.
pytest_plugins = ("piopiy_lab.experiments.pytest_repeats",)

ARTEFACTS = "call-artefacts"
#: Calls of one test whose conversations are printed; all are kept.
MOST_SHOWN = 5

_SIMULATE: pytest.StashKey[SimulateFixture] = pytest.StashKey()
#: The user property of a test's report that names a golden file that was written.
WRITTEN = "voice_golden"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("voice", "voice agents (piopiy_lab)")
    group.addoption(
        "--voice-artefacts",
        metavar="DIR",
        default=None,
        help=f"where the calls of failed tests are kept (default: {ARTEFACTS} in the rootdir)",
    )
    group.addoption(
        "--voice-shuffle",
        metavar="N",
        type=_count,
        default=0,
        help="run every simulation N more times with same-instant timers in other orders; "
        "the conversation must not change",
    )
    group.addoption(
        "--voice-record-mode",
        choices=("none", "once", "new_episodes", "all"),
        default="none",
        help="what is done with the cassettes of simulate(..., cassette=DIR): none (the default) "
        "plays them, once records those that are missing, new_episodes adds what is, all records "
        "anew",
    )
    group.addoption(
        "--voice-update",
        action="store_true",
        default=False,
        help="write the golden conversations that are missing or differ",
    )


def _count(text: str) -> int:
    if not text.isdecimal():
        raise ArgumentTypeError(f"{text!r} is no number of runs: give 0 or more")
    return int(text)


# --- fixtures -------------------------------------------------------------------------------


@pytest.fixture
def simulate(request: pytest.FixtureRequest) -> Iterator[SimulateFixture]:
    """Run whole calls in virtual time, in a plain test: ``simulate(create_session, caller)``.

    Takes what ``piopiy_lab.simulate`` takes and returns the ended call. A call that ended badly
    (a step of the screenplay that waited in vain, say) fails the test there, unless
    ``check=False``.
    """
    from piopiy_lab.logs import silenced

    with silenced():  # a failed test's report is to tell the call, not what pipecat did for it
        from piopiy_lab.simulation.fixtures import SimulateFixture

        made = SimulateFixture(
            request.config.option.voice_shuffle, request.config.option.voice_record_mode
        )
        request.node.stash[_SIMULATE] = made
        yield made


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> GoldenFixture:
    """Compare a call with the golden conversation beside the test: ``golden(call)``."""
    from piopiy_lab.simulation.fixtures import GoldenFixture

    def tell(path: Path) -> None:
        request.node.user_properties.append((WRITTEN, str(path)))

    return GoldenFixture(
        request.node.path, request.node.nodeid, request.config.option.voice_update, tell
    )


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say which golden conversations were written."""
    written = {
        value
        for reports in terminalreporter.stats.values()
        for report in reports
        for name, value in getattr(report, "user_properties", ())
        if name == WRITTEN
    }
    if written:
        terminalreporter.section("golden conversations written")
        for path in sorted(written):
            terminalreporter.write_line(_short(Path(path), config))


# --- failures -------------------------------------------------------------------------------


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the conversations to a failed test's report, and keep its calls."""
    report = yield
    made = item.stash.get(_SIMULATE, None)
    if report.failed and made is not None and made.calls:
        report.sections += _sections(made.calls, item)
        made.calls.clear()  # a failing teardown has nothing new to tell
    return report


def _sections(calls: Sequence[tuple[str, Call]], item: pytest.Item) -> list[tuple[str, str]]:
    from piopiy_lab.checks.file_names import file_name
    from piopiy_lab.simulation.pytest_report import keep, story

    given = item.config.option.voice_artefacts
    root = item.config.rootpath / ARTEFACTS if given is None else Path(given).absolute()
    kept = keep([call for _, call in calls], root / file_name(item.nodeid))
    sections: list[tuple[str, str]] = []
    for number, ((title, call), where) in enumerate(zip(calls, kept, strict=True), 1):
        if number <= len(calls) - MOST_SHOWN:
            continue
        head = f"conversation of {call.call_id}{f' {title}' if title else ''}"
        if len(calls) > 1:
            head += f" ({number} of {len(calls)})"
        try:
            told = story(call)
        except Exception as error:  # the test's own failure must be shown, whatever is in the call
            told = f"it can't be told: {error!r}"
        where = where.replace(str(root), _short(root, item.config))
        sections.append((head, f"{told}\n\n{where}\n"))
    return sections


def _short(path: Path, config: pytest.Config) -> str:
    root = config.rootpath
    return str(path.relative_to(root) if path.is_relative_to(root) else path)


# --- comparisons ----------------------------------------------------------------------------


def pytest_assertrepr_compare(op: str, left: object, right: object) -> list[str] | None:
    """Show ``call.transcript == [...]``, and lists of (role, text), as a conversation."""
    if op != "==" or not (_may_be_conversation(left) and _may_be_conversation(right)):
        return None
    marks = not any(isinstance(item, tuple) for side in (left, right) for item in side)
    heard, expected = _lines(left, marks), _lines(right, marks)
    if heard is None or expected is None or not (heard or expected):
        return None
    from piopiy_lab.simulation.conversation_diff import conversation_diff

    signs = "- right, + left"
    if _is_transcript(left) != _is_transcript(right):
        signs = "- expected, + heard"
        if _is_transcript(right):
            heard, expected = expected, heard
    differing = conversation_diff(expected, heard, context=1)
    if not differing:
        return [
            "the same words were said, but the entries of a transcript have times too",
            "compare [(entry.role, entry.text) for entry in call.transcript]",
        ]
    return [f"the conversations differ ({signs})", *differing]


def _is_transcript(value: object) -> bool:
    module = sys.modules.get("piopiy_lab.call.transcript")
    return module is not None and isinstance(value, module.Transcript)


def _may_be_conversation(value: object) -> TypeGuard[Sequence[object]]:
    return isinstance(value, list | tuple) or _is_transcript(value)


def _lines(items: Sequence[object], marks: bool) -> list[Line] | None:
    """Return entries, or pairs of a role and a text, as lines; None for anything else."""
    from piopiy_lab.display.wording import WHO

    lines: list[Line] = []
    for item in items:
        pair = (getattr(item, "role", None), getattr(item, "text", None))
        role, text = item if isinstance(item, tuple) and len(item) == 2 else pair
        if role not in ("user", "assistant") or not isinstance(text, str):
            return None
        cut = marks and getattr(item, "interrupted", False)
        lines.append((WHO[role], f"{text} [interrupted]" if cut else text))
    return lines
