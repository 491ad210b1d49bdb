"""The HTML of an ended call, piece by piece. Every text is escaped here and nowhere else.

The markup stands without its script and style: what was said reads in order, the player plays.
With the script, whatever carries ``data-s`` (seconds) plays from there when it is clicked, or
when Enter is pressed on it, until ``data-e``; the picture shows and moves the playhead.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import lru_cache
from html import escape
from importlib.resources import files

import numpy as np

from piopiy_lab.checks.texts import described
from piopiy_lab.display.order import moment
from piopiy_lab.display.palette import PARTS
from piopiy_lab.display.shown import ShownCall, ShownEntry, ShownToolCall, ShownTurn
from piopiy_lab.display.user_traceback import user_traceback
from piopiy_lab.display.wording import (
    WHO,
    called,
    clock,
    compact,
    facts_of,
    milliseconds,
    name_of,
    unheard,
)
from piopiy_lab.events.troubles import Trouble, troubles_in
from piopiy_lab.redaction import made_valid, redact, redact_text, shown, visible

#: The width in pixels at which a picture's small print can still be read.
READABLE_PIXELS = 860
#: A tool's call and result that are longer than this are folded.
LONG_RESULT = 80


@lru_cache(maxsize=1)
def assets() -> tuple[str, str]:
    """Return the style sheet and the script of calls; the script leaves alone what it has seen."""
    here = files("piopiy_lab.display")
    style, script = ((here / name).read_text("utf-8") for name in ("page.css", "page.js"))
    return style.strip(), script.strip()


def whole(identity: str, parts: Iterable[str], *, alone: bool = True) -> str:
    """Return the page around its parts.

    Args:
        identity: Names this content; the same content has the same name.
        parts: HTML.
        alone: Whether it brings its own style and script (:func:`assets`); False inside of a page
            that has them.
    """
    style, script = assets() if alone else ("", "")
    body = made_valid("\n".join(part for part in parts if part))
    # data-lm-suppress-shortcuts: JupyterLab's own keys (Enter, arrows, letters) stay out of it
    return (
        f'<div class="piopiy-call" data-call="{escape(identity)}" '
        f'data-lm-suppress-shortcuts="true">{style and f"<style>{style}</style>"}\n{body}\n'
        f"{script and f'<script>{script}</script>'}</div>"
    )


def picture(source: str, frame: Mapping[str, float], alt: str, width: int) -> str:
    """Return the timeline with its playhead.

    Args:
        source: A data URI.
        frame: ``x0`` and ``x1``, fractions of the width where the clock's ``t0`` and ``t1``
            (seconds) are; ``y0`` and ``y1``, fractions of the height between which the lanes
            are. Empty when it has no clock.
        alt: For those who can't see it.
        width: Its own, pixels. In a narrower page it is made smaller, but not so small that its
            words can't be read: then it scrolls.
    """
    least = min(width, READABLE_PIXELS)
    where = "".join(f' data-{key}="{value:.6g}"' for key, value in frame.items())
    top, bottom = 100 * frame.get("y0", 0.0), 100 * (1 - frame.get("y1", 1.0))
    return (
        f'<div class="pp-scroll"><div class="pp-picture" style="min-width:{least}px"{where}>'
        f'<img src="{source}" alt="{escape(alt)}">'
        f'<div class="pp-playhead" style="top:{top:.2f}%;bottom:{bottom:.2f}%"></div></div></div>'
    )


def player(source: str) -> str:
    """Return the audio player; ``source`` is a data URI."""
    return f'<audio controls preload="auto" src="{source}"></audio>'


def failure(error: BaseException) -> str:
    """Return what ended a call badly: the user's own lines, then what was raised there."""
    theirs, what = redact_text(user_traceback(error)), redact_text(described(error))
    told = theirs if what in theirs else "\n\n".join(filter(None, (theirs, what)))
    return f'<pre class="pp-failure" role="alert">{escape(told)}</pre>'


def heading(call: ShownCall) -> str:
    """Return a call's name and the few facts about it, where there is no picture to say them."""
    facts = escape(", ".join(facts_of(call)))
    return f"<div><b>{escape(name_of(call))}</b> {facts}</div>"


def note(text: str) -> str:
    """Return a remark, or nothing."""
    return f'<div class="pp-note">{escape(text)}</div>' if text else ""


def conversation(call: ShownCall, playable: bool) -> str:
    """Return what was said and done, in order, with each answer's latency after the question."""
    items: list[tuple[tuple[float, int], str]] = []
    for i, entry in enumerate(call.transcript):
        rest = unheard(call, entry)
        told = _entry(entry, rest, _turn_after(call, i), playable)
        items.append((moment(entry.start, entry.role), told))
    items += [(moment(tool.start, "tool"), _tool(tool, playable)) for tool in call.tool_calls]
    items += [
        (moment(at, "error"), _trouble(at, trouble)) for at, trouble in troubles_in(call.events)
    ]
    rows = "\n".join(text for _, text in sorted(items, key=lambda item: item[0]))
    hint = "Click a word, a time or the picture to hear it." if playable and rows else ""
    return f'<ol class="pp-talk">\n{rows or "<li>Nothing was said.</li>"}\n</ol>{note(hint)}'


