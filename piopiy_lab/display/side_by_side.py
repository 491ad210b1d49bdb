"""Two calls beside each other: as text, and as HTML with both sounds on one time axis. Pure."""

from __future__ import annotations

import base64
import difflib
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from piopiy_lab import events as ev
from piopiy_lab.display.document import document
from piopiy_lab.display.mp3 import mp3_of
from piopiy_lab.display.palette import ALARM, SIDES
from piopiy_lab.display.shown import ShownCall
from piopiy_lab.display.wording import clock
from piopiy_lab.redaction import shown

#: Seconds of sound that a page holds of each call.
MAX_SOUND_SECS = 1800.0

Line = tuple[float, str, str]  # seconds, "caller", "agent" or "tool", text


@dataclass(frozen=True)
class Side:
    """One call's part of an exchange.

    Attributes:
        start: The call's seconds at which it began.
        lines: What was said and called: seconds, who, text.
        total: Seconds until the answer was heard; None without one.
    """

    start: float
    lines: tuple[Line, ...]
    total: float | None


@dataclass(frozen=True)
class Pair:
    """The same exchange of two calls.

    Attributes:
        number: 0 for the greeting, then the caller's turns.
        was: Of the recorded call; None if it had no such exchange.
        now: Of the replay.
        diverges: What parted the calls here; None elsewhere.
        after: Whether it comes after they parted: the caller may no longer fit.
    """

    number: int
    was: Side | None
    now: Side | None
    diverges: str | None = None
    after: bool = False


def text_of_two(title: str, pairs: Sequence[Pair], notes: Sequence[str]) -> str:
    """Return both calls as text: what is the same once, what differs with ``-`` and ``+``."""
    lines = [shown(title), *(f"note: {shown(note)}" for note in notes)]
    parted = False
    for pair in pairs:
        if pair.after and not parted:
            parted = True
            lines.append("--- what follows came after the divergence ---")
        lines += _text_of_pair(pair)
    return "\n".join(lines)


def _text_of_pair(pair: Pair) -> list[str]:
    lines: list[str] = []
    for old, new in _aligned(pair):
        if old is not None and new is not None and old[1:] == new[1:]:
            lines.append(f"  {clock(new[0], 1):>7}  {new[1]:<6}  {shown(new[2])}")
            continue
        if old is not None:
            lines.append(f"- {clock(old[0], 1):>7}  {old[1]:<6}  {shown(old[2])}")
        if new is not None:
            lines.append(f"+ {clock(new[0], 1):>7}  {new[1]:<6}  {shown(new[2])}")
    if latency := _latency(pair):
        lines.append(f"           answer  {latency}")
    if pair.diverges:
        lines.append(f">>> {shown(pair.diverges)}")
    return lines


def _latency(pair: Pair) -> str:
    was = None if pair.was is None else pair.was.total
    now = None if pair.now is None else pair.now.total
    if was is None and now is None:
        return ""
    if was is None or now is None:
        told = "none" if was is None else f"{1000 * was:.0f} ms"
        return f"{told} -> {'none' if now is None else f'{1000 * now:.0f} ms'}"
    if abs(was - now) < 0.0005:
        return f"{1000 * now:.0f} ms"
    return f"{1000 * was:.0f} -> {1000 * now:.0f} ms ({1000 * (now - was):+.0f})"


def _aligned(pair: Pair) -> list[tuple[Line | None, Line | None]]:
    """Return the lines of both sides beside each other: those of one speaker, in order."""
    was = () if pair.was is None else pair.was.lines
    now = () if pair.now is None else pair.now.lines
    whose = [[line[1] for line in was], [line[1] for line in now]]
    rows: list[tuple[Line | None, Line | None]] = []
    matcher = difflib.SequenceMatcher(None, *whose, autojunk=False)
    for _, a, b, c, d in matcher.get_opcodes():
        rows += itertools.zip_longest(was[a:b], now[c:d])
    return rows


