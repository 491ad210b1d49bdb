"""``Call.save_test``: a call's test, its golden conversation, and what its tools returned."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any

from piopiy_lab import events as ev
from piopiy_lab.call.call import Call
from piopiy_lab.cassette.beside import FOLDER as CASSETTE
from piopiy_lab.cassette.sounds import copy_sound
from piopiy_lab.cassette.tape import LINES
from piopiy_lab.checks.file_names import file_name
from piopiy_lab.errors import ArgumentError, ArgumentTypeError, SavedCallError
from piopiy_lab.events.log import EventLog
from piopiy_lab.line.line import Line
from piopiy_lab.redaction import redact, visible
from piopiy_lab.screenplay.code import code_of
from piopiy_lab.screenplay.literals import value
from piopiy_lab.session.places import place_of
from piopiy_lab.simulation.golden import conversation_text
from piopiy_lab.simulation.scrubbing import Scrub, Scrubber
from piopiy_lab.simulation.talking_over import sound_of
from piopiy_lab.sound.heard import FLAC, WAV, write_flac

#: Of a call's events, what its test needs: no judgements of the detector, no measurements.
_LEFT_OUT = (ev.VADSampled, ev.MetricsReported, ev.LevelMeasured)
_WORD_BY_WORD = (ev.WordSpoken, ev.LLMTextGenerated, ev.InterimTranscribed)
#: What the callback was told, of meta.json.
_TOLD = ("from_number", "to_number", "metadata", "direction", "variables", "sip_headers")


def save_test(
    call: Call,
    folder: str | PathLike[str],
    *,
    session: object = None,
    name: str | None = None,
    scrub: Scrub | None = None,
    sound: bool = False,
    overwrite: bool = False,
) -> Path:
    """Write a test of a call; see :meth:`piopiy_lab.Call.save_test`."""
    if not call.events.of(ev.CallEnded):
        raise ArgumentError(
            f"call {call.call_id} has not ended, so nobody knows what its test should expect: "
            "await call.wait() first"
        )
    scrubber = Scrubber(scrub)
    place = _place(call, session)
    target = Path(folder).expanduser().resolve()
    name = _name(call, name, scrubber)
    path = target / f"test_{name}.py"
    test = f"test_{name}"
    golden = target / "golden" / path.stem / f"{file_name(test)}.txt"
    kept = target / "calls" / name
    if not overwrite and (there := next((p for p in (path, golden, kept) if p.exists()), None)):
        raise SavedCallError(
            f"{there} is there already: give save_test(..., name=...), or overwrite=True"
        )
    heard = sound_of(call, scrubber) if sound else None
    cassette = _cassette(call) if sound and scrub is None else None
    call = _scrubbed(call, scrubber, sound=sound)
    if heard is not None:
        call.meta["heard"] = heard.frames.to_json()
    else:
        call.meta.pop("heard", None)  # the words of a sound that isn't there
    try:
        for parent in (target, golden.parent, kept):
            parent.mkdir(parents=True, exist_ok=True)
        events = [one for event in call.events if (one := _kept(event, scrub is not None))]
        lines = "".join(f"{event.to_json()}\n" for event in events)
        for name_of_sound in (FLAC, WAV):
            (kept / name_of_sound).unlink(missing_ok=True)  # of the test that is replaced
        shutil.rmtree(kept / CASSETTE, ignore_errors=True)
        if heard is not None:
            write_flac(kept / FLAC, heard.samples, heard.sample_rate)
        if cassette is not None:
            (kept / CASSETTE).mkdir()
            shutil.copyfile(cassette / LINES, kept / CASSETTE / LINES)
            copy_sound(cassette, kept / CASSETTE)  # its call may be compressing it just now
        (kept / "events.jsonl").write_text(lines, encoding="utf-8", errors="backslashreplace")
        meta = json.dumps(redact(call.meta), indent=2, ensure_ascii=False, default=str)
        (kept / "meta.json").write_text(f"{meta}\n", encoding="utf-8", errors="backslashreplace")
        wanted = scrubber.text(conversation_text(call))  # names of several words, too
        golden.write_text(wanted, encoding="utf-8", newline="\n")
        made = _Made(test, place, kept, target, scrub is not None, sound, cassette is not None)
        text = _test_text(call, made)
        path.write_text(scrubber.text(text), encoding="utf-8", newline="\n")
    except OSError as error:
        raise SavedCallError(f"the test can't be written to {target}: {error.strerror}") from error
    return path


def _cassette(call: Call) -> Path | None:
    """Return the cassette in a call's folder; None where there is none."""
    folder = None if call.folder is None else call.folder / CASSETTE
    return folder if folder is not None and (folder / LINES).is_file() else None


