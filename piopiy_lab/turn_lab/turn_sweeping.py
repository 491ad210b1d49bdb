"""``turn_sweep`` and ``what_if``: settings of detector and turn rule, tried on callers' sound."""

from __future__ import annotations

import html
import itertools
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, overload

from piopiy_lab import display
from piopiy_lab.checks.arguments import check_count, is_number
from piopiy_lab.errors import ArgumentError
from piopiy_lab.listening.turn_models import SMART_TURN, Asking, TurnModel, askers_of
from piopiy_lab.listening.turn_taking import EARLY_LOOKS_BY_DEFAULT
from piopiy_lab.listening.vad import check_params
from piopiy_lab.turn_lab.judging import Gap, judged
from piopiy_lab.turn_lab.listened import EARLY_LOOK_SECS, Listened
from piopiy_lab.turn_lab.rule import Rule
from piopiy_lab.turn_lab.score import ALIKE_SECS
from piopiy_lab.turn_lab.sources import Source, sources_of
from piopiy_lab.turn_lab.turn_score import TurnScore, counted, pareto, score
from piopiy_lab.turn_lab.turn_table import NAMES, frame_of, table_of, told

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame

Values = float | Iterable[float]
#: More settings than this are refused: a mistake, or an afternoon.
MOST = 5_000
_TOO_MANY = f"{{}} settings: give fewer values to try, {MOST} at the most"
_NONE_ASKED = "{}: at 0 no turn model is asked: give a threshold above 0"
#: What of a setting may be what, beside the detector's own.
_RANGES = {"threshold": (0.0, 1.0), "wait_secs": (0.1, 30.0), "look_secs": (0.0, 1.0)}
_SPACED = " style='padding:.3em .6em'"


def turn_sweep(
    recordings: object,
    *,
    confidence: Values = 0.7,
    start_secs: Values = 0.2,
    stop_secs: Values = (0.2, 0.3, 0.5, 0.8),
    min_volume: Values = 0.6,
    threshold: Values = (0.0, 0.3, 0.5, 0.7, 0.9),
    wait_secs: Values = (0.8, 1.5, 3.0),
    look_secs: Values | None = None,
    turn_models: Mapping[str, TurnModel] | None = None,
    max_delay: float | None = None,
    seed: int = 1,
) -> TurnSweep:
    """Try settings of detector and turn rule on callers' sound: cut-offs against delay.

    Detector and turn model run, nothing else: 10 ms of CPU for a second of sound, 40 ms for each
    silence that a setting has judged at another moment, next to nothing for threshold and wait.

    Args:
        recordings: Calls, folders of saved ones, folders of such folders, or pairs of a recording
            (a sound file, or samples and their rate) and its turns, each a list of ``(start, end)``
            in seconds of what is said in it: ``("a.wav", [[(0.5, 1.2), (1.9, 2.4)]])``. A list of
            these, or a mapping of names to them.
        confidence: Of the detector, 0 to 1; a value or several, like all that follow.
        start_secs: Seconds of voice until it is sure.
        stop_secs: Seconds of silence until it is sure.
        min_volume: 0 to 1.
        threshold: The turn is over if the turn model is surer of it than that, 0 to 1; at 0 it is
            not asked: silence alone ends a turn.
        wait_secs: Seconds for which a turn that sounded incomplete is waited for.
        look_secs: Seconds into the silence at which the model looks first; 0: only when the
            detector is sure. None: as in a call.
        turn_models: Turn models to try beside Smart Turn, by names for the table: turn analyzers of
            pipecat's kind, or functions of float32 samples (those of the turn so far, -1 to 1) and
            their rate in Hz that return how sure they are of an end, 0 to 1.
        max_delay: Seconds of mean delay that the recommended setting may have; None: what today's
            has.
        seed: Of the resampling: the same seed gives the same intervals.

    Returns:
        The scores, which show themselves as a table and a picture.

    Raises:
        ArgumentError: A value is out of range, or there are no recordings, or no turns in one, or
            a turn model failed.
        ArgumentTypeError: Something is no recording, or no turn model.
        CallError: A call has no sound.
    """
    others = askers_of(turn_models)
    axes = _axes(
        {
            "confidence": confidence,
            "start_secs": start_secs,
            "stop_secs": stop_secs,
            "min_volume": min_volume,
            "threshold": threshold,
            "wait_secs": wait_secs,
            "look_secs": (usual_rule().look_secs or 0.0) if look_secs is None else look_secs,
        }
    )
    check_count("seed", seed, least=0, of="turn_sweep")
    if max_delay is not None and not (is_number(max_delay) and max_delay > 0):
        raise ArgumentError(f"turn_sweep(max_delay={max_delay!r}): give seconds, or leave it out")
    rules = [_rule(dict(zip(axes, values, strict=True))) for values in _product(axes)]
    asked = [rule for rule in rules if rule.threshold > 0]  # at 0 none is
    if others and not asked:
        raise ArgumentError(_NONE_ASKED.format("turn_sweep(threshold=0, turn_models=...)"))
    rules += [replace(rule, turn_model=name) for name in others for rule in asked]
    if len(rules) > MOST:
        raise ArgumentError(_TOO_MANY.format(len(rules)))
    sources = sources_of(recordings)
    usual, *scores = _scores(sources, [usual_rule(), *rules], seed, others)
    return TurnSweep(scores, usual, axes, max_delay, len(sources))


