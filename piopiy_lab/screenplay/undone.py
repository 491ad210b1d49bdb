"""What of a screenplay a call left undone: a check that was not reached has shown nothing. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from piopiy_lab import events as ev
from piopiy_lab.errors import ScreenplayError
from piopiy_lab.events.values import EndReason
from piopiy_lab.screenplay.caller import Caller
from piopiy_lab.screenplay.manners import StaysSilent
from piopiy_lab.screenplay.recalled import Recalls
from piopiy_lab.screenplay.sayings import contains
from piopiy_lab.screenplay.steps import (
    ExpectsTool,
    HangsUp,
    Hears,
    HearsGreeting,
    HearsReply,
    Listens,
    Step,
    Waits,
    has_arguments,
)

#: Who ended a call in which the caller had more to do; other ends are the caller's, the user's own,
#: or have an error of their own.
_FIRST: dict[EndReason, str] = {
    "agent_ended": "the agent ended the call first",
    "idle_timeout": "the agent gave the caller up as silent, and ended the call first",
    "cancelled": "the session was cancelled first",
}


def left_undone(
    caller: object, log: Sequence[ev.Event], reason: EndReason
) -> ev.CallerStepFailed | None:
    """Return the first step that says or wants something and was not over when a call ended.

    To wait and to hang up are over with the call, a reply that was being heard is heard, and words
    are heard to the last one: an agent that ends its call is stopped before its goodbye is spoken
    out. What a caller from a call does goes by that call.

    Args:
        caller: The screenplay; anybody else has none.
        log: What happened.
        reason: Why the call ended.
    """
    if not isinstance(caller, Caller) or caller.line is not None or reason not in _FIRST:
        return None
    done = max((e.number for e in log if isinstance(e, ev.CallerStepFinished)), default=0)
    heard = _since_the_caller(log)
    for number, step in enumerate(caller.steps[done:], done + 1):
        if _is_over(step) or _is_met(step, heard, at_work=number == done + 1):
            continue
        at = log[-1].at if log else 0.0
        return ev.CallerStepFailed(at=at, number=number, step=str(step), why=_FIRST[reason])
    return None


def undone_error(left: ev.CallerStepFailed) -> ScreenplayError:
    """Return what a call fails with whose caller had more to do."""
    return ScreenplayError(
        f"step {left.number} of the screenplay, {left.step}, was not reached to its end: "
        f"{left.why}. If that is right, let the screenplay end there."
    )


def _is_over(step: Step) -> bool:
    return isinstance(step, HangsUp | Waits | StaysSilent | Listens | Recalls)


def _since_the_caller(log: Sequence[ev.Event]) -> list[ev.Event]:
    """Return what happened since the caller spoke or pressed a key last."""
    began = 0.0
    for event in log:
        match event:
            case ev.CallerSpoke():
                began = event.end
            case ev.DTMFReceived():
                began = event.at
            case _:
                pass
    return [event for event in log if event.at >= began]


def _is_met(step: Step, heard: Sequence[ev.Event], *, at_work: bool) -> bool:
    """Whether what a step waits for has come, or of the one that the caller is at has begun to."""
    match step:
        case HearsGreeting() | HearsReply():
            return at_work and any(isinstance(e, ev.AgentSpeechStarted) for e in heard)
        case Hears(pattern):
            words = " ".join(e.text for e in heard if isinstance(e, ev.WordSpoken))
            return contains(words, pattern)
        case ExpectsTool(name, args):
            called = [e for e in heard if isinstance(e, ev.ToolCalled) and e.name == name]
            return any(has_arguments(e.arguments, dict(args)) for e in called)
        case _:
            return False
