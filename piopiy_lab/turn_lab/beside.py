"""What a caller said beside their turns: voices over the agent's that began none in the call. Pure.

A hold decides by words, which no model of the lab's hears. So what the call decided stands: a voice
that it kept begins no turn in any run, and one that took the floor does.
"""

from __future__ import annotations

from collections.abc import Iterator

from piopiy_lab import events as ev
from piopiy_lab.call.record import CallRecord
from piopiy_lab.events.values import FLOOR_MANNERS
from piopiy_lab.turn_lab.spans import Span

#: Seconds after a voice in which its words may still begin its turn.
LATE_SECS = 1.2
#: Seconds before a detector is sure of a voice in which others may have begun its turn.
EARLY_SECS = 0.3


def beside_turns(call: CallRecord) -> tuple[Span, ...]:
    """Return ``(start, end)`` of what belongs to no turn; the call's seconds, where it was heard.

    That is what began none in the call, without what a scripted caller says in a turn: where the
    agent took the floor in a pause, the rest of the turn is over the agent's words, and is a turn's
    all the same where the pause isn't cut.
    """
    heard = call.heard
    late = 0.0 if heard is None else heard.frames.late
    said = [
        (spoke.at + late, spoke.end + late)
        for spoke in call.events.of(ev.CallerSpoke)
        if not spoke.found and spoke.manner in FLOOR_MANNERS
    ]
    return tuple(
        (start, end)
        for start, end in began_none(call)
        if not any(start < until and since < end for since, until in said)
    )


def began_none(call: CallRecord) -> tuple[Span, ...]:
    """Return ``(start, end)`` of what the call heard over the agent's words and began no turn.

    Backchannels, as the log has them, and voices that the detector was sure of and that no turn
    began with: a noise over the agent's words, or one that no word of came.
    """
    heard = [(one.start, one.end) for one in call.events.of(ev.BackchannelHeard)]
    return tuple(sorted([*heard, *_without_a_turn(call)]))


def _without_a_turn(call: CallRecord) -> Iterator[Span]:
    voices = list(_voices(call))
    turns = list(_turns(call))
    agent = list(_agent(call))
    for number, (start, end, sure) in enumerate(voices):
        later = voices[number + 1][2] if number + 1 < len(voices) else float("inf")
        over = any(begun <= sure < stopped for begun, stopped in agent)
        until = min(end + LATE_SECS, later)
        if over and not any(a < until and b > sure - EARLY_SECS for a, b in turns):
            yield start, end


def _voices(call: CallRecord) -> Iterator[tuple[float, float, float]]:
    """Yield when each voice began and ended, and when the detector was sure of it."""
    begun: ev.UserSpeechStarted | None = None
    for event in call.events:
        match event:
            case ev.UserSpeechStarted():
                begun = event
            case ev.UserSpeechStopped() if begun is not None:
                start = begun.at - begun.start_secs
                yield start, max(start, event.at - event.stop_secs), begun.at
                begun = None
            case _:
                pass


def _turns(call: CallRecord) -> Iterator[Span]:
    """Yield when each turn of the caller's began and ended."""
    begun: float | None = None
    for event in call.events:
        match event:
            case ev.UserTurnStarted() if begun is None:
                begun = event.at
            case ev.UserTurnStopped() if begun is not None:
                yield begun, event.at
                begun = None
            case _:
                pass
    if begun is not None:
        yield begun, float("inf")


def _agent(call: CallRecord) -> Iterator[Span]:
    """Yield when the agent was heard."""
    begun: float | None = None
    for event in call.events:
        match event:
            case ev.AgentSpeechStarted() if begun is None:
                begun = event.at
            case ev.AgentSpeechStopped() if begun is not None:
                yield begun, event.at
                begun = None
            case _:
                pass
    if begun is not None:
        yield begun, float("inf")
