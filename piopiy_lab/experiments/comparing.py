"""``compare_agents``: two agents on the same sound."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from piopiy_lab.checks.arguments import check_number
from piopiy_lab.errors import ArgumentError
from piopiy_lab.experiments.comparison import Comparison
from piopiy_lab.experiments.figures.beforehand import too_few_for_difference
from piopiy_lab.experiments.figures.resampling import LEAST_UNITS
from piopiy_lab.experiments.running.who_calls import Callers, Named, callers_of
from piopiy_lab.experiments.simulating import simulate_many
from piopiy_lab.session.callback import SessionCallback

#: What is the same for both agents, or the pairs were none.
_OF_BOTH = ("repeat", "perturb", "executor", "on_call", "line")


async def compare_agents(
    before: SessionCallback,
    after: SessionCallback,
    callers: Callers,
    *,
    min_difference: float | None = None,
    before_options: Mapping[str, Any] | None = None,
    after_options: Mapping[str, Any] | None = None,
    seed: int = 1,
    **options: Any,
) -> Comparison:
    """Let the same callers call two agents, and say what differs and how sure that is.

    Example::

        diff = await compare_agents(before, after, {"polite": polite, "late": late}, repeat=10)
        diff                       # better, worse or can't tell, by how much, and the picture
        diff.pair("polite", 3)     # both calls of one run, side by side, with their sound

    Both hear the same: what a caller says in a run has the same seed with either, utterance by
    utterance, and begins when the agent lets it. What goes on by itself (a background, a line's
    noise and losses, the noise floor) begins anew under each utterance, so that the same lies under
    the same words however long an agent has taken. How many calls a wanted difference takes is said
    by ``runs_needed`` beforehand, and by the comparison from how much these scatter.

    Args:
        before: The agent as it is: a session, as for ``simulate``.
        after: The agent as it would be.
        callers: Who calls, as for ``simulate_many``.
        min_difference: Seconds of a call's mean answer that matter: the comparison says how many
            calls it takes to see them, and whether such a difference is ruled out. Where the calls
            are likely too few to show it, a warning says so before the first is made.
        before_options: Options of ``simulate_many`` for the first agent alone, such as
            ``{"latency": {"llm": 0.4}}`` or ``{"replace": {"stt": ...}}``.
        after_options: The same for the second.
        seed: Of the resampling: the same seed gives the same intervals.
        **options: As for :func:`simulate_many`, of both: ``repeat``, ``perturb``, ``line``,
            ``replace``, ``checks``, ``cassette`` (a folder; each agent's are in one of its own in
            it, "before" and "after"), ``executor``, ``latency``, ...

    Returns:
        The comparison, with all calls in ``before`` and ``after``.

    Raises:
        ArgumentError: An option that ``simulate_many`` hasn't, or one that must be the same for
            both; and what ``simulate_many`` raises.
    """
    if min_difference is not None:
        check_number("min_difference", min_difference, 1e-6, 1e6)
    arms = {"before": dict(before_options or {}), "after": dict(after_options or {})}
    check_options("compare_agents", options)
    for name, own in arms.items():
        check_options(f"{name}_options", own)
        if shared := [option for option in own if option in _OF_BOTH]:
            raise ArgumentError(
                f"{name}_options has {shared[0]!r}, which both agents must share: give "
                f"{shared[0]}= to compare_agents itself"
            )
        if (folder := own.get("cassette", options.get("cassette"))) is not None:
            own["cassette"] = folder if "cassette" in own else Path(folder) / name
    named = callers_of(callers)
    warn_of_few("compare_agents", named, options.get("repeat", 1), min_difference)
    was = await simulate_many(before, named, **{**options, **arms["before"]})
    now = await simulate_many(after, named, **{**options, **arms["after"]})
    return Comparison(was, now, min_difference=min_difference, seed=seed)


def check_options(what: str, options: Mapping[str, object]) -> None:
    """Refuse options that ``simulate_many`` hasn't.

    Raises:
        ArgumentError: It names the option, and those there are.
    """
    known = [
        name
        for name, parameter in inspect.signature(simulate_many).parameters.items()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    ]
    for name in options:
        if name not in known:
            raise ArgumentError(
                f"{what}: there is no option {name!r}; there are {', '.join(known)}"
            )


def warn_of_few(what: str, named: Named, repeat: object, wanted: float | None) -> None:
    """Warn, once and with a number, where there will be too few calls for what is asked.

    Args:
        what: The function that was called.
        named: Who calls.
        repeat: How often each, as the user gave it.
        wanted: Seconds of a call's mean answer that matter, if somebody said so.
    """
    times = max(1, repeat) if isinstance(repeat, int) else 1
    pairs = len(named) * times
    told = None
    if pairs < LEAST_UNITS:
        told = (
            f"{what} with {pairs} pair{'' if pairs == 1 else 's'} of calls can't be "
            f"certain of anything: give {LEAST_UNITS} callers at least, or repeat= (runs_needed() "
            "says how many calls a difference takes)"
        )
    elif wanted is not None:
        told = too_few_for_difference(wanted, named.count(), pairs // named.count())
        told = None if told is None else f"{what}: {told}"
    if told is not None:
        warnings.warn(told, stacklevel=3)
