"""A call as a screenplay to read and edit: the Python text behind ``Call.to_code``.

Pure: events in, text out.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from pathlib import Path

from piopiy_lab import events as ev
from piopiy_lab.redaction import redact_text, visible
from piopiy_lab.screenplay.behind import Background
from piopiy_lab.screenplay.caller import Caller
from piopiy_lab.screenplay.coded_acts import Coded, coded_acts
from piopiy_lab.screenplay.literals import literal, value
from piopiy_lab.screenplay.phrases import Pause
from piopiy_lab.screenplay.sayings import contains
from piopiy_lab.sound.background import KINDS

#: Steps of a screenplay that the log tells whole.
_STEPS = (
    "hears_greeting says hears_reply hears expects_tool interrupts waits presses hangs_up "
    "backchannels coughs says_aside talks_over false_starts stays_silent"
)
#: What a text has that is a pattern.
_PATTERN = re.compile(r"[\\|()\[\]*+^${}?.]")
#: A comment's characters.
_LONGEST = 88


def code_of(events: Iterable[ev.Event], call_id: str, folder: Path | None) -> str:
    """Return a call's caller as Python text, which makes ``caller``.

    Args:
        events: The call's.
        call_id: Its id.
        folder: Where it is saved; None if it isn't, or nobody knows.
    """
    log = list(events)
    steps = _scripted(log) or _lived(log)
    imports = ["Call", "Caller"] if any(one.sound is not None for one in steps) else ["Caller"]
    regex = any("re.compile(" in one.text for one in steps)
    lines = [
        f"# The caller of call {visible(redact_text(call_id))}, to edit: made by call.to_code()."
    ]
    lines += ["import re", ""] if regex else []
    if any("pause(" in one.text for one in steps):
        imports.append("pause")
    who = _who(log)
    if "Background(" in who:
        imports.insert(0, "Background")
    lines += [f"from piopiy_lab import {', '.join(imports)}", ""]
    if "Call" in imports:
        place = "calls/" + re.sub(r"[^\w.-]", "_", call_id) if folder is None else folder.as_posix()
        lines += [
            "# What nobody knows the words of is heard as it was, from the saved call's folder."
            + (" Save it there first." if folder is None else ""),
            f"recorded = Caller.from_call(Call.load({literal(place)}))",
            'sounds = [step.audio for step in recorded.steps if getattr(step, "audio", None)]',
            "",
        ]
    lines += ["caller = (", f"    {who}"]
    for one in steps:
        lines += [f"    # {_comment(text)}" for text in one.comments]
        if one.text:
            lines.append(f"    .{one.text}")
    return "\n".join([*lines, ")"]) + "\n"


def _who(log: list[ev.Event]) -> str:
    """Return the caller without steps; what has no name of its own is said beside it."""
    found = next((e for e in log if isinstance(e, ev.CallerDescribed)), None)
    if found is None:
        return "Caller()"
    given: list[str] = []
    unnamed: list[str] = []
    if found.voice is not None:
        named = re.fullmatch(r"[\w+./?=&%-]+", found.voice) is not None
        (given if named else unnamed).append(f"voice={value(found.voice)}")
    if found.vary is not None:
        given.append(f"vary={found.vary}")
    if found.background is not None:
        named = found.background in KINDS
        (given if named else unnamed).append(f"background={_background(found)}")
    told = f"  # it had {_comment(', '.join(unnamed))}" if unnamed else ""
    return f"Caller({', '.join(given)}){told}"


def _background(found: ev.CallerDescribed) -> str:
    """Return a background's name, or all of it where its level or its sentences are others."""
    usual = Background("television")
    changed = [
        f"{name}={given!r}"
        for name, given, default in (
            ("level_db", found.background_db, usual.level_db),
            ("seed", found.background_seed, usual.seed),
        )
        if given is not None and given != default
    ]
    if not changed:
        return value(found.background)
    return f"Background({', '.join([value(found.background), *changed])})"


def _comment(text: str) -> str:
    text = " ".join(visible(redact_text(text)).split())
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


# --- a screenplay that was written ----------------------------------------------------------------


def _scripted(log: list[ev.Event]) -> list[Coded] | None:
    """Return the steps of the caller's own screenplay, None if the log doesn't tell them all."""
    steps: list[Coded] = []
    heard: list[str] = []
    said: list[str] = []  # of the agent's words since the last comment
    for place, event in enumerate(log):
        match event:
            case ev.CallerSpoke():
                heard.clear()
            case ev.WordSpoken():
                heard.append(event.text)
                said.append(event.text)
            case ev.CallerStepStarted():
                later = [*heard, *_heard_in(log[place:])]
                text = _step(event.step, " ".join(later))
                if text is None:
                    return None
                steps.append(Coded(text, comments=_agent(said)))
                said.clear()
            case _:
                pass
    if said and steps:
        steps.append(Coded("", comments=_agent(said)))
    return steps or None


def _agent(said: list[str]) -> tuple[str, ...]:
    return (f"agent: {' '.join(said)}",) if said else ()


def _heard_in(rest: list[ev.Event]) -> Iterable[str]:
    for event in rest:
        if isinstance(event, ev.CallerStepFinished | ev.CallerStepFailed):
            return
        if isinstance(event, ev.WordSpoken):
            yield event.text


def _step(step: str, heard: str) -> str | None:
    """Return a step as code; None if the log doesn't tell it whole."""
    try:
        tree = ast.parse(step, mode="eval").body
        if not isinstance(tree, ast.Call) or not isinstance(tree.func, ast.Name):
            return None
        given = [_argument(one) for one in tree.args]
        named = {str(one.arg): ast.literal_eval(one.value) for one in tree.keywords}
    except (SyntaxError, ValueError):
        return None
    verb = tree.func.id
    if verb not in _STEPS.split() or "over_agent" in named:
        return None
    if verb == "interrupts":
        named = {"after": 1.0, **named}
    arguments = [value(one) for one in given]
    if verb == "hears" and _was_pattern(pattern := str(given[0]), heard):
        flags = "" if re.search(pattern, heard) else ", re.IGNORECASE"
        arguments = [f"re.compile({value(given[0])}{flags})"]
    try:  # what a Caller refuses, of a log that was edited, is no code
        if verb != "hears":
            getattr(Caller(), verb)(*given, **named)
    except (TypeError, ValueError):
        return None
    arguments += [f"{name}={value(one)}" for name, one in named.items()]
    return f"{verb}({', '.join(arguments)})"


def _argument(node: ast.expr) -> object:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "pause":
        return Pause(*map(ast.literal_eval, node.args))
    return ast.literal_eval(node)


def _was_pattern(text: str, heard: str) -> bool:
    """Whether what a step waited for was a pattern: as a text it was not heard, as one it was."""
    if not _PATTERN.search(text) or contains(heard, text):
        return False
    try:
        return re.search(text, heard, re.IGNORECASE) is not None
    except re.error:
        return False


# --- any call ---------------------------------------------------------------------------------


def _lived(log: list[ev.Event]) -> list[Coded]:
    steps = [
        Coded(one.text.replace("{text}", value(one.said or "")), one.comments, one.sound)
        if one.said is not None
        else one
        for one in coded_acts(log)
    ]
    failed = next((e for e in log if isinstance(e, ev.CallerStepFailed)), None)
    ended = next((e for e in log if isinstance(e, ev.CallEnded)), None)
    if failed is not None and ended is not None and ended.reason == "error":
        text = _step(failed.step, "")
        if text is not None:  # what the caller waited for in vain
            steps = [*steps[:-1], Coded(text, (f"it failed: {failed.why}",))]
    return steps