def what_if(
    recordings: object, *, turn_model: TurnModel | None = None, seed: int = 1, **settings: float
) -> TurnScore:
    """Say what another setting would have done to callers: which pauses it would have cut.

    Example::

        print(what_if(call, stop_secs=0.5).told)   # of 41 pauses these 3 would have been cut: ...

    Args:
        recordings: As for :func:`turn_sweep`; a saved call, say.
        turn_model: Asked in Smart Turn's place, if given: as for :func:`turn_sweep`.
        seed: Of the resampling.
        **settings: What differs from pipecat's detector and our turn rule: ``stop_secs``,
            ``threshold``, ``wait_secs``, ..., as for :func:`turn_sweep`.

    Raises:
        ArgumentError: There is no such setting, a value is out of range, or the model failed.
        ArgumentTypeError: Something is no recording, or no turn model.
        CallError: A call has no sound.
    """
    if unknown := [name for name in settings if name not in NAMES]:
        raise ArgumentError(f"what_if has no key {unknown[0]!r}: the keys are {', '.join(NAMES)}")
    axes = _axes(dict(settings), what="what_if")
    look = {"look_secs": usual_rule().look_secs or 0.0}
    rule = _rule(look | {name: value for name, (value,) in axes.items()})
    models: dict[str, Asking] = {}
    if turn_model is not None:
        if rule.threshold <= 0:
            raise ArgumentError(_NONE_ASKED.format("what_if(threshold=0, turn_model=...)"))
        asked = Asking(turn_model, of="what_if(turn_model=...)")
        models, rule = {asked.name: asked}, replace(rule, turn_model=asked.name)
    return _scores(sources_of(recordings), [rule], seed, models)[0]


def usual_rule() -> Rule:
    """Return the settings of a call that sets none: ``vad=True``."""
    return Rule(look_secs=EARLY_LOOK_SECS if EARLY_LOOKS_BY_DEFAULT else None)


def _scores(
    sources: Sequence[Source], rules: Sequence[Rule], seed: int, models: Mapping[str, Asking]
) -> list[TurnScore]:
    found: list[list[tuple[str, Sequence[Gap]]]] = [[] for _ in rules]
    bar = display.progress()
    try:
        for number, source in enumerate(sources):
            if bar is not None:
                bar.update(number / len(sources), f"{number} of {len(sources)} recordings")
            listened = Listened(source.samples, source.rate, source.sizes, models)
            for place, rule in enumerate(rules):
                gaps = judged(listened.course(rule, source.beside), source.turns)
                own = [replace(gap, start=gap.start + source.begins) for gap in gaps]
                found[place].append((source.name, own))
    finally:
        if bar is not None:
            bar.close()
    return [score(rule, gaps, seed) for rule, gaps in zip(rules, found, strict=True)]


