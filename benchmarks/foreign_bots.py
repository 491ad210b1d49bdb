"""Public bots of others, unchanged, in virtual time: which run, what is seen of them, what is not.

The bots aren't ours and are in no repository of ours: the script takes a folder with them, a folder
each (``NAME/bot.py``), and an ``index.tsv`` that says where each is from: its name, the repository
or package, the path or command, the commit or version. Each runs in a process of its own, on a
caller who waits for the greeting, asks two things, and interrupts the second answer. Keys aren't
needed: "stt", "llm" and "tts" are replaced.

    python benchmarks/foreign_bots.py /path/to/bots                  # prints the table
    python benchmarks/foreign_bots.py /path/to/bots --page docs/foreign_bots.md

Packages that only the bots want may be in a folder of their own: PYTHONPATH.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import importlib.util
import inspect
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pipecat

from piopiy_lab import Caller, calls_tool, events, simulate
from piopiy_lab.offline import EspeakTTSService, RuleBook, RuleLLMService, offline_realtime
from piopiy_lab.session.callback import bot_kind

SECS = 180
ASKED, TELL, STOP = "what can you do", "tell me a long story", "stop that and say hello"
LONG = "Once upon a time there was a small house by a big river. " * 3
REPLIES = {ASKED: "I can answer two things.", TELL: LONG.strip(), STOP: "Hello then."}


@dataclass(frozen=True)
class Plan:
    """How one bot is called: what differs from the common caller."""

    #: Phrase to reply of the stand-in for the LLM.
    replies: dict[str, Any] = field(default_factory=lambda: REPLIES)
    fallback: str = "I do not know. You can ask: {nearest}."
    caller: Caller = (
        Caller()
        .hears_greeting()
        .says(ASKED)
        .hears_reply()
        .says(TELL)
        .interrupts(STOP, after=1.5)
        .hears("hello then")
        .hangs_up()
    )
    #: Whether the LLM hears and speaks itself.
    realtime: bool = False
    tools: int = 0
    turns: int = 3
    interruptions: int = 1
    #: For ``simulate``.
    options: dict[str, Any] = field(default_factory=dict)


def tool_plan(said: str, tool: Any, heard: str, **words: Any) -> Plan:
    """The first thing that is asked calls a tool."""
    caller = (
        Caller()
        .hears_greeting()
        .says(said)
        .expects_tool(tool.tool)
        .hears(heard)
        .says(TELL)
        .interrupts(STOP, after=1.5)
        .hears("hello then")
        .hangs_up()
    )
    return Plan({**REPLIES, said: tool}, caller=caller, tools=1, **words)


WEATHER = tool_plan(
    "how is the weather in paris",
    calls_tool("get_current_weather", location="Paris", format="celsius").says(
        "It is {conditions}."
    ),
    "it is nice",
)
SPOKEN = Plan(realtime=True)
DIALIN = {
    "dialin_settings": {"call_id": "c1", "call_domain": "d1", "From": "+14155550100"},
    "daily_api_key": "none",
    "daily_api_url": "https://api.daily.example",
}
PLANS = {
    "function_calling": WEATHER,
    "user_idle": WEATHER,
    "service_switcher": WEATHER,
    "realtime_openai": SPOKEN,
    "init_realtime": SPOKEN,
    "init_realtime_gemini": SPOKEN,
    "piopiy_gemini_live": SPOKEN,
    "init_daily_dialin": Plan(options={"metadata": DIALIN}),
    "init_twilio_sip_dialin": Plan(
        options={
            "metadata": {"room_url": "none", "token": "none", "call_sid": "c", "sip_uri": "sip:s"}
        }
    ),
    "wake_phrase": Plan(
        {**REPLIES, f"pipecat {ASKED}": REPLIES[ASKED]},
        caller=Caller()
        .hears_greeting()
        .says(f"pipecat {ASKED}")
        .hears_reply()
        .says(TELL)
        .interrupts(STOP, after=1.5)
        .hears("hello then")
        .hangs_up(),
    ),
    "dtmf_menu": Plan(
        caller=Caller()
        .hears_greeting()
        .presses("1")
        .waits(4)
        .hears("nine to five")
        .presses("2")
        .waits(4)
        .hears("nine to five")
        .hangs_up(),
        fallback="We are open from nine to five.",
        turns=2,
        interruptions=0,
    ),
    "local_handoff": tool_plan(
        "tell me about the boots",
        calls_tool("transfer_to_agent", agent="support", reason="boots").says("Support is here."),
        "support is here",
    ),
    "flows_food_ordering": tool_plan(
        "pizza please", calls_tool("choose_pizza").says("Which size?"), "which size"
    ),
    "flows_hello_world": Plan(
        {"my favorite color is blue": calls_tool("record_favorite_color", color="blue")},
        caller=Caller().hears_greeting().says("my favorite color is blue").hears_reply(),
        tools=1,
        turns=1,
        interruptions=0,
    ),
    "vobiz": Plan(
        caller=Caller().says(ASKED).hears_reply().says(TELL).interrupts(STOP).hears("hello then")
    ),
}

#: What the script can't see of a bot, for the last column.
NOTES = {
    "backchannel": "it draws lots (`random`) about when it murmurs",
    "flows_warm_transfer": "it is a program with its own rooms (`main()`), three people in them",
    "firewall": "it is a script around a `main()`",
    "murf": "it is a script for a sound card",
    "vobiz": "it wants a file that its author copies into pipecat",
    "realtime_openai": "it was written for another pipecat than 1.14",
}


# --- one bot, in a process of its own ---------------------------------------------------------


def run_one(folder: Path, name: str) -> dict[str, Any]:
    """Import and call one bot.

    Returns:
        What came of it, as JSON has it.
    """
    warnings.simplefilter("ignore")
    plan = PLANS.get(name, Plan())
    for variable in ("PIOPIY_TOKEN", "PIOPIY_TRANSFER_NUMBER", "PIOPIY_AGENT_ID"):
        os.environ.setdefault(variable, "919000000001")
    os.chdir(tempfile.mkdtemp())  # some write files where they are
    sys.path.insert(0, str(folder / name))
    try:
        spec = importlib.util.spec_from_file_location("bot", folder / name / "bot.py")
        assert spec is not None
        assert spec.loader is not None
        module = sys.modules["bot"] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    except Exception as error:  # whatever a bot's imports raise is its row in the table
        return {"runs": False, "why": f"is not imported: {_short(error)}"}
    bot = getattr(module, "bot", None)
    if not inspect.iscoroutinefunction(bot) or bot_kind(bot) is None:
        return {"runs": False, "why": "has no `bot(runner_args)` and no `bot(transport, call)`"}
    began = time.monotonic()
    try:
        calls = [_call(bot, plan), _call(bot, plan)]
    except Exception as error:
        return {"runs": False, "why": _short(error)}
    return {**_seen(calls[0], plan), "secs": time.monotonic() - began, "same": _same(*calls)}


def _call(bot: Any, plan: Plan) -> Any:
    llm = (
        (lambda: offline_realtime(replies=plan.replies))
        if plan.realtime
        else (lambda: RuleLLMService(RuleBook(plan.replies, fallback=plan.fallback)))
    )
    replace: dict[str, object] = {"llm": llm}
    latency = {"llm": 0.3}
    if not plan.realtime:
        latency |= {"stt": 0.15, "tts": 0.1}
        replace |= {"stt": "screenplay", "tts": EspeakTTSService}
    return asyncio.run(simulate(bot, plan.caller, replace=replace, latency=latency, **plan.options))


def _seen(call: Any, plan: Plan) -> dict[str, Any]:
    parts = {part for turn in call.turns for part, secs in turn.parts.items() if secs}
    interruptions = [e for e in call.events.of(events.AgentInterrupted) if e.speaking]
    contexts = call.events.of(events.ContextSent)
    seen, missing = [], []

    def tell(there: object, what: str) -> None:
        (seen if there else missing).append(what)

    tell(any(entry.role == "assistant" for entry in call.transcript), "greeting")
    tell(len(call.turns) >= plan.turns, f"{len(call.turns)} turns")
    tell(parts, f"latency ({', '.join(sorted(parts))})" if parts else "latency")
    if plan.interruptions:
        tell(interruptions, "interruption")
    if plan.tools:
        names = ", ".join(dict.fromkeys(tool.name for tool in call.tool_calls))
        tell(call.tool_calls, f"tool ({names})" if names else "tool")
    tell(contexts, "contexts")
    tell(call.services, f"{len(call.services)} services")
    tell(call.recording is not None and len(call.recording), "recording")
    return {
        "runs": call.error is None,
        "why": "" if call.error is None else _short(call.error),
        "seen": seen,
        "missing": missing,
        "notices": [event.message for event in call.events.of(events.NoticeGiven)],
        "ended": call.end_reason,
        "duration": call.duration,
        "heard": [f"{entry.role}: {entry.text}" for entry in call.transcript],
    }


def _same(*calls: Any) -> bool:
    """Whether calls are the same, byte by byte."""
    found = set()
    for call in calls:
        with tempfile.TemporaryDirectory() as folder:
            saved = Path(folder) / "call"
            call.save(saved)
            found.add(
                tuple(
                    hashlib.sha256((saved / name).read_bytes()).hexdigest()
                    for name in ("events.jsonl", "call.wav")
                )
            )
    return len(found) == 1


def _short(error: BaseException) -> str:
    text = " ".join(f"{type(error).__name__}: {error}".split())
    text = re.sub(r" \(/\S+\)", "", text)  # where it is installed
    return text if len(text) < 200 else f"{text[:197]}..."


# --- all of them ------------------------------------------------------------------------------


def run_all(folder: Path, only: list[str]) -> list[tuple[list[str], dict[str, Any]]]:
    rows = []
    for line in (folder.parent / "index.tsv").read_text().splitlines():
        row = line.split("\t")
        if only and row[0] not in only:
            continue
        command = [sys.executable, __file__, str(folder), "--one", row[0]]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=SECS)
            told = done.stdout.strip().splitlines()
            result = json.loads(told[-1]) if told else {"runs": False, "why": done.stderr[-200:]}
        except subprocess.TimeoutExpired:
            result = {"runs": False, "why": f"not done after {SECS} s"}
        rows.append((row, result))
        print(_row(row, result), flush=True)
        for text in result.get("heard", ()):
            print(f"    {text}")
    return rows


HEAD = "| bot | where from | runs | what is seen | what is not, and why |\n|---|---|---|---|---|"


def _row(row: list[str], result: dict[str, Any]) -> str:
    name, where, path, commit = row
    version = commit if len(commit) < 40 else commit[:8]
    verdict = "yes" if result["runs"] else "no"
    if result["runs"] and not result.get("same", True):
        verdict = "yes, not the same bytes twice"
    apart = [*([result["why"]] if result["why"] else []), *result.get("missing", ())]
    apart += [f"notice: {text}" for text in result.get("notices", ())]
    apart += [NOTES[name]] if name in NOTES else []
    cells = [
        f"`{name}`",
        f"{where} `{path}` {version}",
        verdict,
        ", ".join(result.get("seen", ())),
        "; ".join(apart),
    ]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


PAGE = """\
# Bots of others

