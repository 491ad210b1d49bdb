"""Many calls as JUnit XML, which CI shows as tests: a suite for each caller, a case for each run.

The elements and attributes are those that pytest writes and CI systems read. Any thread.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Sequence

from piopiy_lab.experiments.figures.ordering import groups_of
from piopiy_lab.experiments.figures.row_texts import heard_text, reason, share_text, whole_ms
from piopiy_lab.experiments.figures.rows import CallRow
from piopiy_lab.redaction import made_valid, redact_text

#: What XML 1.0 has no way to write.
_UNWRITABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit_of(rows: Sequence[CallRow], notices: Sequence[str] = (), *, line: object = None) -> str:
    """Return the XML; its times are seconds of the calls.

    Args:
        rows: The calls. One that failed is a failure; one that raised, hung or died an error.
        notices: What has to be said of them.
        line: The line of all calls, whose seed is one more in each run; None without one.
    """
    whole = ET.Element("testsuites", {"name": "calls", **_counts(rows)})
    del whole.attrib["skipped"]  # the schema that Jenkins checks has it on suites only
    for name, group in groups_of(rows).items():
        suite = ET.SubElement(whole, "testsuite", {"name": _text(name), **_counts(group)})
        suite.extend(_case(row, line) for row in group)
        told = [share_text(group), *(f"note: {notice}" for notice in notices)]
        ET.SubElement(suite, "system-out").text = _text("\n".join(told))
    ET.indent(whole)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ET.tostring(whole, encoding="unicode")}\n'


def _counts(rows: Sequence[CallRow]) -> dict[str, str]:
    failed = sum(row.kind == "failed" for row in rows)
    passed = sum(row.passed for row in rows)
    return {
        "tests": str(len(rows)),
        "failures": str(failed),
        "errors": str(len(rows) - passed - failed),
        "skipped": "0",
        "time": f"{sum(row.secs for row in rows):.3f}",
    }


def _case(row: CallRow, line: object) -> ET.Element:
    name = f"run {row.run}" if row.seed is None else f"run {row.run} (seed {row.seed})"
    case = ET.Element("testcase", classname=_text(row.caller), name=name, time=f"{row.secs:.3f}")
    if not row.passed:
        tag = "failure" if row.kind == "failed" else "error"
        told = ET.SubElement(case, tag, message=_text(reason(row, 300)), type=row.kind)
        told.text = _text("\n".join(filter(None, (row.failing_step, row.error))))
    ET.SubElement(case, "system-out").text = _text("\n".join(_about(row, line)))
    return case


def _about(row: CallRow, line: object) -> list[str]:
    seed = "" if row.seed is None else f", perturb={row.seed}"
    if line is not None:
        seed += f", line={line} with {row.run - 1} more as its seed"
    lines = [f"calls[{row.caller!r}, {row.run}]", f"again: simulate(..., caller{seed})"]
    if row.answers:
        lines.append(f"answers: p50 {whole_ms(row.p50)} ms, p95 {whole_ms(row.p95)} ms")
    lines += [f"tool: {name}({args})" for name, args in zip(row.tools, row.tool_args, strict=False)]
    return [*lines, f"heard: {heard_text(row)}"] if row.heard else lines


def _text(text: str) -> str:
    return _UNWRITABLE.sub("?", made_valid(redact_text(text)))
