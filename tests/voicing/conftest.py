from __future__ import annotations

import pytest

from piopiy_lab.voicing import preparing


@pytest.fixture(autouse=True)
def _cache_of_its_own(tmp_path, monkeypatch):
    """No test sees another's voices, nor the user's."""
    monkeypatch.setenv("PIOPIY_LAB_VOICES", str(tmp_path / "voices"))
    preparing.forget()
    yield
    preparing.forget()
