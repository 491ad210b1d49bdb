"""Answers that never came: they are in no latency, so whoever lacks them looks faster. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from piopiy_lab import events as ev
from piopiy_lab.call.latency import find_answers

#: Seconds after what the caller said in which nobody could have answered: less than a detector
#: needs to be sure of the silence. Who says goodbye and hangs up at once waits for no answer.
NO_CHANCE_SECS = 0.2


def missing_answers(log: Iterable[ev.Event]) -> int:
    """Return how many of the caller's utterances, spoken or typed, were not answered.

    One is, if an answer began between its beginning and the caller's next one, or the end of the
    call, or later, and was to it. It does not count where the caller went on, or hung up, within
    0.2 s. Utterances are those of a scripted caller (``CallerSpoke``): of others nobody knows what
    was one.
    """
    events = list(log)
    said = [
        (event.at, event.end)
        for event in events
        if isinstance(event, ev.CallerSpoke) and event.wants_floor and not event.found
    ]
    said += [(event.at, event.at) for event in events if isinstance(event, ev.UserTextTyped)]
    if not said:
        return 0
    said.sort()
    ended = [event for event in events if isinstance(event, ev.CallEnded)]
    over = ended[-1].at if ended else events[-1].at
    broke_off = bool(ended) and ended[-1].reason == "error"
    answers = find_answers(events)
    missing = 0
    for place, (began, end) in enumerate(said):
        last = place == len(said) - 1
        until = over if last else said[place + 1][0]
        waited = until - end >= NO_CHANCE_SECS or (last and broke_off)
        answered = any(
            began < answer.sound <= until or began < answer.start <= end for answer in answers
        )
        missing += waited and not answered
    return missing
