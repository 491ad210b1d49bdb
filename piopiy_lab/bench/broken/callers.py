"""Who calls the desks: one who books, and some who do what people do on the phone."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from piopiy_lab.bench.broken.rules import ASKS
from piopiy_lab.screenplay.caller import Caller
from piopiy_lab.screenplay.phrases import pause

#: Seconds of a caller's thinking in the middle of a sentence; the desks wait for 0.8.
THINKS_SECS = 0.5

_BOOKS = (
    Caller()
    .hears_greeting()
    .says("i would like a table for", pause(THINKS_SECS), "two tomorrow at seven")
    .hears_reply()
    .says("my name is Anna")
    .hears_reply()
    .says("yes please")
    .hears_reply(timeout=20)
    .says("no thank you")
    .waits(10)
    .hangs_up()
)
_LISTENS = (
    Caller()
    .hears_greeting()
    .says(ASKS)
    .backchannels("mm hmm", after=1.5)
    .backchannels("okay", after=4.0)
    .waits(6)
    .hangs_up()
)
_BREAKS_IN = (
    Caller()
    .hears_greeting()
    .says(ASKS)
    .interrupts("can i have a table for two tomorrow at seven", after=2.0)
    .waits(4)
    .hangs_up()
)
_COUGHS = (
    Caller()
    .hears_greeting()
    .stays_silent(1.0)
    .coughs(seed=1)
    .waits(2.5)
    .coughs(seed=2)
    .waits(2.5)
    .hangs_up()
)
#: By name.
CALLERS: Mapping[str, Caller] = MappingProxyType(
    {"books": _BOOKS, "listens": _LISTENS, "breaks in": _BREAKS_IN, "coughs": _COUGHS}
)
