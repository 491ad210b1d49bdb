"""How the whole suite runs, notebooks included: on every core, and with what it finds there."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from xdist.remote import Producer
    from xdist.scheduler import Scheduling

HERE = Path(__file__).parent
#: What the lessons make and leave: a test among it fails, as the lesson wants.
collect_ignore_glob = ["notebooks/*.py", "notebooks/my_desk"]
# OpenBLAS' second thread spins and wins nothing here: it cost up to a quarter of the CPU time.
# Set before numpy is imported, and for every process that the tests start.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# What a shell starts in the background ignores SIGINT, and so would the programs that tests start
# and interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_configure(config: pytest.Config) -> None:
    """Say what in a lesson's output differs from run to run."""
    if hasattr(config.option, "nbval_sanitize_with"):
        config.option.nbval_sanitize_with = str(HERE / "tests/support/nbval_sanitize.cfg")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Iterator[None]:
    """Start a lesson's kernel as on a computer that has neither PortAudio nor a provider's key.

    So a cell that wants them is run, and nobody's microphone is opened and nobody's money spent.
    """
    if item.path.suffix != ".ipynb":
        return (yield)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(HERE / "tests/support/no_portaudio"), prepend=os.pathsep)
        kept_out = [name for name in os.environ if name.endswith("_API_KEY")]
        for name in (*kept_out, "PYTEST_ADDOPTS"):  # a lesson shows what pytest says by itself
            patch.delenv(name, raising=False)
        return (yield)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Let the whole suite have every core; a file or a test that is named runs in this process.

    One worker more than cores: the first one has tests that mostly wait, see ``three_lanes``.
    """
    named = config.args_source is pytest.Config.ArgsSource.ARGS
    if named and not {HERE, HERE / "tests"} & {Path(arg).absolute() for arg in config.args}:
        return 0
    return (os.cpu_count() or 1) + 1


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Scheduling:
    """Run what paces on the wall clock one at a time."""
    from three_lanes import ThreeLanes

    return ThreeLanes(config, log)