def _trouble(at: float, trouble: Trouble) -> str:
    """Return a row for what went wrong, with its remedy."""
    remedy = f' <i class="pp-quiet">{escape(shown(trouble.remedy))}</i>' if trouble.remedy else ""
    return (
        f'<li class="pp-error"><span class="pp-at">{clock(at, 1)}</span> '
        f"<b>error</b> <span>{escape(shown(trouble.what))}{remedy}</span></li>"
    )


def _turn_after(call: ShownCall, index: int) -> ShownTurn | None:
    """Return the turn that answered this entry of the user's: the first that ended in it."""
    entries = call.transcript
    if entries[index].role != "user":
        return None
    later = [e.start for e in entries[index + 1 :] if e.role == "user"]
    until = min(later, default=float("inf"))
    since = entries[index].start
    return next((t for t in call.turns if since <= t.start < until), None)


def _entry(entry: ShownEntry, rest: str, turn: ShownTurn | None, playable: bool) -> str:
    text = " ".join(_word(*word, playable) for word in timed_words(entry))
    source = getattr(entry, "source", "spoken")
    if source != "spoken":
        text += f' <i class="pp-quiet">[{escape(source)}]</i>'
    if manner := getattr(entry, "manner", ""):
        text += f' <i class="pp-quiet">[{escape(manner)}]</i>'
    if entry.interrupted:
        lost = f' <s title="nobody heard this">{escape(visible(rest))}</s>' if rest else ""
        text += f' <i class="pp-cut" title="interrupted here">[interrupted]</i>{lost}'
    who = WHO.get(entry.role, entry.role)
    return (
        f'<li class="pp-{escape(entry.role)}">{_at(entry.start, entry.end, who, playable)} '
        f"<b>{escape(who)}</b> <span>{text}</span>{_latency(turn)}</li>"
    )


def _at(start: float, end: float, what: str, playable: bool) -> str:
    if not playable:
        return f'<span class="pp-at">{clock(start, 1)}</span>'
    return (
        f'<button type="button" class="pp-at" data-s="{start:.3f}" data-e="{end:.3f}" '
        f'title="play this" aria-label="play the {escape(what)} at {clock(start, 1)}">'
        f"{clock(start, 1)}</button>"
    )


def _word(text: str, start: float | None, end: float | None, playable: bool) -> str:
    if start is None or end is None or not playable:
        return escape(visible(text))
    return (
        f'<span class="pp-w" role="button" tabindex="-1" data-s="{start:.3f}" data-w="{end:.3f}">'
        f"{escape(visible(text))}</span>"
    )


def timed_words(entry: ShownEntry) -> list[tuple[str, float | None, float | None]]:
    """Return the words of the entry's text, as they are shown, with their times in seconds.

    A time that isn't known is None.

    A recogniser's words need not be those of the text ("2" for "two"); the times then follow
    the letters.
    """
    texts, words = shown(" ".join(entry.text.split())).split(), entry.words
    if not words:
        return [(text, None, None) for text in texts]
    if len(words) == len(texts):
        return [(text, float(w[1]), float(w[2])) for text, w in zip(texts, words, strict=True)]
    ends = np.cumsum([len(str(w[0])) + 1 for w in words])
    places = np.concatenate([[0.0], ends / ends[-1]])
    times = [float(words[0][1]), *(float(w[2]) for w in words)]
    cuts = np.concatenate([[0], np.cumsum([len(text) + 1 for text in texts])])
    at = np.interp(cuts / cuts[-1], places, times)
    return [(text, float(at[i]), float(at[i + 1])) for i, text in enumerate(texts)]


def _latency(turn: ShownTurn | None) -> str:
    if turn is None:
        return ""
    parts = [(name, secs) for name, secs in turn.parts.items() if secs > 0]
    bars = "".join(
        f'<i style="width:{secs * 10:.2f}em;background:{PARTS.get(name, "#888")}"></i>'
        for name, secs in parts
    )
    told = ", ".join(f"{name} {secs * 1000:.0f}" for name, secs in parts)
    return (
        f'<div class="pp-latency" title="{escape(told)}">{bars} answered after '
        f"{milliseconds(turn.total)}</div>"
    )


def _tool(tool: ShownToolCall, playable: bool) -> str:
    if tool.error:
        outcome = f"{tool.status}: {compact(str(tool.error), 80)}"
    elif tool.status == "returned":
        outcome = f"→ {compact(tool.result, 80)}"
    else:
        outcome = tool.status
    end = tool.start if tool.end is None else tool.end
    said = escape(f"{called(tool.name, tool.arguments)} {outcome}")
    return (
        f'<li class="pp-tool">{_at(tool.start, max(end, tool.start + 1), "moment", playable)} '
        f"<b>tool</b> {_folded(tool, said)}</li>"
    )


def _folded(tool: ShownToolCall, said: str) -> str:
    """Return a tool's line, and behind it the whole of what it was given and gave."""
    whole = redact({"arguments": tool.arguments, "result": tool.result})
    text = json.dumps(whole, indent=2, ensure_ascii=False, default=repr)
    if max(len(repr(whole["arguments"])), len(repr(whole["result"]))) <= LONG_RESULT:
        return f"<code>{said}</code>"
    return (
        f"<details><summary><code>{said}</code></summary>"
        f"<pre>{escape(redact_text(text))}</pre></details>"
    )
