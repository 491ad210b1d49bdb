"""A call as text and HTML: escaped, deterministic, and its sound comes back out."""

from __future__ import annotations

import base64
import re
import subprocess
import sys
from html.parser import HTMLParser
from io import BytesIO
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile
from hand_made_call import RATE, Builder, booking_call, empty_call, running_call

from piopiy_lab import display
from piopiy_lab import events as ev
from piopiy_lab.call.call import Call
from piopiy_lab.display import bundle, mp3, wording
from piopiy_lab.display.page import timed_words

VOID = {"img", "br", "meta"}


class Checker(HTMLParser):
    """Reads HTML strictly: every element is closed, in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("style", "script"):
            self.texts.append(data)

    def all(self, tag: str, css: str | None = None) -> list[dict[str, str | None]]:
        return [a for t, a in self.seen if t == tag and css in (None, a.get("class"))]

    @property
    def text(self) -> str:
        return " ".join("".join(self.texts).split())


@pytest.fixture(scope="module")
def booking() -> Call:
    return booking_call()


@pytest.fixture(scope="module")
def html(booking: Call) -> str:
    return str(display.call_mimebundle(booking)["text/html"])


def test_the_same_call_gives_the_same_bytes(booking: Call, html: str) -> None:
    assert display.call_mimebundle(booking_call()) == {
        "text/plain": str(booking),
        "text/html": html,
    }


def test_well_formed_and_self_contained(html: str) -> None:
    page = Checker(html)
    assert len(page.all("img")) == len(page.all("audio")) == len(page.all("script")) == 1
    outside = [v for _, a in page.seen for k, v in a.items() if k in ("src", "href") and v]
    assert all(value.startswith("data:") for value in outside)
    assert "http" not in re.sub(r"base64,[\w+/=]+", "", html)


def test_the_conversation_reads_without_script_or_style(html: str) -> None:
    text = Checker(html).text
    assert "0:04.8 caller a table for two please" in text
    assert "answered after 590 ms" in text
    assert "A table for two. For which day [interrupted] and at what time" in text
    assert "tool book_table(party_size=2, day='tomorrow', time='19:00') →" in text
    assert text.index("Rossi") < text.index("book_table") < text.index("The reference")


def test_words_carry_their_times(booking: Call, html: str) -> None:
    words = Checker(html).all("span", "pp-w")
    expected = [word for entry in booking.transcript for word in entry.words]
    assert [(w["data-s"], w["data-w"]) for w in words] == [
        (f"{start:.3f}", f"{end:.3f}") for _, start, end in expected
    ]
    assert all(w["role"] == "button" and w["tabindex"] == "-1" for w in words)
    buttons = Checker(html).all("button")
    assert len(buttons) == len(booking.transcript) + len(booking.tool_calls)
    assert all(b["aria-label"] and float(b["data-e"] or 0) > 0 for b in buttons)


def test_the_sound_comes_back_out(booking: Call, html: str) -> None:
    source = Checker(html).all("audio")[0]["src"] or ""
    kind, _, content = source.partition(",")
    assert kind == "data:audio/mpeg;base64"
    sound, rate = soundfile.read(BytesIO(base64.b64decode(content)), dtype="float32")
    recording = np.asarray(booking.recording) / 32768
    assert (rate, sound.shape) == (RATE, recording.shape)
    for side in (0, 1):  # the right voice on the right side, in time
        assert np.corrcoef(sound[:, side], recording[:, side])[0, 1] > 0.9
    assert len(content) / booking.duration * 60 < 450_000  # characters a minute


def test_the_picture_knows_where_its_clock_is(booking: Call, html: str) -> None:
    frame = Checker(html).all("div", "pp-picture")[0]
    assert float(frame["data-t0"] or -1) == 0.0
    assert float(frame["data-t1"] or -1) == pytest.approx(booking.duration, abs=1e-3)
    assert 0 < float(frame["data-x0"] or 0) < 0.1 < 0.8 < float(frame["data-x1"] or 0) < 1


def test_nothing_of_a_call_becomes_markup() -> None:
    evil = "<img src=x onerror=alert(1)>\"'&</script><script>alert(2)</script>"
    b = Builder()
    b.now = 0.5
    asked = b.user(evil)
    b.tool(evil, 0.1, {"result": evil}, None, argument=evil)
    b.agent(f"{evil} {evil}", after=asked, cut_after=2.0)
    b.add(ev.ErrorOccurred(at=1.0, message=evil, source=evil))
    call = b.finish()
    call.meta["call_id"] = evil
    page = Checker(str(display.call_mimebundle(call)["text/html"]))
    ours = re.findall(
        r"\w+", "div style img audio ol li button b span i s code script details summary pre"
    )
    assert {tag for tag, _ in page.seen} <= set(ours)
    assert len(page.all("script")) == len(page.all("img")) == 1
    assert not [a for _, a in page.seen if any(name.startswith("on") for name in a)]
    assert "</script><script>alert(2)</script>" in page.text


def test_a_running_call_is_one_line() -> None:
    call = running_call()
    bundle = display.call_mimebundle(call)
    page = Checker(str(bundle["text/html"]))
    assert page.text.startswith(f"Call sim-1 listening… {call.duration:.0f} s.")
    assert not page.all("img")
    assert str(bundle["text/plain"]).startswith("<Call sim-1: listening")


def test_calls_without_sound_have_no_player() -> None:
    page = Checker(str(display.call_mimebundle(booking_call(record=False))["text/html"]))
    assert not page.all("audio")
    assert not page.all("button")
    assert "No sound was kept" in page.text
    assert "Nothing was said." in Checker(str(bundle.html_of(empty_call(), ""))).text


def test_long_sound_is_cut_and_says_so() -> None:
    page = Checker(bundle.html_of(booking_call(), "", max_sound_secs=5.0))
    content = (page.all("audio")[0]["src"] or "").partition(",")[2]
    assert soundfile.info(BytesIO(base64.b64decode(content))).duration == pytest.approx(5.0)
    assert "the first 0:05 only" in page.text


def test_a_soundfile_without_mp3_costs_the_player_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(soundfile, "available_formats", dict)
    page = Checker(str(display.call_mimebundle(booking_call())["text/html"]))
    assert not page.all("audio")
    assert "update it" in page.text


@pytest.mark.parametrize("rate", [8_000, 16_000, 24_000, 44_100])
def test_mp3_of_any_rate_keeps_the_length(rate: int) -> None:
    t = np.arange(21 * rate) / rate  # more than one block
    tone = (8000 * np.sin(2 * np.pi * 440 * t)).astype(np.int16)
    content = mp3.mp3_of(np.stack([tone, 0 * tone], axis=1), rate, 600)
    assert content is not None
    assert soundfile.info(BytesIO(content)).duration == pytest.approx(21.0, abs=0.001)


def test_a_terminal_gets_text_only(monkeypatch: pytest.MonkeyPatch, booking: Call) -> None:
    shell = SimpleNamespace()
    fake = SimpleNamespace(get_ipython=lambda: shell)
    monkeypatch.setitem(sys.modules, "IPython", fake)
    assert list(display.call_mimebundle(booking)) == ["text/plain"]


def test_times_of_words_that_the_text_writes_otherwise() -> None:
    words = [("for", 1.0, 1.4), ("twenty", 1.4, 1.8), ("two", 1.8, 2.2)]
    entry: Any = SimpleNamespace(text="for 22", words=words)
    (first, a, b), (second, c, d) = timed_words(entry)
    assert (first, second) == ("for", "22")
    assert a == pytest.approx(1.0)
    assert b == pytest.approx(c)
    assert d == pytest.approx(2.2)
    assert timed_words(SimpleNamespace(text="a b", words=())) == [  # type: ignore[arg-type]
        ("a", None, None),
        ("b", None, None),
    ]


def test_wording() -> None:
    assert wording.clock(65.04, 1) == "1:05.0"
    assert wording.clock(59.96) == "1:00"
    assert wording.called("f", {"a": "x" * 99}) == f"f(a='{'x' * 38}…)"


# --- the hook -------------------------------------------------------------------------------


def test_without_a_hook_nothing_happens() -> None:
    assert display.set_hook(None) is None
    display.show(object())
    assert display.cell_key() is None


def test_the_hook_shows_and_names_the_cell() -> None:
    shown: list[object] = []
    before = display.set_hook(display.Hook(shown.append, lambda: "cell-1"))
    try:
        display.show("call")
        assert shown == ["call"]
        assert display.cell_key() == "cell-1"
    finally:
        display.set_hook(before)


def test_a_hook_that_fails_costs_the_picture_only() -> None:
    def fail(*_: object) -> None:
        raise OSError("no front end")

    before = display.set_hook(display.Hook(fail, fail))
    try:
        with pytest.warns(RuntimeWarning, match="no front end"):
            display.show("call")
        assert display.cell_key() is None
    finally:
        display.set_hook(before)


def test_the_hook_is_light() -> None:
    script = (
        "import sys; from piopiy_lab import display; display.show(1)\n"
        "heavy = {'IPython', 'matplotlib', 'soundfile', 'pipecat', 'numpy'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_an_error_shows_the_users_own_lines():
    """Of the frames only the user's; of what they raised from, too."""
    import asyncio

    from piopiy_lab import Caller, simulate

    async def create_session():
        try:
            await asyncio.sleep(0.1)
            raise KeyError("desk")
        except KeyError as error:
            raise RuntimeError("no such <desk>") from error

    call = asyncio.run(simulate(create_session, Caller().waits(1)))
    html = call._repr_mimebundle_()["text/html"]
    shown = html[html.index('class="pp-failure"') : html.index("</pre>")]
    assert "KeyError: &#x27;desk&#x27;" in shown
    assert "RuntimeError: no such &lt;desk&gt;" in shown
    assert shown.count(", line ") == 2
    assert "raise KeyError(" in shown
    assert "runner.py" not in shown
