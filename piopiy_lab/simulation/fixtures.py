"""What the pytest fixtures ``simulate`` and ``golden`` are; knows no pytest.

:mod:`piopiy_lab.simulation.pytest_plugin` hands them out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from piopiy_lab.checks.file_names import file_name
from piopiy_lab.errors import ArgumentError, ScreenplayError, SimulationError
from piopiy_lab.simulation.conversation_diff import Line, conversation_diff
from piopiy_lab.simulation.golden import compare, conversation_lines
from piopiy_lab.simulation.simulate import simulate as run_simulation

if TYPE_CHECKING:
    from piopiy_lab.call.call import Call
    from piopiy_lab.cassette import RecordMode
    from piopiy_lab.screenplay.caller import Caller
    from piopiy_lab.screenplay.steps import AudioFile
    from piopiy_lab.session.callback import SessionCallback


class SimulateFixture:
    """What the ``simulate`` fixture is: it simulates, and remembers the calls for the report."""

    def __init__(self, shuffles: int = 0, record_mode: RecordMode = "none") -> None:
        """Remember nothing yet.

        Args:
            shuffles: How many more times every simulation runs.
            record_mode: What is done with cassettes where the test doesn't say.
        """
        self._shuffles = shuffles
        self._record_mode = record_mode
        self.calls: list[tuple[str, Call]] = []  # a title and a call, in the order they were made
        self.seed: int | None = None  # of the present run of a test that is repeated; by its runner

    def __call__(
        self,
        create_session: SessionCallback,
        caller: Caller | AudioFile,
        *,
        check: bool = True,
        **options: object,
    ) -> Call:
        """Simulate a call; blocks until it has ended.

        Args:
            create_session: As for ``piopiy_lab.simulate``.
            caller: The screenplay, or a recording.
            check: Raise what ended the call badly; False returns the call with its ``error``.
            **options: Of ``piopiy_lab.simulate``: ``replace``, ``latency``, ... With
                ``cassette=`` the ``record_mode`` is that of ``--voice-record-mode``, "none" if it
                isn't given. In a test that is marked ``voice(repeat=...)`` each run has a
                ``perturb`` of its own.

        Raises:
            SimulationError: Virtual time can't go on, or an event loop is running here.
            AssertionError: The screenplay failed (a ``ScreenplayError``), or a shuffled run had
                another conversation.
        """
        __tracebackhide__ = True
        _refuse_running_loop()
        if isinstance(options.get("cassette"), str | Path):
            options.setdefault("record_mode", self._record_mode)
        if self.seed is not None:
            if options.get("perturb") is not None:
                raise ArgumentError(
                    f"simulate(perturb={options['perturb']!r}) in a test that is repeated: each "
                    "run has a seed of its own; leave perturb out"
                )
            options["perturb"] = self.seed
        call = self._run("", create_session, caller, options)
        if check and call.error is not None:
            raise _from_test(call.error)
        if options.get("shuffle_seed") is None:
            lines = conversation_lines(call)
            for seed in range(1, self._shuffles + 1):
                self._shuffle(seed, lines, create_session, caller, options)
        return call

    def remember(self, call: Call) -> Call:
        """Let a call made elsewhere (``await piopiy_lab.simulate(...)``) be reported too."""
        self.calls.append(("", call))
        return call

    def _run(self, title: str, create_session: Any, caller: Any, options: dict[str, Any]) -> Call:
        __tracebackhide__ = True
        try:
            call = asyncio.run(run_simulation(create_session, caller, **options))
        except Exception as error:
            if (broken := getattr(error, "call", None)) is not None:
                self.calls.append((title, broken))
            if title:
                error.add_note(f"in a simulation {title} (--voice-shuffle)")
            raise
        self.calls.append((title, call))
        return call

    def _shuffle(
        self,
        seed: int,
        lines: list[Line],
        create_session: object,
        caller: object,
        options: Mapping[str, object],
    ) -> None:
        __tracebackhide__ = True
        record = options.get("record", True)
        options = {
            **options,
            "record": record if isinstance(record, bool) else True,  # the folder is taken
            **({"record_mode": "none"} if "record_mode" in options else {}),  # it is there by now
            "shuffle_seed": seed,
        }
        again = self._run(f"with shuffle_seed={seed}", create_session, caller, options)
        differing = conversation_diff(lines, conversation_lines(again))
        if not differing:
            self.calls.pop()
            return
        ending = [] if again.error is None else [f"It ended with {again.error!r}"]
        raise AssertionError(
            "\n".join(
                [
                    f"shuffle_seed={seed} changed the conversation: something depends on the "
                    "order of what happens at the same instant (- as it comes, + shuffled):",
                    *differing,
                    *ending,
                    f"Again: simulate(..., shuffle_seed={seed})",
                ]
            )
        )

    def __repr__(self) -> str:
        return f"<simulate: {len(self.calls)} call{'' if len(self.calls) == 1 else 's'}>"


def _refuse_running_loop() -> None:
    __tracebackhide__ = True
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise SimulationError(
        "the simulate fixture is for plain tests, and here an event loop is running: write "
        "'call = simulate.remember(await piopiy_lab.simulate(create_session, caller))' instead"
    )


def _from_test(error: BaseException) -> BaseException:
    """Let an error's traceback begin where it can be mended: in the test, or the session."""
    if isinstance(error, ScreenplayError):
        return error.with_traceback(None)
    ours = str(Path(__file__).parents[1])
    left: TracebackType | None = error.__traceback__
    while left is not None and left.tb_frame.f_code.co_filename.startswith(ours):
        left = left.tb_next
    return error.with_traceback(left or error.__traceback__)


class GoldenFixture:
    """What the ``golden`` fixture is."""

    def __init__(
        self, module: Path, nodeid: str, update: bool, written: Callable[[Path], None]
    ) -> None:
        """Compare for one test.

        Args:
            module: The test's file; the golden files are in a folder beside it.
            nodeid: The test's id.
            update: Whether golden files are written.
            written: Called with each file that was.
        """
        self._module = module
        self._test = nodeid.partition("::")[2] or nodeid
        self._update = update
        self._written = written
        self._used: set[Path] = set()

    def path(self, name: str | None = None) -> Path:
        """Return where the golden conversation is: ``golden/<module>/<test>[.<name>].txt``."""
        parts = [file_name(part) for part in (self._test, name) if part is not None]
        return self._module.parent / "golden" / self._module.stem / f"{'.'.join(parts)}.txt"

    def __call__(
        self, call: Call, name: str | None = None, *, latency_tolerance: float | None = None
    ) -> None:
        """Compare a call with its golden conversation; with ``--voice-update``, write it.

        Args:
            call: The call.
            name: Tells several golden conversations of one test apart.
            latency_tolerance: Seconds by which each answer's latency may differ; None compares
                no latencies.

        Raises:
            AssertionError: The conversation differs, or there is no golden one.
            ArgumentError: The name was used in this test before, or the tolerance is no time.
        """
        __tracebackhide__ = True
        path = self.path(name)
        if path in self._used:
            raise ArgumentError(
                f"golden(call, {name!r}) for the second time in {self._test}: give each call "
                "a name of its own, golden(call, 'second')"
            )
        self._used.add(path)
        if compare(call, path, self._update, latency_tolerance=latency_tolerance):
            self._written(path)

    def __repr__(self) -> str:
        return f"<golden: {self.path()}>"
