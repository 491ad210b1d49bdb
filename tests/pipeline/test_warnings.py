"""What pipecat says of how this package uses it is for us: nothing of it reaches a user's cell."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

CALLS = {
    "three providers": "Desk().call().raise_for_error()",
    "other instructions in mid-call": """
import asyncio
def during(agent):
    asyncio.get_running_loop().call_later(5, setattr, agent, "instructions", "You are brief.")
Desk(during=during).call().raise_for_error()
""",
}


@pytest.mark.parametrize("code", CALLS.values(), ids=CALLS)
def test_no_warning_reaches_a_users_cell(code):
    """With Python's own filters, as in a cell or a script; pipecat shows some in spite of them."""
    support = Path(__file__).parents[1] / "support"
    path = os.pathsep.join([str(support), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", f"from cloud_desk import Desk\n{code}"],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "Warning" not in done.stderr