def html_of_two(
    title: str, pairs: Sequence[Pair], notes: Sequence[str], was: ShownCall, now: ShownCall
) -> str:
    """Return both calls as HTML, for a notebook's output or a page; without secrets."""
    rows = "".join(map(_html_of_pair, pairs))
    told = "".join(f"<p class='pr-note'>{escape(shown(note))}</p>" for note in notes)
    return (
        f"<div class='piopiy-replay'><style>{_STYLE}</style>"
        f"<p class='pr-title'><b>{escape(shown(title))}</b></p>{told}"
        f"{_axis(was, now)}"
        f"<div class='pr-players'>{_player('was', was)}{_player('now', now)}</div>"
        f"<table><tr><th></th><th>was</th><th>now</th></tr>{rows}</table>"
        f"<script>{_SCRIPT}</script></div>"
    )


def document_of_two(
    title: str, pairs: Sequence[Pair], notes: Sequence[str], was: ShownCall, now: ShownCall
) -> str:
    """Return both calls as a whole HTML document that needs nothing from outside."""
    return document(title, html_of_two(title, pairs, notes, was, now))


def _html_of_pair(pair: Pair) -> str:
    cells: tuple[list[str], list[str]] = ([], [])
    for old, new in _aligned(pair):
        for cell, own, other in ((cells[0], old, new), (cells[1], new, old)):
            cell.append("" if own is None else _html_of_line(own, other))
    latency = _latency(pair)
    head = "greeting" if pair.number == 0 else f"turn {pair.number}"
    buttons = "".join(
        f"<button data-play='{name}' data-at='{side.start:.3f}' "
        f"aria-label='play {name} from {head}'>&#9654; {name}</button>"
        for name, side in (("was", pair.was), ("now", pair.now))
        if side is not None
    )
    parted = f"<p class='pr-parts'>{escape(shown(pair.diverges))}</p>" if pair.diverges else ""
    late = " class='pr-after' title='after the divergence'" if pair.after else ""
    return (
        f"<tr{late}><th scope='row'>{head}<div>{buttons}</div>"
        f"<small>{escape(latency)}</small></th>"
        f"<td>{''.join(cells[0])}</td><td>{''.join(cells[1])}{parted}</td></tr>"
    )


def _html_of_line(line: Line, other: Line | None) -> str:
    at, who, text = line
    words = _marked(text, "" if other is None else other[2])
    return f"<p class='pr-{who}'><span class='pr-at'>{clock(at, 1)}</span> <b>{who}</b> {words}</p>"


def _marked(text: str, other: str) -> str:
    """Return a text as HTML, with the words that the other hasn't marked."""
    mine, theirs = shown(text).split(), shown(other).split()
    pieces: list[str] = []
    for kind, a, b, _, _ in difflib.SequenceMatcher(None, mine, theirs, False).get_opcodes():
        if a == b:
            continue
        words = escape(" ".join(mine[a:b]))
        pieces.append(words if kind == "equal" else f"<mark>{words}</mark>")
    return " ".join(pieces)


def _player(name: str, call: ShownCall) -> str:
    recording = call.recording
    rate = int(getattr(recording, "sample_rate", 0) or 0)
    sound = mp3_of(np.asarray(recording), rate, MAX_SOUND_SECS) if rate and len(recording) else None
    if sound is None:
        return f"<p>{name}: no sound</p>"
    data = base64.b64encode(sound).decode()
    return (
        f"<label>{name} <audio controls data-of='{name}' "
        f"src='data:audio/mpeg;base64,{data}'></audio></label>"
    )


