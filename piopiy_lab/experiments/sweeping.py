"""``sweep_agents``: one agent with other parameters, each on the same sound."""

from __future__ import annotations

import inspect
import itertools
import math
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from piopiy_lab.checks.arguments import check_number
from piopiy_lab.errors import ArgumentError, ArgumentTypeError
from piopiy_lab.experiments.comparing import check_options, warn_of_few
from piopiy_lab.experiments.comparison import Comparison
from piopiy_lab.experiments.figures.frames import CALL_COLUMNS
from piopiy_lab.experiments.figures.how_sure import OF_ANSWERS
from piopiy_lab.experiments.figures.usage import Prices, check_prices, without_price
from piopiy_lab.experiments.running.who_calls import Callers, callers_of
from piopiy_lab.experiments.simulating import simulate_many
from piopiy_lab.experiments.sweep import Sweep
from piopiy_lab.experiments.sweep_points import Point, cost_of_calls, label_of
from piopiy_lab.session.callback import SessionCallback, as_callback

#: More points are refused: a mistake, or a night.
MOST = 500
#: Names that columns of the tables have already.
_TAKEN = {*CALL_COLUMNS, *OF_ANSWERS, "calls", "pass_rate", "cost", "differing"}


async def sweep_agents(
    make_session: Callable[..., SessionCallback],
    axes: Mapping[str, Iterable[object]],
    callers: Callers,
    *,
    min_difference: float | None = None,
    prices: Prices | None = None,
    seed: int = 1,
    **options: Any,
) -> Sweep:
    """Let the same callers call one agent with every combination of parameters.

    Example::

        def make_session(stop_secs, wait):
            async def create_session(call_id): ...
            return create_session

        sweep = await sweep_agents(
            make_session, {"stop_secs": [0.2, 0.4], "wait": [1.5, 0.8]}, callers, repeat=10
        )
        sweep           # the table, and the picture: a curve for one axis, a map for two
        sweep[3].calls  # a point's calls

    A comparison of providers is a sweep over the provider: what each understood (the words of the
    screenplay that were not), how long its answers take, and with ``prices`` what a call costs.

    Args:
        make_session: Makes a session of one value of each axis.
        axes: The values to try, by the parameter's name. The first of each make the point that all
            others are compared with.
        callers: Who calls, as for ``simulate_many``.
        min_difference: Seconds of a call's mean answer that matter between points, as for
            ``compare_agents``: where the calls are likely too few to show them, a warning says so
            before the first is made.
        prices: What services cost, by their class: ``{"OpenAILLMService": {"prompt_tokens":
            0.15e-6, "completion_tokens": 0.6e-6}, "CartesiaTTSService": {"characters": 3e-5},
            "DeepgramSTTService": {"audio_minutes": 0.0077}}``; each the price of one, "tokens" for
            both kinds, minutes of the call, ``{}`` for what is free. A service without a price
            leaves the cost unknown.
        seed: Of the resampling.
        **options: As for :func:`simulate_many`: ``repeat``, ``perturb``, ``line``, ``replace``,
            ``checks``, ``cassette`` (a folder; each point's are in one of its own in it),
            ``executor``, ...

    Returns:
        The points, in the order of the axes.

    Raises:
        ArgumentError: No axes, an axis without values or with one value twice, too many points, a
            session that can't be made; and what ``simulate_many`` raises.
        ArgumentTypeError: An argument of the wrong type.
    """
    check_options("sweep_agents", options)
    checked = check_prices(prices)
    values = _axes(axes)
    if min_difference is not None:
        check_number("min_difference", min_difference, 1e-6, 1e6)
    named = callers_of(callers)
    combinations = [
        dict(zip(values, combination, strict=True))
        for combination in itertools.product(*values.values())
    ]
    sessions = [_session(make_session, params) for params in combinations]
    if min_difference is not None and len(combinations) > 1:
        warn_of_few("sweep_agents", named, options.get("repeat", 1), min_difference)
    points: list[Point] = []
    for number, (params, session) in enumerate(zip(combinations, sessions, strict=True), 1):
        own = dict(options)
        if own.get("cassette") is not None:
            own["cassette"] = Path(own["cassette"]) / f"point-{number:03d}"
        calls = (await simulate_many(session, named, **own)).with_params(params)
        versus = None
        if points:
            first = points[0].calls
            versus = Comparison(first, calls, min_difference=min_difference, seed=seed)
        points.append(Point(params, calls, versus, cost_of_calls(calls, checked)))
    notices: list[str] = []
    if checked is not None:
        usages = [row.usage for point in points for row in point.calls]
        notices = [
            f"what {name} costs isn't known: it has no price, or reported nothing in some call; "
            "give its prices, or {} if it is free"
            for name in without_price(usages, checked)
        ]
    return Sweep(points, values, notices)


def _axes(given: object) -> dict[str, tuple[object, ...]]:
    if not isinstance(given, Mapping):
        raise ArgumentTypeError(f"axes={given!r}: give a dict, {{'stop_secs': [0.2, 0.4]}}")
    if not given:
        raise ArgumentError("axes is empty: give at least one, {'stop_secs': [0.2, 0.4]}")
    axes: dict[str, tuple[object, ...]] = {}
    for name, tried in given.items():
        if name in _TAKEN:
            raise ArgumentError(
                f"axes: {name!r} is a column of the tables; call the parameter otherwise"
            )
        if isinstance(tried, str) or not isinstance(tried, Iterable):
            raise ArgumentTypeError(f"axes: {name!r} is {tried!r}; give a list of values to try")
        values = tuple(tried)
        if not values:
            raise ArgumentError(f"axes: {name!r} has no values; give at least one")
        labels = [label_of(value) for value in values]
        if twice := [label for label in labels if labels.count(label) > 1]:
            raise ArgumentError(
                f"axes: {name!r} has {twice[0]!r} twice, or two that read so; give values that can "
                "be told apart"
            )
        axes[name] = values
    count = math.prod(map(len, axes.values()))
    if count > MOST:
        raise ArgumentError(f"axes: {count} points; give fewer values, {MOST} points at the most")
    return axes


def _session(
    make_session: Callable[..., SessionCallback], params: Mapping[str, object]
) -> SessionCallback:
    if not callable(make_session):
        raise ArgumentTypeError(f"make_session={make_session!r}: give a function")
    told = ", ".join(f"{name}={label_of(value)!s}" for name, value in params.items())
    try:
        session: object = make_session(**params)
    except TypeError as error:
        raise ArgumentError(
            f"make_session({told}) can't be called: {error}; its parameters are the axes' names"
        ) from error
    try:
        return as_callback(session)
    except ArgumentTypeError as error:
        if inspect.iscoroutine(session):  # it was a session itself
            session.close()
        raise ArgumentTypeError(
            f"make_session({told}) gave {session!r:.60}; it must return a session: a plain "
            "function with an async def create_session(...) in it that it returns"
        ) from error
