"""The outcome of an eval as JUnit XML, which CI shows as tests. Any thread."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Sequence

from piopiy_lab.evals.runs import EvalRun
from piopiy_lab.redaction import made_valid, redact_text

#: What XML 1.0 has no way to write.
_UNWRITABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit_of(bot: str, runs: Sequence[EvalRun]) -> str:
    """Return the XML: a suite named after the bot, a case for each run, its seconds real ones."""
    counts = {
        status: sum(run.status == status for run in runs)
        for status in ("failed", "error", "skipped")
    }
    suite = ET.Element(
        "testsuite",
        name=_text(bot),
        tests=str(len(runs)),
        failures=str(counts["failed"]),
        errors=str(counts["error"]),
        skipped=str(counts["skipped"]),
        time=f"{sum(run.wall_secs for run in runs):.3f}",
    )
    for run in runs:
        suite.append(_case(run))
    whole = ET.Element("testsuites")
    whole.append(suite)
    ET.indent(whole)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ET.tostring(whole, encoding="unicode")}\n'


def _case(run: EvalRun) -> ET.Element:
    file, _, name = run.name.rpartition("/")
    case = ET.Element(
        "testcase", classname=_text(file), name=_text(name), time=f"{run.wall_secs:.3f}"
    )
    reasons = run.reasons
    tag = {"failed": "failure", "error": "error", "skipped": "skipped"}.get(run.status)
    if tag is not None:
        told = ET.SubElement(case, tag, message=_text(reasons[0] if reasons else run.status))
        told.text = _text("\n".join(reasons))
    lines = [*(f"note: {notice}" for notice in run.notices)]
    lines += [] if run.result is None else run.result.debug_log
    if lines:
        ET.SubElement(case, "system-out").text = _text("\n".join(lines))
    return case


def _text(text: str) -> str:
    return _UNWRITABLE.sub("?", made_valid(redact_text(text)))
