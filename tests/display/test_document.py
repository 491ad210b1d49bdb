"""A call as one HTML file: whole, from nowhere else, without secrets, and never written over."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hand_made_call import Sound, booking_call, empty_call, running_call
from test_display import Checker

from piopiy_lab import events as ev
from piopiy_lab.call.call import Call
from piopiy_lab.errors import SavedCallError
from piopiy_lab.events.log import EventLog


def test_the_file_is_whole_and_needs_nothing_from_outside(tmp_path):
    call = booking_call()
    path = call.save_html(tmp_path / "pages" / "call.html")
    text = path.read_text("utf-8")
    page = Checker(text.removeprefix("<!DOCTYPE html>\n"))
    tags = [tag for tag, _ in page.seen]
    assert tags.count("audio") == tags.count("img") == tags.count("h1") == 1
    assert tags.count("table") == 2
    assert not re.search(r"""(?:src|href)=["'](?!data:)""", text)
    assert "url(" not in text
    assert "default-src 'none'" in text
    told = " ".join(page.texts)
    for words in (*(entry.text.split()[0] for entry in call.transcript), "Latency", "Settings"):
        assert words in told
    (tool,) = call.tool_calls
    for key, value in tool.arguments.items():
        assert f'"{key}"' in told
        assert str(value) in told
    assert booking_call().save_html(path, overwrite=True).read_text("utf-8") == text


@pytest.mark.parametrize("make", [empty_call, running_call])
def test_a_call_without_anything_is_a_page_too(make, tmp_path):
    text = make().save_html(tmp_path / "call.html").read_text("utf-8")
    Checker(text.removeprefix("<!DOCTYPE html>\n"))


def test_no_secret_and_no_markup_of_others_is_in_it(tmp_path):
    log = EventLog()
    for event in (
        ev.CallStarted(at=0.0, origin="caller", sample_rate=16000),
        ev.ToolCalled(at=1.0, name="pay", arguments={"password": "hunter2", "to": "<b>"}, number=1),
        ev.ToolReturned(
            at=1.2, name="pay", number=1, result={"note": "--token=abc123secret"}, error=None
        ),
        ev.CallEnded(at=2.0, reason="hung_up", error=None),
    ):
        log.append(event)
    text = (
        Call(log, Sound(np.zeros((0, 2), np.int16)))
        .save_html(tmp_path / "call.html")
        .read_text("utf-8")
    )
    assert "hunter2" not in text
    assert "abc123secret" not in text
    assert "&lt;b&gt;" in text
    assert "<b>&quot;" not in text


def test_what_is_there_is_kept(tmp_path):
    path = tmp_path / "call.html"
    path.write_text("mine")
    with pytest.raises(SavedCallError, match=r"call\.html is there already; .*overwrite=True"):
        booking_call().save_html(path)
    with pytest.raises(SavedCallError, match="can't be written"):
        booking_call().save_html(tmp_path, overwrite=True)
    with pytest.raises(SavedCallError, match="can't be written"):
        booking_call().save_html(path / "call.html")
    assert path.read_text() == "mine"