Public bots, fetched as they are and run unchanged in virtual time: the same bot twice, on a caller
who waits for the greeting, asks two things and interrupts the second answer, with the speech
services and the language model replaced (`replace={{"stt": "screenplay", ...}}`), so without keys.
`benchmarks/foreign_bots.py` writes this page; it was run with pipecat {version}. The bots are
not in this repository. {ran} of {all} run, {same} of them with the same bytes twice.

{head}
{rows}

Where a column says what is not seen, it is absent from the call's log too: nothing is made up.
Where the language model itself decides that a turn is over (the flows bots'
`filter_incomplete_user_turns`), what it takes is a part of the turn, and no `llm` part is left.
`tests/bots/test_foreign_bots.py` has bots of the same shapes in our own lines.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="the bots; index.tsv is beside it")
    parser.add_argument("names", nargs="*", help="only these")
    parser.add_argument("--one", action="store_true", help="in this process, as JSON")
    parser.add_argument("--page", type=Path, help="write the table there")
    options = parser.parse_intermixed_args()
    folder = options.folder.absolute()
    if options.one:
        print(json.dumps(run_one(folder, options.names[0])))
        return
    rows = run_all(folder, options.names)
    ran = [result for _, result in rows if result["runs"]]
    if options.page:
        options.page.write_text(
            PAGE.format(
                version=pipecat.__version__,
                ran=len(ran),
                all=len(rows),
                same=sum(result["same"] for result in ran),
                head=HEAD,
                rows="\n".join(_row(*row) for row in rows),
            )
        )
    print(f"{len(ran)} of {len(rows)} run")


if __name__ == "__main__":
    main()
