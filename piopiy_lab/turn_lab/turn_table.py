"""How a turn sweep shows itself: rows of a table, in text and for pandas."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from piopiy_lab.checks.data_frames import data_frame
from piopiy_lab.turn_lab.turn_score import Interval, TurnScore

if TYPE_CHECKING:
    from pandas import DataFrame

#: The settings that are numbers, in order.
NAMES = (
    "confidence", "start_secs", "stop_secs", "min_volume", "threshold", "wait_secs", "look_secs",
)  # fmt: skip


def frame_of(scores: Iterable[TurnScore]) -> DataFrame:
    """Return a table: a row per setting.

    Raises:
        MissingExtraError: pandas isn't installed.
    """
    columns: dict[str, str] = {"turn_model": "string"} | dict.fromkeys(NAMES, "float64")
    columns |= dict.fromkeys(("pauses", "cut", "ends", "slow", "missed"), "int64")
    for name in ("share", "delay"):
        columns |= dict.fromkeys((name, f"{name}_low", f"{name}_high"), "float64")
    columns["p50"] = "float64"
    return data_frame(map(_row, scores), columns)


def table_of(scores: Sequence[TurnScore], *, models: bool) -> list[tuple[str, ...]]:
    """Return the heads and the cells of a row per setting.

    Args:
        scores: Of the settings.
        models: Whether to name each one's turn model.
    """
    heads = (*NAMES, "cut", "share cut", "mean delay, s", "p50", "slow ends")
    rows = [heads, *map(_cells, scores)]
    if not models:
        return rows
    named = ["turn model", *(one.rule.turn_model for one in scores)]
    return [(name, *row) for name, row in zip(named, rows, strict=True)]


def _row(one: TurnScore) -> dict[str, object]:
    rule: dict[str, object] = {"turn_model": one.rule.turn_model, **one.rule.to_json()}
    found: dict[str, object] = {
        "pauses": one.pauses, "cut": len(one.cuts), "ends": one.ends, "slow": one.slow,
        "missed": one.missed, "p50": one.p50,
    }  # fmt: skip
    for name, interval in (("share", one.share), ("delay", one.delay)):
        found |= {
            name: interval.value, f"{name}_low": interval.low, f"{name}_high": interval.high
        }  # fmt: skip
    return rule | found


def _cells(one: TurnScore) -> tuple[str, ...]:
    settings = one.rule.to_json()
    set_to = ("-" if settings[name] is None else f"{settings[name]:g}" for name in NAMES)
    return (
        *set_to,
        f"{len(one.cuts)} of {one.pauses}",
        told(one.share),
        told(one.delay),
        f"{one.p50:.2f}" if one.delays else "-",
        f"{one.slow} of {one.ends}",
    )


def told(one: Interval) -> str:
    """Return a figure and its interval, or that there is none."""
    if math.isnan(one.value):
        return "-"
    if one.low is None or one.high is None:
        return f"{one.value:.2f}"
    return f"{one.value:.2f} ({one.low:.2f} to {one.high:.2f})"
