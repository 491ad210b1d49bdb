"""The pytest plugin's second half: ``@pytest.mark.voice(repeat=100, min_pass_rate=0.95)``.

::

    @pytest.mark.voice(repeat=100, min_pass_rate=0.95)
    def test_books_a_table(simulate):
        call = simulate(create_session, caller)
        assert call.tool_calls[0].name == "book_table"

The test's body runs so many times, each time with what its callers say perturbed by another seed.
:mod:`piopiy_lab.simulation.pytest_plugin` names this module, so pytest loads it in every run of
everybody who has the package: it imports nothing that costs.
"""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Callable, Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from piopiy_lab.experiments.repeated_test import RepeatedTest
    from piopiy_lab.simulation.fixtures import SimulateFixture

#: The user properties of a test's report: how many of its runs passed, and figures to be written.
PASSED, FIGURES = "voice_passed", "voice_figures"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("voice")
    group.addoption(
        "--voice-repeat",
        metavar="N",
        type=int,
        default=None,
        help="run each test that is marked voice(repeat=...) N times instead; where so few runs "
        "can't show its min_pass_rate, it fails only if they contradict it",
    )

    group.addoption(
        "--voice-baseline",
        metavar="FILE",
        default=None,
        help="hold the tests that are marked voice(repeat=...) against the figures in FILE: one "
        "fails that is certainly worse, its answers by more than the mark's min_difference; "
        "with --voice-update the figures are written there",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Make the mark known."""
    given = config.getoption("--voice-baseline")
    in_worker = hasattr(config, "workerinput")
    if given is not None and config.getoption("--voice-update") and not in_worker:
        config.pluginmanager.register(FiguresWriter(Path(given).absolute()))
    config.addinivalue_line(
        "markers",
        "voice(repeat, min_pass_rate=None, min_difference=0.1): run a test of calls so many times, "
        "each with other small changes of what the callers say; it passes if the share of runs "
        "that passed is shown to be min_pass_rate at least (with 95 %), or without it if all did; "
        "min_difference are the seconds by which answers may be slower than --voice-baseline's",
    )


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """Run a marked test's body so many times."""
    mark = pyfuncitem.get_closest_marker("voice")
    if mark is None:
        return (yield)
    body = pyfuncitem.obj
    repeated = _planned(pyfuncitem, mark)
    simulate: Any = pyfuncitem.funcargs["simulate"]
    pyfuncitem.obj = _repeating(body, repeated, simulate, pyfuncitem)
    try:
        return (yield)
    finally:
        pyfuncitem.obj = body


def _planned(item: pytest.Function, mark: pytest.Mark) -> RepeatedTest:
    from piopiy_lab.errors import ArgumentError, ArgumentTypeError
    from piopiy_lab.experiments.repeated_test import RepeatedTest

    try:
        if inspect.iscoroutinefunction(item.obj):
            raise ArgumentTypeError("is async: write a plain test with the simulate fixture")
        if "simulate" not in item.funcargs:
            raise ArgumentError("takes no simulate fixture, whose callers are what is perturbed")
        if mark.args:
            raise ArgumentError(f"give names, voice(repeat={mark.args[0]!r})")
        asked = item.config.getoption("--voice-repeat")
        planned = RepeatedTest.of(**mark.kwargs, asked=asked)
    except (ArgumentError, ArgumentTypeError, TypeError) as error:
        pytest.fail(f"@pytest.mark.voice of {item.name}: {error}", pytrace=False)
    if (told := planned.too_few(_is_held(item) and "min_difference" in mark.kwargs)) is not None:
        item.warn(pytest.PytestWarning(f"@pytest.mark.voice of {item.name}: {told}"))
    return planned


def _is_held(item: pytest.Function) -> bool:
    """Whether a test is held against a baseline."""
    given = item.config.getoption("--voice-baseline")
    return given is not None and not item.config.getoption("--voice-update")


def _repeating(
    body: Callable[..., object],
    repeated: RepeatedTest,
    simulate: SimulateFixture,
    item: pytest.Function,
) -> Callable[..., None]:
    """Return what pytest calls in the place of the test's body."""

    def run(**fixtures: Any) -> None:
        __tracebackhide__ = True
        tell = _progress(item)
        for number in range(1, repeated.repeat + 1):
            try:
                repeated.run(number, lambda: body(**fixtures), simulate, (pytest.fail.Exception,))
            except (pytest.skip.Exception, pytest.xfail.Exception):
                tell("")
                if repeated.failures:
                    told = repeated.failure(number - 1)
                    pytest.fail(f"{told}\nrun {number} was skipped then", pytrace=False)
                raise
            tell(repeated.progress())
        tell("")
        item.user_properties.append((PASSED, str(repeated.pass_rate)))
        _keep_worst(repeated, simulate, item)
        failures = [repeated.failure(), _against_baseline(repeated, item)]
        if told := [failure for failure in failures if failure is not None]:
            pytest.fail("\n\n".join(told), pytrace=False)

    return run


def _progress(item: pytest.Function) -> Callable[[str], None]:
    """Return what shows how far a test is, in a terminal: behind pytest's own words in its line.

    The cursor goes back each time, so that pytest writes over it; "" takes it away.
    """
    plugins = item.config.pluginmanager
    reporter: Any = plugins.get_plugin("terminalreporter")  # not in xdist's workers
    capture: Any = plugins.get_plugin("capturemanager")
    if reporter is None or capture is None or not reporter.hasmarkup:
        return lambda text: None

    line = item.config.get_terminal_writer()

    def tell(text: str) -> None:
        text = text[: line.fullwidth - line.width_of_current_line % line.fullwidth - 1]
        back = f"\x1b[{len(text)}D" if text else ""
        with capture.global_and_fixture_disabled():
            reporter.flush()
            sys.stdout.write(f"\x1b[K{text}{back}")
            sys.stdout.flush()

    return tell


def _keep_worst(repeated: RepeatedTest, simulate: SimulateFixture, item: pytest.Function) -> None:
    """Leave the worst run's calls to a failing test's report; keep a passing one's if asked to."""
    simulate.calls[:] = repeated.worst_calls
    given = item.config.getoption("--voice-artefacts")
    if given is None or repeated.failure() is not None or not repeated.worst_calls:
        return
    from piopiy_lab.checks.file_names import file_name
    from piopiy_lab.simulation.pytest_report import keep

    folder = Path(given).absolute() / file_name(item.nodeid)
    for line in keep([call for _, call in repeated.worst_calls], folder):
        item.add_report_section("call", "voice", f"the slowest run: {line}\n")


def _against_baseline(repeated: RepeatedTest, item: pytest.Function) -> str | None:
    """Return why a test is worse than its baseline; with ``--voice-update`` hand its figures on."""
    given = item.config.getoption("--voice-baseline")
    if given is None:
        return None
    from piopiy_lab.experiments.pytest_baseline import figures_of, id_of, why_worse

    path = Path(given).absolute()
    test = id_of(path, item.path, item.nodeid)
    if item.config.getoption("--voice-update"):
        if repeated.failure() is not None:
            return "no figures of it were written: a test that fails is no measure"
        item.user_properties.append((FIGURES, json.dumps({test: figures_of(repeated.rows)})))
        return None
    return why_worse(path, test, repeated.rows, repeated.min_difference)


class FiguresWriter:
    """Gathers the figures of all tests, from xdist's workers too, and writes them at the end."""

    def __init__(self, path: Path) -> None:
        """Write to ``path``."""
        self._path = path
        self._figures: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note a test's figures."""
        for name, told in report.user_properties:
            if name == FIGURES and report.when == "call":
                self._figures.update(json.loads(str(told)))

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say what was written."""
        if self._figures:
            terminalreporter.section("baseline written")
            terminalreporter.write_line(f"{self._path}: {len(self._figures)} tests")

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        """Write them."""
        if self._figures:
            from piopiy_lab.experiments.pytest_baseline import write_figures

            write_figures(self._path, self._figures)
