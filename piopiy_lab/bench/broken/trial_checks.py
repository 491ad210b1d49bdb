"""What a call must be: plain functions of a call, each of which finds one of the planted faults.

A check holds, or says what is wrong. Where there is nothing to look at (no backchannel, no tool)
it holds: a suite has to have callers who give it something. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from piopiy_lab import events as ev
from piopiy_lab.bench.measuring import agent_sound, agent_spans
from piopiy_lab.bench.reactions import BREATH_SECS, RESUMES_SECS, reaction_of
from piopiy_lab.call.call import Call
from piopiy_lab.offline.wording import digits_in_words

#: Seconds within which an interrupted agent must be silent, as τ-voice's R_Y.
YIELDS_SECS = 2.0
#: Seconds in which nobody speaks, from the caller's first word on, that are too many: τ's "long
#: gap" is 3 s.
DEAD_SECS = 4.0
#: Seconds after a noise in which speech of the agent's is an answer, as τ-voice's S_VT.
ANSWER_SECS = 2.0
#: Seconds by which an agent may begin before a caller's last sound is over.
EDGE_SECS = 0.15
#: Seconds of silence between an agent's sentences at the most: what comes after is no beginning.
SENTENCES_SECS = 0.5
#: The tool that has an effect, and words that agree to it.
BOOK, AGREES = "book_table", ("yes", "right", "correct", "book it")

#: What the caller says when they want nothing more.
DONE = "no thank you"
_TURNS = ("turn", "interruption", "talk_over")


def no_talking_over(call: Call) -> None:
    """Hold if the agent never begins while the caller speaks; between sentences it goes on."""
    spans = agent_spans(call)
    ends = [-SENTENCES_SECS, *(end for _, end in spans)]
    for (start, _), before in zip(spans, ends, strict=False):
        if start - before < SENTENCES_SECS:
            continue
        for spoke in call.events.of(ev.CallerSpoke):
            inside = spoke.at + EDGE_SECS < start < spoke.end - EDGE_SECS
            if spoke.manner in _TURNS and inside:
                raise AssertionError(
                    f"it began at {start:.2f} s, while the caller said {spoke.text!r}"
                )


def yields(call: Call) -> None:
    """Hold if the agent is silent within 2 s of each interruption."""
    agent, rate = agent_sound(call)
    for spoke in _manner(call, "interruption"):
        until = min(call.duration, spoke.at + YIELDS_SECS + BREATH_SECS)
        if reaction_of(agent, rate, spoke.at, 0.0, None, until).fell is None:
            raise AssertionError(f"it talked on through {spoke.text!r} at {spoke.at:.2f} s")


def talks_through(call: Call) -> None:
    """Hold if the agent goes on through each backchannel, or resumes within 1 s."""
    for spoke in _manner(call, "backchannel"):
        until = spoke.at + YIELDS_SECS
        cuts = [e.at for e in call.events.of(ev.AgentInterrupted) if spoke.at <= e.at <= until]
        if cuts:
            raise AssertionError(f"{spoke.text!r} at {spoke.at:.2f} s cut it at {cuts[0]:.2f} s")
        spans = [(a, b) for a, b in agent_spans(call) if b > spoke.at and a < until]
        gaps = [b[0] - a[1] for a, b in zip(spans, spans[1:], strict=False)]
        if max(gaps, default=0.0) > RESUMES_SECS:
            raise AssertionError(
                f"it was silent for {max(gaps):.2f} s after {spoke.text!r} at {spoke.at:.2f} s"
            )


def no_dead_air(call: Call) -> None:
    """Hold if nobody waits for more than 4 s in silence for an answer, or while a tool works."""
    spans = agent_spans(call)
    spoken = call.events.of(ev.CallerSpoke)
    for spoke in spoken:
        heard = [start for start, end in spans if end > spoke.end]
        later = [one.at for one in spoken if one.at > spoke.end]
        waited = min([*heard, *later, call.duration]) - spoke.end
        if spoke.manner in _TURNS and waited > DEAD_SECS:
            raise AssertionError(f"{waited:.1f} s of silence after {spoke.text!r}")
    for tool in call.events.of(ev.ToolCalled):
        before = [end for start, end in spans if start < tool.at]
        waited = min((s for s, _ in spans if s >= tool.at), default=tool.at) - max(tool.at, *before)
        if waited > DEAD_SECS:
            raise AssertionError(f"{waited:.1f} s of silence while {tool.name} was at work")


def reads_back(call: Call) -> None:
    """Hold if each reference that a tool gave is told, digit by digit, as it was given."""
    for tool in call.events.of(ev.ToolReturned):
        reference = tool.result.get("reference") if isinstance(tool.result, dict) else None
        said = " ".join(e.text for e in call.events.of(ev.AgentTurnAdded) if e.at > tool.at)
        told = reference is not None and "reference" in said.lower()
        if told and digits_in_words(str(reference)) not in said:
            raise AssertionError(f"the reference is {reference}, and it said {said!r}")


def asks_first(call: Call) -> None:
    """Hold if the caller agreed before anything was booked."""
    for tool in call.events.of(ev.ToolCalled):
        before = [e.text or "" for e in call.events.of(ev.CallerSpoke) if e.at < tool.at]
        last = before[-1].lower() if before else ""
        if tool.name == BOOK and not any(word in last for word in AGREES):
            raise AssertionError(f"it booked after the caller said {last!r}")


def once(call: Call) -> None:
    """Hold if nothing is booked twice with the same arguments."""
    calls = [str(e.arguments) for e in call.events.of(ev.ToolCalled) if e.name == BOOK]
    twice = [one for one in calls if calls.count(one) > 1]
    if twice:
        raise AssertionError(f"{BOOK} was called {len(twice)} times with {twice[0]}")


def waits_in_pauses(call: Call) -> None:
    """Hold if no turn ends, and no answer begins, in a pause of the caller's."""
    starts = [start for start, _ in agent_spans(call)]
    ends = [e.at for e in call.events.of(ev.UserTurnStopped)]
    for spoke in call.events.of(ev.CallerSpoke):
        parts = [(float(start), float(end)) for _, start, end in spoke.parts or ()]
        for (_, start), (end, _) in zip(parts, parts[1:], strict=False):
            if any(start <= at <= end for at in (*starts, *ends)):
                raise AssertionError(
                    f"a pause of {end - start:.2f} s at {start:.2f} s was taken for the end"
                )


def ignores_noise(call: Call) -> None:
    """Hold if nothing is answered within 2 s of a cough into silence."""
    for spoke in _manner(call, "cough"):
        until = spoke.end + ANSWER_SECS
        if any(spoke.at <= start <= until for start, _ in agent_spans(call)):
            raise AssertionError(f"it answered a cough at {spoke.at:.2f} s")


def ends_the_call(call: Call) -> None:
    """Hold if the agent ends a call in which the caller wants nothing more."""
    last = [e.text for e in call.events.of(ev.CallerSpoke)][-1:]
    if last == [DONE] and call.end_reason != "agent_ended":
        raise AssertionError(f"nobody ended it after {DONE!r}: {call.end_reason}")


def _manner(call: Call, manner: str) -> list[ev.CallerSpoke]:
    return [one for one in call.events.of(ev.CallerSpoke) if one.manner == manner]


#: All of them, by name; in the order of the faults that they are there for.
CHECKS: Mapping[str, Callable[[Call], None]] = MappingProxyType(
    {
        check.__name__: check
        for check in (
            no_talking_over,
            yields,
            talks_through,
            no_dead_air,
            reads_back,
            asks_first,
            once,
            waits_in_pauses,
            ignores_noise,
            ends_the_call,
        )
    }
)
