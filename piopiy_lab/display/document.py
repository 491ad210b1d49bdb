"""An ended call as one HTML file, which plays wherever a browser is: nothing comes from outside.

The page of a notebook's output (:mod:`piopiy_lab.display.page`) with what a reader elsewhere lacks:
the call's facts as a heading, each tool's whole arguments and result, the latencies, the settings.
A content policy in the file's head lets no browser fetch anything. Any thread.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from html import escape

from piopiy_lab import events as ev
from piopiy_lab.display.bundle import html_of
from piopiy_lab.display.shown import ShownCall, ShownToolCall, ShownTurn
from piopiy_lab.display.wording import called, clock, facts_of, name_of
from piopiy_lab.redaction import made_valid, redact, redact_text, shown

#: Seconds of sound that the file holds: two hours are about 50 MB.
MAX_SOUND_SECS = 7200.0

_POLICY = (
    "default-src 'none'; img-src data:; media-src data:; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline'"
)
_STYLE = """
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; margin: 0; } h2 { font-size: 1.05rem; margin: 1.6rem 0 .3rem; }
body .piopiy-call { font-size: 15px; } body .piopiy-call .pp-talk { max-height: none; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .15rem .7rem; text-align: right; border-bottom: 1px solid #8884; }
th:last-child, td:last-child, .text td, .text th { text-align: left; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; margin: .3rem 0 .8rem; }
@media (prefers-color-scheme: dark) { .pp-picture img { filter: invert(.9) hue-rotate(180deg); } }
""".strip()


def document_of(call: ShownCall) -> str:
    """Return a call as an HTML document, deterministic and without secrets.

    Args:
        call: An ended or loaded call; of a running one it says only that it runs.
    """
    title = f"{name_of(call)}: {', '.join(facts_of(call))}"
    body = "\n".join(
        (
            f"<h1>{escape(name_of(call))}</h1>",
            f"<div>{escape(', '.join(facts_of(call)))}</div>",
            html_of(call, str(call), MAX_SOUND_SECS),
            *_section("Tools", map(_tool, call.tool_calls)),
            *_section("Latency in milliseconds", _latency(call.turns)),
            *_section("Settings", _settings(call.events)),
        )
    )
    return document(title, body)


def document(title: str, body: str) -> str:
    """Return a whole HTML document around a body.

    Args:
        title: Its title, as text.
        body: HTML.
    """
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(made_valid(shown(title)))}</title>\n<style>{_STYLE}</style></head>\n"
        f"<body>\n{made_valid(body)}\n</body></html>\n"
    )


def _section(title: str, parts: Iterable[str]) -> list[str]:
    inside = list(parts)
    return [f"<h2>{escape(title)}</h2>", *inside] if inside else []


def _tool(tool: ShownToolCall) -> str:
    outcome = {"error": tool.error} if tool.error else {"result": tool.result}
    whole = redact({"arguments": tool.arguments, **outcome})
    text = json.dumps(whole, indent=2, ensure_ascii=False, default=repr)
    head = escape(f"{clock(tool.start, 1)} {called(tool.name, tool.arguments)}: {tool.status}")
    return f"<details><summary>{head}</summary><pre>{escape(redact_text(text))}</pre></details>"


def _latency(turns: Iterable[ShownTurn]) -> list[str]:
    """Return a table of each answer's parts; nothing where nothing was answered."""
    turns = list(turns)
    if not turns:
        return []
    names = list(dict.fromkeys(name for turn in turns for name in turn.parts))
    head = "".join(f"<th>{escape(name)}</th>" for name in ("at", *names, "total", "caller"))
    rows = "".join(
        f"<tr><td>{clock(turn.start, 1)}</td>"
        + "".join(f"<td>{1000 * turn.parts.get(name, 0.0):.0f}</td>" for name in names)
        + f"<td>{1000 * turn.total:.0f}</td><td>{escape(shown(turn.user))}</td></tr>"
        for turn in turns
    )
    return [f"<table><tr>{head}</tr>{rows}</table>"]


def _settings(log: Iterable[ev.Event]) -> list[str]:
    """Return a table of what the pipeline was started with, and of what was changed since."""
    rows: list[tuple[str, str]] = []
    for event in log:
        match event:
            case ev.PipelineStarted():
                rows += [(f"{kind} service", name) for kind, name in event.services.items()]
                rows += [("detector", event.vad or "none")]
                rows += _named({**event.vad_params, **event.turn_params})
                rows += [("sample rate in", f"{event.audio_in_sample_rate} Hz")]
                rows += [("sample rate out", f"{event.audio_out_sample_rate} Hz")]
            case ev.SettingsChanged():
                at = clock(event.at, 1)
                rows += [(f"{name}, from {at}", value) for name, value in _named(event.new)]
            case ev.ServiceSwitched():
                rows.append((f"{event.kind} service, from {clock(event.at, 1)}", event.new))
            case _:
                pass
    if not rows:
        return []
    cells = "".join(f"<tr><td>{escape(a)}</td><td>{escape(shown(b))}</td></tr>" for a, b in rows)
    return [f'<table class="text">{cells}</table>']


def _named(values: Mapping[str, float]) -> list[tuple[str, str]]:
    return [(name, f"{value:g}") for name, value in values.items()]