def _kept(event: ev.Event, scrubbed: bool) -> ev.Event | None:
    if scrubbed and isinstance(event, _WORD_BY_WORD):  # a name of two words is found in neither
        return None
    if scrubbed and isinstance(event, ev.Transcribed):
        return replace(event, words=[])
    if isinstance(event, ev.ContextSent):  # that it was sent, and not what: instructions, history
        return replace(event, messages=[])
    return None if isinstance(event, _LEFT_OUT) else event


def _name(call: Call, name: str | None, scrubber: Scrubber) -> str:
    if name is not None and not isinstance(name, str):
        raise ArgumentTypeError(f"save_test(name={name!r}): give a text")
    given = scrubber.text(call.call_id) if name is None else name
    safe = re.sub(r"\W+", "_", given.removeprefix("test_"), flags=re.ASCII).strip("_").lower()
    if not safe:
        raise ArgumentError(f"save_test(name={given!r}): give a name with letters or digits")
    return safe if name is not None else f"call_{safe}"


def _place(call: Call, session: object) -> tuple[str, str]:
    """Return the module and the name of what the test calls.

    Raises:
        ArgumentError: Nobody knows it, or it is no place of a function.
    """
    place = call.meta.get("session") if session is None else session
    if callable(place):
        place = place_of(place)
    if not place:
        raise ArgumentError(
            f"save_test(): nobody knows which session call {call.call_id} ran, or it is inside of "
            'another function: say it, save_test(..., session="my_agent:create_session")'
        )
    if not isinstance(place, str):
        raise ArgumentTypeError(f"save_test(session={place!r}): give a text, module:function")
    module, _, function = place.rpartition(":")
    module = module.removesuffix(".py").replace("/", ".").strip(".")
    if not all(part.isidentifier() for part in (*module.split("."), *function.split("."))):
        raise ArgumentError(
            f"save_test(session={place!r}): give module:function, my_agent:create_session say"
        )
    return module, function


def _scrubbed(call: Call, scrubber: Scrubber, *, sound: bool) -> Call:
    """Return a call without what should be left out, and without its sound."""
    log = EventLog()
    for event in call.events:
        if isinstance(event, ev.CallEnded) and event.reason == "hung_up" and not sound:
            event = replace(event, reason="caller_hung_up")  # as a screenplay's caller does it
        log.append(ev.from_json(json.dumps(scrubber.value(json.loads(event.to_json())))))
    return Call(log, call.sample_source, None, scrubber.value(call.meta))


@dataclass(frozen=True)
class _Made:
    """What a test is made of: its name, its session's place, its folders, and what is in them."""

    test: str
    place: tuple[str, str]
    kept: Path
    target: Path
    scrubbed: bool
    sound: bool
    cassette: bool


def _screenplay(call: Call, made: _Made) -> tuple[str, str, str]:
    """Return who calls as Python text: what it imports, the text, and what is said of it."""
    if made.sound:
        follows = "# The caller is the recorded one, at the same places beside the agent, and the"
        return "Call, Caller", "caller = Caller.from_call(Call.load(HERE))", follows
    code = code_of(call.events, call.call_id, None)
    _, _, screenplay = code.partition("from piopiy_lab import ")
    imports, _, screenplay = screenplay.partition("\n")
    if "import re\n" in code:
        screenplay = f"import re\n{screenplay}"
    return imports, screenplay, "# The caller follows a screenplay, and the"


