"""No secret and no forged line is in a log: not in ours, not in pipecat's when it is shown."""

from __future__ import annotations

import logging

import pytest
from loguru import logger

import piopiy_lab
from piopiy_lab.logs import safe_logger

FORGED = "no\n2026-11-28 ERROR forged \x1b[2J, password: hunter2hunter"


def is_safe(text: str) -> bool:
    return "hunter2" not in text and "\x1b" not in text and "\n2026-11-28 ERROR" not in text


def test_our_own_loggers_change_the_record(caplog: pytest.LogCaptureFixture):
    log = safe_logger("piopiy_lab.agent")
    assert safe_logger("piopiy_lab.agent").filters == log.filters  # one gate, however often
    try:
        raise RuntimeError(FORGED)
    except RuntimeError as error:
        log.exception("room %r failed: %s", "r1", error)
    record = caplog.records[-1]
    assert record.getMessage().startswith(
        "room 'r1' failed: no\n    2026-11-28 ERROR forged \\x1b[2J"
    )
    written = logging.Formatter().format(record)
    assert is_safe(written)
    assert "RuntimeError" in written
    log.error("as ever: %d%%", 5)
    assert caplog.records[-1].getMessage() == "as ever: 5%"


def test_pipecats_lines_go_through_it_too(capsys: pytest.CaptureFixture[str]):
    try:
        piopiy_lab.log("INFO")
        named = logger.patch(lambda record: record.update(name="pipecat.x"))
        named.info(FORGED)
        secret = "sk-abcdefgh12345678ijkl"  # a frame's variable, which loguru shows by itself
        try:
            raise ValueError(len(secret) * "x")
        except ValueError:
            named.exception("it failed")
    finally:
        piopiy_lab.log(None)
    told = capsys.readouterr().err
    assert is_safe(told)
    assert "forged" in told
    assert "ValueError" in told
    assert "sk-" not in told