def _axes(given: Mapping[str, object], what: str = "turn_sweep") -> dict[str, tuple[float, ...]]:
    axes: dict[str, tuple[float, ...]] = {}
    count = 1
    for name, values in given.items():
        each = (
            list(values)
            if isinstance(values, Iterable) and not isinstance(values, str)
            else [values]
        )
        if not each:
            raise ArgumentError(f"{what}({name}=[]): give at least one value to try")
        axes[name] = tuple(sorted({_checked(name, value, what) for value in each}))
        count *= len(axes[name])
    if count > MOST:
        raise ArgumentError(_TOO_MANY.format(count))
    return axes


def _checked(name: str, value: object, what: str) -> float:
    if name not in _RANGES:
        return check_params({name: value}, what=what)[name]
    low, high = _RANGES[name]
    if not is_number(value) or not low <= value <= high:
        raise ArgumentError(
            f"{what}: {name}={value!r} is out of range: give a number from {low:g} to {high:g}"
        )
    return float(value)


def _product(axes: Mapping[str, tuple[float, ...]]) -> Iterable[tuple[float, ...]]:
    return itertools.product(*axes.values())


def _rule(settings: dict[str, float]) -> Rule:
    look = settings.pop("look_secs", 0.0)
    return replace(Rule(look_secs=look or None), **settings)


