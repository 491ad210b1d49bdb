"""The figures of a report, one by one: a name, what it says, a value with its interval. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from piopiy_lab.bench.end_of_turn import Point
from piopiy_lab.bench.ours import Ours
from piopiy_lab.bench.seconds import Seconds
from piopiy_lab.bench.tau_voice import Panel
from piopiy_lab.checks.json_values import Record
from piopiy_lab.experiments.figures.statistics import Share


@dataclass(frozen=True)
class Figure:
    """One figure.

    Attributes:
        key: Its name in JSON, "tau.s_bc".
        name: Its short name in the table.
        says: What it counts.
        value: A share 0 to 1, seconds, or a number; None where nothing was counted.
        low: Lower end of its 95 % interval; None where there is none.
        high: Its upper end.
        n: Of how many events.
        unit: "share", "s" or "each".
    """

    key: str
    name: str
    says: str
    value: float | None
    low: float | None
    high: float | None
    n: int
    unit: str

    def told(self) -> str:
        """Return the value with its interval and how many events it is of."""
        if self.value is None:
            return "none"
        unit = " s" if self.unit == "s" else ""
        ends = ""
        if self.low is not None and self.high is not None:
            ends = f" ({self.low:.2f} to {self.high:.2f})"
        return f"{self.value:.2f}{unit}{ends} of {self.n}"

    def record(self) -> Record:
        """Return it as JSON holds it, rounded to a millionth."""
        value, low, high = (
            None if one is None else round(one, 6) for one in (self.value, self.low, self.high)
        )
        return {"value": value, "low": low, "high": high, "n": self.n, "unit": self.unit}


def figures_of(tau: Panel, our: Ours, ends: Point, waited: Seconds) -> tuple[Figure, ...]:
    """Return all figures of a report, in the table's order.

    Args:
        tau: The public ones.
        our: Ours.
        ends: Pauses and ends, as the agent took them.
        waited: How long each end waited.
    """
    return (
        *_of("tau", _TAU, tau),
        *_of("ours", _OURS, our),
        _share("turns.cut", "pauses cut", "pauses in turns that were taken for ends", ends.cut),
        _seconds(
            "turns.latency",
            "end latency",
            "from the end of a turn to its being taken for over, mean",
            waited,
            "mean",
        ),
    )


def _of(room: str, wanted: dict[str, tuple[str, str, str]], told: object) -> list[Figure]:
    found: list[Figure] = []
    for attribute, (name, says, how) in wanted.items():
        value = getattr(told, attribute)
        key = f"{room}.{attribute}"
        match value:
            case Share():
                found.append(_share(key, name, says, value))
            case Seconds():
                found.append(_seconds(key, name, says, value, how))
            case _:
                assert isinstance(told, Panel), "I_A is a number for each turn"
                low, high = told.i_a_interval() or (None, None)
                found.append(Figure(key, name, says, value, low, high, told.turns, "each"))
    return found


def _share(key: str, name: str, says: str, share: Share) -> Figure:
    if not share.n:
        return Figure(key, name, says, None, None, None, 0, "share")
    return Figure(key, name, says, share.share, share.low, share.high, share.n, "share")


def _seconds(key: str, name: str, says: str, secs: Seconds, how: str) -> Figure:
    median = how == "median"
    ends = secs.median_interval() if median else secs.mean_interval()
    low, high = (None, None) if ends is None else ends
    value = secs.median if median else secs.mean
    return Figure(key, name, says, value, low, high, len(secs.values), "s")


_TAU = {
    "s_bc": ("S_BC", "backchannels that the agent talked through", ""),
    "r_y": ("R_Y", "interruptions after which it was silent within 2 s", ""),
    "l_y": ("L_Y", "until then, mean", "mean"),
    "s_vt": ("S_VT", "noises that it neither stopped for nor answered", ""),
    "s_nd": ("S_ND", "words to somebody else, likewise", ""),
    "r_r": ("R_R", "turns that were answered", ""),
    "l_r": ("L_R", "from a turn's end to the answer, mean", "mean"),
    "i_a": ("I_A", "how often it spoke into a turn, for each turn", ""),
}
_OURS = {
    "kept": ("kept", "backchannels: went on, or resumed within 1 s where it stood", ""),
    "left_alone": ("left alone", "backchannels of which no turn was made", ""),
    "yielded": ("yielded", "interruptions: silent, and not resumed", ""),
    "noises": ("noises", "noises of which nothing was made", ""),
    "asides": ("asides", "words to somebody else, likewise", ""),
    "fell": ("to duck or pause", "from the onset to a lower sound or none, median", "median"),
    "yield_decided": ("to yield", "from an interruption's onset to the cut, median", "median"),
    "kept_decided": ("to go on", "from a backchannel's onset to the sound's return", "median"),
    "gaps": ("gap", "the longest silence in a backchannel that was kept, median", "median"),
}
