"""What holds for every test."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

#: Where a browser, a sound card or a room's media set the pace: a busy machine can spoil a run, so
#: a failure there is tried again, and pytest's summary says so (RERUN). What fails each time is
#: broken. Tests that are marked ``realtime`` have one more try.
PACED_FROM_OUTSIDE = {"browser": 2, "audio": 2, "loopback": 1, "telephony": 1}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let tests that something outside of us paces run again when they fail."""
    if not config.pluginmanager.hasplugin("rerunfailures"):
        return
    here = Path(__file__).parent
    for item in items:
        folder = item.path.parent.name if item.path.is_relative_to(here) else ""
        wall_clock = item.get_closest_marker("realtime") is not None
        if tries := PACED_FROM_OUTSIDE.get(folder, 1 if wall_clock else 0):
            item.add_marker(pytest.mark.flaky(reruns=tries))
