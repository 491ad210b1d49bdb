"""Any text and any value: no exception, JSON stays JSON, no secret is left. Fixed seed."""

from __future__ import annotations

import json

import hypothesis.strategies as st
from hypothesis import given, seed, settings

from piopiy_lab.redaction import made_valid, redact, redact_line, redact_text, told, visible

FIXED = settings(max_examples=300, deadline=None, database=None)
SECRET = "hunter2hunter"
NAMES = st.sampled_from(["password", "api_key", "agentToken", "Client-Secret", "Authorization"])
TEXTS = st.text(
    st.one_of(st.sampled_from("sk-eyJ.:/@=\"\\{}[]&?# \n'Bearer token key"), st.characters()),
    max_size=200,
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS | NAMES, inner, max_size=4),
    max_leaves=12,
)


@seed(16)
@FIXED
@given(TEXTS)
def test_any_text(text: str):
    clean = redact_text(text)
    assert redact_text(clean) == clean
    assert len(told(text, 50)) <= 50
    assert "\n" not in visible(text)
    assert "\x1b" not in visible(text)
    made_valid(text).encode()


@seed(17)
@FIXED
@given(JSON)
def test_any_value_stays_json(value: object):
    clean = redact(value)
    assert redact(clean) == clean
    line = json.dumps({"type": "X", "at": 1.0, "a": value}, ensure_ascii=False)
    for written in (redact_line(line), redact_text(line)):
        assert json.loads(written)["type"] == "X"


@seed(18)
@FIXED
@given(JSON, NAMES, st.integers(0, 3))
def test_a_secret_with_a_name_is_never_left(value: object, name: str, nested: int):
    holder: object = {name: SECRET, "beside": value}
    for _ in range(nested):
        holder = {"text": json.dumps(holder)}
    assert SECRET not in json.dumps(redact(holder))
    assert SECRET not in redact_line(json.dumps(holder))
    assert SECRET not in redact_text(json.dumps(holder))
    assert SECRET not in redact_text(f"error: {holder!r}")


@seed(19)
@FIXED
@given(TEXTS, NAMES, st.sampled_from(["=", ": ", ":", " = ", "=>"]), st.sampled_from(["", "--"]))
def test_a_named_value_in_a_text_is_never_left(text: str, name: str, sep: str, dashes: str):
    assert SECRET not in redact_text(f"{text} {dashes}{name}{sep}{SECRET} {text}")
    assert SECRET not in redact_text(f"{text} https://{SECRET}@host/{text}")
