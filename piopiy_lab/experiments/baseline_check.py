"""Whether calls are worse than a baseline: certainly, and by more than is allowed. Pure.

With the baseline's seeds the calls are pairs, and compared as two agents are. Else each side is
resampled by itself, each caller's calls are dealt out anew for what chance would give, and shares
of passes differ if their Wilson intervals don't overlap.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from piopiy_lab.checks.arguments import check_number
from piopiy_lab.checks.json_values import Record
from piopiy_lab.errors import ArgumentError
from piopiy_lab.experiments.baseline import rows_of, versions
from piopiy_lab.experiments.figures import resampling
from piopiy_lab.experiments.figures.differences import METRICS, Metric, RowPair, differences_of
from piopiy_lab.experiments.figures.how_sure import why_no_interval
from piopiy_lab.experiments.figures.listing import text_table
from piopiy_lab.experiments.figures.made_of import differing_aspects
from piopiy_lab.experiments.figures.rows import CallRow
from piopiy_lab.experiments.figures.statistics import ALPHA, share_of
from piopiy_lab.experiments.figures.whole_runs import completed, passes_of

#: What is held against a baseline, and by how much it may be worse, though that is certain:
#: seconds, shares, or how many a call.
ALLOWED: Mapping[str, float] = {"pass": 0.0, "mean": 0.1, "p50": 0.1, "p95": 0.1}

#: "worse": certain and more than allowed. "no data": it was measured then, and can't be now.
#: "within": certain, and allowed.
Outcome = Literal["worse", "no data", "within", "better", "the same", "can't tell"]
_FAILS = ("worse", "no data")


@dataclass(frozen=True)
class Finding:
    """One figure, held against the baseline's.

    Attributes:
        name: "pass", "mean", "p50" or "p95"; "calls" where some came to nothing.
        outcome: "worse" and "no data" fail; "within", "better", "the same", "can't tell" don't.
        before: The baseline's; seconds, or a share.
        after: Now; None without data.
        low: Lower end of the 95 % interval of the difference; None where there is none.
        high: Its upper end.
        allowed: By how much it may be worse.
        why: What else is to be said: why nothing can be told, or which calls broke.
    """

    name: str
    outcome: Outcome
    before: float | None
    after: float | None
    low: float | None
    high: float | None
    allowed: float
    why: str = ""

    @property
    def failed(self) -> bool:
        """Whether it fails the check."""
        return self.outcome in _FAILS

    def __str__(self) -> str:
        return "  ".join(part for part in _cells(self) if part)


class BaselineCheck(Sequence[Finding]):
    """All figures, held against a baseline.

    Attributes:
        paired: Whether the calls are the baseline's own, with its seeds.
        same: How many calls are the baseline's to the last sample.
        calls: How many calls there are.
        notices: What has to be said: that other versions made the baseline.
    """

    def __init__(
        self,
        findings: Sequence[Finding],
        *,
        paired: bool,
        same: int,
        calls: int,
        notices: Sequence[str] = (),
    ) -> None:
        """Take the findings. Made by :func:`check_baseline`."""
        self._findings = tuple(findings)
        self.paired = paired
        self.same = same
        self.calls = calls
        self.notices = tuple(notices)

    def __getitem__(self, which: int) -> Finding:  # type: ignore[override]  # no slices
        return self._findings[which]

    def __len__(self) -> int:
        return len(self._findings)

    @property
    def failed(self) -> bool:
        """Whether something is certainly worse by more than is allowed, or can't be measured."""
        return any(finding.failed for finding in self)

    def __repr__(self) -> str:
        told = "worse than" if self.failed else "holds against"
        lines = [f"{told} the baseline; {self.same} of {self.calls} calls are the same"]
        lines.append(text_table(_HEADS, [_cells(finding) for finding in self]))
        return "\n".join([*lines, *(f"note: {notice}" for notice in self.notices)])