class TurnSweep(Sequence[TurnScore]):
    """The scores of all settings that were tried, the curve of the best ones, and one to take.

    Attributes:
        usual: The score of what a call has: ``vad=True``, a threshold of 0.5, a wait of 1.5 s.
        axes: The values that were tried, by name.
        recordings: How many there are.
        max_delay: Seconds of mean delay that the recommended setting may have.
        curve: Those that no other beats: each cuts fewer pauses than all that are as quick.
        best: The recommended setting's score.
    """

    def __init__(
        self,
        scores: list[TurnScore],
        usual: TurnScore,
        axes: Mapping[str, tuple[float, ...]],
        max_delay: float | None,
        recordings: int,
    ) -> None:
        """Keep the scores; made by :func:`turn_sweep`."""
        self._scores = scores
        self.usual = usual
        self.axes = axes
        self.recordings = recordings
        self.max_delay: float = usual.delay.value if max_delay is None else max_delay
        self.curve: list[TurnScore] = pareto([*scores, usual], usual.missed)
        self.best: TurnScore = _recommended(scores, self.max_delay, usual)

    def __len__(self) -> int:
        return len(self._scores)

    @overload
    def __getitem__(self, index: int) -> TurnScore: ...
    @overload
    def __getitem__(self, index: slice) -> list[TurnScore]: ...
    def __getitem__(self, index: int | slice) -> TurnScore | list[TurnScore]:
        return self._scores[index]

    @property
    def recommended(self) -> dict[str, float | None]:
        """The recommended setting by name."""
        return self.best.rule.to_json()

    @property
    def code(self) -> str:
        """What to give to ``Action(...)`` for it; ``turn_models`` is what the sweep was given."""
        rule = self.best.rule
        pairs = ", ".join(f'"{name}": {value:g}' for name, value in rule.detector.items())
        usual = self.usual.rule
        alike = rule.turn_model == usual.turn_model
        if alike and (rule.threshold, rule.wait_secs) == (usual.threshold, usual.wait_secs):
            return f"vad={{{pairs}}}"
        other = (
            ""
            if alike
            else f", model=turn_models[{json.dumps(rule.turn_model, ensure_ascii=False)}]"
        )
        model = f"smart_turn(threshold={rule.threshold:g}, wait_secs={rule.wait_secs:g}{other})"
        return f"vad={{{pairs}}}, telecmi_params=TelecmiParams(turn_analyzer={model})"

    @property
    def reason(self) -> str:
        """Why this one, in a sentence or two."""
        best, usual = self.best, self.usual
        if not usual.delays:
            return "Nothing was heard of any turn's end, so nothing can be said: today's setting."
        if not usual.pauses:
            return (
                "Nobody paused, so nothing can be said of cuts: today's setting. Give calls whose "
                "callers pause in their turns."
            )
        cut = f"{len(best.cuts)} of {counted(best.pauses, 'pause')} cut"
        text = f"The fewest cuts at a mean delay of {self.max_delay:.2f} s: {cut}"
        if best.rule == usual.rule:
            return f"{text}. That is today's setting: none that was tried is better at its delay."
        text += f", {told(best.delay)} s; today's cuts {len(usual.cuts)} at {told(usual.delay)} s."
        few = " So few pauses prove little: give more calls." if best.pauses < 30 else ""
        return f"{text}{few}"

    def to_pandas(self) -> DataFrame:
        """Return a table: a row per setting.

        Its columns are the turn model, the settings (look_secs is missing where the model doesn't
        look early), pauses, cut, ends, slow, missed, and share and delay (seconds) with their
        intervals.

        Raises:
            MissingExtraError: pandas isn't installed (the extra ``pandas``).
        """
        return frame_of(self)

    def plot(self) -> Figure:
        """Draw cut-offs against delay: every setting, the curve with its intervals, today's."""
        from piopiy_lab.turn_lab.curve import draw

        return draw(self)

    def __str__(self) -> str:
        rows = table_of(self._shown, models=self._several)
        marks = ["", *map(self._mark, self._shown)]
        widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
        lines = (
            "  ".join(cell.rjust(w) for cell, w in zip(row, widths, strict=True)) + f"   {mark}"
            for row, mark in zip(rows, marks, strict=True)
        )
        return "\n".join(
            [self._caption, *(line.rstrip() for line in lines), self.reason, self.code]
        )

    __repr__ = __str__

    @property
    def _caption(self) -> str:
        usual = self.usual
        return (
            f"{counted(len(self), 'setting')} on {counted(usual.pauses, 'pause')} and "
            f"{counted(usual.ends, 'end')} of {counted(self.recordings, 'recording')}; those "
            "that no other beats (95 %):"
        )

    @property
    def _shown(self) -> list[TurnScore]:
        return [*self.curve, *([] if self.usual in self.curve else [self.usual])]

    @property
    def _several(self) -> bool:
        """Whether turn models were tried beside Smart Turn."""
        return any(one.rule.turn_model != SMART_TURN for one in self)

    def _mark(self, one: TurnScore) -> str:
        named = [("recommended", self.best), ("today's", self.usual)]
        return ", ".join(name for name, which in named if which is one or which == one)

    def _repr_html_(self) -> str:
        names, *table = table_of(self._shown, models=self._several)
        heads = "".join(f"<th{_SPACED}>{html.escape(name)}</th>" for name in (*names, ""))
        rows = "".join(
            "<tr>"
            + "".join(
                f"<td{_SPACED}>{html.escape(cell)}</td>" for cell in (*cells, self._mark(one))
            )
            + "</tr>"
            for one, cells in zip(self._shown, table, strict=True)
        )
        return (
            f"<table><caption>{html.escape(self._caption)}</caption><thead><tr>{heads}</tr></thead>"
            f"<tbody>{rows}</tbody></table><p>{html.escape(self.reason)}</p>"
            f"<p><code>{html.escape(self.code)}</code></p>"
        )


def _recommended(scores: Sequence[TurnScore], most: float, usual: TurnScore) -> TurnScore:
    """Return the one with the fewest cuts that is quick enough; today's if none is better.

    Of those that an agent can be given: when the turn model looks is no setting of an agent's.
    Where nobody paused no setting can show that it cuts less, and the quickest would win by that.
    """
    if not usual.pauses or not usual.delays:
        return usual
    quick = [
        one
        for one in (*scores, usual)
        if one.rule.look_secs == usual.rule.look_secs
        and one.missed <= usual.missed
        and one.delay.value <= most + ALIKE_SECS
    ]
    best = min(quick, key=lambda one: (len(one.cuts), one.delay.value), default=usual)
    alike = usual in quick and len(usual.cuts) <= len(best.cuts)
    return usual if alike and usual.delay.value <= best.delay.value + ALIKE_SECS else best
