"""The names and keys of an eval file, checked before pipecat's loader reads it. Pure; any thread.

Each error names the file, the line, the way to the key and the nearest valid one.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path

from piopiy_lab.checks.arguments import is_number, is_whole
from piopiy_lab.checks.texts import shown
from piopiy_lab.errors import EvalFileError
from piopiy_lab.evals import grammar
from piopiy_lab.evals.yaml_tree import Item

_WHOLE = (("within_ms", 1), ("delay_ms", 0), ("markers", 0), ("runs", 1), ("max_turns", 1))
_NUMBERS = (
    *("max_duration_s", "max_silence_s", "min_score", "min_value", "max_value"),
    *("speed", "sample_rate", "padding_secs", "explain_below"),
)
_TEXTS = ("text_contains", "text_excludes", "eval", "criterion", "persona", "goal", "success")
_FLAGS = ("marker_first", "text_after", "absent", "stop_on_failure", "allow_continue")


def check_file(top: Item, folder: Path) -> None:
    """Check what an eval file says.

    Args:
        top: The file.
        folder: The folder that its recordings and images are relative to.

    Raises:
        EvalFileError: A key or a name that there is none of, or a value that can't be meant.
    """
    _Check(folder).file(top)


class _Check:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    # --- the file and its scenarios --------------------------------------------------------------

    def file(self, top: Item) -> None:
        every = (*grammar.SHARED, *grammar.SCRIPTED, *grammar.SIMULATED)
        keys = self._keys(top, "", ("scenarios", *every))
        defaults = {key: item for key, item in keys.items() if key != "scenarios"}
        entries = keys.get("scenarios")
        if entries is None:  # pipecat's older form: one scenario, its keys at the top
            self._scenario(top, "", {})
            return
        self._values(Item(defaults, top.where, top.lines), "")
        for at, entry in self._each(entries, "scenarios"):
            self._scenario(entry, at, defaults)

    def _scenario(self, entry: Item, at: str, defaults: dict[str, Item]) -> None:
        every = (*grammar.SHARED, *grammar.SCRIPTED, *grammar.SIMULATED)
        keys = self._keys(entry, at, every)
        simulated = "persona" in {**defaults, **keys}
        others, kind = (
            (grammar.SCRIPTED, "a persona") if simulated else (grammar.SIMULATED, "turns")
        )
        for key in keys:
            if key in others:
                raise EvalFileError(
                    f"{entry.lines[key]}: {_join(at, key)} is of no use in a scenario with {kind}: "
                    f"take it out, or give it {'turns' if simulated else 'a persona'} instead"
                )
        self._values(entry, at)

    def _values(self, scenario: Item, at: str) -> None:
        """Check the values of a scenario's keys; they may stand at the top, too."""
        keys = _mapping(scenario)
        self._plain(scenario, at)
        for key, check in (("user", self._user), ("judge", self._judge)):
            if key in keys:
                check(keys[key], _join(at, key))
        if "simulator" in keys:
            self._service(keys["simulator"], _join(at, "simulator"), grammar.LLM)
        for where, turn in self._each(keys.get("turns"), _join(at, "turns")):
            self._turn(turn, where)
        for where, metric in self._each(keys.get("metrics"), _join(at, "metrics")):
            self._metric(metric, where)

    # --- turns and what is expected --------------------------------------------------------------

    def _turn(self, turn: Item, at: str) -> None:
        keys = self._keys(turn, at, grammar.TURN)
        for key in ("audio", "image"):
            if isinstance(name := _value(keys, key), str) and not (self._folder / name).is_file():
                raise EvalFileError(
                    f"{keys[key].where}: {_join(at, key)}: there is no file {self._folder / name}"
                )
        parts = keys.get("user")
        for where, part in self._each(parts, _join(at, "user")) if _is_list(parts) else ():
            if isinstance(part.value, dict):
                pause = self._keys(part, where, ("pause_ms",)).get("pause_ms")
                if pause is not None and not is_whole(pause.value):
                    raise _wrong(pause, _join(where, "pause_ms"), "give a whole number of ms")
        if "send_after" in keys:
            where = _join(at, "send_after")
            inner = self._keys(keys["send_after"], where, grammar.SEND_AFTER)
            self._plain(keys["send_after"], where)
            self._one_of(inner, "event", grammar.EVENTS, where)
        for where, expectation in self._each(keys.get("expect"), _join(at, "expect")):
            self._expectation(expectation, where)

    def _expectation(self, expectation: Item, at: str) -> None:
        keys = self._keys(expectation, at, grammar.EXPECTATION)
        self._plain(expectation, at)
        self._one_of(keys, "event", grammar.EVENTS, at)
        for key, names in grammar.CHOICES.items():
            self._one_of(keys, key, names, at)
        event = _value(keys, "event")
        for key in ("calls", *grammar.CALL):
            if key in keys and event not in grammar.FUNCTION_CALLS:
                raise EvalFileError(
                    f"{expectation.lines[key]}: {_join(at, key)} is of no use with {event!r}: it "
                    f"is for {' and '.join(grammar.FUNCTION_CALLS)}"
                )
        if "calls" in keys and (both := [key for key in grammar.CALL if key in keys]):
            raise EvalFileError(
                f"{expectation.lines[both[0]]}: {_join(at, both[0])} is of no use beside 'calls': "
                "put it into one of the calls"
            )
        self._call(keys, at)
        self._calls(keys.get("calls"), _join(at, "calls"))

    def _calls(self, calls: Item | None, at: str) -> None:
        for where, call in self._each(calls, at):
            if not isinstance(call.value, str):
                self._call(self._keys(call, where, grammar.CALL), where)

    def _call(self, keys: dict[str, Item], at: str) -> None:
        name, args = keys.get("name"), keys.get("args")
        if name is not None and not isinstance(name.value, str):
            raise _wrong(name, _join(at, "name"), "give a function's name")
        if args is not None and not isinstance(args.value, dict | None):
            raise _wrong(args, _join(at, "args"), "give a mapping of arguments")

    # --- who speaks, who judges ------------------------------------------------------------------

    def _user(self, user: Item, at: str) -> None:
        keys = self._keys(user, at, grammar.USER)
        self._one_of(keys, "modality", grammar.MODALITIES, at)
        if "speech" in keys:
            self._service(keys["speech"], _join(at, "speech"), grammar.SPEECH)

    def _judge(self, judge: Item, at: str) -> None:
        keys = self._keys(judge, at, grammar.JUDGE)
        self._one_of(keys, "modality", grammar.MODALITIES, at)
        if "eval" in keys:
            inner = self._service(keys["eval"], _join(at, "eval"), grammar.EVAL)
            explainer = inner.get("explainer")
            if explainer is not None and isinstance(explainer.value, dict):
                self._service(explainer, _join(at, "eval.explainer"), grammar.LLM)
        if "transcription" in keys:
            where = _join(at, "transcription")
            self._service(keys["transcription"], where, grammar.TRANSCRIPTION)

    def _service(self, block: Item, at: str, names: tuple[str, ...]) -> dict[str, Item]:
        """Check a block that names a service; a factory's block is the factory's own."""
        keys = _mapping(block)
        if "factory" in keys:  # pipecat reads this one itself
            self._plain(block, at, ("explain_below",))
            return keys
        keys = self._keys(block, at, names)
        self._plain(block, at)
        return keys

    def _metric(self, metric: Item, at: str) -> None:
        keys = self._keys(metric, at, grammar.METRIC)
        self._plain(metric, at)
        self._one_of(keys, "measure", grammar.MEASURES, at)
        self._calls(keys.get("calls"), _join(at, "calls"))

    # --- what each check is made of --------------------------------------------------------------

    def _keys(self, item: Item, at: str, names: Iterable[str]) -> dict[str, Item]:
        """Return a mapping's items; every key must be one of ``names``."""
        if not isinstance(item.value, dict):
            raise _wrong(item, at or "the file", "give a mapping, 'key: value'")
        known = tuple(names)
        for key in item.value:
            if key not in known:
                raise EvalFileError(
                    f"{item.lines[key]}: there is no {_join(at, key)}{_nearest(key, known)}"
                )
        return item.value

    def _each(self, item: Item | None, at: str) -> Iterable[tuple[str, Item]]:
        """Yield a list's items, with the way to each."""
        if item is None or item.value is None:
            return
        if not isinstance(item.value, list):
            raise _wrong(item, at, "give a list, each entry after '- '")
        for number, entry in enumerate(item.value):
            yield f"{at}[{number}]", entry

    def _one_of(self, keys: dict[str, Item], key: str, names: tuple[str, ...], at: str) -> None:
        value = _value(keys, key)
        if value is not None and value not in names:
            raise EvalFileError(
                f"{keys[key].where}: {_join(at, key)}: there is no {value!r}"
                f"{_nearest(str(value), names)}"
            )

    def _plain(self, item: Item, at: str, numbers: Iterable[str] = _NUMBERS) -> None:
        """Check the numbers, texts and flags of a mapping that it may have by these names."""
        keys = _mapping(item)
        for key, least in _WHOLE:
            value = _value(keys, key)
            if value is None and key not in keys:
                continue
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise _wrong(keys[key], _join(at, key), f"give a whole number from {least} on")
        for key in numbers:
            if (value := _value(keys, key)) is not None and not is_number(value):
                raise _wrong(keys[key], _join(at, key), "give a number")
        for key in _TEXTS:
            if key in keys and key != "eval" and not isinstance(keys[key].value, str):
                raise _wrong(keys[key], _join(at, key), "give a text, in quotes if it is a number")
        if isinstance(_value(keys, "event"), str):  # an expectation's, not a judge's block
            criterion = keys.get("eval")
            if criterion is not None and not isinstance(criterion.value, str):
                raise _wrong(criterion, _join(at, "eval"), "give what the judge is asked, a text")
        for key in _FLAGS:
            if key in keys and not isinstance(keys[key].value, bool):
                raise _wrong(keys[key], _join(at, key), "give true or false")


def _is_list(item: Item | None) -> bool:
    return item is not None and isinstance(item.value, list)


def _mapping(item: Item) -> dict[str, Item]:
    return item.value if isinstance(item.value, dict) else {}


def _value(keys: dict[str, Item], key: str) -> object:
    item = keys.get(key)
    return None if item is None else item.value


def _join(at: str, key: str) -> str:
    return f"{at}.{key}" if at else key


def _wrong(item: Item, at: str, remedy: str) -> EvalFileError:
    value = item.value
    told = shown(value) if not isinstance(value, list | dict) else f"a {type(value).__name__}"
    return EvalFileError(f"{item.where}: {at} is {told}: {remedy}")


def _nearest(name: str, known: tuple[str, ...]) -> str:
    """Return the nearest valid name, or all of them where none is near."""
    near = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.5)
    return f": did you mean {near[0]!r}?" if near else f": give one of {', '.join(known)}"