def check_baseline(
    rows: Sequence[CallRow],
    baseline: Record,
    *,
    min_difference: float | Mapping[str, float] | None = None,
    seed: int = 1,
    whole_runs: bool = False,
) -> BaselineCheck:
    """Hold calls against a baseline.

    Args:
        rows: The calls.
        baseline: What ``baseline_of`` made of earlier ones.
        min_difference: By how much a figure may be worse: seconds of mean, p50 and p95 (0.1 by
            default), or by name, with "pass" as a share (0 by default).
        seed: Of the resampling.
        whole_runs: Whether calls with one run's number are one run, as in a repeated test: it
            passes once, and a call that a broken run did not come to is one that failed.

    Raises:
        ArgumentError: There are no calls, they have other callers than the baseline (another name,
            other words, another voice or manner), another line, are perturbed where it is not, or a
            ``min_difference`` of what isn't held against it.
        SavedCallError: It is no baseline, or damaged.
    """
    allowed = _allowed(min_difference)
    was = rows_of(baseline)
    made = len(rows)
    if whole_runs:
        was, rows = completed(was, rows), completed(rows, was)
    _refuse_other_callers(was, rows)
    _refuse_other_sound(was, rows)
    earlier = {(row.caller, row.run, row.seed): row for row in was}
    keys = [(row.caller, row.run, row.seed) for row in rows]
    paired = len(was) == len(rows) and set(keys) == set(earlier)
    if paired:
        pairs = [RowPair(earlier[key], row) for key, row in zip(keys, rows, strict=True)]
        findings = _of_pairs(pairs, allowed, seed, whole_runs)
        same = sum(pair.same for pair in pairs)
    else:
        runs = (passes_of(was), passes_of(rows)) if whole_runs else (was, rows)
        findings = [
            _unpaired(m, *(runs if m.name == "pass" else (was, rows)), allowed[m.name], seed)
            for m in _held()
        ]
        same = 0
    lost = [row for row in rows if row.kind not in ("passed", "failed")]
    if lost:  # no baseline has such calls
        told = "; ".join(f"{row.call_id} {row.kind}" for row in lost[:5])
        more = f" and {len(lost) - 5} more" if len(lost) > 5 else ""
        why = f"{len(lost)} of {len(rows)} calls came to nothing: {told}{more}"
        findings.insert(0, Finding("calls", "no data", None, None, None, None, 0.0, why))
    notices = _of_versions(baseline)
    if not paired:
        notices.append("other runs or seeds than the baseline's: less is seen than with its own")
    return BaselineCheck(findings, paired=paired, same=same, calls=made, notices=notices)


def _held() -> list[Metric]:
    return [metric for metric in METRICS if metric.name in ALLOWED]


def _allowed(given: float | Mapping[str, float] | None) -> dict[str, float]:
    if given is None:
        return dict(ALLOWED)
    if not isinstance(given, Mapping):
        secs = check_number("min_difference", given, 0, 1e6)
        return {name: (0.0 if name == "pass" else secs) for name in ALLOWED}
    for name, value in given.items():
        if name not in ALLOWED:
            raise ArgumentError(f"min_difference of {name!r}: there are {', '.join(ALLOWED)}")
        check_number(f"min_difference of {name!r}", value, 0, 1e6)
    return {**ALLOWED, **given}


def _refuse_other_callers(was: Sequence[CallRow], now: Sequence[CallRow]) -> None:
    sides = [list(dict.fromkeys(row.caller for row in side)) for side in (was, now)]
    gone = [name for name in sides[0] if name not in sides[1]]
    new = [name for name in sides[1] if name not in sides[0]]
    if gone or new:
        told = [f"the baseline has {', '.join(map(repr, gone))}"] if gone else []
        told += [f"these calls have {', '.join(map(repr, new))}"] if new else []
        raise ArgumentError(
            f"these aren't the baseline's callers: {', and '.join(told)}, which the other hasn't; "
            "run the same callers, or make the baseline anew"
        )


def _refuse_other_sound(was: Sequence[CallRow], now: Sequence[CallRow]) -> None:
    """Refuse calls in which the agent had to do with something else, as far as both tell it."""
    made = {(row.caller, row.run): row.made_of for row in was if row.made_of}
    for row in now:
        before = made.get((row.caller, row.run))
        if before is None or not row.made_of:
            continue
        if changed := differing_aspects(before, row.made_of):
            told = " and ".join(_CHANGED[name] for name in changed)
            raise ArgumentError(
                f"the caller {row.caller!r} isn't the baseline's: {told}, so what differs says "
                "nothing of the agent; make the calls as then, or write the baseline anew"
            )
    perturbed = [any(row.seed is not None for row in side) for side in (was, now)]
    if perturbed[0] != perturbed[1]:
        how = "the baseline's calls were perturbed and these are not"
        if perturbed[1]:
            how = "these calls are perturbed and the baseline's were not"
        raise ArgumentError(
            f"{how} (perturb=), so they did not hear the same; make the calls as then, or write "
            "the baseline anew"
        )


#: What changed, in words.
_CHANGED = {
    "words": "what is said, pressed or waited for has changed",
    "voice": "the voice is another",
    "manner": "times or background are others",
    "line": "the line is another (line=)",
}


def _of_versions(baseline: Record) -> list[str]:
    made, here = baseline.get("made_with"), versions()
    if not isinstance(made, dict):
        return []
    other = [f"{name} {made[name]}" for name in here if made.get(name, here[name]) != here[name]]
    return [f"the baseline was made with {', '.join(other)}"] if other else []


