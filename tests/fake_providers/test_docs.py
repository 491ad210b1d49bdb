"""The example in docs/fake_providers.md runs as it stands."""

from __future__ import annotations

import re
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs" / "fake_providers.md"


def test_the_example_runs(pytester):
    code = re.search(r"```python\n# test_providers.py\n(.*?)```", DOCS.read_text(), re.DOTALL)
    assert code is not None
    pytester.makepyfile(test_providers=code[1])
    pytester.runpytest_subprocess("-q", "-p", "no:cacheprovider").assert_outcomes(passed=2)
