"""A call as a picture: a timeline, or its latency alone. Matplotlib, without pyplot.

No global state is touched and the user's ``rcParams`` don't matter, so figures can be made on
any thread, with any backend, and headless. matplotlib is imported when a figure is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from piopiy_lab.checks.arguments import check_secs

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from piopiy_lab.display.shown import ShownCall

__all__ = ["BUDGET_SECS", "plot_call", "plot_latency"]

#: Where the budget line stands unless told otherwise: past about 0.8 s people begin to wonder
#: whether they were heard.
BUDGET_SECS = 0.8


def plot_call(
    call: ShownCall,
    start: float | None = None,
    end: float | None = None,
    *,
    budget: float = BUDGET_SECS,
) -> Figure:
    """Draw a call as a timeline.

    Both waveforms, what was said (an interrupted reply with what nobody heard struck through),
    the detector's confidence and volume with their limits, turns, tool calls, keys, errors,
    switches, and every answer's latency by part. A running call is drawn as it stands.

    Args:
        call: The call.
        start: Seconds of the call's clock to begin at; zoomed in, words stand at their times.
        end: Seconds of the call's clock to end at.
        budget: Seconds that an answer may take; longer ones stand out.

    Returns:
        A figure of its own canvas, about 0.1 s for half a minute of call. Safe on any thread.

    Raises:
        ArgumentError: There is nothing between ``start`` and ``end``, or no such budget.
    """
    _check_budget(budget)
    from piopiy_lab.plot.timeline import Timeline

    return Timeline(call, start, end, budget).draw()


def plot_latency(call: ShownCall, *, budget: float = BUDGET_SECS) -> Figure:
    """Draw the latency bars of a call's answered turns alone.

    Args:
        call: The call.
        budget: Seconds that an answer may take.

    Raises:
        ArgumentError: There is no such budget.
    """
    _check_budget(budget)
    from piopiy_lab.plot.timeline import latency_figure

    return latency_figure(call, budget)


def _check_budget(budget: float) -> None:
    check_secs("budget", budget, zero=False, wanted="seconds, more than 0; 0.8 is the default")
