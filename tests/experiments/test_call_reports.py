"""Calls as a page, a report and JUnit XML: what is in them, and that texts stay texts."""

from __future__ import annotations

import asyncio
import re
import xml.etree.ElementTree as ET
from dataclasses import fields, replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from live_calls import desk

from piopiy_lab import Caller, display, simulate_many
from piopiy_lab.display import document
from piopiy_lab.errors import ArgumentError, CallError, SavedCallError
from piopiy_lab.experiments.calls import Calls
from piopiy_lab.experiments.figures.row_json import row_from_json, row_to_json
from piopiy_lab.experiments.figures.rows import CallRow
from piopiy_lab.experiments.kept import Kept
from piopiy_lab.experiments.showing import table_html
from piopiy_lab.experiments.showing.table_html import batch_of

GREETED = Caller().hears_greeting()
KEY = "sk-proj-" + "Z9xYw8Vu7Ts6" * 3
HOSTILE = (
    f"</script><script>alert(1)</script> <img src=//evil.example/x> \x1b[31m \u202e \x00 {KEY}"
)


async def session(call_id):
    if call_id == "shy-2":
        raise ValueError(f"no table, token={KEY}")
    await desk(call_id)


def luminance(colour):
    """Relative luminance of sRGB values of 0 to 255, as WCAG 2 defines it."""
    parts = [value / 255 for value in colour]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return sum(weight * one for weight, one in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def mixed(one, other, share):
    return [share * a + (1 - share) * b for a, b in zip(one, other, strict=True)]


@pytest.mark.parametrize(
    ("file", "selector", "over"),
    [
        (table_html, ".pc-bad", ".pc-row:hover"),
        (document, ".pp-cut", None),
        (document, ".pp-error", None),
        (document, "pre.pp-failure", None),
    ],
)
@pytest.mark.parametrize(
    ("text", "page"),
    [
        ((0, 0, 0), (255, 255, 255)),
        ((255, 255, 255), (18, 18, 18)),
        ((224, 224, 224), (17, 17, 17)),
    ],
    ids=["light", "dark", "a dark notebook"],
)
def test_what_fails_can_be_read_on_light_and_dark_pages(file, selector, over, text, page):
    css = "".join(one.read_text() for one in Path(file.__file__).parent.glob("*.css"))
    found = re.search(
        re.escape(selector) + r"\b[^}]*color-mix\(in srgb, #(\w{6}) (\d+)%, currentColor\)", css
    )
    shown = mixed(bytes.fromhex(found[1]), text, int(found[2]) / 100)
    behind = [page]
    if over:
        *tint, share = re.search(
            re.escape(over) + r"[^}]*rgba\((\d+), (\d+), (\d+), ([.\d]+)\)", css
        ).groups()
        behind.append(mixed(map(int, tint), page, float(share)))
    for colour in behind:
        dark, light = sorted([luminance(shown), luminance(colour)])
        assert (light + 0.05) / (dark + 0.05) >= 4.5


@pytest.fixture(scope="module")
def calls():
    callers = {"hopeful": GREETED.hears("pizza", within=1), "shy": GREETED}
    return asyncio.run(simulate_many(session, callers, repeat=3, executor=0))


class Page(HTMLParser):
    """What a page has: its tags with their attributes, and its text."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.said = [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.said.append(data)

    def of(self, name):
        return [attrs for _, attrs in self.tags if name in (attrs.get("class") or "").split()]


def test_the_table_has_folds_with_the_failing_ones_first_and_the_worst_calls_in_it(calls):
    bundle = calls._repr_mimebundle_()
    assert bundle["text/plain"] == str(calls)
    page = Page(bundle["text/html"])
    assert len(page.of("pc-group")) == 2
    assert [row["data-get"] for row in page.of("pc-row")] == [
        f"calls[{name}]" for name in
        ("'hopeful', 1", "'hopeful', 2", "'hopeful', 3", "'shy', 2", "'shy', 1", "'shy', 3")
    ]  # fmt: skip
    assert len(page.of("pc-bad")) == 4
    assert len(page.of("pc-sounds")) == 3
    assert sum(tag == "audio" for tag, _ in page.tags) == 2, "the one that raised has no sound"
    assert sum(tag == "script" for tag, _ in page.tags) == 1
    assert "5 of 6" not in bundle["text/html"]
    assert "2 of 6 passed, 1 raised, pass rate 0.33" in bundle["text/html"]
    assert KEY not in bundle["text/html"]
    assert bundle["text/html"] == calls._repr_mimebundle_()["text/html"], "the same each time"


def test_nothing_is_read_or_drawn_before_it_is_shown(calls, monkeypatch):
    def fail(*_):
        raise AssertionError("somebody looked")

    monkeypatch.setattr(Kept, "get", fail)
    assert str(calls.failed.worst(2)).startswith("0 of 2 passed")
    assert repr(calls["shy"]) == "<Calls: 2 of 3 passed, 1 raised>"


def test_the_page_of_many_calls_stays_small():
    rows = [
        CallRow(n, f"caller {n % 7}", n, seed=n, answers=(0.3, n / 1000), heard=("a table",) * 3)
        for n in range(1000)
    ]
    html = Calls(rows, Kept()).html()
    assert len(html) < 150_000
    page = Page(html)
    assert len(page.of("pc-row")) == 200
    assert len(page.of("pc-more")) == 7
    assert "less bad than these: calls[&#x27;caller 0&#x27;]" in html
    assert len(page.of("pc-folded")) == 6, "the first is open"
    rows[1000 // 2] = replace(rows[500], kind="failed")
    (opened,) = [
        tag for tag in Page(Calls(rows, Kept()).html()).of("pc-group") if tag["class"] == "pc-group"
    ]
    assert opened


def test_the_report_says_everything_and_what_it_leaves_out(calls, tmp_path):
    path = calls.save_html(tmp_path / "sub" / "report.html")
    text = path.read_text("utf-8")
    assert KEY not in text
    said = " ".join(" ".join(Page(text).said).split())
    assert "Calls: 2 of 6 passed, 1 raised, pass rate 0.33 (0.10 to 0.70)" in said
    assert "shy 2 of 3, 0.67 (0.21 to 0.94), 1 raised" in said
    assert "hears('pizza', within=1.0) 3 of 3, 1.00 (0.44 to 1.00)" in said
    assert "the 5 worst calls are in this file" in said
    assert "Of the other 1, it has the figures alone" in said
    assert not re.search(r"""(src|href)=["']?(?!data:)[a-z/]""", text), "nothing from outside"
    with pytest.raises(SavedCallError, match="overwrite=True"):
        calls.save_html(path)
    calls.save_html(path, overwrite=True, worst=0)
    assert path.stat().st_size < 60_000
    assert "<audio" not in path.read_text("utf-8")
    with pytest.raises(SavedCallError, match="is a folder"):
        calls.save_html(tmp_path)
    with pytest.raises(ArgumentError, match="worst=-1"):
        calls.save_html(tmp_path / "other.html", worst=-1)
    assert [one.name for one in path.parent.iterdir()] == ["report.html"]


def test_a_damaged_call_costs_only_its_own_sound(calls, tmp_path):
    loaded = Calls.load(calls.save(tmp_path / "batch"))
    (tmp_path / "batch/calls/00000-hopeful-1.zip").write_bytes(b"half of it")
    for html in (loaded.html(), loaded.save_html(tmp_path / "r.html").read_text("utf-8")):
        assert "Note: " in html
        assert "00000-hopeful-1.zip is damaged" in html
        assert "<audio" in html


def hostile_rows():
    told = {"failing_step": HOSTILE, "error": HOSTILE, "heard": (HOSTILE,)}
    told |= {"tools": (HOSTILE,), "tool_args": (HOSTILE,), "params": {HOSTILE: HOSTILE}}
    return [CallRow(0, f"me {HOSTILE}", 1, 7, "failed", **told)]


def test_what_callers_and_tools_say_stays_text(tmp_path):
    calls = Calls(hostile_rows(), Kept(), notices=[HOSTILE], settings={"line": HOSTILE})
    for html in (calls.html(), calls.save_html(tmp_path / "r.html").read_text("utf-8")):
        page = Page(html)
        assert [tag for tag, _ in page.tags if tag in ("script", "img")] == ["script"]
        assert "\x1b" not in html
        assert "\x00" not in html
    assert "\x1b" not in str(calls)


def test_junit_has_what_ci_systems_read(calls, tmp_path):
    path = calls.save_junit(tmp_path / "junit.xml")
    assert KEY not in path.read_text("utf-8")
    whole = ET.parse(path).getroot()
    assert whole.tag == "testsuites"
    assert [whole.get(name) for name in ("tests", "failures", "errors")] == ["6", "3", "1"]
    suites = whole.findall("testsuite")
    assert [suite.get("name") for suite in suites] == ["hopeful", "shy"]
    for suite in suites:
        cases = suite.findall("testcase")
        assert int(suite.get("tests")) == len(cases)
        assert int(suite.get("failures")) == len(suite.findall("testcase/failure"))
        assert int(suite.get("errors")) == len(suite.findall("testcase/error"))
        assert sum(float(case.get("time")) for case in cases) == pytest.approx(
            float(suite.get("time")), abs=0.01
        )
        assert {case.get("classname") for case in cases} == {suite.get("name")}
        assert len({case.get("name") for case in cases}) == len(cases)
    failure = suites[0].find("testcase/failure")
    assert failure.get("message") == "hears('pizza', within=1.0)"
    assert "it was not heard within 1 s" in failure.text
    again = suites[0].find("testcase/system-out").text
    assert "calls['hopeful', 1]" in again
    assert f"perturb={calls[0].seed}" in again
    assert "ValueError: no table" in suites[1].find("testcase/error").get("message")
    assert "1 of 3" not in suites[1].find("system-out").text
    assert "2 of 3 passed" in suites[1].find("system-out").text


def test_junit_of_odd_texts_is_valid_xml(tmp_path):
    line = "Line(codec='pcmu')"
    calls = Calls(hostile_rows(), Kept(), notices=["\ud800\ufffe\x0b"], settings={"line": line})
    whole = ET.parse(calls.save_junit(tmp_path / "junit.xml")).getroot()
    assert "<script>" in whole.find("testsuite").get("name")
    assert f"perturb=7, line={line} with 0 more" in whole.find("*/testcase/system-out").text
    assert KEY not in (tmp_path / "junit.xml").read_text("utf-8")
    assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f]", "".join(whole.itertext()))


def test_who_shows_a_table_is_asked_for_the_other_calls(calls):
    offered = {}
    hook = display.Hook(show=print, offer_calls=lambda batch, pages: offered.update({batch: pages}))
    before = display.set_hook(hook)
    try:
        calls._repr_mimebundle_()
    finally:
        display.set_hook(before)
    assert offered == {batch_of(calls.rows): calls}
    html = calls.call_html(5)
    assert 'class="piopiy-call"' in html
    assert "<script>" not in html
    with pytest.raises(CallError, match="no call has the index 99"):
        calls.call_html(99)
    gone = Calls([replace(calls[0], kept=False)], Kept())
    with pytest.raises(CallError, match="keep='all'"):
        gone.call_html(0)


def test_no_value_of_a_row_is_lost_on_the_disk():
    """A field that is added to the row and not to its JSON would be."""
    record = row_to_json(CallRow(3, "a", 1))
    for field in fields(CallRow):
        with pytest.raises(SavedCallError, match=f"its {field.name!r} is"):
            row_from_json({**record, field.name: object()})
