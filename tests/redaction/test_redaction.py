"""Secrets are taken out by name, by look and by value, wherever they stand."""

from __future__ import annotations

import json
import time

import pytest

from piopiy_lab.redaction import (
    REMOVED,
    goes_in_the_clear,
    keep_secret,
    redact,
    redact_line,
    redact_text,
    told,
    visible,
    visible_lines,
)


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("password: hunter2, then", f"password: {REMOVED}, then"),
        ("token=abc", f"token={REMOVED}"),
        ("f(api_key=os.getenv('K', 'hunter2'), a=1)", f"f(api_key={REMOVED}), a=1)"),
        ("run --token=abc --api-key xyz now", f"run --token={REMOVED} --api-key {REMOVED} now"),
        ("AWS_SECRET_ACCESS_KEY=ab/c+d", f"AWS_SECRET_ACCESS_KEY={REMOVED}"),
        ("X-Api-Key:abc", f"X-Api-Key:{REMOVED}"),
        ("Authorization: Bearer abc", f"Authorization: {REMOVED}"),
        ("Cookie: a=b; c=d\nHost: x", f"Cookie: {REMOVED}\nHost: x"),
        ("Config(api_key='a b', n=3)", f"Config(api_key='{REMOVED}', n=3)"),
        ("{'password': 'abc', 'n': 1}", f"{{'password': '{REMOVED}', 'n': 1}}"),
        ('got {"password": "a\\"b", "n": 1}', f'got {{"password": "{REMOVED}", "n": 1}}'),
        ('cut {"password": "hunt', f'cut {{"password": "{REMOVED}'),
        ('"secret": {"deep": ["x"]} after', f'"secret": "{REMOVED}" after'),
        ('{"a": "{\\"api_key\\": \\"b\\"}"}', f'{{"a": "{{\\"api_key\\": \\"{REMOVED}\\"}}"}}'),
        ("https://user:pw@host/x", f"https://{REMOVED}@host/x"),
        ("https://:pw@host/x", f"https://{REMOVED}@host/x"),
        ("https://ghs@host", f"https://{REMOVED}@host"),
        ("redis://:p/w@host:6379/0", f"redis://{REMOVED}@host:6379/0"),
        ("http://x/#access_token=abc&n=1", f"http://x/#access_token={REMOVED}&n=1"),
        ("http://x/?key=abc&n=1", f"http://x/?key={REMOVED}&n=1"),
        ("-----BEGIN RSA PRIVATE KEY-----\nabc", REMOVED),
        ("a sk-proj-abcdefgh12345678 b", f"a {REMOVED} b"),
    ],
)
def test_a_secret_in_a_text_is_removed(text: str, clean: str):
    assert redact_text(text) == clean
    assert redact_text(clean) == clean


@pytest.mark.parametrize(
    "text",
    [
        "The key: be polite, and call +41441234567",
        "sorted(names, key=len)",
        "STT(api_key=os.environ['DEEPGRAM_API_KEY'], model='nova')",
        'key = os.getenv("OPENAI_API_KEY")',
        "max_tokens: 100, prompt_tokens=12",
        "see http://host:8080/@someone and mail a@b.example",
        "monkey: 1, api_key: null, vad=True",
        "sk-management-system-for-everyone",
    ],
)
def test_what_is_no_secret_stays(text: str):
    assert redact_text(text) == text


def test_a_name_tells_a_secret_in_every_mapping():
    arguments = {"password": "hunter2", "who": {"api_key": 5, "name": "Ann"}}
    wanted = {"password": REMOVED, "who": {"api_key": REMOVED, "name": "Ann"}}
    assert redact(arguments) == wanted
    assert redact({"arguments": json.dumps(arguments)})["arguments"] == json.dumps(wanted)
    assert redact([{"name": "X-Api-Key", "value": "abc"}])[0]["value"] == REMOVED
    line = json.dumps({"type": "ToolCalled", "at": 1.0, "arguments": {"secret": [1, {"a": 2}]}})
    assert json.loads(redact_line(line))["arguments"] == {"secret": REMOVED}
    schema = {"properties": {"password": {"type": "string", "description": "the user's"}}}
    assert redact(schema) == schema


def test_what_is_nested_without_end_is_cut():
    deep: list[object] = []
    deep.append(deep)
    assert redact({"a": deep}) == {"a": ["[...]"]}
    for _ in range(5000):
        deep = [deep]
    assert json.dumps(redact(deep)).count("[") == 101
    assert redact_line("[" * 5000 + '"key"').startswith("[[")


def test_a_value_that_is_known_is_removed_in_whatever_form():
    keep_secret('quoted"and/slashed')
    keep_secret("short")  # too short to be looked for
    for form in ('quoted"and/slashed', 'quoted\\"and/slashed', "quoted%22and/slashed"):
        assert redact_text(f"you sent {form}!") == f"you sent {REMOVED}!"
    assert redact_text("a short text") == "a short text"


@pytest.mark.parametrize(
    "unit",
    [
        "sk-", "eyJ-", "a.", "eyJabcde.", "://a:", "://", "a@", "token=", '"token":"', "token: [",
        '{"key":', "\\", '\\"', "Bearer ", "Basic     ", "-----BEGIN PRIVATE KEY-----", "--", "a=",
        "password", "x-", "key: 'a\\'", "a:b@",
    ],
)  # fmt: skip
def test_time_grows_with_the_text(unit: str):
    def secs(count: int) -> float:
        text = "http://" + unit * count
        best = 9.0
        for _ in range(3):
            began = time.thread_time()
            redact_text(text)
            redact_line(text)
            best = min(best, time.thread_time() - began)
        return best

    assert secs(16_000) < 60 * max(secs(1000), 2e-5)  # 16 times the text; 256 if it were squares


def test_peers_texts_are_cut_and_do_nothing():
    assert visible("a\nb\x1b[2J\u202e\ud83d é") == "a\\nb\\x1b[2J\\u202e\\ud83d é"
    assert visible("क्\u200dष") == "क्\u200dष"
    assert visible_lines("one\nERROR two\r\nthree") == "one\n    ERROR two\n    three"
    assert told("no\nERROR: forged") == "no\\nERROR: forged"
    assert told("x" * 10_000_000) == "x" * 499 + "…"
    secret = "sk-abcdefgh12345678ijkl"
    for before in range(440, 520):
        assert "sk-abcdef" not in told("y" * before + f" {secret} z")
    assert "sk-" not in told(" ".join([secret] * 300), 4000)
    assert told({"password": "x"}) == f"{{'password': '{REMOVED}'}}"


def test_an_address_tells_whether_a_token_can_be_read_on_the_way():
    for url in ("http://signal.example", "ws://10.0.0.4:8080/agent", "HTTP://piopiy.example/v3"):
        assert goes_in_the_clear(url)
    for url in (
        "https://a.example",
        "wss://a",
        "http://localhost:1",
        "ws://127.0.0.2",
        "ws://[::1]",
    ):
        assert not goes_in_the_clear(url)