def _of_pairs(
    pairs: Sequence[RowPair], allowed: Mapping[str, float], seed: int, whole_runs: bool
) -> list[Finding]:
    found = {one.name: one for one in differences_of(pairs, seed=seed)}
    passes = pairs
    if whole_runs:
        sides = ([pair.before for pair in pairs], [pair.after for pair in pairs])
        passes = [RowPair(*both) for both in zip(*map(passes_of, sides), strict=True)]
        found |= {one.name: one for one in differences_of(passes, seed=seed) if one.name == "pass"}
    findings: list[Finding] = []
    for metric in _held():
        most = allowed[metric.name]
        gone = _without_data(metric, [p.before for p in pairs], [p.after for p in pairs])
        if gone is not None:
            findings.append(
                Finding(metric.name, "no data", gone[0], None, None, None, most, gone[1])
            )
            continue
        one = found.get(metric.name)
        if one is None or one.difference is None:
            continue  # it was never measured
        lost = [pair for pair in passes if pair.before.passed and not pair.after.passed]
        broken = [f"run {p.run}" if whole_runs else f"{p.caller}, {p.run}" for p in lost]
        why = one.why or ""
        if metric.name == "pass" and broken:
            more = f" and {len(broken) - 5} more" if len(broken) > 5 else ""
            why = f"broke: {'; '.join(broken[:5])}{more}"
        by = one.difference if not metric.more_is_better else -one.difference
        outcome: Outcome = one.verdict
        if outcome == "worse" and by <= most:
            outcome = "within"
        findings.append(
            Finding(metric.name, outcome, one.before, one.after, one.low, one.high, most, why)
        )
    return findings


def _without_data(
    metric: Metric, was: Sequence[CallRow], now: Sequence[CallRow]
) -> tuple[float, str] | None:
    """Return the baseline's figure, and what to say, where there is none now."""
    before = [metric.values(row) for row in was]
    if not any(before) or any(metric.values(row) for row in now):
        return None
    value = resampling.once([_floats(values) for values in before], metric.statistic)
    return value, "no call has an answer, so it can't be measured"


def _floats(values: Sequence[float]) -> resampling.Floats:
    import numpy as np

    return np.asarray(values, np.float64)


def _unpaired(
    metric: Metric, was: Sequence[CallRow], now: Sequence[CallRow], most: float, seed: int
) -> Finding:
    name = metric.name
    if (gone := _without_data(metric, was, now)) is not None:
        return Finding(name, "no data", gone[0], None, None, None, most, gone[1])
    sides = [[row for row in rows if len(metric.values(row))] for rows in (was, now)]
    values = [[metric.values(row) for row in rows] for rows in sides]
    callers = [[row.whose for row in rows] for rows in sides]
    if not all(values):
        return Finding(name, "can't tell", None, None, None, None, most, "it was never measured")
    before, after = (
        resampling.once([_floats(v) for v in side], metric.statistic) for side in values
    )
    if name == "pass":
        return _unpaired_passes(was, now, before, after, most)
    for side, who in zip(values, callers, strict=True):
        why = why_no_interval(name, resampling.units_of(who), sum(map(len, side)))
        if why is not None:
            return Finding(name, "can't tell", before, after, None, None, most, why)
    both = (values[0], callers[0], values[1], callers[1], metric.statistic)
    low, high = resampling.interval(resampling.unpaired_bootstrap(*both, seed=seed))
    outcome: Outcome = "can't tell"
    if (low > 0 or high < 0) and resampling.exchanged_runs(*both, seed=seed) < ALPHA:
        slower: Outcome = "worse" if after - before > most else "within"
        outcome = "better" if high < 0 else slower
    return Finding(name, outcome, before, after, low, high, most)


def _unpaired_passes(
    was: Sequence[CallRow], now: Sequence[CallRow], before: float, after: float, most: float
) -> Finding:
    sides = [share_of(sum(row.passed for row in rows), len(rows)) for rows in (was, now)]
    outcome: Outcome = "can't tell"
    if sides[1].high < sides[0].low:
        outcome = "worse" if before - after > most else "within"
    elif sides[1].low > sides[0].high:
        outcome = "better"
    return Finding("pass", outcome, before, after, None, None, most, f"{sides[0]}; now {sides[1]}")


_HEADS = ("", "baseline", "now", "difference (95 %)", "", "")


def _cells(one: Finding) -> list[str]:
    scale, unit = (1.0, "") if one.name == "pass" else (1000.0, " ms")
    form = ".2f" if one.name == "pass" else ".0f"

    def told(value: float | None, sign: str = "") -> str:
        return "" if value is None else f"{scale * value:{sign}{form}}"

    apart = ""
    if one.before is not None and one.after is not None and one.outcome != "the same":
        apart = told(one.after - one.before, "+") + unit
        if one.low is not None and one.high is not None:
            apart += f" ({told(one.low, '+')} to {told(one.high, '+')})"
    outcome = one.outcome
    if outcome == "within":
        outcome = f"worse, within {told(one.allowed)}{unit}"
    values = [
        told(value) + (unit if value is not None else "") for value in (one.before, one.after)
    ]
    return [one.name, *values, apart, outcome, one.why]
