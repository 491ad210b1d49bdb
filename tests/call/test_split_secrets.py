"""A secret that is split over streamed chunks is in no file, however it is cut."""

from __future__ import annotations

import json
import random
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import given, seed, settings

from piopiy_lab import events as ev
from piopiy_lab.call.saved import CallFolder
from piopiy_lab.events.log import EventLog
from piopiy_lab.redaction import REMOVED, keep_secret, redact_text
from piopiy_lab.redaction.chunks import Chunks

KEY = "sk-abcdefgh12345678ijkl"
KNOWN = "plain-agent-token-8"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N"
SAID = f"Well, password: hunter2hunter, {KEY} and {KNOWN} {JWT} it is."
CLEAN = f"Well, password: {REMOVED}, {REMOVED} and {REMOVED} {REMOVED} it is."


def pieces(text: str, chance: random.Random) -> list[str]:
    cuts = sorted(chance.sample(range(1, len(text)), chance.randint(1, len(text) - 1)))
    return [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]


@pytest.mark.parametrize("number", range(12))
def test_no_chunk_on_disk_has_a_part_of_it(tmp_path: Path, number: int):
    keep_secret(KNOWN)
    chance = random.Random(number)
    chunks = list(SAID) if number == 0 else pieces(SAID, chance)
    folder = CallFolder(tmp_path / "call")
    log = EventLog(sink=folder)
    log.append(ev.LLMTextGenerated(at=0.0, text="Before. "))
    log.append(ev.LLMResponseStarted(at=0.0))
    for i, chunk in enumerate(chunks):
        log.append(ev.LLMTextGenerated(at=float(i), text=chunk))
        log.append(ev.VADSampled(at=float(i), confidence=0.5, volume=None))
    for word in SAID.split():
        log.append(ev.WordSpoken(at=99.0, text=word))
    log.append(ev.CallEnded(at=99.0, reason="hung_up"))
    folder.close()
    records = [json.loads(line) for line in (folder.path / "events.jsonl").read_text().splitlines()]
    assert [record["type"] for record in records] == [type(event).__name__ for event in log]
    assert [record["at"] for record in records] == [event.at for event in log]
    texts = [r["text"] for r in records if r["type"] == "LLMTextGenerated"]
    assert texts[0] == "Before. "
    assert "".join(texts[1:]) == CLEAN
    words = " ".join(r["text"] for r in records if r["type"] == "WordSpoken" and r["text"])
    assert " ".join(words.split()) == CLEAN


def test_chunks_without_a_secret_are_left_as_they_are(tmp_path: Path):
    chunks = ["It ", "is a ", "task-", "management-", "system. ", "", "\ud83d", "\ude00"]
    folder = CallFolder(tmp_path / "call")
    log = EventLog(sink=folder)
    for chunk in chunks:
        log.append(ev.LLMTextGenerated(at=1.0, text=chunk))
    folder.close()
    lines = (folder.path / "events.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line)["text"] for line in lines] == chunks


@seed(25)
@settings(max_examples=200, deadline=None, database=None)
@given(st.lists(st.text("sk-ab1 :=token\"'", max_size=12), max_size=12), st.sampled_from(["", " "]))
def test_any_chunks_are_the_clean_text_cut(texts: list[str], between: str):
    chunks, shown = Chunks(between), []
    for text in texts:
        shown = chunks.add(text)
    assert len(shown) == len(texts)
    if between == "":
        assert "".join(shown) == redact_text("".join(texts))