def _test_text(call: Call, made: _Made) -> str:
    test, kept, target = made.test, made.kept, made.target
    module, function = made.place
    imports, screenplay, follows = _screenplay(call, made)
    regex = screenplay.startswith("import re\n")
    screenplay = screenplay.removeprefix("import re\n")
    names = ", ".join(sorted({"Call", *imports.split(", "), *_line_names(call, made)}))
    path = _path_to(module, target)
    own_stt = str(_services(call).get("stt", ""))
    words = made.scrubbed or (own_stt and not own_stt.startswith("Phrase") and not made.cassette)
    stand_in = '"stt": "screenplay", ' if words else ""
    told = {name: call.meta[name] for name in _TOLD if call.meta.get(name) is not None}
    return "\n".join(
        [
            f"# Call {visible(call.call_id)} again: made by call.save_test(), yours to edit.",
            f"{follows} tools return what they returned",
            f"# in that call: none is run. What is said is compared with golden/{test}/.",
            *(["import re"] if regex else []),
            *(["import sys"] if path else []),
            "from pathlib import Path",
            "",
            f"from piopiy_lab import {names}",
            "from piopiy_lab.tools import RecordedTools",
            "",
            *([f"sys.path.insert(0, str(Path(__file__).parent{path}))"] if path else []),
            f"from {module} import {function.partition('.')[0]}{_why_late(path)}",
            "",
            f'HERE = Path(__file__).parent / "calls" / {value(kept.name)}',
            "",
            screenplay.strip("\n"),
            "",
            "",
            f"def {test}(simulate, golden):",
            "    recorded = RecordedTools(Call.load(HERE))",
            "    call = simulate(",
            f"        {function},",
            "        caller,",
            f'        replace={{{stand_in}"tools": recorded}},',
            f"        call_id={value(call.call_id)},",
            *(f"        {name}={_python(one)}," for name, one in told.items()),
            *_latency(call),
            *_line(call, made),
            *(['        cassette=HERE / "cassette",'] if made.cassette else []),
            *(['        record_mode="none",'] if made.cassette else []),
            "        check=False,  # how it ended is in the golden conversation",
            "    )",
            "    golden(call)",
            "    assert recorded.misses == []",
            "",
        ]
    )


def _why_late(path: str) -> str:
    return "  # noqa: E402 - found by the line above" if path else ""


def _python(given: Any) -> str:
    """Return a value of meta.json as Python writes it."""
    if isinstance(given, dict):
        return "{" + ", ".join(f"{_python(k)}: {_python(v)}" for k, v in given.items()) + "}"
    if isinstance(given, list):
        return "[" + ", ".join(map(_python, given)) + "]"
    return value(given)


def _latency(call: Call) -> list[str]:
    modelled = call.meta.get("latency")
    return [f"        latency={_python(modelled)},"] if modelled else []


def _line(call: Call, made: _Made) -> list[str]:
    """Return the phone line: both ways for a screenplay, for a recorded caller the agent's."""
    told = []
    line = _line_of(call, made)
    if line is not None:
        told.append(f"        line={line!r},")
    if not made.sound and "perturb" in call.meta:
        told.append(f"        perturb={_python(call.meta['perturb'])},")
    return told


def _line_names(call: Call, made: _Made) -> list[str]:
    return [] if _line_of(call, made) is None else ["Line"]


def _line_of(call: Call, made: _Made) -> Line | None:
    if "line" not in call.meta:
        return None
    line = Line.from_json(call.meta["line"])
    return line.only("agent") if made.sound else line


def _services(call: Call) -> dict[str, str]:
    started = call.events.of(ev.PipelineStarted)
    return started[-1].services if started else {}


def _path_to(module: str, target: Path) -> str:
    """Return how a test finds the folder of its session's module, "" where it needs no telling."""
    first = module.partition(".")[0]
    try:
        spec = importlib.util.find_spec(first)
    except (ImportError, ValueError):
        spec = None
    origin = None if spec is None else spec.origin
    if origin is None:
        root = Path.cwd()
    else:
        file = Path(origin).resolve()
        root = file.parent.parent if file.name == "__init__.py" else file.parent
    if "site-packages" in root.parts or "dist-packages" in root.parts or root == target:
        return ""
    try:
        steps = Path(os.path.relpath(root, target)).parts
    except ValueError:  # on another drive
        return ""
    return "".join(".parent" if one == ".." else f" / {value(one)}" for one in steps)
