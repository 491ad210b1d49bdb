"""Cassettes in the pytest fixture: played unless the command line says otherwise."""

from __future__ import annotations

import pytest

pytest_plugins = ["pytester"]

TEST = """
from taped import SHORT, desk_session

def test_call(simulate):
    simulate(desk_session, SHORT, cassette="tape")
"""


@pytest.fixture
def taped_test(pytester, monkeypatch):
    pytester.makepyfile(TEST)
    return pytester


def test_a_test_plays_and_records_only_when_told(taped_test):
    result = taped_test.runpytest()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*there is no cassette in 'tape'*record_mode='none'*"])
    taped_test.runpytest("--voice-record-mode", "once").assert_outcomes(passed=1)
    taped_test.runpytest("--voice-shuffle", "1").assert_outcomes(passed=1)
    result = taped_test.runpytest("--voice-record-mode", "sometimes")
    result.stderr.fnmatch_lines(["*invalid choice: 'sometimes'*"])
