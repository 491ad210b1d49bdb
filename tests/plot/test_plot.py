"""The timeline: what is in it for each kind of event, and that it touches nothing global."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hand_made_call import Builder, booking_call, empty_call, long_call, running_call
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from piopiy_lab import events as ev
from piopiy_lab.call.call import Call
from piopiy_lab.call.turns import PARTS
from piopiy_lab.errors import ArgumentError
from piopiy_lab.plot import lanes, plot_call, plot_latency, style
from piopiy_lab.plot.layout import Piece, rows_for, slots, trim, wrap
from piopiy_lab.plot.story import read_story


@pytest.fixture(scope="module")
def booking() -> Call:
    return booking_call()


@pytest.fixture(scope="module")
def figure(booking: Call) -> Figure:
    return plot_call(booking)


def artists(figure: Figure, gid: str) -> list[Any]:
    return figure.findobj(lambda a: a.get_gid() == gid)


def texts(figure: Figure, gid: str) -> list[str]:
    return [a.get_text() for a in artists(figure, gid)]


def test_every_lane_is_there(figure: Figure) -> None:
    for gid in (
        "caller-waveform",
        "agent-waveform",
        "vad-confidence",
        "vad-volume",
        "interruption",
        "title",
    ):
        assert len(artists(figure, gid)) == 1, gid
    assert len(artists(figure, "user-turn")) == 3
    assert len(artists(figure, "user-speech")) == 6  # three, in two lanes
    assert len(artists(figure, "vad-confidence-limit")) == 2  # before and after tune()


def test_limits_follow_the_settings(figure: Figure) -> None:
    levels = [line.get_ydata()[0] for line in artists(figure, "vad-confidence-limit")]
    assert levels == [0.7, 0.55]
    assert [line.get_ydata()[0] for line in artists(figure, "vad-volume-limit")] == [0.6, 0.6]


def test_marks_are_labelled(figure: Figure) -> None:
    assert texts(figure, "label-tool") == [
        "book_table(party_size=2, day='tomorrow', time='19:00') → {'ok': True, 'ref': 'R7'}"
    ]
    assert texts(figure, "label-key") == ["⌨ keys 42"]
    assert texts(figure, "label-error") == ["✕ tts: the line to the provider broke"]
    assert texts(figure, "label-switch") == ["⇄ tts: CartesiaTTS → EspeakTTS (failover)"]
    assert texts(figure, "label-note") == ["stop_secs 0.2 → 0.3, confidence 0.7 → 0.55"]
    assert texts(figure, "label-cut") == ["✂ interrupted by the caller"]
    assert len(artists(figure, "tool-span")) == 1


def test_words_are_there_and_the_unheard_are_struck_through(figure: Figure) -> None:
    assert " ".join(texts(figure, "words-user")) == (
        "a table for two please tomorrow at seven, under the name of Rossi thank you, goodbye"
    )
    assert "A table for two. For which day" in " ".join(texts(figure, "words-assistant"))
    assert " ".join(texts(figure, "words-unheard")) == "and at what time would you like it?"
    assert len(artists(figure, "strike")) == len(artists(figure, "words-unheard"))


def test_bars_sum_to_the_total(figure: Figure, booking: Call) -> None:
    assert texts(figure, "latency-total") == ["590 ms", "1230 ms", "600 ms"]
    widths = {part: [r.get_width() for r in artists(figure, f"latency-{part}")] for part in PARTS}
    for i, turn in enumerate(booking.turns):
        assert sum(widths[part][i] for part in PARTS) == pytest.approx(turn.total, abs=1e-6)
    assert len(artists(figure, "latency-budget")) == 1


def test_answers_are_drawn_where_they_happened(figure: Figure, booking: Call) -> None:
    begins = [r.get_x() for r in artists(figure, "gap-vad")]
    assert begins == pytest.approx([turn.start for turn in booking.turns])


@pytest.mark.parametrize("window", [(None, None), (6.0, 12.5), (8.0, 9.5)])
def test_texts_of_a_lane_do_not_overlap(booking: Call, window: tuple[Any, Any]) -> None:
    figure = plot_call(booking, *window)
    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
    for gids in (
        ("words-user",),
        ("words-assistant", "words-unheard", "words-cut"),
        ("gap-total",),
        tuple(f"label-{kind}" for kind in ("tool", "key", "error", "switch", "note", "cut")),
    ):
        boxes = [a.get_window_extent(renderer) for gid in gids for a in artists(figure, gid)]
        for i, a in enumerate(boxes):
            for b in boxes[:i]:
                apart = a.x1 <= b.x0 + 2 or b.x1 <= a.x0 + 2 or a.y1 <= b.y0 + 2 or b.y1 <= a.y0 + 2
                assert apart, (window, gids)


@pytest.mark.parametrize("seed", range(12))
def test_latency_labels_never_collide(seed: int) -> None:
    random, pixels, secs = np.random.default_rng(seed), 1000.0, 40.0
    starts = np.sort(random.uniform(-1.0, secs + 1.0, 25))  # an answer each 1.6 s, and closer
    turns: list[Any] = [
        SimpleNamespace(start=start, total=total, parts={"vad": total / 3, "llm": 2 * total / 3})
        for start, total in zip(starts, random.uniform(0.05, 2.5, 25), strict=True)
    ]
    gaps = lanes.place_gaps(turns, 0.0, secs, pixels)
    assert len(gaps) == sum(t.start <= secs and t.start + t.total >= 0 for t in turns)
    height = lanes.gaps_height(gaps)
    figure = style.CallFigure(pixels, height)
    axes = figure.add_axes((0, 0, 1, 1))
    style.bare(axes, 0.0, secs)
    axes.set_ylim(height, 0.0)
    lanes.draw_gaps(axes, gaps, 0.8)
    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
    labels = [a.get_window_extent(renderer) for a in artists(figure, "gap-total")]
    bars = [a.get_window_extent(renderer) for a in [*artists(figure, "gap-vad"),
            *artists(figure, "gap-llm")]]  # fmt: skip
    assert len(labels) == len(gaps)
    for i, a in enumerate(labels):
        assert a.x0 >= -1
        assert a.x1 <= pixels + 1
        assert a.y1 <= height
        for b in [*labels[:i], *bars]:
            assert a.x1 <= b.x0 + 1 or b.x1 <= a.x0 + 1 or a.y1 <= b.y0 + 1 or b.y1 <= a.y0 + 1


def test_a_figure_is_dark_in_a_dark_page_and_scrolls_in_a_narrow_one(figure: Figure) -> None:
    html = figure._repr_html_()  # type: ignore[attr-defined]
    assert html.count('<img src="data:image/png;base64,') == 1
    assert '[data-jp-theme-light="false"] .piopiy-call .pp-picture img' in html
    assert 'class="pp-scroll"' in html
    assert html == plot_call(booking_call())._repr_html_()  # type: ignore[attr-defined]


def test_zoomed_in_words_stand_at_their_times(booking: Call) -> None:
    figure = plot_call(booking, 8.0, 11.0)
    placed = {a.get_text(): a.get_position()[0] for a in artists(figure, "words-user")}
    times = {
        word: start for e in booking.transcript for word, start, _ in e.words if e.role == "user"
    }
    assert placed["tomorrow"] == pytest.approx(times["tomorrow"], abs=0.01)
    assert placed["name"] == pytest.approx(times["name"], abs=0.01)
    assert "please" not in placed


def test_without_recording_and_detector() -> None:
    figure = plot_call(booking_call(vad=False, record=False))
    assert not artists(figure, "caller-waveform")
    assert not artists(figure, "vad-confidence")
    assert len(artists(figure, "user-spoke")) == 3
    assert len(artists(figure, "assistant-spoke")) == 4


def test_empty_and_running_calls() -> None:
    assert plot_call(empty_call())._repr_png_().startswith(b"\x89PNG")  # type: ignore[attr-defined]
    figure = plot_call(running_call())
    assert artists(figure, "agent-waveform")
    assert "listening" in " ".join(a.get_text() for a in figure.findobj(Text))


def test_an_open_utterance_ends_now() -> None:
    story = read_story(running_call())
    assert story.agent_speech[0].end == story.end


def test_a_long_call_becomes_an_overview() -> None:
    figure = plot_call(long_call(4))
    assert figure.get_size_inches()[0] < 25
    assert not artists(figure, "words-user")
    assert len(artists(figure, "gap-vad")) > 20
    assert len(artists(figure, "latency-total")) == 15


def test_latency_alone(booking: Call) -> None:
    figure = plot_latency(booking, budget=0.5)
    assert texts(figure, "latency-budget-label") == ["budget 500 ms"]
    assert plot_latency(empty_call()).axes


def test_strange_texts_are_drawn_as_they_stand(recwarn: pytest.WarningsRecorder) -> None:
    b = Builder()
    b.now = 0.5
    asked = b.user(r"it is $5 or $6 \frac{1}{2} <b>நன்றி</b> 漢字")
    b.agent("_^{", after=asked)
    b.add(ev.ErrorOccurred(at=1.0, message="$\\undefined{ $ %s", source="llm"))
    figure = plot_call(b.finish())
    figure._repr_png_()  # type: ignore[attr-defined]
    assert {"$5", "\\frac{1}{2}"} <= set(" ".join(texts(figure, "words-user")).split())
    assert [str(w.message) for w in recwarn if "lyph" in str(w.message)] == []


@pytest.mark.parametrize("window", [(5, 5), (6, 2), (99, None), (None, -1)])
def test_nothing_to_draw_is_refused(booking: Call, window: tuple[Any, Any]) -> None:
    with pytest.raises(ArgumentError, match="nothing to draw"):
        plot_call(booking, *window)


@pytest.mark.parametrize("budget", [0, -1, float("nan"), float("inf")])
def test_a_budget_is_more_than_nothing(booking: Call, budget: float) -> None:
    with pytest.raises(ArgumentError, match="budget"):
        plot_call(booking, budget=budget)


def test_no_pyplot_and_no_rcparams() -> None:
    script = (
        "import sys, matplotlib\n"
        "matplotlib.rcParams.update({'figure.facecolor': 'black', 'text.color': 'white',\n"
        "    'axes.facecolor': 'black', 'text.usetex': True, 'font.size': 30})\n"
        "from hand_made_call import booking_call\n"
        "png = booking_call().plot()._repr_png_()\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
        "assert 'IPython' not in sys.modules\n"
        "sys.stdout.buffer.write(png)\n"
    )
    here = Path(__file__).parents[1] / "support"  # hand_made_call
    run = subprocess.run([sys.executable, "-c", script], cwd=here, capture_output=True, check=True)
    from PIL import Image

    theirs = np.asarray(Image.open(BytesIO(run.stdout)).convert("RGB"), int)
    plain = booking_call().plot()._repr_png_()  # type: ignore[attr-defined]
    ours = np.asarray(Image.open(BytesIO(plain)).convert("RGB"), int)
    assert theirs.shape == ours.shape
    assert np.abs(theirs - ours).mean() < 1.0


def test_on_threads_and_fast(booking: Call) -> None:
    pictures: list[bytes] = []

    def draw() -> None:
        pictures.append(plot_call(booking)._repr_png_())  # type: ignore[attr-defined]

    began = time.process_time()
    threads = [threading.Thread(target=draw) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(pictures)) == 1
    assert (time.process_time() - began) / 3 < 1.5


# --- layout ---------------------------------------------------------------------------------


def measure(text: str) -> float:
    return 10.0 * len(text)


def test_wrap_breaks_and_cuts() -> None:
    pieces = [Piece(word) for word in ["one", "two", "three", "four"]]
    lines = wrap(pieces, 80, 2, measure)
    assert [[run.text for run in line] for line in lines] == [["one two"], ["three…"]]
    assert all(run.x + run.width <= 80 for line in lines for run in line)


def test_wrap_keeps_looks_apart() -> None:
    line = wrap([Piece("heard"), Piece("lost", "unheard")], 500, 2, measure)[0]
    assert [(run.text, run.look, run.x) for run in line] == [
        ("heard", "heard", 0.0),
        ("lost", "unheard", 60.0),
    ]


def test_trim() -> None:
    assert trim("short", 100, measure) == "short"
    assert trim("a longer text", 60, measure) == "a lon…"
    assert trim("x", 0, measure) == "…"


def test_slots_end_before_the_next_and_the_last_moves_left() -> None:
    placed = slots([0, 100, 290], [90, 90, 90], 300)
    assert [(slot.x, slot.width) for slot in placed] == [(0, 92), (100, 102), (210, 90)]


def test_slots_in_between_move_left_where_there_is_room() -> None:
    placed = slots([0, 200, 230], [50, 90, 60], 300)
    assert [(slot.x, slot.width) for slot in placed] == [(0, 124), (132, 90), (230, 70)]


def test_rows_keep_labels_apart() -> None:
    rows, places = rows_for([0, 50, 200, 290], [100, 100, 60, 80], 300)
    assert rows == [0, 1, 0, 1]
    assert places == [0, 50, 200, 210]


def test_rectangles_are_the_only_patches(figure: Figure) -> None:
    assert all(isinstance(p, Rectangle) for axes in figure.axes for p in axes.patches)


def held_call() -> Call:
    """A greeting over which a listener says "mm hmm", and a caller "stop"."""
    made = Builder()
    made.agent("Welcome, we are open every day from noon until ten, and on sundays until nine.")
    begin = made.now - 5.0
    made.events += [
        ev.AgentSpeechHeld(at=begin + 0.1, how="pause"),
        ev.AgentSpeechResumed(at=begin + 0.7, cause="backchannel", held_secs=0.6),
        ev.BackchannelHeard(at=begin + 0.9, text="mm hmm", start=begin, end=begin + 0.5),
        ev.AgentSpeechHeld(at=begin + 2.0, how="pause"),
        ev.AgentInterrupted(at=begin + 2.4, cause="user", speaking=True),
        ev.AgentSpeechHeld(at=begin + 4.5, how="duck"),
    ]
    return made.finish()


def test_holds_are_shaded_and_a_backchannel_has_a_small_mark() -> None:
    call = held_call()
    story = read_story(call)
    first = story.held[0].start
    assert [(span.start - first, span.end - first) for span in story.held[:2]] == [
        pytest.approx((0.0, 0.6)),
        pytest.approx((1.9, 2.3)),
    ]
    assert story.held[2].end == story.end, "one that goes on ends now"
    figure = plot_call(call)
    held = artists(figure, "held")
    assert [box.get_x() for box in held] == pytest.approx([span.start for span in story.held])
    assert {box.axes.get_label() for box in held} == {"assistant"}
    (mark,) = artists(figure, "backchannel")
    assert mark.axes.get_label() == "user"
    assert mark.get_offsets()[0][0] == pytest.approx(first - 0.1 + 0.25)
    assert {"agent held", "backchannel"} <= set(texts(figure, "key-name"))


def test_without_holds_the_legend_says_nothing_of_them(figure: Figure) -> None:
    assert not artists(figure, "held")
    assert not {"agent held", "backchannel"} & set(texts(figure, "key-name"))
