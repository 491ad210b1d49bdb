"""``stacks()``: what is usable here, and what to do about the rest."""

from __future__ import annotations

import html.parser
import re

import pytest
from stack_keys import DEEPGRAM

from piopiy_lab import stack, stacks
from piopiy_lab.errors import ArgumentError, PiopiyLabError
from piopiy_lab.service_catalog.entries import catalog
from piopiy_lab.service_catalog.table import GROUPS, Row, StackTable


def test_every_service_has_a_row():
    table = stacks()
    assert len(table) == len(catalog().entries) + 4
    assert {(row.kind, row.name) for row in table} >= set(catalog().entries)
    assert {row.kind for row in stacks("tts")} == {"tts"}


def test_without_keys_only_ours_is_usable():
    at_once = {row.name for row in stacks() if row.group == "usable"}
    assert at_once == {"offline", "offline-realtime"}  # whatever local services are installed
    row = stacks().row("stt", "deepgram")
    assert row.group == "key"
    assert row.todo == ("set DEEPGRAM_API_KEY",)
    assert row.keys_at == "https://console.deepgram.com"


def test_a_key_in_a_dotenv_makes_it_usable(tmp_path):
    (tmp_path / "work" / ".env").write_text(f"DEEPGRAM_API_KEY={DEEPGRAM}\n")
    table = stacks()
    assert table.row("stt", "deepgram").usable
    assert table.row("tts", "deepgram").usable
    text, shown = repr(table), table._repr_html_()
    assert text.startswith("Usable now\n  stt tts     deepgram\n")
    assert "leak" not in text + shown


def test_the_order_is_what_is_usable_first_and_the_same_each_time(three_keys):
    table = stacks()
    groups = [row.group for row in table]
    assert groups == sorted(groups, key=list(GROUPS).index)
    assert repr(table) == repr(stacks())
    assert table._repr_html_() == stacks()._repr_html_()
    assert not re.search(r"0x[0-9a-f]{6,}", repr(table))


def test_a_usable_row_can_be_made_and_another_says_the_same(three_keys):
    """The table and stack() agree."""
    stand_in = {"stt": "deepgram", "llm": "openai", "tts": "cartesia"}
    rows = [row for row in stacks() if row.group not in ("download", "server")]
    usable = [row for row in rows if row.usable]
    assert len(usable) >= 12
    for row in usable:
        assert stack(**{**stand_in, row.kind: row.name}).parts[row.kind].name == row.name
    assert len(rows) - len(usable) > 80
    for row in rows:
        if not row.usable and row.name != "nvidia-omni":  # which needs a tts, so never alone
            with pytest.raises(PiopiyLabError) as caught:
                stack(**{**stand_in, row.kind: row.name})
            names = {word for todo in row.todo for word in re.findall(r"[A-Z_]{6,}", todo)}
            assert not names or any(name in str(caught.value) for name in names), row


def test_what_is_installed_needs_only_its_key_and_the_rest_the_line():
    for row in stacks():
        if row.group == "install":
            assert row.todo[0].startswith('pip install "pi')
        elif row.group == "key":
            assert row.todo[0].startswith("set ")


def test_local_services_say_what_they_download(monkeypatch, tmp_path):
    from piopiy_lab.service_catalog import usable

    monkeypatch.setattr(usable, "missing_packages", lambda entry: [])
    row = stacks().row("tts", "kokoro")
    assert row.group == "download"
    assert row.usable
    assert "downloads 340 MB" in row.notes
    weights = tmp_path / "home" / ".cache" / "pipecat" / "kokoro-onnx" / "kokoro-v1.0.onnx"
    weights.parent.mkdir(parents=True)
    weights.touch()
    assert stacks().row("tts", "kokoro").group == "usable"


def test_a_server_that_doesnt_answer_is_told():
    row = stacks().row("llm", "ollama")
    assert row.group in ("server", "usable")  # there may be one on the developer's machine
    if row.group == "server":
        assert row.todo == ("start the server (http://localhost:11434/v1)",)


def test_credentials_files_stand_in_for_keys(monkeypatch, tmp_path):
    from piopiy_lab.service_catalog import usable

    monkeypatch.setattr(usable, "missing_packages", lambda entry: [])
    assert stacks().row("llm", "aws").group == "key"
    file = tmp_path / "home" / ".aws" / "credentials"
    file.parent.mkdir()
    file.touch()
    assert stacks().row("llm", "aws").usable


class Tags(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.rows, self.links = [], 0, []

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        self.rows += tag == "tr"
        self.links += [value for name, value in attrs if name == "href"]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_html_is_well_formed_and_escaped():
    tags = Tags()
    tags.feed(stacks()._repr_html_())
    assert tags.open == []
    assert tags.rows > 80
    assert all(link.startswith("https://") for link in tags.links)
    odd = StackTable([Row("<b>", "stt", "A & B", "key", ("<script>",), keys_at='https://x/"')])
    shown = odd._repr_html_()
    assert "<script>" not in shown
    assert "<b>" not in shown
    assert "A &amp; B" in shown


def test_what_is_unknown_is_said():
    with pytest.raises(ArgumentError, match="the kinds are 'stt', 'llm', 'tts'"):
        stacks("vad")
    with pytest.raises(ArgumentError, match="did you mean 'deepgram'"):
        stacks().row("stt", "deepgramm")
    with pytest.raises(ArgumentError, match="stacks\\(\\) has all"):
        stacks("llm").row("stt", "deepgram")
    assert repr(StackTable([])) == "<StackTable: no rows>"
