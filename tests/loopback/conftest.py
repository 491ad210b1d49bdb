from __future__ import annotations

import os

import pytest

MISSING = None
try:
    import espeakng_loader  # noqa: F401 - only whether it is there

    import piopiy_lab.loopback  # noqa: F401
except ImportError as error:
    MISSING = str(error)
    if os.environ.get("PIOPIY_LAB_REQUIRE") == "all":
        raise
    collect_ignore_glob = ["test_*.py"]


def pytest_collection_modifyitems(items):
    if MISSING:
        for item in items:
            if "tests/loopback" in str(item.path):
                item.add_marker(pytest.mark.skip(reason=MISSING))