def _axis(was: ShownCall, now: ShownCall) -> str:
    """Return both calls' speech on one time axis, as SVG."""
    secs = max(was.duration, now.duration, 1.0)
    width, bar = 1000.0, 11
    parts: list[str] = []
    for row, (name, call) in enumerate((("was", was), ("now", now))):
        top = 4 + row * 36
        for lane, (who, spans) in enumerate(_spans(call)):
            y = top + lane * (bar + 3)
            parts += [
                f"<rect x='{width * a / secs:.1f}' y='{y}' rx='2' height='{bar}' "
                f"width='{max(1.0, width * (b - a) / secs):.1f}' fill='{SIDES[who]}'>"
                f"<title>{name}, {'caller' if who == 'user' else 'agent'}, "
                f"{clock(a, 1)} to {clock(b, 1)}</title></rect>"
                for a, b in spans
            ]
        parts.append(f"<text x='2' y='{top + 2 * bar + 13}' class='pr-name'>{name}</text>")
    step = next(s for s in (1, 2, 5, 10, 30, 60, 300, 1800) if secs / s <= 20 or s == 1800)
    ticks = "".join(
        f"<text x='{width * n * step / secs:.1f}' y='88' class='pr-tick'>{clock(n * step)}</text>"
        for n in range(int(secs // step) + 1)
    )
    return (
        "<svg class='pr-axis' viewBox='0 0 1000 92' role='img' "
        f"aria-label='who speaks when, in both calls'>{''.join(parts)}{ticks}</svg>"
    )


def _spans(call: ShownCall) -> Iterable[tuple[str, list[tuple[float, float]]]]:
    """Yield when the caller and the agent were heard: seconds."""
    caller: list[tuple[float, float]] = []
    agent: list[tuple[float, float]] = []
    since: dict[str, float] = {}
    scripted = False
    for event in call.events:
        match event:
            case ev.CallerSpoke():
                if not scripted:
                    scripted, caller = True, []
                caller.append((event.at, event.end))
            case ev.UserSpeechStarted() if not scripted:
                since["user"] = event.at - event.start_secs
            case ev.UserSpeechStopped() if not scripted and "user" in since:
                caller.append((since.pop("user"), event.at - event.stop_secs))
            case ev.AgentSpeechStarted():
                since.setdefault("agent", event.at)
            case ev.AgentSpeechStopped() if "agent" in since:
                agent.append((since.pop("agent"), event.at))
            case _:
                pass
    if "agent" in since:
        agent.append((since["agent"], call.duration))
    return (("user", caller), ("assistant", agent))


_STYLE = f"""
.piopiy-replay {{ max-width: 62rem; line-height: 1.4; }}
.piopiy-replay table {{ border-collapse: collapse; width: 100%; table-layout: fixed; }}
.piopiy-replay table td, .piopiy-replay table th {{ vertical-align: top; text-align: left;
  padding: .3em .6em;
  border-bottom: 1px solid #8884; }}
.piopiy-replay table th:first-child {{ width: 8.5em; font-weight: 600; }}
.piopiy-replay p {{ margin: .15em 0; }}
.piopiy-replay small {{ font-weight: 400; font-variant-numeric: tabular-nums; }}
.piopiy-replay .pr-at {{ opacity: .7; font-variant-numeric: tabular-nums; }}
.piopiy-replay .pr-caller b {{ color: {SIDES["user"]}; }}
.piopiy-replay .pr-agent b {{ color: {SIDES["assistant"]}; }}
.piopiy-replay mark {{ background: #f5d76e88; color: inherit; border-radius: 2px; }}
.piopiy-replay .pr-parts {{ color: {ALARM}; border-left: 3px solid {ALARM}; padding-left: .5em; }}
.piopiy-replay .pr-after td {{ background: #8881; }}
.piopiy-replay .pr-note {{ opacity: .85; }}
.piopiy-replay audio {{ height: 2em; vertical-align: middle; max-width: 24em; }}
.piopiy-replay .pr-players label {{ margin-right: 1em; }}
.piopiy-replay .pr-axis {{ width: 100%; height: auto; }}
.piopiy-replay .pr-axis text {{ font-size: 11px; fill: currentColor; opacity: .75; }}
""".strip()

_SCRIPT = """
(function () {
  var all = document.querySelectorAll('.piopiy-replay:not([data-ready])');
  Array.prototype.forEach.call(all, function (page) {
    page.setAttribute('data-ready', '');
    page.addEventListener('click', function (event) {
      var button = event.target.closest('[data-play]');
      if (!button) { return; }
      Array.prototype.forEach.call(page.querySelectorAll('audio'), function (audio) {
        if (audio.dataset.of === button.dataset.play) {
          audio.currentTime = +button.dataset.at;
          audio.play();
        } else { audio.pause(); }
      });
    });
  });
}());
""".strip()
