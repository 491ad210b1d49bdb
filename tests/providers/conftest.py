from __future__ import annotations

import os

import pytest

MISSING = None
try:
    import deepgram  # noqa: F401 - only whether it is there
    import espeakng_loader  # noqa: F401
    import pocketsphinx  # noqa: F401
except ImportError as error:
    MISSING = f"{error}: pip install 'piopiy-lab[offline,test]'"
    if os.environ.get("PIOPIY_LAB_REQUIRE") == "all":
        raise


def pytest_collection_modifyitems(items):
    if MISSING:
        for item in items:
            if "tests/providers" in str(item.path):
                item.add_marker(pytest.mark.skip(reason=MISSING))
