"""Where each side of a recording is heard. Looked for once; any thread, one at a time."""

from __future__ import annotations

from piopiy_lab.elsewhere.draft import Span
from piopiy_lab.elsewhere.echo import without_echo
from piopiy_lab.elsewhere.sounds import Sides
from piopiy_lab.elsewhere.spans import (
    AGENT_PAUSE_SECS,
    CALLER_PAUSE_SECS,
    levels_of,
    noise_of,
    speech_spans,
)
from piopiy_lab.sound import pcm


def hear(sides: Sides) -> tuple[list[Span], list[Span]]:
    """Return the caller's spans and the agent's, in seconds, without each other's echo.

    What was left out is in the sides' ``echoes``.
    """
    if sides.heard is None:
        both = (sides.caller, sides.caller_rate), (sides.agent, sides.agent_rate)
        pauses = CALLER_PAUSE_SECS, AGENT_PAUSE_SECS
        whose = ("the agent's", "the caller's"), ("the caller's", "the agent's")
        found: list[list[Span]] = []
        for side, other, pause, (echoed, on) in zip(both, both[::-1], pauses, whose, strict=True):
            samples, echo = without_echo(*side, *other)
            if echo is not None:
                sides.echoes.append(
                    f"{echoed} echo is on {on} channel, at {pcm.dbfs(echo):.0f} dB: what is as "
                    "quiet while it may be heard is not taken for speech"
                )
            found.append(speech_spans(samples, side[1], pause, noise_of(levels_of(*side))))
        sides.heard = found[0], found[1]
    return sides.heard
