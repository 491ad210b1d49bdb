from __future__ import annotations

import os

try:
    import espeakng_loader  # noqa: F401 - only whether it is there

    import piopiy_lab.loopback  # noqa: F401
except ImportError:
    if os.environ.get("PIOPIY_LAB_REQUIRE") == "all":
        raise
    collect_ignore_glob = ["test_*.py"]
