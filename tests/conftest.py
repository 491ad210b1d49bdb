"""What holds for every test."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

#: Where a browser or a sound card sets the pace: a busy machine can spoil a run, so a failure there
#: is tried again, and pytest's summary says so (RERUN). What fails three times is broken.
PACED_FROM_OUTSIDE = ("browser", "audio")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let tests that something outside of us paces run again when they fail."""
    if not config.pluginmanager.hasplugin("rerunfailures"):
        return
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here) and item.path.parent.name in PACED_FROM_OUTSIDE:
            item.add_marker(pytest.mark.flaky(reruns=2))
