"""What a call's services reported that is paid for, and what it cost. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from piopiy_lab import events as ev
from piopiy_lab.checks.arguments import check_number
from piopiy_lab.errors import ArgumentError, ArgumentTypeError
from piopiy_lab.events.log import EventLog

#: By service, by unit.
Usage = Mapping[str, Mapping[str, float]]


def usage_of(log: EventLog) -> dict[str, dict[str, float]]:
    """Return what each service of a call reported in tokens and characters, by its name.

    A service that reported nothing has nothing; that it took part is known all the same.
    """
    used: dict[str, dict[str, float]] = {}
    for started in log.of(ev.PipelineStarted):
        for name in started.services.values():
            used.setdefault(name, {})
    for switched in log.of(ev.ServiceSwitched):
        used.setdefault(switched.new, {})
    for metric in log.of(ev.MetricsReported):
        if metric.unit in ("tokens", "characters"):
            of = used.setdefault(metric.service, {})
            of[metric.name] = of.get(metric.name, 0.0) + metric.value
    return used


#: By service, by unit: what one of it costs. "prompt_tokens", "completion_tokens", "characters",
#: "tokens" (both kinds), and "audio_minutes", which are the call's.
Prices = Mapping[str, Mapping[str, float]]
_UNITS = ("tokens", "prompt_tokens", "completion_tokens", "characters", "audio_minutes")


def check_prices(prices: object) -> Prices | None:
    """Return a price table as it was given.

    Raises:
        ArgumentTypeError: It is no table of tables.
        ArgumentError: A unit that nothing is counted in, or a price that is none.
    """
    if prices is None:
        return None
    if not isinstance(prices, Mapping):
        raise ArgumentTypeError(
            f"prices={prices!r}: give a table, {{'OpenAILLMService': {{'tokens': 0.6e-6}}, ...}}"
        )
    for service, units in prices.items():
        if not isinstance(units, Mapping):
            raise ArgumentTypeError(
                f"prices of {service!r}: {units!r}; give a table, {{'tokens': 0.6e-6}}, or {{}} "
                "for what is free"
            )
        for unit, price in units.items():
            if unit not in _UNITS:
                raise ArgumentError(
                    f"prices of {service!r}: nothing is counted in {unit!r}; there are "
                    f"{', '.join(_UNITS)}"
                )
            check_number(f"the price of {unit} of {service!r}", price, 0, 1e6)
    return prices


def cost_of(usage: Usage, secs: float, prices: Prices) -> float | None:
    """Return what a call cost; None where a service or a unit has no price, or told no amount.

    Args:
        usage: What its services reported.
        secs: Its length.
        prices: What one of each unit costs, in any currency; ``{}`` for a service that is free.
    """
    parts = [_cost_of_one(usage[name], secs, prices.get(name)) for name in usage]
    known = [part for part in parts if part is not None]
    return sum(known) if parts and len(known) == len(parts) else None


def without_price(usages: Sequence[Usage], prices: Prices) -> list[str]:
    """Return the services of which nobody can tell what they cost."""
    names = dict.fromkeys(name for usage in usages for name in usage)
    return [
        name
        for name in names
        if any(
            name in usage and _cost_of_one(usage[name], 0.0, prices.get(name)) is None
            for usage in usages
        )
    ]


def _cost_of_one(
    used: Mapping[str, float], secs: float, prices: Mapping[str, float] | None
) -> float | None:
    if prices is None:
        return None
    if not prices:
        return 0.0
    cost = prices.get("audio_minutes", 0.0) * secs / 60
    if not used and "audio_minutes" not in prices:
        return None  # it is paid for by what it did not report
    for unit, amount in used.items():
        price = prices.get(unit)
        if price is None and unit.endswith("_tokens"):
            price = prices.get("tokens")
        if price is None and "audio_minutes" in prices:
            price = 0.0
        if price is None:
            return None
        cost += price * amount
    return cost
